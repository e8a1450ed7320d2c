"""Shapes with TensorFlow's questions, and checkpoints, while minikeras stands in."""

import numpy as np
import pytest

import minikeras


@pytest.fixture
def tf():
    with minikeras.install_as_keras():
        import tensorflow

        yield tensorflow


def test_shapes_answer(tf):
    seen = []

    class Twice(tf.keras.layers.Layer):
        def build(self, input_shape):
            seen.append(input_shape.as_list())

        def call(self, x):
            seen.append((x.shape.as_list()[1:], x.get_shape().rank, x.shape.ndims))
            return 2 * x

        def compute_output_shape(self, input_shape):
            return tf.TensorShape(input_shape.as_list())

    y = Twice()(tf.keras.Input((3,)))
    assert y.shape == (None, 3) and y.shape.as_list() == [None, 3]
    assert Twice()(np.ones((2, 3), "float32")).shape == (2, 3)
    assert seen[0] == [None, 3] and seen[-1] == ([3], 2, 2)
    assert tf.Variable([1.0]).get_shape().as_list() == [1]


def test_plain_tuples_outside():
    with minikeras.install_as_keras():
        assert hasattr(minikeras.Input((3,)).shape, "as_list")
    assert type(minikeras.Input((3,)).shape) is tuple
    assert not hasattr(minikeras.Input((3,)), "get_shape")


def fitted(tf, seed):
    tf.random.set_seed(seed)
    model = tf.keras.Sequential([tf.keras.layers.Dense(2, input_shape=(3,))])
    optimizer = tf.keras.optimizers.Adam(0.1)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(np.ones((4, 3), "float32")) ** 2)
    variables = model.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    return model, optimizer


def test_checkpoints(tf, tmp_path):
    model, optimizer = fitted(tf, 1)
    step = tf.Variable(5)
    checkpoint = tf.train.Checkpoint(model=model, optimizer=optimizer, step=step)
    manager = tf.train.CheckpointManager(checkpoint, tmp_path, max_to_keep=2)
    assert manager.latest_checkpoint is None and manager.restore_or_initialize() is None
    paths = [manager.save() for _ in range(3)]
    assert manager.checkpoints == paths[1:]
    assert tf.train.latest_checkpoint(tmp_path) == paths[-1]
    other, fresh = fitted(tf, 2)[0], tf.keras.optimizers.Adam(0.1)
    again = tf.train.Checkpoint(model=other, optimizer=fresh, step=tf.Variable(0))
    again.restore(tf.train.latest_checkpoint(tmp_path)).expect_partial()
    assert int(again.step) == 5 and int(again.save_counter) == 3
    for one, two in zip(other.get_weights(), model.get_weights()):
        np.testing.assert_array_equal(one, two)
    assert len(fresh.variables) == len(optimizer.variables)
    for one, two in zip(fresh.variables, optimizer.variables):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(two))
    assert ("step/0", []) in tf.train.list_variables(tmp_path)


def test_checkpoints_that_do_not_fit(tf, tmp_path):
    path = tf.train.Checkpoint(model=fitted(tf, 1)[0]).save(str(tmp_path / "ckpt"))
    wrong = tf.keras.Sequential([tf.keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="2 variables of 'model', and there are 0"):
        tf.train.Checkpoint(model=wrong).restore(path)
    with pytest.raises(FileNotFoundError, match="nothing"):
        tf.train.Checkpoint(model=wrong).restore(tmp_path / "nothing")

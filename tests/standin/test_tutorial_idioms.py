"""What tutorials write with TensorFlow beyond calling its operations."""

import numpy as np
import pytest

import minikeras
from minikeras import dialects


@pytest.fixture
def tf():
    dialects.silence()
    with minikeras.install_as_keras():
        import tensorflow

        yield tensorflow
    dialects.silence(False)


def test_shapes_can_be_set(tf):
    x = tf.zeros((2, 3))
    x.set_shape([None, 3])
    x.set_shape(None)
    with pytest.raises(ValueError, match="shape"):
        x.set_shape([2, 4])
    symbolic = tf.keras.Input((None, 3))
    symbolic.set_shape([None, 5, 3])
    assert tuple(symbolic.shape) == (None, 5, 3)
    assert x.device.endswith("CPU:0")


def test_numbers_read_as_numbers(tf):
    assert f"{tf.constant(1.5)} {tf.constant(0.25):.3f}" == "1.5 0.250"
    assert f"{tf.constant([1, 2])}" == "[1 2]"


def test_tapes_let_go_of_plain_numpy(tf):
    x = tf.constant([0.25, 0.75])
    with tf.GradientTape() as tape:
        tape.watch(x)
        first = x[0] * 2.0
        chance = np.asarray(x * 1.0)
        loss = first + float(chance[1])
    assert tape.gradient(loss, x).numpy().tolist() == [2, 0]


def test_tapes_hold_on_elsewhere():
    x = minikeras.ops.array([1.0])
    with minikeras.GradientTape() as tape:
        tape.watch(x)
        y = x * 2.0
        with pytest.raises(RuntimeError, match="Plain NumPy"):
            np.asarray(y)


@pytest.mark.parametrize("unique", [True, False])
def test_candidates(tf, unique):
    true = tf.constant([[3], [0]], "int64")
    drawn, expected, own = tf.random.log_uniform_candidate_sampler(true, 1, 5, unique, 20, seed=3)
    assert drawn.shape == (5,) and drawn.numpy().max() < 20 and drawn.dtype == "int64"
    assert len(set(drawn.numpy().tolist())) == 5 or not unique
    assert expected.shape == (2, 1) and float(expected[1, 0]) > float(expected[0, 0])
    assert own.shape == (5,)
    if not unique:
        # The chance of class k among n is (log(k + 2) - log(k + 1)) / log(n + 1).
        assert float(expected[1, 0]) == pytest.approx(5 * np.log(2) / np.log(21), rel=1e-5)
        _, even, _ = tf.random.uniform_candidate_sampler(true, 1, 5, False, 20)
        assert even.numpy().ravel().tolist() == [0.25, 0.25]
    with pytest.raises(ValueError, match="different ones"):
        tf.random.uniform_candidate_sampler(true, 1, 30, True, 20)


def test_weights_are_found_as_checkpoints(tf, tmp_path):
    model = tf.keras.Sequential([tf.keras.layers.Dense(2, input_shape=(3,))])
    folder = tmp_path / "kept"
    assert tf.train.latest_checkpoint(str(folder)) is None
    for epoch in range(2):
        model.save_weights(str(folder / f"cp-{epoch:04d}.ckpt"))
    latest = tf.train.latest_checkpoint(str(folder))
    assert latest.endswith("cp-0001.ckpt")
    model.load_weights(latest)


def test_arrays_of_tensors_take_several(tf):
    array = tf.TensorArray(tf.float32, size=4)
    array = array.scatter([2, 0], tf.constant([[1.0], [2.0]]))
    assert array.stack().numpy().ravel().tolist() == [2, 0, 1, 0]


def test_means_of_areas(tf):
    x = tf.reshape(tf.range(16.0), (4, 4, 1))
    assert tf.image.resize(x, (2, 2), method="area").numpy().ravel().tolist() == [
        2.5,
        4.5,
        10.5,
        12.5,
    ]


def test_summaries(tf, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert not tf.summary.scalar("nobody", 1.0, step=0)
    writer = tf.summary.create_file_writer(str(tmp_path))
    with writer.as_default():
        tf.summary.scalar("loss", tf.constant(0.5), step=3)
        tf.summary.histogram("weights", np.arange(9.0), step=3)
        tf.summary.image("picture", np.zeros((1, 4, 4, 3)), step=3)
        tf.summary.text("note", ["hello"], step=3)
        with pytest.raises(ValueError, match="Pass `step`"):
            tf.summary.scalar("loss", 0.5)
    writer.close()
    events = EventAccumulator(str(tmp_path)).Reload()
    assert set(events.Tags()["tensors"]) == {"loss", "weights", "picture", "note"}
    assert events.Tensors("loss")[0].step == 3
    with tf.summary.create_noop_writer().as_default(step=1):
        assert tf.summary.scalar("loss", 0.5) and tf.summary.text("note", "hello")


def test_scripts_may_ask_for_the_backend(tf):
    assert tf.keras.backend.backend() == "tensorflow"


def test_a_training_step_may_take_what_the_model_does_not(tf):
    """Three inputs arrive as x, y and sample weights."""
    keras = tf.keras
    inner = keras.Sequential([keras.layers.Dense(2, input_shape=(3,))])

    class Triplets(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = inner

        def call(self, inputs):
            first, second, third = inputs
            return inner(first) + inner(second) + inner(third)

        def train_step(self, data):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(self(data)))
            self.optimizer.apply_gradients(
                zip(tape.gradient(loss, inner.trainable_weights), inner.trainable_weights)
            )
            return {"loss": loss}

    model = Triplets()
    model.compile(optimizer="sgd")
    x = np.ones((4, 3), "float32")
    data = tf.data.Dataset.from_tensor_slices((x, x, x)).batch(2)
    losses = model.fit(data, epochs=2, verbose=0).history["loss"]
    assert losses[1] < losses[0]


def test_models_of_keras_2_see_axes_in_between(tf):
    keras = tf.keras
    inner = keras.Sequential([keras.layers.Dense(6, input_dim=2), keras.layers.Reshape((3, 2))])
    x = keras.Input((1, 2))
    model = keras.Model(x, inner(x))
    assert model.predict(np.ones((4, 1, 2)), verbose=0).shape == (4, 3, 2)


def test_shapes_that_were_only_seen_are_not_demanded(tf):
    keras = tf.keras
    model = keras.Sequential([keras.layers.Embedding(5, 2), keras.layers.GRU(3)])
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 6)), np.ones((4, 3)), verbose=0)
    assert model.predict(np.ones((2, 9)), verbose=0).shape == (2, 3)


def test_layers_of_keras_2_report_values(tf):
    class Watched(tf.keras.layers.Layer):
        def call(self, inputs):
            self.add_metric(tf.reduce_mean(inputs), name="mean_seen", aggregation="mean")
            return inputs

    x = tf.keras.Input((2,))
    model = tf.keras.Model(x, tf.keras.layers.Dense(1)(Watched()(x)))
    model.compile("sgd", "mse")
    data = np.array([[1.0, 3.0], [2.0, 2.0], [5.0, 5.0]], "float32")
    history = model.fit(data, np.ones(3), batch_size=1, epochs=2, verbose=0).history
    assert history["mean_seen"] == [3.0, 3.0]
    assert model.evaluate(data[2:], np.ones(1), return_dict=True, verbose=0)["mean_seen"] == 5.0


def test_some_outputs_may_have_no_loss(tf):
    x = tf.keras.Input((2,))
    outputs = [tf.keras.layers.Dense(1, name=name)(x) for name in ("score", "kind")]
    model = tf.keras.Model(x, outputs)
    model.compile("sgd", loss={"kind": "mse"})
    score = model.get_layer("score").get_weights()[0]
    with pytest.warns(UserWarning, match="Gradients do not exist .*score"):
        model.fit(np.ones((4, 2)), [np.ones(4), np.ones(4)], verbose=0)
    np.testing.assert_array_equal(model.get_layer("score").get_weights()[0], score)


def test_a_flag_of_training_may_be_an_array(tf):
    x = tf.keras.Input((3,))
    model = tf.keras.Model(x, tf.keras.layers.Dropout(0.5)(x))
    ones = np.ones((4, 3))
    assert model(ones, np.zeros((4, 3))).numpy().tolist() == ones.tolist()
    assert model(ones, ones).numpy().tolist() != ones.tolist()


def test_dtypes_have_numbers(tf):
    assert tf.zeros(1, 1).dtype == tf.float32 and tf.as_dtype(10) == tf.bool
    with pytest.raises(ValueError, match="Invalid dtype"):
        tf.as_dtype(40)


def test_a_scalar_variable_is_a_number(tf):
    assert type(tf.Variable(5).numpy()) is np.int32
    assert type(tf.keras.backend.variable(5.0).numpy()) is np.float32


class Mlp:
    """A model of one's own, of the Keras that stands in."""

    def __new__(cls, tf, units):
        class Model(tf.keras.Model):
            def __init__(self, units):
                super().__init__()
                self.units = units
                self.hidden, self.top = (tf.keras.layers.Dense(one) for one in (units, 1))

            def call(self, inputs):
                return self.top(self.hidden(inputs))

            def get_config(self):
                return {"units": self.units}

        return Model(units)


def test_checkpoints_wait_for_variables(tf, tmp_path):
    ones = tf.ones((2, 3))
    first, second = Mlp(tf, 4), Mlp(tf, 4)
    expected = first(ones).numpy()
    first.save_weights(tmp_path / "weights")
    second.load_weights(tmp_path / "weights").expect_partial()
    np.testing.assert_array_equal(second(ones), expected)
    third = Mlp(tf, 4)
    third.load_weights(tmp_path / "weights")
    third.build((None, 3))
    np.testing.assert_array_equal(third(ones), expected)
    layers = [tf.keras.Sequential([tf.keras.layers.Dense(2)]) for _ in range(2)]
    expected = layers[0](ones).numpy()
    layers[0].save_weights(tmp_path / "layers")
    layers[1].load_weights(tmp_path / "layers")
    np.testing.assert_array_equal(layers[1](ones), expected)
    with pytest.raises(ValueError, match="has not yet been built"):
        first.save_weights(tmp_path / "w.weights.h5")
        Mlp(tf, 4).load_weights(tmp_path / "w.weights.h5")


def test_checkpoints_may_hold_a_part(tf, tmp_path):
    x = tf.keras.Input((3,))
    body = tf.keras.layers.Dense(4)(x)
    whole = tf.keras.Model(x, tf.keras.layers.Dense(2)(body))
    tf.keras.Model(x, body).save_weights(tmp_path / "part")
    top = whole.layers[-1].get_weights()
    kernel = whole.layers[1].get_weights()[0]
    whole.layers[1].set_weights([kernel * 0, np.ones(4)])
    whole.load_weights(tmp_path / "part").assert_existing_objects_matched()
    np.testing.assert_array_equal(whole.layers[1].get_weights()[0], kernel)
    np.testing.assert_array_equal(whole.layers[-1].get_weights()[0], top[0])


def test_a_folder_of_tensorflow_is_opened_without_classes(tf, tmp_path):
    model = Mlp(tf, 4)
    expected = model(tf.ones((2, 3))).numpy()
    model.save(tmp_path / "model")
    opened = tf.keras.models.load_model(tmp_path / "model")
    np.testing.assert_array_equal(opened(tf.ones((2, 3))), expected)
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="Could not load"):
        tf.keras.models.load_model(tmp_path / "model.keras")


def test_places_of_variables_are_assigned_to(tf):
    v = tf.Variable([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert v[0, 1].assign(42) is v
    v[:, 2].assign([0.0, 1.0])
    assert v.numpy().tolist() == [[1, 42, 0], [4, 5, 1]]
    v.scatter_nd_update(indices=[[0, 0], [1, 2]], updates=[100.0, 200.0])
    assert v.numpy().tolist() == [[100, 42, 0], [4, 5, 200]]
    v.scatter_update(tf.IndexedSlices(values=[[1.0, 2.0, 3.0]], indices=[1]))
    assert v.numpy().tolist() == [[100, 42, 0], [1, 2, 3]]
    index = tf.constant(1)
    v[index].assign(v[0])
    assert v.numpy().tolist() == [[100, 42, 0]] * 2
    with pytest.raises(ValueError):
        v[0].assign([1.0, 2.0])
    # What is read so is followed by tapes, as anything.
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(v[0] ** 2) + v[1, 1]
    assert tape.gradient(y, v).numpy().tolist() == [[200, 84, 0], [0, 1, 0]]


def test_what_scripts_begin_with(tf):
    import keras
    from tensorflow.python.client import device_lib
    from tensorflow.python.framework import ops

    assert [one.device_type for one in device_lib.list_local_devices()] == ["CPU"]
    ops.reset_default_graph()
    with tf.compat.v1.Session(graph=tf.compat.v1.get_default_graph()) as session:
        keras.backend.set_session(session)
    graph = tf.Graph()
    with graph.as_default():
        model = keras.Sequential([keras.layers.Dense(1)])
        model._make_predict_function()
        assert model.predict(np.ones((1, 2)), verbose=0).shape == (1, 1)


def test_callbacks_found_the_data_for_validation(tf):
    import keras

    class Watch(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.seen = self.validation_data

    class Own(Watch):
        validation_data = "own"

    x, y = np.ones((4, 2)), np.zeros((4, 1))
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    watch, own = Watch(), Own()
    model.fit(x, y, validation_data=(x, y), callbacks=[watch, own], verbose=0)
    assert own.seen == "own"
    inputs, targets, weights = watch.seen
    assert inputs is x and targets is y and weights.tolist() == [1.0] * 4
    model.fit(x, y, validation_split=0.25, callbacks=[watch], verbose=0)
    assert [len(one) for one in watch.seen] == [1, 1, 1]
    model.fit(x, y, callbacks=[watch], verbose=0)
    assert watch.seen is None


def test_some_outputs_may_have_weights(tf):
    x = tf.keras.Input((2,))
    outputs = [tf.keras.layers.Dense(1, name=name)(x) for name in ("a", "b")]
    model = tf.keras.Model(x, outputs)
    model.compile("sgd", "mse")
    data, targets = np.ones((4, 2)), {"a": np.ones(4), "b": np.ones(4)}
    whole = model.evaluate(data, targets, verbose=0)[0]
    a = model.evaluate(data, targets, sample_weight={"b": np.zeros(4)}, verbose=0)[0]
    b = model.evaluate(data, targets, sample_weight={"a": np.zeros(4)}, verbose=0)[0]
    np.testing.assert_allclose(a + b, whole, rtol=1e-5)


def test_helpers_that_are_gone(tf, tmp_path):
    import h5py
    from keras.utils import HDF5Matrix, multi_gpu_model

    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"] = np.arange(12.0).reshape(6, 2)
    assert HDF5Matrix(tmp_path / "data.h5", "x").shape == (6, 2)
    some = HDF5Matrix(tmp_path / "data.h5", "x", 1, 3, normalizer=lambda rows: rows / 2)
    assert some.tolist() == [[1.0, 1.5], [2.0, 2.5]]
    model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
    assert multi_gpu_model(model, gpus=4) is model
    assert tf.keras.backend.dtype(0.5) == "float32"


def test_steps_of_keras_2_use_what_compile_was_given(tf):
    class Model(tf.keras.Model):
        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = self.compiled_loss(y, y_pred, regularization_losses=self.losses)
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
            self.compiled_metrics.update_state(y, y_pred)
            return {metric.name: metric.result() for metric in self.metrics}

    def make(kind):
        tf.keras.utils.set_random_seed(1)
        x = tf.keras.Input((3,))
        model = kind(x, tf.keras.layers.Dense(1, kernel_regularizer="l2")(x))
        model.compile("sgd", "mse", metrics=["mae"])
        return model

    x, y = np.random.default_rng(0).normal(size=(2, 8, 3)).astype("float32")
    histories = [
        make(kind).fit(x, y[:, :1], epochs=2, batch_size=4, shuffle=False, verbose=0).history
        for kind in (Model, tf.keras.Model)
    ]
    for name in ("loss", "mae"):
        np.testing.assert_allclose(histories[0][name], histories[1][name], rtol=1e-5)


def test_functions_know_themselves(tf):
    @tf.function(input_signature=[tf.TensorSpec(shape=None, dtype=tf.float32)])
    def cube(x):
        return x**3

    assert cube.python_function(2) == 8
    assert float(cube.get_concrete_function(tf.constant(2.0))(tf.constant(2.0))) == 8


def test_lookups_without_a_place_for_unknown_words_are_traced(tf):
    class Halves(tf.keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.lookup = tf.keras.layers.StringLookup(
                vocabulary=["a", "b", "c"], mask_token=None, num_oov_indices=0
            )
            self.embedding = tf.keras.layers.Embedding(3, 2)

        def call(self, inputs):
            return self.embedding(self.lookup(inputs))

    word = tf.keras.Input((), dtype=tf.string)
    model = tf.keras.Model(word, Halves()(word))
    assert model.predict(np.array(["b", "c"]), verbose=0).shape == (2, 2)
    with pytest.raises(ValueError, match="Not in it: \\['d'\\]"):
        model.predict(np.array(["d"]), verbose=0)


def test_an_input_of_a_value_may_have_a_shape_too(tf):
    mask = tf.keras.Input(tensor=np.ones((1, 4, 4, 2)), shape=(None, None, None), name="mask")
    assert tuple(mask.shape) == (1, 4, 4, 2)


def test_words_of_unequal_number_become_a_tensor(tf):
    words = tf.strings.split(["a b", "c d"]).to_tensor()
    np.testing.assert_array_equal(words.numpy(), [[b"a", b"b"], [b"c", b"d"]])


def test_steps_of_ones_own_build_layers_as_they_go(tf):
    """The masked autoencoders of keras.io: what makes layers when it is called first."""

    class Late(tf.keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.token = tf.Variable(tf.zeros((1, 3)), trainable=True)

        def build(self, input_shape):
            self.dense = tf.keras.layers.Dense(1)

        def call(self, x):
            return self.dense(x + self.token)

    class Wrapped(tf.keras.Model):
        def __init__(self):
            super().__init__()
            self.late = Late()

        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self.late(x) - y) ** 2)
            variables = self.late.trainable_variables
            self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
            return {"loss": loss}

    model = Wrapped()
    model.compile("sgd")
    x = np.ones((16, 3), "float32")
    losses = model.fit(x, x[:, :1] * 5, batch_size=4, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0] and len(model.late.trainable_variables) == 3


def test_weights_of_a_model_without_a_call_are_saved(tf, tmp_path):
    class Pair(tf.keras.Model):
        def __init__(self):
            super().__init__()
            self.one = tf.keras.Sequential([tf.keras.Input((3,)), tf.keras.layers.Dense(2)])

    first, second = Pair(), Pair()
    first.save_weights(tmp_path / "pair.weights.h5")
    second.load_weights(tmp_path / "pair.weights.h5")
    for left, right in zip(first.get_weights(), second.get_weights()):
        np.testing.assert_array_equal(left, right)


def test_sizes_that_only_a_batch_tells_are_taken(tf):
    """The router of the Switch Transformer on keras.io reshapes to whole batches."""

    class Whole(tf.keras.layers.Layer):
        def call(self, x):
            flat = tf.reshape(x, [8, 3])
            return tf.reshape(tf.transpose(flat), [2, 4, 3])

    inputs = tf.keras.Input((4, 3))
    model = tf.keras.Model(inputs, Whole()(inputs))
    x = np.random.rand(2, 4, 3).astype("float32")
    assert model(x).shape == (2, 4, 3)


def test_dictionaries_with_attributes_are_attributes(tf):
    class Config(dict):
        __getattr__ = dict.__getitem__

    class Scaled(tf.keras.layers.Layer):
        def __init__(self, config):
            super().__init__()
            self.config = config

        def call(self, x):
            return x * self.config.factor

    assert float(Scaled(Config(factor=3.0))(tf.ones(()))) == 3

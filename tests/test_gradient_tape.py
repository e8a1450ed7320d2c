import numpy as np
import pytest

from minikeras import Input, Model, Variable, layers, ops
from minikeras.gradient_tape import GradientTape


def test_gradients_of_variables_and_layers():
    layer = layers.Dense(2, activation="tanh")
    x = np.random.default_rng(0).standard_normal((4, 3)).astype("float32")
    layer(x)
    with GradientTape() as tape:
        loss = ops.mean(ops.square(layer(x)))
    kernel, bias = tape.gradient(loss, layer.trainable_variables)
    y = layer(x).numpy()
    dz = 2 * y * (1 - y * y) / y.size
    np.testing.assert_allclose(kernel, x.T @ dz, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(bias, dz.sum(0), rtol=1e-5, atol=1e-6)


def test_watched_tensors_and_structures():
    a, b = ops.array(2.0), ops.array(3.0)
    with GradientTape() as tape:
        tape.watch([a, b])
        y = a * a * b
    gradients = tape.gradient(y, {"a": a, "b": b})
    assert float(gradients["a"]) == 12.0 and float(gradients["b"]) == 4.0


def test_output_gradients_and_several_targets():
    x = ops.array([1.0, 2.0])
    with GradientTape(persistent=True) as tape:
        tape.watch(x)
        y, z = x * x, 3.0 * x
    assert tape.gradient(y, x, output_gradients=np.array([1.0, 10.0], "float32")).tolist() == [
        2,
        40,
    ]
    assert tape.gradient([y, z], x).tolist() == [5, 7]


def test_unconnected():
    x, other = ops.array(1.0), Variable(np.ones(2, "float32"))
    with GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * 2.0
    assert tape.gradient(y, other) is None
    assert tape.gradient(y, other, unconnected_gradients="zero").tolist() == [0, 0]


def test_jacobian():
    x = ops.array([1.0, 2.0, 3.0])
    with GradientTape() as tape:
        tape.watch(x)
        y = x[:2] * x[1:]
    assert tape.jacobian(y, x).tolist() == [[2, 1, 0], [0, 3, 2]]


def test_once_only_unless_persistent():
    x = ops.array(1.0)
    with GradientTape() as tape:
        tape.watch(x)
        y = x * x
    tape.gradient(y, x)
    with pytest.raises(RuntimeError, match="persistent=True"):
        tape.gradient(y, x)


def test_stop_recording_and_reset():
    x = ops.array(3.0)
    with GradientTape(persistent=True) as tape:
        tape.watch(x)
        with tape.stop_recording():
            constant = x * x
        y = constant * x
        assert float(tape.gradient(y, x)) == 9.0
        tape.reset()
        tape.watch(x)
        z = x * 2.0
    assert float(tape.gradient(z, x)) == 2.0


def test_integers_are_refused():
    with GradientTape() as tape, pytest.raises(ValueError, match="floats"):
        tape.watch(ops.array(1))


def test_custom_gradient():
    @ops.custom_gradient
    def doubled(x):
        return x * 1.0, lambda upstream: upstream * 2.0

    x = ops.array(3.0)
    with GradientTape() as tape:
        tape.watch(x)
        y = doubled(x) * 5.0
    assert float(tape.gradient(y, x)) == 10.0


def test_nested_tapes_each_give_their_gradients():
    x, y = ops.array(2.0), Variable(np.float32(3.0))
    with GradientTape() as outer, GradientTape() as inner:
        inner.watch(x)
        first = x * x * y
        second = x + y * y
    assert float(inner.gradient(first, x)) == 12.0
    assert float(outer.gradient(second, y)) == 6.0
    with pytest.raises(RuntimeError, match="persistent=True"):
        inner.gradient(first, x)


def test_tapes_of_a_gan():
    generator, critic = layers.Dense(3), layers.Dense(1)
    noise = np.random.default_rng(0).standard_normal((4, 2)).astype("float32")
    generator.build((4, 2))
    critic.build((4, 3))
    with GradientTape() as one, GradientTape() as two:
        score = critic(generator(noise))
        loss_generator, loss_critic = ops.mean(score), ops.mean(ops.square(score))
    found = one.gradient(loss_generator, generator.trainable_variables)
    both = two.gradient(loss_critic, critic.trainable_variables)
    for loss, sources, gradients in (
        (lambda s: ops.mean(s), generator, found),
        (lambda s: ops.mean(ops.square(s)), critic, both),
    ):
        with GradientTape() as tape:
            value = loss(critic(generator(noise)))
        for mine, alone in zip(gradients, tape.gradient(value, sources.trainable_variables)):
            np.testing.assert_array_equal(mine, alone)


def test_second_derivatives_are_refused():
    x = Variable(np.float32(3.0))
    with GradientTape() as outer:
        with GradientTape() as inner:
            y = x * x * x
        with pytest.raises(NotImplementedError, match="after the outermost"):
            inner.gradient(y, x)
    assert float(outer.gradient(y, x)) == 27.0
    with GradientTape() as later:
        z = x * x
    assert float(later.gradient(z, x)) == 6.0


def test_a_scalar_that_is_used_three_times():
    x = Variable(np.float32(3.0))
    with GradientTape() as tape:
        y = x * x * x
    assert float(tape.gradient(y, x)) == 27.0


def test_gradients_of_tensors_on_the_way():
    layer, x = layers.Dense(3), np.ones((2, 4), "float32")
    layer(x)
    with GradientTape() as tape:
        hidden = layer(x)
        tape.watch(hidden)
        y = ops.sum(ops.square(hidden))
    by_hidden, by_kernel = tape.gradient(y, [hidden, layer.kernel])
    np.testing.assert_allclose(by_hidden, 2 * hidden.numpy(), rtol=1e-6)
    np.testing.assert_allclose(by_kernel, x.T @ (2 * hidden.numpy()), rtol=1e-5)


def test_one_output_of_a_model_by_another():
    # As Grad-CAM asks: the gradient of a score by the features it was computed from.
    inputs = Input((6, 6, 1))
    features = layers.Conv2D(2, 3, activation="relu")(inputs)
    score = layers.Dense(1)(layers.GlobalAveragePooling2D()(features))
    model = Model(inputs, [features, score])
    x = np.random.default_rng(0).standard_normal((1, 6, 6, 1)).astype("float32")
    with GradientTape() as tape:
        found, value = model(x)
        target = ops.sum(value)
    gradient = tape.gradient(target, found)
    expected = np.broadcast_to(model.layers[-1].kernel.numpy()[:, 0] / 16, (1, 4, 4, 2))
    np.testing.assert_allclose(gradient, expected, rtol=1e-5)

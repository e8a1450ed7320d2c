"""`K.function` and `K.gradients` between tensors of a model, as tutorials use them."""

import numpy as np
import pytest

import minikeras
from minikeras import backend as K
from minikeras import dialects, layers

IMAGES = np.random.default_rng(0).normal(size=(2, 6, 6, 1)).astype("float32")


@pytest.fixture(autouse=True)
def quiet():
    dialects.silence()
    yield
    dialects.silence(False)


@pytest.fixture
def model():
    minikeras.utils.set_random_seed(1)
    return minikeras.Sequential(
        [
            minikeras.Input((6, 6, 1)),
            layers.Conv2D(3, 3, activation="tanh", name="conv"),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(4, activation="softmax"),
        ]
    )


def by_differences(function, x, step=1e-2):
    gradient = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        up, down = x.copy(), x.copy()
        up[index] += step
        down[index] -= step
        gradient[index] = (function(up) - function(down)) / (2 * step)
    return gradient


def test_saliency(model):
    loss = K.sum(model.output[:, 2])
    (gradient,) = K.gradients(loss, model.input)
    found = K.function([model.input, K.learning_phase()], [gradient])([IMAGES, 0])[0]
    expected = by_differences(lambda x: model.predict(x, verbose=0)[:, 2].sum(), IMAGES)
    # Central differences in float32.
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_gradient_ascent_on_an_image(model):
    """The loop of DeepDream and of pictures of filters."""
    loss = K.mean(model.get_layer("conv").output[..., 0])
    gradient = K.gradients(loss, model.input)[0]
    gradient /= K.sqrt(K.mean(K.square(gradient))) + 1e-5
    iterate = K.function([model.input], [loss, gradient])
    x, values = IMAGES[:1].copy(), []
    for _ in range(5):
        value, step = iterate([x])
        values.append(float(value))
        x += 0.1 * step
    assert all(one < other for one, other in zip(values, values[1:]))


def test_heat_map_of_a_class(model):
    """Grad-CAM: gradients by an inner tensor, averaged, weigh its channels."""
    convolution = model.get_layer("conv").output
    gradient = K.gradients(model.output[:, 1], convolution)[0]
    pooled = K.mean(gradient, axis=(0, 1, 2))
    weights, maps = K.function([model.input], [pooled, convolution[0]])([IMAGES])
    assert weights.shape == (3,) and maps.shape == (4, 4, 3)
    assert np.abs(weights).min() > 0


def test_gradients_by_weights(model):
    loss = K.mean(model.output[:, 0])
    found = K.function([model.input], K.gradients(loss, model.trainable_weights))([IMAGES])
    for one, weight in zip(found, model.trainable_weights):
        assert one.shape == weight.shape and np.abs(one).max() > 0


def test_style_transfer_by_placeholders():
    """Variables and a placeholder side by side, a loss that grows by `+=`."""
    base, picture = K.variable(IMAGES[:1]), K.placeholder((1, 6, 6, 1))
    both = K.concatenate([base, picture], axis=0)
    features = layers.Conv2D(2, 3)(both)
    loss = K.variable(0.0)
    loss = loss + 0.5 * K.sum(K.square(features[0] - features[1]))
    gradient = K.gradients(loss, picture)
    evaluate = K.function([picture], [loss, *gradient])
    value, step = evaluate([IMAGES[1:]])
    smaller, _ = evaluate([IMAGES[1:] - 0.01 * step])
    assert smaller < value and evaluate([IMAGES[:1]])[0] == 0


def test_phases(model):
    run = K.function([model.input, K.learning_phase()], [model.layers[1].output])
    conv = K.function([model.input], [model.layers[0].output])([IMAGES])[0]
    assert np.array_equal(run([IMAGES, 0])[0], conv)
    assert (run([IMAGES, 1])[0] == 0).mean() > 0.2


def test_phase_of_an_own_layer():
    class Noise(layers.Layer):
        def call(self, x, mask=None):
            return K.in_train_phase(x + 1.0, x)

    layer = Noise()
    assert float(layer(np.zeros((1, 1)), training=True)[0, 0]) == 1
    assert float(layer(np.zeros((1, 1)))[0, 0]) == 0
    x = minikeras.Input((1,))
    y = K.in_train_phase(x * 2, x)
    run = K.function([x, K.learning_phase()], [y])
    assert run([[[3.0]], 1])[0] == 6 and run([[[3.0]], 0])[0] == 3


def test_updates():
    count, x = K.variable(1.0), minikeras.Input((2,))
    run = K.function([x], [x * 2], updates=[K.update_add(count, K.sum(x))])
    run([np.ones((3, 2))])
    assert K.get_value(count) == 7


def test_errors(model):
    with pytest.raises(ValueError, match="GradientTape"):
        K.gradients(K.constant(1.0), model.input)
    with pytest.raises(ValueError, match="not in `inputs`"):
        K.function([], [model.output])
    with pytest.raises(ValueError, match="takes 1 values"):
        K.function([model.input], [model.output])([IMAGES, 0])
    with pytest.raises(ValueError, match=r"K\.function"):
        K.eval(model.output)
    with pytest.raises(NotImplementedError, match=r"K\.get_value"):
        K.get_session()
    assert K.gradients(model.output, minikeras.Input((3,))) == [None]


def test_gradients_inside_of_a_lambda_say_where_a_maximum_was():
    """A Lambda sees the way between its tensors, and trains where that way is straight."""
    images = minikeras.Input((4, 4, 1))
    features = layers.Conv2D(2, 1, name="features")(images)
    pooled = layers.MaxPooling2D(2)(features)

    def where(pair):
        before, after = pair
        return K.gradients(K.sum(after), before)

    switches = layers.Lambda(where, output_shape=lambda shapes: shapes[0])([features, pooled])
    restored = layers.Multiply()([layers.UpSampling2D(2)(pooled), switches])
    model = minikeras.Model(images, [switches, restored])
    x = np.random.default_rng(3).normal(size=(2, 4, 4, 1)).astype("float32")
    mask, back = model.predict(x, verbose=0)
    values = minikeras.Model(images, features).predict(x, verbose=0)
    windows = values.reshape(2, 2, 2, 2, 2, 2)
    largest = windows == windows.max(axis=(2, 4), keepdims=True)
    np.testing.assert_array_equal(mask, largest.reshape(values.shape))
    np.testing.assert_allclose(back, np.where(mask, values, 0))
    # The switches are constants: the slope of the loss is that of the restored features.
    trained = minikeras.Model(images, restored)
    kernel = trained.get_layer("features").kernel

    def loss_at(weights):
        kernel.assign(weights)
        return float(np.mean(trained.predict(x, verbose=0) ** 2))

    start = np.array(kernel.numpy(), "float32")
    expected = by_differences(loss_at, start)
    kernel.assign(start)
    trained.compile(minikeras.optimizers.SGD(1.0), "mse")
    trained.train_on_batch(x, np.zeros((2, 4, 4, 2), "float32"))
    np.testing.assert_allclose(start - kernel.numpy(), expected, rtol=1e-2, atol=1e-4)


def test_gradients_of_gradients_are_refused_where_they_are_not_zero():
    x = minikeras.Input((3,))
    hidden = layers.Dense(2, activation="tanh")(x)
    slope = layers.Lambda(lambda pair: K.gradients(K.sum(pair[1]), pair[0])[0])([x, hidden])
    model = minikeras.Model(x, layers.Dense(1)(slope))
    assert model.predict(np.ones((2, 3)), verbose=0).shape == (2, 1)
    model.compile("sgd", "mse")
    with pytest.raises(NotImplementedError, match="outside of\\s+training"):
        model.fit(np.ones((2, 3)), np.ones((2, 1)), verbose=0)


def test_an_input_may_hold_its_value():
    picture = K.placeholder(shape=(1, 4))
    mask = minikeras.Input(tensor=K.variable([[1.0, 0.0, 2.0, 0.0]]), name="mask")
    assert mask.shape == (1, 4)
    doubled = layers.Rescaling(2.0)(mask)
    loss = K.sum(K.square(picture) * doubled)
    function = K.function([picture], [loss, *K.gradients(loss, picture)])
    total, gradient = function([np.ones((1, 4))])
    assert total == 6.0
    np.testing.assert_allclose(gradient, [[4.0, 0.0, 8.0, 0.0]])
    # Fed, it is an input as any.
    assert minikeras.Model(mask, doubled)(np.ones((1, 4))).numpy().tolist() == [[2.0] * 4]
    with pytest.raises(ValueError, match="`input_tensor` must be a KerasTensor, or the value"):
        minikeras.Input(tensor="mask")


def test_networks_start_from_a_value():
    image = K.variable(np.random.default_rng(0).normal(size=(1, 32, 32, 3)))
    network = minikeras.applications.VGG16(include_top=False, weights=None, input_tensor=image)
    factor = K.placeholder(shape=(1, 1, 1, 1))
    (features,) = K.function([factor], [network.output * factor])([np.ones((1, 1, 1, 1))])
    np.testing.assert_allclose(features, network.predict(image.numpy(), verbose=0), atol=1e-6)


def test_a_placeholder_of_unknown_rank_is_a_vector():
    from minikeras import backend as K

    assert tuple(K.placeholder().shape) == (None,)

"""Sequential models: building now or later, adding and taking off, configs."""

import json

import numpy as np
import pytest

import minikeras as keras
from minikeras import layers

ROWS = np.ones((4, 3), "float32")


def test_input_shape_on_the_first_layer_builds_at_once():
    for first in (
        {"input_shape": (3,)},
        {"input_dim": 3},
        {"batch_shape": (None, 3)},
    ):
        model = keras.Sequential([layers.Dense(2, **first)])
        assert model.built
        assert model.input_shape == (None, 3)
        assert model.output_shape == (None, 2)


def test_weights_have_the_paths_that_keras_gives_them():
    keras.utils.clear_session()
    model = keras.Sequential([layers.Dense(2, input_shape=(3,)), layers.Dense(1)])
    assert [v.path for v in model.weights] == [
        "sequential/dense/kernel",
        "sequential/dense/bias",
        "sequential/dense_1/kernel",
        "sequential/dense_1/bias",
    ]


def test_a_model_without_input_shape_is_built_by_data():
    model = keras.Sequential([layers.Dense(2), layers.Dense(1)])
    assert not model.built
    assert model.weights == []
    model.predict(ROWS)
    assert model.built
    assert model.input_shape == (None, 3)


def test_before_it_is_built_it_says_what_to_do():
    model = keras.Sequential([layers.Dense(2)])
    for use in (lambda: model.input_shape, lambda: model.build()):
        with pytest.raises(ValueError, match=r"build\(input_shape\)"):
            use()
    with pytest.raises(ValueError, match="no layers"):
        keras.Sequential().build((None, 2))


def test_layers_are_added_and_taken_off():
    model = keras.Sequential()
    model.add(keras.Input((3,)))
    model.add(layers.Dense(5))
    model.add(layers.Dense(2))
    assert model.output_shape == (None, 2)
    top = model.pop()
    assert top.units == 2
    assert model.output_shape == (None, 5)
    assert len(model.layers) == 1
    with pytest.raises(TypeError, match="no layers"):
        keras.Sequential().pop()


@pytest.mark.parametrize(
    "wrong, message",
    [
        (lambda x: x, "Only instances"),
        (layers.Dense, r"write Dense\("),
        ("dense", "Only instances"),
    ],
)
def test_only_layers_can_be_added(wrong, message):
    with pytest.raises(ValueError, match=message):
        keras.Sequential().add(wrong)


def test_names_must_be_unique():
    model = keras.Sequential([layers.Dense(1, name="one")])
    with pytest.raises(ValueError, match="unique"):
        model.add(layers.Dense(1, name="one"))


def test_another_input_shape_is_refused():
    model = keras.Sequential([layers.Dense(2, input_shape=(3,))])
    with pytest.raises(ValueError, match="already been configured"):
        model.build((None, 4))


def test_config_round_trip_through_json():
    model = keras.Sequential(
        [layers.Dense(2, activation="relu", input_shape=(3,)), layers.Dense(1, name="last")],
        name="stack",
    )
    again = keras.Sequential.from_config(json.loads(json.dumps(model.get_config())))
    assert again.name == "stack"
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert json.dumps(again.get_config()) == json.dumps(model.get_config())
    other = keras.models.model_from_json(model.to_json())
    other.set_weights(model.get_weights())
    np.testing.assert_array_equal(other.predict(ROWS), model.predict(ROWS))


def test_models_nest():
    inner = keras.Sequential([layers.Dense(4, activation="tanh", input_shape=(3,))])
    outer = keras.Sequential([inner, layers.Dense(1)])
    assert outer.input_shape == (None, 3)
    assert len(outer.weights) == 4
    expected = np.tanh(ROWS @ inner.weights[0].array) @ outer.weights[2].array
    np.testing.assert_allclose(outer.predict(ROWS), expected, rtol=1e-5)
    outer.compile("sgd", "mse")
    before = inner.weights[0].numpy()
    outer.fit(ROWS, np.ones((4, 1)), verbose=0)
    assert not np.array_equal(inner.weights[0].numpy(), before)


def test_a_clone_has_fresh_weights():
    model = keras.Sequential([layers.Dense(2, input_shape=(3,))])
    clone = keras.models.clone_model(model)
    assert clone.layers[0] is not model.layers[0]
    assert clone.layers[0].name == model.layers[0].name
    assert not np.array_equal(clone.get_weights()[0], model.get_weights()[0])


OF_ANY_SIZE = {
    "sequences": (
        lambda: [layers.Embedding(9, 4), layers.GRU(3, return_sequences=True), layers.Dense(2)],
        np.arange(16).reshape(2, 8) % 9,
        np.arange(15).reshape(3, 5) % 9,
    ),
    "images": (
        lambda: [
            layers.Conv2D(3, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ],
        np.linspace(-1, 1, 2 * 12 * 12 * 2).reshape(2, 12, 12, 2),
        np.linspace(-1, 1, 3 * 9 * 14 * 2).reshape(3, 9, 14, 2),
    ),
}


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("kind", sorted(OF_ANY_SIZE))
def test_data_may_have_other_sizes_than_the_model_was_built_with(kind, given):
    stack, first, other = OF_ANY_SIZE[kind]
    model = keras.Sequential([keras.Input(first.shape[1:])] * given + stack())
    model(first)
    fresh = keras.Sequential(stack())
    fresh(other)
    fresh.set_weights(model.get_weights())
    np.testing.assert_allclose(model(other), fresh(other), rtol=1e-5, atol=1e-6)
    for one in (model, fresh):
        one.compile("sgd", "mse")
        one.fit(other, np.zeros(fresh(other).shape), verbose=0)
    np.testing.assert_allclose(model.predict(other), fresh.predict(other), rtol=1e-5, atol=1e-6)
    assert model.input_shape == keras.Sequential([model]).input_shape


def test_a_layer_says_which_sizes_do_not_fit():
    model = keras.Sequential([layers.Conv1D(2, 3), layers.Flatten(), layers.Dense(2, name="top")])
    model(np.ones((2, 8, 1)))
    with pytest.raises(ValueError, match="Input .* found shape=.*layer 'top'.*to have value 12"):
        model.predict(np.ones((2, 9, 1)))
    model.predict(np.ones((2, 8, 1)))

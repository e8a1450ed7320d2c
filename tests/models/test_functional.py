"""Functional and subclassed models: structures, sharing, configs, errors."""

import copy
import json
import pickle

import numpy as np
import pytest

import minikeras as keras
from minikeras import layers, ops

ROWS = np.ones((4, 3), "float32")


def two_headed():
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    shared = layers.Dense(4, name="shared")
    merged = layers.add([shared(a), shared(b)])
    return keras.Model(
        [a, b], [layers.Dense(1, name="p")(merged), layers.Dense(2, name="q")(merged * 2.0)]
    )


def test_inputs_come_in_order_or_by_name():
    model = two_headed()
    x = {"b": ROWS * 2, "a": ROWS}
    by_name = model.predict(x)
    in_order = model.predict([ROWS, ROWS * 2])
    assert [y.shape for y in by_name] == [(4, 1), (4, 2)]
    for one, other in zip(by_name, in_order):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "x, message",
    [
        (ROWS, r"expects 2 input\(s\), \['a', 'b'\]"),
        ([ROWS] * 3, r"Received 3 input\(s\)"),
        ({"a": ROWS, "c": ROWS}, "Missing data for input 'b'"),
        ([ROWS, np.ones((4, 5))], r"'b'.*expected shape=\(None, 3\), found shape=\(4, 5\)"),
    ],
)
def test_inputs_that_do_not_fit_are_named(x, message):
    with pytest.raises(ValueError, match=message):
        two_headed().predict(x)


def test_outputs_keep_their_structure():
    x = keras.Input((3,))
    model = keras.Model(x, {"one": layers.Dense(1)(x), "rest": [layers.Dense(2)(x), x]})
    y = model.predict(ROWS)
    assert set(y) == {"one", "rest"}
    assert [part.shape for part in y["rest"]] == [(4, 2), (4, 3)]
    assert model(ROWS)["one"].shape == (4, 1)


def test_config_round_trip_keeps_connections():
    model = two_headed()
    again = keras.Model.from_config(json.loads(json.dumps(model.get_config())))
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    again.set_weights(model.get_weights())
    for one, other in zip(again.predict([ROWS, ROWS * 3]), model.predict([ROWS, ROWS * 3])):
        np.testing.assert_array_equal(one, other)
    assert json.dumps(again.get_config()) == json.dumps(model.get_config())


def test_a_config_with_a_cycle_is_refused():
    config = json.loads(json.dumps(two_headed().get_config()))
    add = next(record for record in config["layers"] if record["class_name"] == "Add")
    add["inbound_nodes"][0]["args"][0][0]["config"]["keras_history"] = ["p", 0, 0]
    with pytest.raises(ValueError, match="cycle"):
        keras.Model.from_config(config)


def test_a_clone_shares_what_the_model_shares():
    clone = keras.models.clone_model(two_headed())
    assert clone.count_params() == two_headed().count_params()
    assert len(clone.get_layer("shared")._inbound_nodes) == 2


def test_a_model_can_begin_and_end_in_the_middle_of_another():
    model = two_headed()
    features = keras.Model(model.inputs, model.get_layer("p").input)
    assert features.predict([ROWS, ROWS]).shape == (4, 4)
    head = keras.Model(model.get_layer("p").input, model.outputs[0])
    assert head.predict(np.ones((4, 4))).shape == (4, 1)
    np.testing.assert_allclose(
        head.predict(features.predict([ROWS, ROWS])), model.predict([ROWS, ROWS])[0], rtol=1e-6
    )


def test_layers_are_found_by_name_and_index():
    model = two_headed()
    assert model.get_layer("p").units == 1
    assert model.get_layer(index=0).name == "a"
    with pytest.raises(ValueError, match="No such layer: x.*shared"):
        model.get_layer("x")
    with pytest.raises(ValueError, match="index 99"):
        model.get_layer(index=99)


def test_repeated_layer_names_are_refused():
    x = keras.Input((3,))
    with pytest.raises(ValueError, match="'same'"):
        keras.Model(x, layers.Dense(1, name="same")(layers.Dense(2, name="same")(x)))


def test_values_that_are_not_symbolic_are_refused():
    x = keras.Input((3,))
    with pytest.raises(ValueError, match="KerasTensors"):
        keras.Model(x, np.ones(3))


class Subclassed(keras.Model):
    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.hidden = layers.Dense(units, activation="relu")
        self.drop = layers.Dropout(0.5)
        self.out = layers.Dense(1)

    def call(self, inputs, training=False):
        return self.out(self.drop(self.hidden(inputs), training=training))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def test_a_subclassed_model_trains_and_has_weights_in_order():
    model = Subclassed()
    model.compile("adam", "mse", metrics=["mae"])
    history = model.fit(ROWS, np.ones((4, 1)), epochs=3, verbose=0).history
    assert set(history) == {"loss", "mae"}
    assert [v.shape for v in model.weights] == [(3, 3), (3,), (3, 1), (1,)]
    np.testing.assert_array_equal(model(ROWS).numpy(), model.predict(ROWS))
    assert Subclassed.from_config(model.get_config()).units == 3


def test_a_model_without_call_says_so():
    with pytest.raises(NotImplementedError, match="call"):
        keras.Model()(ROWS)


def test_a_functional_subclass_overrides_steps():
    class Half(keras.Model):
        def predict_step(self, data):
            return super().predict_step(data) / 2.0

    x = keras.Input((3,))
    outputs = layers.Dense(1)(x)
    np.testing.assert_allclose(
        Half(x, outputs).predict(ROWS), keras.Model(x, outputs).predict(ROWS) / 2, rtol=1e-6
    )


def test_operations_on_symbolic_tensors_become_part_of_the_model():
    x = keras.Input((3,))
    model = keras.Model(x, ops.relu(x - 0.5)[:, :2])
    assert model.predict(ROWS).tolist() == [[0.5, 0.5]] * 4
    again = keras.Model.from_config(json.loads(json.dumps(model.get_config())))
    assert again.predict(ROWS).tolist() == [[0.5, 0.5]] * 4


def test_models_are_pickled():
    inputs = keras.Input((5,), dtype="int32")
    x = layers.Embedding(7, 4, mask_zero=True)(inputs)
    model = keras.Model(inputs, layers.Dense(1)(layers.LSTM(3)(x) * 2.0))
    model.compile("adam", "mse", metrics=["mae"])
    data = np.arange(20).reshape(4, 5) % 7
    model.fit(data, np.ones((4, 1)), verbose=0)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(data), model.predict(data))
    again.fit(data, np.ones((4, 1)), verbose=0)
    twin = copy.deepcopy(model)
    model.fit(data, np.ones((4, 1)), verbose=0)
    # Sums may be rounded differently where arrays lie elsewhere in memory.
    np.testing.assert_allclose(again.predict(data), model.predict(data), rtol=1e-4, atol=1e-7)
    assert not np.array_equal(twin.predict(data), model.predict(data))


class Halves(keras.Model):
    def __init__(self, units, activation="relu"):
        super().__init__()
        self.dense = layers.Dense(units, activation=activation)

    def call(self, x):
        return self.dense(x) / 2


class Around(layers.Layer):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, x):
        return self.inner(x)


def test_subclassed_models_are_saved_with_their_arguments(tmp_path):
    model = Halves(3, activation="tanh")
    model.trainable = False
    expected = model.predict(ROWS)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", custom_objects={"Halves": Halves})
    np.testing.assert_array_equal(again.predict(ROWS), expected)
    assert again.name == model.name and not again.trainable_weights


def test_a_layer_as_an_argument_is_not_shared_by_way_of_the_config():
    inputs = keras.Input((2,))
    model = keras.Model(inputs, Around(layers.Dense(1))(inputs))
    with pytest.raises(NotImplementedError, match="get_config"):
        keras.models.clone_model(model)


def test_output_of_a_shared_layer_is_that_of_its_first_call():
    first, second = keras.Input((2,)), keras.Input((2,))
    shared = layers.Dense(1)
    output = shared(first)
    shared(second)
    assert shared.output is output and shared.input is first


def test_a_sequential_model_that_is_not_built_has_no_shapes():
    model = keras.Sequential([layers.Dense(1)])
    assert not hasattr(model, "output_shape") and not hasattr(model, "inputs")
    with pytest.raises(AttributeError, match="not built yet"):
        _ = model.output_shape


def test_lambdas_of_functions_defined_inside_others_are_cloned():
    def twice(x):
        return x * 2

    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Lambda(twice)(inputs))
    x = np.ones((1, 2), "float32")
    np.testing.assert_array_equal(keras.models.clone_model(model)(x), model(x))

"""Layers: variables, calls, masks, names, losses."""

import numpy as np
import pytest

import minikeras as keras
from minikeras import layers, ops
from minikeras.engine.context import state


class Linear(layers.Layer):
    def __init__(self, units=2, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), name="w")

    def call(self, x):
        return ops.matmul(x, self.w)


class Block(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = Linear(3)
        self.rest = [Linear(3), Linear(3)]
        self.named = {"z": Linear(3), "a": Linear(3)}

    def call(self, x, training=False):
        self.seen = training
        x = self.first(x)
        for layer in (*self.rest, *self.named.values()):
            x = layer(x)
        return x


ROWS = np.ones((2, 3), "float32")


def test_sublayers_are_found_in_lists_and_dicts_in_order():
    block = Block(name="block")
    block(ROWS)
    assert [v.path for v in block.weights] == [
        f"block/{layer.name}/w" for layer in (block.first, *block.rest, *block.named.values())
    ]
    block.rest.append(Linear(3))
    assert len(block._flatten_layers(include_self=False)) == 6


def test_replaced_and_deleted_sublayers_are_forgotten():
    block = Block()
    block.first = Linear(4)
    assert len(block._layers) == 5
    del block.first
    assert len(block._layers) == 4
    block.rest = None
    assert len(block._layers) == 2


def test_the_training_flag_reaches_sublayers_and_ends_with_the_call():
    outer = Block()
    outer.inner = Block()
    outer.named["inner"] = outer.inner
    outer(ROWS, training=True)
    assert outer.seen is True and outer.inner.seen is True
    outer(ROWS)
    assert outer.seen is False and outer.inner.seen is False
    assert state.run is None


def test_weights_round_trip_and_mismatches_change_nothing():
    layer = Linear()
    layer(ROWS)
    values = [np.full((3, 2), 5.0, "float32")]
    layer.set_weights(values)
    assert layer.get_weights()[0].tolist() == values[0].tolist()
    with pytest.raises(ValueError, match="length 2"):
        layer.set_weights(values * 2)
    with pytest.raises(ValueError, match=r"\(3, 2\).*\(2, 2\)"):
        layer.set_weights([np.zeros((2, 2))])
    assert layer.get_weights()[0].tolist() == values[0].tolist()


def test_trainable_goes_down_and_back():
    block = Block()
    block(ROWS)
    block.trainable = False
    assert block.trainable_weights == []
    assert len(block.non_trainable_weights) == 5
    block.trainable = True
    assert len(block.trainable_weights) == 5
    block.first.trainable = False
    assert len(block.trainable_weights) == 4


def test_inputs_are_cast_to_the_compute_dtype():
    layer = Linear()
    assert layer(ROWS.astype("float64")).dtype == "float32"
    assert Linear(dtype="float64")(ROWS).dtype == "float64"
    assert Linear(dtype="float64").variable_dtype == "float64"


def test_unknown_arguments_are_named():
    with pytest.raises(ValueError, match="bogus"):
        Linear(bogus=1)


def test_names_are_counted_and_reset():
    keras.utils.clear_session()
    assert [Linear().name, Linear().name] == ["linear", "linear_1"]
    keras.utils.clear_session()
    assert Linear().name == "linear"


def test_losses_of_a_pass_replace_those_of_the_one_before():
    class Penalized(Linear):
        def call(self, x):
            self.add_loss(ops.sum(x))
            return super().call(x)

    layer = Penalized()
    for factor in (1.0, 2.0, 3.0):
        layer(ROWS * factor)
        assert [float(loss) for loss in layer.losses] == [6.0 * factor]


def test_weight_and_activity_penalties_are_losses():
    dense = layers.Dense(
        2, kernel_initializer="ones", kernel_regularizer="l2", activity_regularizer="l1"
    )
    dense(ROWS)
    # activity: 0.01 * sum |3| over 2 x 2, by the batch of 2; kernel: 0.01 * 6
    assert sorted(round(float(loss), 6) for loss in dense.losses) == [0.06, 0.06]


def test_a_mask_travels_with_the_tensor_to_who_asks_for_it():
    seen = []

    class Sum(layers.Layer):
        def call(self, x, mask=None):
            seen.append(None if mask is None else np.asarray(mask).tolist())
            return ops.sum(x, axis=1)

    x = np.array([[[1.0], [0.0]], [[2.0], [3.0]]], "float32")
    Sum()(layers.Masking()(x))
    inputs = keras.Input((2, 1))
    keras.Model(inputs, Sum()(layers.Masking()(inputs))).predict(x)
    Sum()(x)
    assert [[True, False], [True, True]] in seen
    assert seen[-2:] == [[[True, False], [True, True]], None]


def test_input_spec_names_what_is_wrong():
    dense = layers.Dense(2)
    dense(ROWS)
    with pytest.raises(ValueError, match=r"dense.*axis -1.*value 3.*\(2, 4\)"):
        dense(np.ones((2, 4), "float32"))


def test_config_of_a_subclass_makes_the_same_layer():
    class Sized(Linear):
        def get_config(self):
            return {**super().get_config(), "units": self.units}

    layer = Sized(5, name="five", dtype="float64")
    again = Sized.from_config(layer.get_config())
    assert (again.units, again.name, again.dtype) == (5, "five", "float64")


def test_constructors_get_the_name_of_a_plain_policy():
    class Named(keras.layers.Dense):
        def __init__(self, units, dtype=None, **options):
            self.seen = dtype
            super().__init__(units, dtype=dtype, **options)

    for dtype, seen in (("bfloat16", str), ("int8_from_float32", keras.dtype_policies.DTypePolicy)):
        layer = Named.from_config(keras.layers.Dense(2, dtype=dtype).get_config())
        assert isinstance(layer.seen, seen) and layer.dtype_policy.name == dtype

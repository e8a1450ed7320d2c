"""What every layer must do: one harness."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import serialization, tree
from minikeras.engine.symbolic import KerasTensor
from tests.gradcheck import check_gradients


def arrays(structure: Any) -> list:
    """The leaves of a structure of tensors as arrays, None left out."""
    return [np.asarray(leaf) for leaf in tree.flatten(structure) if leaf is not None]


def check_layer(
    make: Any,
    *inputs: Any,
    gradients: bool = True,
    training_gradients: bool = False,
    tolerance: float = 0.0,
    **options: Any,
) -> Any:
    """Build, shapes, dtypes, config, weights, gradients, and that inference leaves nothing behind.

    Args:
        make: Function of keyword arguments that makes the layer, `lambda **kw: Dense(3, **kw)`.
        *inputs: float32 (or integer) arrays, or structures of them.
        gradients: Whether there are gradients to check.
        training_gradients: Whether to check those of training too (no random draws then).
        tolerance: By how much outputs may differ between layers with equal weights.
        **options: Keyword arguments of the call.

    Returns:
        The built float32 layer.
    """
    layer = make()
    outputs = layer(*inputs, **options)
    found = arrays(outputs)
    assert layer.built

    # float32 in, float32 out; float64 likewise.
    assert all(x.dtype == np.float32 for x in found if x.dtype.kind == "f")
    double = make(dtype="float64")
    wide = [
        tree.map_structure(lambda x: x.astype("float64") if x.dtype.kind == "f" else x, one)
        for one in inputs
    ]
    for x in arrays(double(*wide, **options)):
        assert x.dtype != np.float32
    assert all(v.dtype != "float32" for v in double.weights)

    # Symbolic shapes, with the batch size unknown, agree with those of values.
    symbolic = [
        tree.map_structure(lambda x: KerasTensor((None, *x.shape[1:]), dtype=x.dtype.name), one)
        for one in inputs
    ]
    spec = make()(*symbolic, **{k: v for k, v in options.items() if "mask" not in k})
    for one, x in zip(tree.flatten(spec), tree.flatten(outputs), strict=True):
        assert len(one.shape) == x.ndim, (one.shape, x.shape)
        assert all(a in (None, b) for a, b in zip(one.shape, x.shape)), (one.shape, x.shape)
        assert one.dtype == x.dtype.name

    # Inference leaves nothing behind, and is repeatable.
    before = set(vars(layer))
    again = arrays(layer(*inputs, **options))
    assert set(vars(layer)) == before
    for a, b in zip(found, again, strict=True):
        np.testing.assert_array_equal(a, b)

    # Config and weights make the same layer.
    config = layer.get_config()
    assert config["name"] == layer.name
    for twin in (
        type(layer).from_config(config),
        serialization.deserialize(serialization.serialize(layer)),
    ):
        twin(*inputs, **options)
        assert twin.get_config() == config
        shapes = [w.shape for w in layer.weights]
        assert [w.shape for w in twin.weights] == shapes
        assert [w.name for w in twin.weights] == [w.name for w in layer.weights]
        twin.set_weights(layer.get_weights())
        for a, b in zip(arrays(twin(*inputs, **options)), found, strict=True):
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)

    if gradients:
        check_gradients(double, *wide, **options)
        if training_gradients:
            check_gradients(double, *wide, training=True, **options)
        # Frozen variables get no gradient.
        double.trainable = False
        check_gradients(double, *wide, variables=[], **options)
    return layer

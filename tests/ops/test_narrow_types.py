"""Types that NumPy does not have: kept in float32, rounded by conversion, known by name."""

import numpy as np
import pytest

import minikeras
from minikeras import ops


def test_conversion_rounds() -> None:
    assert float(ops.cast(3.14159, "bfloat16")) == 3.140625
    # Halfway between two values: to the even one.
    assert ops.cast([1 + 2**-8, 1 + 3 * 2**-8], "bfloat16").tolist() == [1.0, 1 + 2**-6]
    assert ops.cast([300.0, -447.0, 2**-9], "float8_e4m3fn").tolist() == [288.0, -448.0, 2**-9]
    assert np.isnan(float(ops.cast(1e9, "float8_e4m3fn")))
    assert float(ops.cast(1e9, "float8_e5m2")) == np.inf


@pytest.mark.parametrize(
    "other, expected",
    [
        (2, "bfloat16"),
        (2.0, "bfloat16"),
        (np.ones(3, "int64"), "bfloat16"),
        (np.ones(3, "float16"), "float32"),
        (np.ones(3, "float32"), "float32"),
        (np.ones(3, "float64"), "float64"),
    ],
)
def test_promotion(other: object, expected: str) -> None:
    x = ops.ones((3,), dtype="bfloat16")
    assert ops.dtype(x + other) == ops.dtype(other * x) == expected
    symbolic = ops.add(minikeras.KerasTensor((3,), dtype="bfloat16"), other)
    assert symbolic.dtype == expected


def test_float32_stays_float32_beside_it() -> None:
    # The two dtypes are equal to NumPy: no cache may take one for the other.
    assert ops.dtype(ops.exp(ops.ones(3, dtype="bfloat16"))) == "bfloat16"
    assert ops.dtype(ops.exp(ops.ones(3))) == "float32"
    assert ops.dtype(ops.cast(ops.ones(3, dtype="bfloat16"), "float32")) == "float32"
    layer = minikeras.layers.Dense(2)
    assert ops.dtype(layer(ops.ones((1, 3), dtype="bfloat16"))) == "float32"


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16"])
def test_layers(policy: str) -> None:
    layer = minikeras.layers.Dense(2, activation="relu", dtype=policy)
    assert layer(minikeras.Input((3,))).dtype == "bfloat16"
    assert ops.dtype(layer(np.ones((1, 3), "float32"))) == "bfloat16"


def test_plain_arrays_outside(tmp_path: object) -> None:
    x = ops.ones((3,), dtype="bfloat16")
    model = minikeras.Sequential(
        [minikeras.Input((3,)), minikeras.layers.Dense(2, dtype="mixed_bfloat16")]
    )
    for array in (
        x.numpy(),
        np.asarray(x),
        ops.convert_to_numpy(x),
        model.predict(np.ones((1, 3))),
    ):
        assert array.dtype == np.float32
        assert array.dtype.metadata is None
    variable = minikeras.Variable(x)
    assert variable.dtype == "bfloat16"
    assert variable.array.dtype.metadata is None


def test_view_is_of_the_two_bytes() -> None:
    x = ops.cast([[1.5, -2.25]], "bfloat16")
    assert ops.view(x, "int16").tolist() == [[0x3FC0, 0xC010 - 0x10000]]
    assert ops.view(ops.view(x, "uint8"), "bfloat16").tolist() == [[1.5, -2.25]]
    with pytest.raises(ValueError, match="float8"):
        ops.view(np.ones(2, "uint8"), "float8_e5m2")


def test_results_are_named_by_what_decides() -> None:
    x = ops.ones(3, dtype="bfloat16")
    for name in "median nanmedian".split():
        assert ops.dtype(getattr(ops, name)(x)) == "bfloat16"
    assert ops.dtype(ops.quantile(x, 0.5)) == "bfloat16"
    assert ops.dtype(ops.quantile(ops.ones(3), x[0])) == "float32"
    assert ops.dtype(ops.where(np.ones(3, "float32"), x, 1.0)) == "bfloat16"
    assert ops.dtype(ops.pad(x, 1, constant_values=0.5)) == "bfloat16"
    # Numbers that are made tensors first are float32.
    assert ops.dtype(ops.mod(x, 1.5)) == "float32"

"""Reductions, sorting and statistics against Keras."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minikeras
from compat.ops_compare import ALL, NUMBERS, SETTINGS, Draw, compare

NAN = "nansum nanprod nanmean nanvar nanstd nanmax nanmin".split()


@pytest.mark.parametrize(
    "name", "sum mean prod max min amax amin all any var std ptp logsumexp median".split() + NAN
)
@SETTINGS
@given(st.data())
def test_reductions(name, data):
    d = Draw(data)
    x = d.array(d.shape(1), d.choice(*ALL))
    if name in NAN and x.dtype.kind == "f" and d.flag():
        x = np.where(d.array(x.shape, "bool"), np.nan, x).astype(x.dtype)
    if name in ("logsumexp",) and x.dtype.kind != "f" or name == "ptp" and x.dtype == bool:
        return
    # TensorFlow's gradients of these are NaN, or differ where values are equal.
    smooth = name in ("sum", "mean", "var", "logsumexp", "nansum", "nanmean")
    compare(
        name,
        x,
        axis=d.axes(x.shape),
        keepdims=d.flag(),
        gradient=smooth,
        rtol=1e-2 if x.dtype == "float16" else None,
    )


@pytest.mark.parametrize("name", ["max", "min"])
@SETTINGS
@given(st.data())
def test_initial(name, data):
    d = Draw(data)
    x = d.array(d.shape(1), d.choice(*NUMBERS))
    compare(name, x, axis=d.axes(x.shape), initial=1, gradient=False)


@pytest.mark.parametrize("name", "cumsum cumprod nancumsum nancumprod".split())
@SETTINGS
@given(st.data())
def test_cumulative(name, data):
    d = Draw(data)
    x = d.array(d.shape(1), d.choice(*ALL))
    axis, rtol = d.choice(None, d.axis(x.shape)), 1e-2 if x.dtype == "float16" else None
    compare(name, x, axis=axis, rtol=rtol)
    compare(name, x, axis=axis, dtype="float32", rtol=rtol, gradient=False)


@pytest.mark.parametrize("name", "argmax argmin nanargmax nanargmin".split())
@SETTINGS
@given(st.data())
def test_arg(name, data):
    d = Draw(data)
    x = d.array(d.shape(1), d.choice(*NUMBERS))
    compare(name, x, axis=d.choice(None, d.axis(x.shape)), keepdims=d.flag())


@pytest.mark.parametrize("name", "quantile percentile nanquantile nanpercentile".split())
@SETTINGS
@given(st.data())
def test_quantile(name, data):
    d = Draw(data)
    x = d.array(d.shape(1), d.choice("float32", "float64", "int32"))
    q = d.choice(0.3, np.array([0.25, 0.9], "float32"))
    if "percentile" in name:
        q = q * 100
    method = d.choice("linear", "lower", "higher", "midpoint")
    axes = d.axes(x.shape)
    if name.startswith("nan") and (x.dtype != "float32" or np.ndim(q)):
        return
    compare(
        name,
        x,
        q,
        axis=axes,
        method=method,
        keepdims=d.flag() and not np.ndim(q),
        gradient=False,
        rtol=1e-5,
    )


@SETTINGS
@given(st.data())
def test_sorting(data):
    d = Draw(data)
    shape = d.shape(1)
    x = d.array(shape, d.choice(*NUMBERS))
    compare("sort", x, axis=d.axis(shape), gradient=False)
    compare("argsort", x, axis=d.choice(None, d.axis(shape)))
    floats = d.array(shape, d.choice("float32", "float64"))
    compare("sort", floats, axis=d.axis(shape))
    compare("top_k", floats, d.integer(1, shape[-1]))
    edges = np.sort(d.array((3,), "float32"))
    compare("searchsorted", edges, d.array((4,), "float32"), side=d.choice("left", "right"))
    compare("digitize", floats.astype("float32"), edges, gradient=False)
    compare("isin", x, d.array((3,), x.dtype.name), invert=d.flag())


@SETTINGS
@given(st.data())
def test_counting(data):
    d = Draw(data)
    x = d.array(d.shape(1, 2), "int32", 0, 5)
    compare("bincount", x, minlength=d.choice(0, 8))
    compare("bincount", x, weights=d.array(x.shape, "float32"), gradient=False)
    compare("count_nonzero", x, axis=d.axes(x.shape))
    compare("unique", x, return_inverse=True, return_counts=True)
    compare("unique", x, sorted=d.flag(), return_index=True, size=d.choice(None, 3))
    compare("nonzero", x)
    compare("histogram", d.array((6,), "float32"), bins=d.integer(1, 4), gradient=False)
    compare("unravel_index", d.array((4,), "int32", 0, 11), (3, 4))
    compare(
        "in_top_k", np.array([0, 1]), d.array((2, 4), "float32"), d.integer(1, 3), gradient=False
    )


@SETTINGS
@given(st.data())
def test_statistics(data):
    d = Draw(data)
    x = d.array(d.shape(1), d.choice(*NUMBERS))
    axis = d.axis(x.shape)
    compare("diff", x, n=d.integer(0, 2), axis=axis)
    compare("average", x, axis=axis)
    compare(
        "average",
        x,
        axis=axis,
        weights=d.array((x.shape[axis],), "float32", 0.5, 2.0),
        rtol=1e-2 if x.dtype == "float16" else None,
    )
    compare("trapezoid", x, dx=0.5, axis=-1, rtol=1e-2 if x.dtype == "float16" else None)
    if len(x.shape) == 2 and x.shape[1] > 1 and x.dtype.kind == "f" and x.dtype != "float16":
        compare("corrcoef", x, gradient=False, atol=1e-4)
    a, b = d.array((d.integer(4, 6),)), d.array((d.integer(1, 3),))
    compare("correlate", a, b, mode=d.choice("valid", "same", "full"))
    compare("ldexp", d.array((3,)), d.array((3,), "int32"))


@pytest.mark.parametrize("kind", ["sum", "max", "min", "prod"])
@SETTINGS
@given(st.data())
def test_segments(kind, data):
    d = Draw(data)
    ids = d.array((5,), "int32", 0, 3)
    ids[:4] = [0, 1, 2, 3]
    x = d.array((5, *d.shape(0, 2)), d.choice("float32", "int32"))
    compare(f"segment_{kind}", x, ids, d.choice(None, 4, 6))


def test_errors():
    for name in ("sum", "mean", "max", "argmax", "sort", "cumsum", "median"):
        with pytest.raises(ValueError, match="axis"):
            getattr(minikeras.ops, name)(np.ones((2, 3)), axis=2)
        with pytest.raises(Exception):  # noqa: B017
            getattr(keras.ops, name)(np.ones((2, 3)), axis=2)

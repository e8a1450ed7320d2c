"""`tf.math`, and those of its functions that are in `tf` itself."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

from minikeras import ops as _ops
from minikeras.engine.symbolic import KerasTensor, Tensor
from minikeras.ops.activation import softmax_along
from minikeras.ops.base import array_of, static
from minikeras.standin.tf import named, public
from minikeras.standin.tf.dtypes import as_dtype

ops: Any = _ops
TopKV2 = namedtuple("TopKV2", "values indices")

# Name here -> operation. One argument, `x`.
_SAME = {
    "abs": "absolute",
    "acos": "arccos",
    "acosh": "arccosh",
    "angle": "angle",
    "asin": "arcsin",
    "asinh": "arcsinh",
    "atan": "arctan",
    "atanh": "arctanh",
    "ceil": "ceil",
    "conj": "conj",
    "cos": "cos",
    "cosh": "cosh",
    "erf": "erf",
    "erfc": "erfc",
    "erfinv": "erfinv",
    "exp": "exp",
    "expm1": "expm1",
    "floor": "floor",
    "imag": "imag",
    "is_finite": "isfinite",
    "is_inf": "isinf",
    "is_nan": "isnan",
    "log": "log",
    "log1p": "log1p",
    "log_sigmoid": "log_sigmoid",
    "logical_not": "logical_not",
    "negative": "negative",
    "real": "real",
    "reciprocal": "reciprocal",
    "rint": "round",
    "round": "round",
    "rsqrt": "rsqrt",
    "sigmoid": "sigmoid",
    "sign": "sign",
    "sin": "sin",
    "sinh": "sinh",
    "softplus": "softplus",
    "sqrt": "sqrt",
    "square": "square",
    "tan": "tan",
    "tanh": "tanh",
}
_PAIRS = {
    "add": "add",
    "atan2": "arctan2",
    "divide": "true_divide",
    "divide_no_nan": "divide_no_nan",
    "equal": "equal",
    "floordiv": "floor_divide",
    "floormod": "mod",
    "greater": "greater",
    "greater_equal": "greater_equal",
    "less": "less",
    "less_equal": "less_equal",
    "logical_and": "logical_and",
    "logical_or": "logical_or",
    "logical_xor": "logical_xor",
    "maximum": "maximum",
    "minimum": "minimum",
    "mod": "mod",
    "multiply": "multiply",
    "not_equal": "not_equal",
    "pow": "power",
    "subtract": "subtract",
    "truediv": "true_divide",
}


def _one(operation: str) -> Any:
    return lambda x, name=None: getattr(ops, operation)(x)


def _two(operation: str) -> Any:
    return lambda x, y, name=None: getattr(ops, operation)(x, y)


def _reducing(operation: str) -> Any:
    def reduce(
        input_tensor: Any, axis: Any = None, keepdims: bool = False, name: Any = None
    ) -> Any:
        return getattr(ops, operation)(_tensor(input_tensor), static(axis), keepdims)

    reduce.__name__ = "<lambda>"
    return reduce


def _tensor(x: Any) -> Any:
    return x if hasattr(x, "shape") else Tensor(array_of(x))


def _rounds_down(x: Any) -> bool:
    return not isinstance(x, KerasTensor) and _tensor(x).dtype in _INTEGERS


_INTEGERS = tuple(np.dtype(f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64))


def reduce_mean(
    input_tensor: Any, axis: Any = None, keepdims: bool = False, name: Any = None
) -> Any:
    """The mean. As in TensorFlow, that of integers is an integer, rounded towards zero."""
    axis = static(axis)
    if _rounds_down(input_tensor):
        array = array_of(input_tensor)
        axes = tuple(axis) if isinstance(axis, list) else axis
        total = array.sum(axes, keepdims=keepdims, dtype="int64")
        count = array.size // max(total.size, 1)
        return Tensor(np.trunc(total / count).astype(array.dtype))
    return ops.mean(_tensor(input_tensor), axis, keepdims)


def reduce_variance(
    input_tensor: Any, axis: Any = None, keepdims: bool = False, name: Any = None
) -> Any:
    """The variance."""
    return ops.var(_tensor(input_tensor), static(axis), keepdims)


def reduce_std(
    input_tensor: Any, axis: Any = None, keepdims: bool = False, name: Any = None
) -> Any:
    """The standard deviation."""
    return ops.std(_tensor(input_tensor), static(axis), keepdims)


def reduce_logsumexp(
    input_tensor: Any, axis: Any = None, keepdims: bool = False, name: Any = None
) -> Any:
    """`log(sum(exp(x)))`."""
    return ops.logsumexp(_tensor(input_tensor), static(axis), keepdims)


def reduce_euclidean_norm(
    input_tensor: Any, axis: Any = None, keepdims: bool = False, name: Any = None
) -> Any:
    """`sqrt(sum(x^2))`."""
    return ops.sqrt(ops.sum(ops.square(_tensor(input_tensor)), static(axis), keepdims))


def argmax(input: Any, axis: Any = None, output_type: Any = "int64", name: Any = None) -> Any:
    """Where the largest value is along an axis, the first one by default."""
    return ops.cast(ops.argmax(input, 0 if axis is None else int(axis)), as_dtype(output_type).name)


def argmin(input: Any, axis: Any = None, output_type: Any = "int64", name: Any = None) -> Any:
    """Where the smallest value is along an axis, the first one by default."""
    return ops.cast(ops.argmin(input, 0 if axis is None else int(axis)), as_dtype(output_type).name)


def add_n(inputs: Any, name: Any = None) -> Any:
    """The sum of a list of tensors."""
    total = inputs[0]
    for one in inputs[1:]:
        total = ops.add(total, one)
    return _tensor(total)


def accumulate_n(inputs: Any, shape: Any = None, tensor_dtype: Any = None, name: Any = None) -> Any:
    """The sum of a list of tensors."""
    return add_n(inputs)


def multiply_no_nan(x: Any, y: Any, name: Any = None) -> Any:
    """`x * y`, 0 where `y` is 0."""
    return ops.where(ops.equal(y, 0), ops.zeros_like(x), ops.multiply(x, y))


def squared_difference(x: Any, y: Any, name: Any = None) -> Any:
    """`(x - y)^2`."""
    return ops.square(ops.subtract(x, y))


def count_nonzero(
    input: Any, axis: Any = None, keepdims: bool = False, dtype: Any = "int64", name: Any = None
) -> Any:
    """How many values are not 0."""
    nonzero = ops.cast(ops.not_equal(input, 0), as_dtype(dtype).name)
    return ops.sum(nonzero, static(axis), keepdims)


def cumsum(
    x: Any, axis: int = 0, exclusive: bool = False, reverse: bool = False, name: Any = None
) -> Any:
    """Sums of all up to each place."""
    return _cumulate("cumsum", x, axis, exclusive, reverse, 0)


def cumprod(
    x: Any, axis: int = 0, exclusive: bool = False, reverse: bool = False, name: Any = None
) -> Any:
    """Products of all up to each place."""
    return _cumulate("cumprod", x, axis, exclusive, reverse, 1)


def _cumulate(operation: str, x: Any, axis: Any, exclusive: bool, reverse: bool, start: int) -> Any:
    x, axis = _tensor(x), int(axis)
    x = ops.flip(x, axis) if reverse else x
    if exclusive:
        count = x.shape[axis]
        first = ops.full_like(ops.take(x, [0], axis=axis), start)
        x = ops.concatenate([first, ops.take(x, np.arange(count - 1), axis=axis)], axis=axis)
    x = getattr(ops, operation)(x, axis)
    return ops.flip(x, axis) if reverse else x


def l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12, name: Any = None) -> Any:
    """`x / sqrt(max(sum(x^2), epsilon))`."""
    square = ops.sum(ops.square(_tensor(x)), static(axis), True)
    return ops.multiply(x, ops.rsqrt(ops.maximum(square, epsilon)))


def top_k(
    input: Any, k: int = 1, sorted: bool = True, index_type: Any = "int32", name: Any = None
) -> Any:
    """The `k` largest along the last axis: `values` and `indices`."""
    values, indices = ops.top_k(_tensor(input), int(k), sorted)
    return TopKV2(values, ops.cast(indices, as_dtype(index_type).name))


def in_top_k(targets: Any, predictions: Any, k: int, name: Any = None) -> Any:
    """Whether each target is among the `k` largest predictions."""
    return ops.in_top_k(targets, predictions, int(k))


def confusion_matrix(
    labels: Any,
    predictions: Any,
    num_classes: Any = None,
    weights: Any = None,
    dtype: Any = "int32",
    name: Any = None,
) -> Any:
    """How often (label, prediction) occurs, or the sums of the weights."""
    true, said = (array_of(one).astype("int64").ravel() for one in (labels, predictions))
    count = int(num_classes or (max(true.max(initial=-1), said.max(initial=-1)) + 1))
    table = np.zeros((count, count), as_dtype(dtype).name)
    weight = 1 if weights is None else array_of(weights).ravel()
    np.add.at(table, (true, said), weight)
    return Tensor(table)


def bincount(
    arr: Any,
    weights: Any = None,
    minlength: Any = None,
    maxlength: Any = None,
    dtype: Any = "int32",
    name: Any = None,
) -> Any:
    """How often each integer occurs, or the sums of the weights."""
    values = array_of(arr).ravel()
    weight = None if weights is None else array_of(weights).ravel()
    if maxlength is not None:
        keep = values < maxlength
        values, weight = values[keep], None if weight is None else weight[keep]
    counts = np.bincount(values, weight, int(minlength or 0))
    return Tensor(counts.astype(as_dtype(dtype).name if weight is None else weight.dtype))


def segment_sum(data: Any, segment_ids: Any, name: Any = None) -> Any:
    """Sums of the rows with the same, sorted, id."""
    return ops.segment_sum(data, segment_ids)


def segment_mean(data: Any, segment_ids: Any, name: Any = None) -> Any:
    """Means of the rows with the same, sorted, id."""
    return unsorted_segment_mean(data, segment_ids, int(array_of(segment_ids).max(initial=-1)) + 1)


def segment_max(data: Any, segment_ids: Any, name: Any = None) -> Any:
    """The largest of the rows with the same, sorted, id."""
    return ops.segment_max(data, segment_ids)


def unsorted_segment_sum(data: Any, segment_ids: Any, num_segments: Any, name: Any = None) -> Any:
    """Sums of the rows with the same id."""
    return ops.segment_sum(data, segment_ids, int(num_segments))


def unsorted_segment_max(data: Any, segment_ids: Any, num_segments: Any, name: Any = None) -> Any:
    """The largest of the rows with the same id."""
    return ops.segment_max(data, segment_ids, int(num_segments))


def unsorted_segment_min(data: Any, segment_ids: Any, num_segments: Any, name: Any = None) -> Any:
    """The smallest of the rows with the same id."""
    return ops.segment_min(data, segment_ids, int(num_segments))


def unsorted_segment_mean(data: Any, segment_ids: Any, num_segments: Any, name: Any = None) -> Any:
    """Means of the rows with the same id; 0 without any."""
    data, ids, count = _tensor(data), array_of(segment_ids), int(num_segments)
    total = ops.segment_sum(data, ids, count)
    rows = np.bincount(ids[ids >= 0].ravel(), minlength=count)[:count]
    rows = np.maximum(rows, 1).reshape((count,) + (1,) * (len(data.shape) - ids.ndim))
    return ops.divide(total, rows.astype(total.dtype))


def polyval(coeffs: Any, x: Any, name: Any = None) -> Any:
    """A polynomial by Horner's rule, the highest power first."""
    value = ops.zeros_like(_tensor(x))
    for one in coeffs:
        value = ops.add(ops.multiply(value, x), one)
    return value


def lgamma(x: Any, name: Any = None) -> Any:
    """`log(abs(gamma(x)))`. It has no gradient here."""
    from math import lgamma as one

    array = array_of(x)
    values = np.frompyfunc(lambda v: one(v) if v > 0 or v % 1 else np.inf, 1, 1)(array)
    return Tensor(np.asarray(values).astype(array.dtype))


def reduce_all(
    input_tensor: Any, axis: Any = None, keepdims: bool = False, name: Any = None
) -> Any:
    """Whether all are true."""
    return ops.all(input_tensor, static(axis), keepdims)


def reduce_any(
    input_tensor: Any, axis: Any = None, keepdims: bool = False, name: Any = None
) -> Any:
    """Whether any is true."""
    return ops.any(input_tensor, static(axis), keepdims)


def is_strictly_increasing(x: Any, name: Any = None) -> Any:
    """Whether each value is larger than the one before."""
    return Tensor(np.asarray(bool((np.diff(array_of(x).ravel()) > 0).all())))


def softmax(logits: Any, axis: Any = -1, name: Any = None) -> Any:
    """`exp(x) / sum(exp(x))`."""
    return softmax_along(_tensor(logits), -1 if axis is None else axis)


def log_softmax(logits: Any, axis: Any = -1, name: Any = None) -> Any:
    """The logarithm of `softmax`."""
    return ops.log_softmax(_tensor(logits), -1 if axis is None else axis)


def xlogy(x: Any, y: Any, name: Any = None) -> Any:
    """`x log(y)`, 0 where `x` is 0."""
    zero = ops.equal(x, 0)
    return ops.where(zero, ops.zeros_like(x), ops.multiply(x, ops.log(ops.where(zero, 1.0, y))))


FUNCTIONS = {
    **{name: _one(operation) for name, operation in _SAME.items()},
    **{name: _two(operation) for name, operation in _PAIRS.items()},
    **{f"reduce_{name}": _reducing(name) for name in ("sum", "max", "min", "prod")},
}
globals().update(named(__name__, FUNCTIONS))
__all__ = public(globals())

"""Conversion, dtypes, and where gradients stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from minikeras.engine import dtypes
from minikeras.engine.context import state
from minikeras.engine.operation import Cast, any_symbolic, call_kernel
from minikeras.engine.registry import operations
from minikeras.engine.symbolic import KerasTensor, Operators, Tensor
from minikeras.engine.symbolic import is_tensor as _is_tensor
from minikeras.ops.base import Kernel, array_of, tensor

operations.register("EngineCast")(Cast)


class CastTo(Kernel, register=False):
    """Convert to another dtype."""

    dtype: Any

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.source = x.dtype
        target = dtypes.to_numpy_dtype(self.dtype)
        if x.dtype.kind == "c" and target.kind not in "cb":
            x = x.real
        if target.kind in "iu" and x.dtype.kind == "f":
            with np.errstate(invalid="ignore"):
                return x.astype("int64").astype(target) if target.itemsize < 8 else x.astype(target)
        name = dtypes.label(target)
        if name is not None:
            return x if dtypes.label(x.dtype) == name else dtypes.narrowed(x, name)
        return dtypes.plain_array(x.astype(target, copy=False))

    def backward(self, ctx: Any, dy: Any) -> Any:
        if ctx.source.kind not in "fc":
            return None
        if dy.dtype.kind == "c" and ctx.source.kind == "f":
            dy = dy.real
        return dy.astype(ctx.source, copy=False)

    def compute_output_spec(self, x: Any) -> Any:
        return KerasTensor(x.shape, dtype=self.dtype)


operations.register("Cast")(CastTo)


def cast(x: Any, dtype: Any) -> Any:
    """`x` in another dtype.

    Args:
        x: Tensor.
        dtype: Name of the dtype.

    Example:

    >>> import minikeras
    >>> minikeras.ops.cast([1.7, -1.7], "int32").tolist()
    [1, -1]
    """
    dtype = dtypes.standardize_dtype(dtype)
    x = tensor(x)
    if dtypes.standardize_dtype(x.dtype) == dtype and not isinstance(x, KerasTensor):
        return x if isinstance(x, Tensor) else x.value
    return CastTo(dtype)(x)


class SaturateCast(CastTo):
    """Convert to another dtype, limited to its range."""

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.source = x.dtype
        target = dtypes.to_numpy_dtype(self.dtype)
        low, high = _range(target)
        with np.errstate(invalid="ignore", over="ignore"):
            ctx.save((x >= low) & (x <= high))
            return np.clip(
                x.astype(np.result_type(x.dtype, "float64") if x.dtype.kind == "f" else x.dtype),
                *_inside(x.dtype, low, high),
            ).astype(target)

    def backward(self, ctx: Any, dy: Any) -> Any:
        dx = CastTo.backward(self, ctx, dy)
        return None if dx is None else dx * ctx.saved[0]


def _range(dtype: np.dtype) -> tuple:
    if dtype.kind == "b":
        return 0, 1
    info: Any = np.iinfo(dtype) if dtype.kind in "iu" else np.finfo(dtype)
    return info.min, info.max


def _inside(source: np.dtype, low: Any, high: Any) -> tuple:
    """The limits, as far as `source` can hold them."""
    if source.kind in "iu":
        own = np.iinfo(source)
        return max(int(max(low, own.min)), own.min), min(int(min(high, own.max)), own.max)
    if source.kind == "b":
        return False, True
    return float(low), float(high)


def saturate_cast(x: Any, dtype: Any) -> Any:
    """`x` in another dtype, limited to the range of that dtype instead of wrapping around.

    Args:
        x: Tensor.
        dtype: Name of the dtype.

    Example:

    >>> import minikeras
    >>> minikeras.ops.saturate_cast([300.0, -5.0], "uint8").tolist()
    [255, 0]
    """
    return SaturateCast(dtypes.standardize_dtype(dtype))(x)


def convert_to_tensor(x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Any:
    """Anything array-like as a tensor.

    Args:
        x: Array, list, number, tensor or variable. Python floats become `floatx()`, Python integers
            int32.
        dtype: Name of the dtype. Defaults to what `x` has.
        sparse: Sparse tensors are not supported: None or False.
        ragged: Ragged tensors are not supported: None or False.

    Raises:
        ValueError: if a sparse or ragged tensor is asked for.

    Example:

    >>> import minikeras
    >>> minikeras.ops.convert_to_tensor([1, 2]).shape
    (2,)
    """
    if sparse or ragged:
        raise ValueError(
            "Sparse and ragged tensors are not supported. Use dense tensors with a mask or padding."
        )
    if isinstance(x, Operators) and not isinstance(x, (Tensor, KerasTensor)):
        x = x.value  # type: ignore[attr-defined]
    if dtype is not None:
        if type(x) in (int, float, bool, list, tuple) and not any_symbolic(x):
            # Straight to the dtype: 2**40 or 1e-10 are not to go through a narrow one.
            leaves = np.asarray(array_of(x) if not isinstance(x, (int, float)) else x)
            target = dtypes.to_numpy_dtype(dtype)
            if leaves.dtype == np.dtype("float32") and target == np.float64:
                leaves = np.asarray(x, "float64")
            return tensor(leaves) if target.kind == "O" else cast(Tensor(leaves), dtype)
        return cast(tensor(x), dtype)
    return tensor(x)


def array(x: Any, dtype: Any = None) -> Any:
    """`x` as a tensor; the same as `convert_to_tensor`.

    >>> import minikeras
    >>> minikeras.ops.array([1, 2]).tolist()
    [1, 2]
    """
    return convert_to_tensor(x, dtype=dtype)


def convert_to_numpy(x: Any) -> np.ndarray:
    """`x` as a NumPy array, detached from any recording.

    >>> import minikeras
    >>> minikeras.ops.convert_to_numpy([1.0, 2.0]).dtype
    dtype('float32')
    """
    if isinstance(x, KerasTensor):
        raise ValueError(
            "A symbolic KerasTensor has no value to convert to NumPy. Wrap the computation in a"
            " Layer, or use `minikeras.ops`."
        )
    return dtypes.plain_array(np.array(array_of(x)))


def is_tensor(x: Any) -> bool:
    """Whether `x` is a tensor (NumPy arrays count).

    >>> import minikeras
    >>> minikeras.ops.is_tensor(minikeras.ops.ones(2))
    True
    """
    return _is_tensor(x)


def shape(x: Any) -> tuple:
    """The shape, as a tuple; None where a symbolic tensor's size is unknown.

    >>> import minikeras
    >>> minikeras.ops.shape(minikeras.ops.ones((2, 3)))
    (2, 3)
    """
    return tuple(tensor(x).shape)


def dtype(x: Any) -> str:
    """The name of the dtype.

    >>> import minikeras
    >>> minikeras.ops.dtype(minikeras.ops.ones((2, 3)))
    'float32'
    """
    return dtypes.standardize_dtype(tensor(x).dtype)


def ndim(x: Any) -> int:
    """The number of axes.

    >>> import minikeras
    >>> minikeras.ops.ndim(minikeras.ops.ones((2, 3)))
    2
    """
    return len(tensor(x).shape)


class Size(Kernel):
    """Number of values."""

    def forward(self, ctx: Any, x: Any) -> Any:
        return np.asarray(x.size, "int32")

    def compute_output_spec(self, x: Any) -> Any:
        return KerasTensor((), dtype="int32")


def size(x: Any) -> Any:
    """The number of values, as an int32 scalar.

    >>> import minikeras
    >>> int(minikeras.ops.size([[1, 2], [3, 4]]))
    4
    """
    return Size()(x)


class StopGradient(Kernel):
    """The same values, through which no gradient flows."""

    def forward(self, ctx: Any, x: Any) -> Any:
        return x

    def compute_output_spec(self, x: Any) -> Any:
        return KerasTensor(x.shape, dtype=x.dtype)


def stop_gradient(variable: Any) -> Any:
    """The same values, as a constant: no gradient flows through.

    >>> import minikeras
    >>> minikeras.ops.stop_gradient([1.0]).tolist()
    [1.0]
    """
    if isinstance(variable, KerasTensor):
        return StopGradient()(variable)
    return Tensor(array_of(variable))


class Copy(Kernel):
    """The same values."""

    def forward(self, ctx: Any, x: Any) -> Any:
        return x.copy()

    def backward(self, ctx: Any, dy: Any) -> Any:
        return dy

    def compute_output_spec(self, x: Any) -> Any:
        return KerasTensor(x.shape, dtype=x.dtype)


class ConvertToTensor(CastTo):
    """The same values as a tensor, maybe of another dtype."""

    dtype: Any = None
    sparse: Any = None
    ragged: Any = None

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.source = x.dtype
        return x if self.dtype is None else super().forward(ctx, x)

    def compute_output_spec(self, x: Any) -> Any:
        return KerasTensor(x.shape, dtype=x.dtype if self.dtype is None else self.dtype)


class Array(ConvertToTensor):
    """The same values as a tensor, maybe of another dtype."""


Array.fields = {"dtype": None}


def copy(x: Any) -> Any:
    """A copy of `x`.

    >>> import minikeras
    >>> minikeras.ops.copy([1, 2]).tolist()
    [1, 2]
    """
    return Copy()(x)


class _Custom(Kernel):
    """One call of a function with its own gradient."""

    gradient: Any
    outputs: ClassVar  # set for one call

    def forward(self, ctx: Any, *arrays: Any) -> Any:
        return self.outputs

    def backward(self, ctx: Any, *douts: Any) -> Any:
        gradients = self.gradient(*[None if dy is None else Tensor(dy) for dy in douts])
        if not isinstance(gradients, (list, tuple)):
            gradients = (gradients,)
        return [None if one is None else array_of(one) for one in gradients]


def custom_gradient(f: Callable) -> Callable:
    """Decorator: a function that comes with its own gradient.

    Args:
        f: Function of tensors that returns a pair: the outputs, and a function from the gradient
            of the outputs (an upstream gradient, by position or as `upstream=`) to the gradients
            of the arguments.

    Example:

    >>> import minikeras
    >>> @minikeras.ops.custom_gradient
    ... def clipped(x):
    ...     return x, lambda upstream: minikeras.ops.clip(upstream, -1.0, 1.0)
    >>> clipped(minikeras.ops.ones(2)).tolist()
    [1.0, 1.0]
    """
    from functools import wraps

    from minikeras.engine.recording import Paused

    @wraps(f)
    def function(*args: Any, **kwargs: Any) -> Any:
        if any_symbolic(args) or any_symbolic(kwargs):
            return f(*args, **kwargs)[0]
        plain = [Tensor(array_of(arg)) if _is_tensor(arg) else arg for arg in args]
        with Paused(training=None if state.run is None else state.run.training):
            outputs, gradient = f(*plain, **kwargs)
        operation = _Custom(gradient)
        one = not isinstance(outputs, (list, tuple))
        operation.__dict__["outputs"] = (
            array_of(outputs) if one else tuple(array_of(y) for y in outputs)
        )
        return call_kernel(operation, list(args), {})

    return function


__all__ = [
    "array", "cast", "convert_to_numpy", "convert_to_tensor", "copy", "custom_gradient", "dtype",
    "is_tensor", "ndim", "saturate_cast", "shape", "size", "stop_gradient",
]  # fmt: skip

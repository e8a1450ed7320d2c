"""Makers of elementwise operations: one line of a table is one operation.

The derivative is a function whose parameters name what it needs, and only that is kept: `dy`, the
gradient of the output; `x` (or `a` and `b`), the operands; `y`, the output.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from minikeras import config
from minikeras.engine import dtypes
from minikeras.engine.context import state
from minikeras.engine.operation import call_kernel
from minikeras.engine.registry import to_snake_case
from minikeras.engine.symbolic import KerasTensor
from minikeras.ops.base import (
    Kernel,
    array_of,
    as_float,
    broadcast_shapes,
    common_dtype,
    is_inexact,
    operand,
    tensor,
    unbroadcast,
)


def _needs(derivative: Callable) -> tuple:
    code = derivative.__code__
    return code.co_varnames[: code.co_argcount]


def _int_of_bool(x: np.ndarray) -> np.ndarray:
    return x.astype("int32") if x.dtype == bool else x


_LONG = (np.dtype("int64"), np.dtype("uint64"))

# What an operation does to its operand first: the dtype rules of Keras.
RULES: dict[str, Callable] = {
    "float": as_float,
    "same": lambda x: x,
    "number": _int_of_bool,
    "wide": lambda x: x.astype("float64") if x.dtype in _LONG else as_float(x),
}


class Unary(Kernel, register=False):
    """An elementwise function of one tensor."""

    function: ClassVar[Any] = None
    derivative: ClassVar[Any] = None
    wants: ClassVar[Any] = ()
    rule = "float"

    def forward(self, ctx: Any, x: Any) -> Any:
        x = RULES[self.rule](array_of(x))
        with np.errstate(all="ignore"):  # NaN and infinity are values here, not accidents
            y = type(self).function(x)
        if ctx.recording:
            kept = {"x": x, "y": y}
            ctx.saved = [kept[key] for key in self.wants]
            ctx.differentiable = is_inexact(x)
        return y

    def backward(self, ctx: Any, dy: Any) -> Any:
        if self.derivative is None or not ctx.differentiable:
            return None
        with np.errstate(all="ignore"):
            return type(self).derivative(dy, *ctx.saved)

    def compute_output_spec(self, x: Any) -> Any:
        probe = type(self).function(RULES[self.rule](np.ones(1, dtypes.to_numpy_dtype(x.dtype))))
        dtype = x.dtype if x.dtype == "bfloat16" and probe.dtype.kind == "f" else probe.dtype
        return KerasTensor(x.shape, dtype=dtype)


def unary(
    name: str,
    function: Callable,
    derivative: Any,
    doc: str,
    rule: str = "float",
    example: str | None = None,
    public: str | None = None,
) -> Callable:
    """The public function of an elementwise operation on one tensor.

    Args:
        name: Name of the class, as in Keras.
        function: Array to array.
        derivative: Function of `dy` and, if it needs them, `x` and `y`, in this order; or None.
        doc: The one-line summary.
        rule: What happens to the dtype first (`RULES`).
        example: Argument and result of the example, separated by ` -> `.
        public: Name of the function; defaults to `name` in snake_case.
    """
    wants = _needs(derivative)[1:] if derivative else ()
    kind: Any = type(
        name,
        (Unary,),
        {
            "__doc__": doc,
            "__module__": __name__,
            "function": staticmethod(function),
            "derivative": staticmethod(derivative) if derivative else None,
            "wants": wants,
            "rule": rule,
        },
    )
    kind.differentiable = derivative is not None
    shared = kind()

    def operation(x: Any) -> Any:
        if isinstance(x, KerasTensor):
            return kind()(x)
        return call_kernel(shared, [tensor(x)], {})

    operation.__name__ = operation.__qualname__ = public or to_snake_case(name)
    kept = {"float": "floats keep their dtype, integers become `floatx()`."}
    operation.__doc__ = (
        f"{doc}\n\n    Args:\n        x: Tensor of any shape.\n\n    Returns:\n"
        f"        Tensor of the shape of `x`{'; ' + kept[rule] if rule in kept else '.'}\n"
        + _example(operation.__name__, example)
    )
    operation.operation = kind  # type: ignore[attr-defined]
    return operation


def _example(name: str, example: str | None) -> str:
    if not example:
        return ""
    argument, result = example.split(" -> ")
    return (
        f"\n    Example:\n\n    >>> import minikeras\n    >>> minikeras.ops.{name}({argument})"
        f".tolist()\n    {result}\n    "
    )


class Binary(Kernel, register=False):
    """An elementwise function of two tensors that broadcast."""

    scalars = True
    function: ClassVar[Any] = None
    derivatives: ClassVar[Any] = None
    wants: ClassVar[Any] = ()
    rule = "same"
    boolean = False

    @classmethod
    def operand_dtype(cls, a: Any, b: Any) -> np.dtype:
        """The dtype in which the operands meet."""
        if cls.rule == "bool":
            return np.dtype(bool)
        kinds = (a, b, float) if cls.rule == "float" else (a, b)
        dtype = common_dtype(*kinds)
        if cls.rule == "number" and dtype.kind == "b":
            return np.dtype("int32")
        if cls.rule == "wide":
            return (
                np.dtype("float64") if dtype in _LONG else RULES["float"](np.empty(0, dtype)).dtype
            )
        return dtype

    def forward(self, ctx: Any, a: Any, b: Any) -> Any:
        x, z = a, b
        if not (
            self.rule == "same"
            and type(a) is np.ndarray
            and type(b) is np.ndarray
            and a.dtype == b.dtype
        ):
            dtype = self.operand_dtype(a, b)
            x = a.astype(dtype, copy=False) if isinstance(a, np.ndarray) else _scalar(a, dtype)
            z = b.astype(dtype, copy=False) if isinstance(b, np.ndarray) else _scalar(b, dtype)
            if self.boolean and dtype.kind in "iu":
                # NumPy compares with numbers that the dtype cannot hold, such as -1 and uint8.
                x, z = (one if type(one) is int else cast for one, cast in ((a, x), (b, z)))
        try:
            with np.errstate(all="ignore"):
                y = type(self).function(x, z)
        except ValueError:
            broadcast_shapes(np.shape(x), np.shape(z))
            raise
        if not isinstance(y, np.ndarray):
            y = np.asarray(y)
        if ctx.recording:
            kept = {"a": x, "b": z, "y": y}
            ctx.saved = [[kept[key] for key in keys] for keys in self.wants]
            ctx.operands = [(one.shape, one.dtype) if is_inexact(one) else None for one in (a, b)]
        return y

    def backward(self, ctx: Any, dy: Any) -> Any:
        if self.derivatives is None:
            return None
        result: list = [None, None]
        for i in (0, 1):
            if ctx.needs[i] and ctx.operands[i] is not None:
                shape, dtype = ctx.operands[i]
                with np.errstate(all="ignore"):
                    gradient = self.derivatives[i](dy, *ctx.saved[i])
                if dtype.kind == "f" and gradient.dtype.kind == "c":
                    gradient = gradient.real
                result[i] = unbroadcast(gradient, shape).astype(dtype, copy=False)
        return result

    def compute_output_spec(self, a: Any, b: Any) -> Any:
        shape = broadcast_shapes(getattr(a, "shape", ()), getattr(b, "shape", ()))
        if self.boolean:
            return KerasTensor(shape, dtype="bool")
        kinds = [getattr(x, "dtype", type(x)) for x in (a, b)]
        dtype = dtypes.result_type(*kinds, *([float] if self.rule == "float" else []))
        if self.rule in ("number", "wide"):
            dtype = RULES[self.rule](np.empty(0, dtypes.to_numpy_dtype(dtype))).dtype
        return KerasTensor(shape, dtype=dtype)


def _scalar(value: Any, dtype: np.dtype) -> np.ndarray:
    if dtype.kind in "iu" and not isinstance(value, bool):
        return np.asarray(int(value)).astype(dtype)
    return np.asarray(value, dtype)


def binary(
    name: str,
    function: Callable,
    derivative_a: Any,
    derivative_b: Any,
    doc: str,
    rule: str = "same",
    weak: bool = True,
    example: str | None = None,
    public: str | None = None,
    arguments: str = "x1 x2",
) -> Callable:
    """The public function of an elementwise operation on two tensors.

    Args:
        name: Name of the class, as in Keras.
        function: Two arrays of one dtype to one array.
        derivative_a, derivative_b: Functions of `dy` and, if they need them, `a`, `b` and `y`, in
            this order; or None.
        doc: The one-line summary.
        rule: `"same"`: as operands promote. `"float"`: integers become `floatx()`. `"number"`:
            bools become int32. `"bool"`: operands become bool. `"compare"`: as `"same"`, result
            bool.
        weak: Python numbers take the dtype of the other operand (else that of a tensor).
        arguments: `"x1 x2"` or `"x y"`.
    """
    differentiable = derivative_a is not None or derivative_b is not None
    derivatives = (derivative_a or _zero, derivative_b or _zero)
    kind: Any = type(
        name,
        (Binary,),
        {
            "__doc__": doc,
            "__module__": __name__,
            "function": staticmethod(function),
            "derivatives": derivatives if differentiable else None,
            "wants": [_needs(derivative)[1:] for derivative in derivatives],
            "rule": "same" if rule == "compare" else rule,
            "scalars": weak,
            "boolean": rule in ("bool", "compare"),
        },
    )
    kind.differentiable = differentiable
    shared = kind()
    convert = operand if weak else tensor

    def run(x1: Any, x2: Any) -> Any:
        if isinstance(x1, KerasTensor) or isinstance(x2, KerasTensor):
            return kind()(x1, x2)
        if state.inferring:
            return shared(x1, x2)
        return call_kernel(shared, [convert(x1), convert(x2)], {})

    if arguments == "x1 x2":

        def operation(x1: Any, x2: Any) -> Any:
            return run(x1, x2)
    else:

        def operation(x: Any, y: Any) -> Any:  # type: ignore[misc]
            return run(x, y)

    first, second = arguments.split()
    operation.__name__ = operation.__qualname__ = public or to_snake_case(name)
    kept = {
        "float": "integers become `floatx()`.",
        "bool": "of bools.",
        "compare": "of bools.",
    }
    operation.__doc__ = (
        f"{doc}\n\n    Args:\n        {first}: Tensor or number.\n"
        f"        {second}: Tensor or number;"
        f" the shapes must broadcast.\n\n    Returns:\n        Tensor of the broadcast shape"
        f"; {kept.get(rule, 'its dtype is what those of the operands promote to.')}\n\n"
        f"    Raises:\n        ValueError: if the shapes do not broadcast.\n"
        + _example(operation.__name__, example)
    )
    operation.operation = kind  # type: ignore[attr-defined]
    return operation


def _zero(dy: Any) -> Any:
    return np.zeros_like(dy)


def floatx() -> str:
    """The default float type."""
    return config.floatx()

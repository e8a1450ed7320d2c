"""Quantizers, and the functions they are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras import config, ops
from minikeras.engine import dtypes, registry
from minikeras.engine.context import state
from minikeras.engine.symbolic import KerasTensor, Tensor
from minikeras.kernels import quantization as kernels
from minikeras.ops.base import Kernel, array_of, canonical_axis, unbroadcast

# The largest values, as `compute_float8_scale` takes them.
FLOAT8_MAX = {"float8_e4m3fn": 448.0, "float8_e5m2": 57344.0}


@registry.quantizers.register("Quantizer", "quantizer")
class Quantizer:
    """Base class: turns a tensor into one of narrower numbers. This one changes nothing.

    Args:
        output_dtype: Dtype of the numbers. Defaults to `"int8"`.
    """

    def __init__(self, output_dtype: str = "int8") -> None:
        self.output_dtype = output_dtype

    def __call__(self, x: Any) -> Any:
        """The narrower numbers and, in subclasses for layers, their scale."""
        return x

    @classmethod
    def from_config(cls, config: dict) -> Any:
        """The quantizer that `config` describes."""
        return cls(**config)

    def get_config(self) -> dict:
        """The configuration. A subclass defines it."""
        raise NotImplementedError(f"{self} does not implement get_config()")


@registry.quantizers.register("AbsMaxQuantizer", "abs_max_quantizer")
class AbsMaxQuantizer(Quantizer):
    """Scales so that the largest absolute value fits, and rounds.

    Args:
        axis: Integer or tuple: along which one scale is enough. Defaults to None: as the call says.
        value_range: Pair: smallest and largest integer. Defaults to `(-127, 127)`.
        epsilon: Float, default `epsilon()`. Added to the largest absolute value.
        output_dtype: Dtype. Defaults to `"int8"`.

    Raises:
        ValueError: if the range does not fit into int8.

    Example:

    >>> import minikeras
    >>> quantizer = minikeras.quantizers.AbsMaxQuantizer()
    >>> values, scale = quantizer(minikeras.ops.array([[0.5, -1.0]]))
    >>> values.tolist(), scale.tolist()
    ([[63, -127]], [[126.99998474121094]])
    """

    def __init__(
        self,
        axis: Any = None,
        value_range: tuple = (-127, 127),
        epsilon: float = config.epsilon(),
        output_dtype: str = "int8",
    ) -> None:
        super().__init__(output_dtype)
        self.axis = (axis,) if isinstance(axis, int) else None if axis is None else tuple(axis)
        self.value_range, self.epsilon = value_range, epsilon
        if output_dtype == "int8" and (value_range[0] < -128 or value_range[1] > 127):
            raise ValueError(
                "Quantizer with output_dtype='int8' requires value_range to be within the interval"
                f" [-128, 127]. Received: value_range={value_range}"
            )

    def __call__(self, x: Any, axis: Any = None, to_numpy: bool = False) -> tuple:
        """`(integers, scale)`: `x` is about `integers / scale`."""
        if axis is None:
            axis = -1 if self.axis is None else self.axis
        return abs_max_quantize(
            x, axis, self.value_range, self.output_dtype, self.epsilon, to_numpy
        )

    def get_config(self) -> dict:
        axis = {} if self.axis is None else {"axis": self.axis}
        return {
            "value_range": self.value_range,
            "epsilon": self.epsilon,
            "output_dtype": self.output_dtype,
            **axis,
        }


def abs_max_quantize(
    inputs: Any,
    axis: Any,
    value_range: tuple = (-127, 127),
    dtype: str = "int8",
    epsilon: float = config.epsilon(),
    to_numpy: bool = False,
) -> tuple:
    """Scale so that the largest absolute value fits, and round.

    Args:
        inputs: Tensor.
        axis: Integer or tuple: along which one scale is enough.
        value_range: Pair: smallest and largest integer. Defaults to `(-127, 127)`.
        dtype: Dtype of the integers. Defaults to `"int8"`.
        epsilon: Float, default `epsilon()`. Added to the largest absolute value.
        to_numpy: Boolean, default False. Whether neither gradients nor symbolic tensors are asked
            for.

    Returns:
        `(integers, scale)`: `inputs` are about `integers / scale`. The scale has ones for `axis`.

    Example:

    >>> import minikeras
    >>> values, scale = minikeras.quantizers.abs_max_quantize([[0.5, -1.0], [2.0, 1.0]], axis=-1)
    >>> values.tolist()
    [[63, -127], [127, 64]]
    """
    inputs = ops.convert_to_tensor(inputs)
    kind = dtypes.standardize_dtype(inputs.dtype)
    plain = isinstance(inputs, Tensor) and (state.recording is None or inputs.recording is None)
    if to_numpy or plain and kind != "bfloat16":
        integers, scale = kernels.abs_max(
            dtypes.plain_array(array_of(inputs)), axis, value_range, epsilon
        )
        return ops.cast(Tensor(integers), dtype), ops.cast(Tensor(scale), kind)
    largest = ops.max(ops.abs(inputs), axis=axis, keepdims=True)
    scale = ops.cast(ops.divide(value_range[1], ops.add(largest, epsilon)), kind)
    values = ops.clip(ops.round(ops.multiply(inputs, scale)), *value_range)
    return ops.cast(values, dtype), scale


def abs_max_quantize_grouped_with_zero_point(
    inputs: Any,
    block_size: int,
    value_range: tuple = (-8, 7),
    dtype: str = "int8",
    epsilon: float = config.epsilon(),
    to_numpy: bool = False,
) -> tuple:
    """Round a matrix, with a scale and a zero point for each block of rows of each column.

    Args:
        inputs: Tensor of shape `(n, units)`.
        block_size: Positive integer: rows of a block.
        value_range: Pair: smallest and largest integer. Defaults to `(-8, 7)`.
        dtype: Dtype of the integers. Defaults to `"int8"`.
        epsilon: Float, default `epsilon()`. Added to the width of the range.
        to_numpy: Boolean, default False. Changes nothing.

    Returns:
        `(integers, scale, zero_point)`, the last two of shape `(blocks, units)`: `inputs` are about
        `(integers - zero_point) * scale`. Zero points are int8.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> values, scale, zero = minikeras.quantizers.abs_max_quantize_grouped_with_zero_point(
    ...     np.array([[-1.0], [0.5], [3.0]]), block_size=2
    ... )
    >>> values.tolist(), zero.tolist()
    ([[-8], [7], [7]], [[2], [-8]])
    """
    array = array_of(inputs)
    values, scale, zero = kernels.grouped(
        dtypes.plain_array(array), block_size, value_range, epsilon
    )
    kind = dtypes.standardize_dtype(array.dtype)
    return (
        ops.cast(Tensor(values), dtype),
        ops.cast(Tensor(scale), kind),
        Tensor(zero.astype("int8")),
    )


@registry.quantizers.register("FakeQuantWithMinMaxVars")
class FakeQuantWithMinMaxVars(Kernel, register=False):
    """See `fake_quant_with_min_max_vars`."""

    _keras_module = "keras.src.quantizers.quantizers"
    num_bits: Any = 8
    narrow_range: Any = False
    axis: Any = None

    def forward(self, ctx: Any, x: Any, low: Any, high: Any) -> Any:
        dtype = np.result_type(x.dtype, "float32")
        ctx.shapes, ctx.dtype = (low.shape, high.shape), x.dtype
        shape = [1] * x.ndim
        if self.axis is not None:
            shape[canonical_axis(self.axis, x.ndim)] = -1
        low, high = (np.asarray(one, dtype).reshape(shape) for one in (low, high))
        largest, least = 2 ** int(self.num_bits) - 1, int(bool(self.narrow_range))
        with np.errstate(all="ignore"):
            scale = (high - low) / dtype.type(largest - least)
            inverse = dtype.type(largest - least) / (high - low)
            zero = np.floor(np.clip(least - low / scale, least, largest) + dtype.type(0.5))
            low, high = (least - zero) * scale, (largest - zero) * scale
            shift = np.floor(-low * inverse + dtype.type(0.5))
            steps = (np.clip(x.astype(dtype), low, high) - low) * inverse - shift
            y = np.where(scale == 0, 0, np.floor(steps + dtype.type(0.5)) * scale)
        ctx.save(x < low, x > high)
        return dtypes.labelled(y.astype(dtypes.plain_array(x).dtype), dtypes.label(x.dtype))

    def backward(self, ctx: Any, dy: Any) -> Any:
        below, above = ctx.saved
        shapes = []
        for shape in ctx.shapes:
            wide = [1] * dy.ndim
            if self.axis is not None:
                wide[canonical_axis(self.axis, dy.ndim)] = int(np.prod(shape))
            shapes.append(tuple(wide))
        return (
            np.where(below | above, 0, dy),
            unbroadcast(dy * below, shapes[0]).reshape(ctx.shapes[0]),
            unbroadcast(dy * above, shapes[1]).reshape(ctx.shapes[1]),
        )

    def compute_output_spec(self, x: Any, low: Any, high: Any) -> Any:
        return KerasTensor(x.shape, dtype=x.dtype)


def fake_quant_with_min_max_vars(
    inputs: Any,
    min_vals: Any,
    max_vals: Any,
    num_bits: int = 8,
    narrow_range: bool = False,
    axis: int | None = None,
) -> Any:
    """Round to `2**num_bits` steps between a minimum and a maximum; gradients pass between them.

    Args:
        inputs: Float tensor.
        min_vals, max_vals: Scalars, or tensors of one value a channel. They are moved a little, so
            that 0 is one of the steps. Where values are cut off at them, they get the gradient.
        num_bits: Integer, default 8.
        narrow_range: Boolean, default False. Whether there is one step less.
        axis: Integer: the axis of channels. Defaults to None: one range for all.

    Example:

    >>> import minikeras
    >>> minikeras.quantizers.fake_quant_with_min_max_vars([-3.0, 0.3, 9.0], 0.0, 6.0, 2).tolist()
    [0.0, 0.0, 6.0]
    """
    return FakeQuantWithMinMaxVars(num_bits, narrow_range, axis)(inputs, min_vals, max_vals)


def compute_float8_scale(amax: Any, scale: Any, dtype_max: Any, margin: int = 0) -> Any:
    """The next scale for float8: `amax / dtype_max * 2**margin`, or `scale` where `amax` is 0.

    Args:
        amax: Largest absolute value of the last steps.
        scale: The scale so far. It stays where `amax` is 0 or not finite.
        dtype_max: Largest value of the dtype.
        margin: Integer, default 0: bits left free.

    Example:

    >>> import minikeras
    >>> float(minikeras.quantizers.compute_float8_scale(896.0, 1.0, 448.0))
    2.0
    """
    scale = ops.reciprocal(scale)
    found = ops.divide(ops.divide(dtype_max, amax), 2**margin)
    found = ops.where(ops.greater(amax, 0.0), found, scale)
    return ops.reciprocal(ops.where(ops.isfinite(amax), found, scale))


def compute_float8_amax_history(x: Any, amax_history: Any) -> Any:
    """The last largest absolute values, with that of `x` in the place of the oldest.

    Args:
        x: Tensor.
        amax_history: Vector: the newest value comes first, the oldest second.

    Example:

    >>> import minikeras
    >>> minikeras.quantizers.compute_float8_amax_history([-5.0, 2.0], [1.0, 2.0, 3.0]).tolist()
    [5.0, 3.0, 1.0]
    """
    newest = ops.cast(ops.max(ops.abs(x)), ops.convert_to_tensor(amax_history).dtype)
    rest = ops.roll(amax_history, -1)[1:]
    return ops.concatenate([ops.reshape(newest, (1,)), rest])


def quantize_and_dequantize(
    inputs: Any, scale: Any, quantized_dtype: str, compute_dtype: str
) -> Any:
    """`inputs / scale` rounded to float8, and multiplied by `scale` again.

    Args:
        inputs: Tensor.
        scale: Scalar.
        quantized_dtype: `"float8_e4m3fn"` or `"float8_e5m2"`.
        compute_dtype: Dtype of the result.

    Example:

    >>> import minikeras
    >>> minikeras.quantizers.quantize_and_dequantize([1.05, 1000.0], 1.0, "float8_e4m3fn",
    ...     "float32").tolist()
    [1.0, 448.0]
    """
    largest = FLOAT8_MAX[dtypes.standardize_dtype(quantized_dtype)]
    scale = ops.cast(scale, compute_dtype)
    x = ops.clip(ops.divide(inputs, scale), -largest, largest)
    x = ops.cast(ops.cast(x, quantized_dtype), compute_dtype)
    return ops.multiply(x, scale)


def _check_bytes(dtype: str, x: Any, allowed: tuple) -> np.ndarray:
    if dtype not in ("int8", "uint8"):
        raise ValueError(f"Expected dtype to be 'int8' or 'uint8', but got '{dtype}'.")
    array = array_of(x)
    if array.dtype.name not in allowed:
        raise TypeError(f"Expected {' or '.join(allowed)} tensor, got {array.dtype.name}.")
    return array


def pack_int4(arr: Any, axis: int = 0, dtype: str = "int8") -> tuple:
    """Pack integers of four bits, two neighbours in a byte.

    Args:
        arr: Tensor of dtype `dtype`, with values from -8 to 7, or from 0 to 15 if unsigned.
        axis: Integer, default 0: whose neighbours share a byte. The first of two is in the low
            bits; an odd one is paired with 0.
        dtype: `"int8"` (default) or `"uint8"`.

    Returns:
        `(packed, shape of packed, length of the axis before)`.

    Raises:
        ValueError: for another `dtype`.
        TypeError: if `arr` has another dtype.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> packed, shape, length = minikeras.quantizers.pack_int4(np.array([-3, 2, 1], "int8"))
    >>> packed.tolist(), shape, length
    ([45, 1], (2,), 3)
    """
    array = _check_bytes(dtype, arr, (dtype,))
    packed = kernels.pack(array, axis)
    return Tensor(packed), packed.shape, array.shape[axis]


def unpack_int4(packed: Any, orig_len: int, axis: int = 0, dtype: str = "int8") -> Any:
    """The integers that `pack_int4` packed.

    Args:
        packed: Tensor of dtype int8 or uint8.
        orig_len: Integer: how many there were along the axis.
        axis: Integer, default 0: as packed.
        dtype: `"int8"` (default) for values from -8 to 7, `"uint8"` for such from 0 to 15.

    Raises:
        ValueError: for another `dtype`.
        TypeError: if `packed` has another dtype.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.quantizers.unpack_int4(np.array([45, 1], "int8"), 3).tolist()
    [-3, 2, 1]
    """
    array = _check_bytes(dtype, packed, ("int8", "uint8"))
    return Tensor(kernels.unpack(array, orig_len, axis, dtype))


__all__ = [
    "AbsMaxQuantizer", "Quantizer", "abs_max_quantize", "abs_max_quantize_grouped_with_zero_point",
    "compute_float8_amax_history", "compute_float8_scale", "fake_quant_with_min_max_vars",
    "pack_int4", "quantize_and_dequantize", "unpack_int4",
]  # fmt: skip

"""Reductions by segment, and distances."""

# ruff: noqa: E501 - the tables are aligned, one operation a line

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from minikeras.engine.symbolic import KerasTensor
from minikeras.ops.base import Kernel, composite, is_inexact, static, tensor
from minikeras.ops.elementwise import sqrt, square
from minikeras.ops.reductions import sum
from minikeras.ops.shaping import expand_dims


class _Segment(Kernel):
    """Reduce slices along the first axis by the segment they belong to."""

    num_segments: Any = None
    sorted: bool = False
    ufunc: ClassVar[Any] = np.add

    def start(self, dtype: np.dtype) -> Any:
        """What an empty segment gives."""
        raise NotImplementedError

    def forward(self, ctx: Any, data: Any, ids: Any) -> Any:
        if ids.ndim != 1 or ids.dtype.kind not in "iu":
            raise ValueError(
                "Argument `segment_ids` should be an 1-D vector, of integers. Received shape"
                f" {ids.shape}, dtype {ids.dtype}"
            )
        if len(ids) != len(data):
            raise ValueError(
                "Argument `segment_ids` and `data` should have same leading dimension. Received"
                f" shapes {ids.shape} and {data.shape}"
            )
        count = self.num_segments
        if count is None:
            count = int(ids.max()) + 1 if ids.size else 0
        kept = (ids >= 0) & (ids < count)
        result = np.full((count, *data.shape[1:]), self.start(data.dtype), data.dtype)
        type(self).ufunc.at(result, ids[kept], data[kept])
        ctx.save(data, ids, kept, result)
        return result

    def spread(self, values: np.ndarray, ids: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """The value of the segment of each slice; 0 for slices of none."""
        out = (
            values[np.where(kept, ids, 0)]
            if len(values)
            else np.zeros((len(ids), *values.shape[1:]), values.dtype)
        )
        out[~kept] = 0
        return out

    def backward(self, ctx: Any, dy: Any) -> Any:
        data, ids, kept, result = ctx.saved
        if not is_inexact(data):
            return None
        return self.derivative(dy, data, ids, kept, result), None

    def derivative(self, dy: Any, data: Any, ids: Any, kept: Any, result: Any) -> Any:
        """The gradient of `data`."""
        raise NotImplementedError

    def compute_output_spec(self, data: Any, ids: Any) -> Any:
        return KerasTensor((self.num_segments, *data.shape[1:]), dtype=data.dtype)


class SegmentSum(_Segment):
    """Sum of the slices of each segment."""

    ufunc: ClassVar[Any] = np.add

    def start(self, dtype: np.dtype) -> Any:
        return 0

    def derivative(self, dy: Any, data: Any, ids: Any, kept: Any, result: Any) -> Any:
        return self.spread(dy, ids, kept)


class SegmentMax(_Segment):
    """Largest of the slices of each segment; equal ones share the gradient."""

    ufunc: ClassVar[Any] = np.maximum

    def start(self, dtype: np.dtype) -> Any:
        if dtype.kind == "f":
            return np.finfo(dtype).min
        return np.iinfo(dtype).min if dtype.kind in "iu" else False

    def derivative(self, dy: Any, data: Any, ids: Any, kept: Any, result: Any) -> Any:
        chosen = (data == self.spread(result, ids, kept)).astype(data.dtype)
        chosen[~kept] = 0
        count = np.zeros_like(result)
        np.add.at(count, ids[kept], chosen[kept])
        return chosen * self.spread(dy / np.maximum(count, 1), ids, kept)


class SegmentMin(SegmentMax):
    """Smallest of the slices of each segment; equal ones share the gradient."""

    ufunc: ClassVar[Any] = np.minimum

    def start(self, dtype: np.dtype) -> Any:
        if dtype.kind == "f":
            return np.finfo(dtype).max
        return np.iinfo(dtype).max if dtype.kind in "iu" else True


class SegmentProd(_Segment):
    """Product of the slices of each segment."""

    ufunc: ClassVar[Any] = np.multiply

    def start(self, dtype: np.dtype) -> Any:
        return 1

    def derivative(self, dy: Any, data: Any, ids: Any, kept: Any, result: Any) -> Any:
        zeros = np.zeros(result.shape, "int32")
        np.add.at(zeros, ids[kept], data[kept] == 0)
        others = np.ones_like(result)
        np.multiply.at(others, ids[kept], np.where(data == 0, 1, data)[kept])
        count = self.spread(zeros, ids, kept)
        mine = data == 0
        product = self.spread(others, ids, kept)
        # Without itself: nothing is left where another one is zero.
        without = np.where(
            mine, product * (count == 1), np.where(count == 0, product / np.where(mine, 1, data), 0)
        )
        return without * self.spread(dy, ids, kept)


def _segment(name: str, kind: Any, summary: str, empty: str, result: str) -> Any:
    def function(
        data: Any, segment_ids: Any, num_segments: Any = None, sorted: bool = False
    ) -> Any:
        return kind(static(num_segments), sorted)(data, segment_ids)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""{summary}

    Args:
        data: Tensor; its slices along the first axis are reduced.
        segment_ids: Vector of integers: the segment of each slice. Negative ones, and those from
            `num_segments` on, are left out.
        num_segments: Integer. Defaults to the largest id plus 1.
        sorted: Boolean, default False. Whether the ids are in order; makes no difference here.

    Returns:
        Tensor of shape (num_segments, ...); empty segments give {empty}.

    Raises:
        ValueError: if the ids do not fit `data`.

    Example:

    >>> import minikeras
    >>> minikeras.ops.{name}([1.0, 2.0, 3.0], [0, 0, 1]).tolist()
    {result}
    """
    return function


# fmt: off
segment_sum  = _segment("segment_sum",  SegmentSum,  "Sums by segment.",            "0",                     "[3.0, 3.0]")
segment_max  = _segment("segment_max",  SegmentMax,  "Largest values by segment.",  "the smallest number",   "[2.0, 3.0]")
segment_min  = _segment("segment_min",  SegmentMin,  "Smallest values by segment.", "the largest number",    "[1.0, 3.0]")
segment_prod = _segment("segment_prod", SegmentProd, "Products by segment.",        "1",                     "[2.0, 3.0]")
# fmt: on


@composite(tensors=2, name="CDist")
def cdist(x: Any, y: Any) -> Any:
    """Euclidean distance of each two rows.

    Args:
        x: Tensor of shape (..., m, size).
        y: Tensor of shape (..., n, size).

    Returns:
        Tensor of shape (..., m, n).

    Raises:
        ValueError: if the shapes do not fit.

    Example:

    >>> import minikeras
    >>> minikeras.ops.cdist([[0.0, 0.0]], [[3.0, 4.0]]).tolist()
    [[5.0]]
    """
    x, y = tensor(x), tensor(y)
    if len(x.shape) < 2 or len(y.shape) < 2:
        raise ValueError("`cdist` inputs must have rank >= 2")
    if x.shape[-1] != y.shape[-1]:
        raise ValueError("Last dimension of inputs to `cdist` must match")
    return sqrt(sum(square(expand_dims(x, -2) - expand_dims(y, -3)), axis=-1))


__all__ = ["cdist", "segment_max", "segment_min", "segment_prod", "segment_sum"]

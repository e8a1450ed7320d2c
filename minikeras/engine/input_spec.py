"""What a layer accepts as input."""

from __future__ import annotations

from typing import Any

from minikeras.engine import dtypes, tree
from minikeras.engine.variable import standardize_shape


class InputSpec:
    """Rank, dtype and sizes that an input must have.

    Args:
        dtype: Expected dtype, or None (any).
        shape: Expected shape; None for a size that may be anything. Defaults to None (any).
        ndim: Expected rank, or None.
        max_ndim: Largest rank, or None.
        min_ndim: Smallest rank, or None.
        axes: dict of axis to size, or None.
        allow_last_axis_squeeze: Boolean, default False. Whether the last axis may be missing or of
            size 1.
        name: Key of the input where inputs come as a dict.
        optional: Boolean, default False. Whether None is accepted.
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = dtypes.standardize_dtype(dtype) if dtype is not None else None
        self.shape = standardize_shape(shape) if shape is not None else None
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim, self.min_ndim = max_ndim, min_ndim
        self.name, self.optional = name, optional
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        try:
            self.axes = {int(axis): size for axis, size in (axes or {}).items()}
        except (ValueError, TypeError, AttributeError):
            raise TypeError(
                f"Argument `axes` must be a dict with integer keys. Received: axes={axes!r}"
            ) from None
        if self.axes and (self.ndim is not None or self.max_ndim is not None):
            most = (self.ndim if self.ndim else self.max_ndim or 1) - 1
            if max(self.axes) > most:
                raise ValueError(f"Axis {max(self.axes)} is greater than the greatest, {most}.")

    def get_config(self) -> dict:
        """The configuration."""
        return {
            "dtype": self.dtype,
            "shape": self.shape,
            "ndim": self.ndim,
            "max_ndim": self.max_ndim,
            "min_ndim": self.min_ndim,
            "axes": self.axes,
            "optional": self.optional,
        }

    @classmethod
    def from_config(cls, config: dict) -> InputSpec:
        """The spec that `config` describes."""
        return cls(**config)

    def __repr__(self) -> str:
        parts = [
            f"{key}={value}"
            for key, value in (
                ("dtype", self.dtype),
                ("shape", self.shape),
                ("ndim", self.ndim),
                ("max_ndim", self.max_ndim),
                ("min_ndim", self.min_ndim),
                ("axes", self.axes),
            )
            if value
        ]
        return f"InputSpec({', '.join(parts)})"


def check_inputs(spec: Any, inputs: Any, name: str) -> None:
    """Compare `inputs` with `spec`.

    Raises:
        ValueError: naming the layer, what it expects and what came.
    """
    specs = tree.flatten(spec)
    if isinstance(spec, list) or isinstance(spec, tuple):
        leaves = tree.flatten(inputs)
    elif isinstance(spec, dict):
        leaves = [inputs[key] for key in tree.keys_of(spec)] if isinstance(inputs, dict) else []
    elif isinstance(inputs, dict) and getattr(spec, "name", None) in inputs:
        leaves = [inputs[spec.name]]
    else:
        leaves = tree.flatten(inputs)
    if len(specs) != len(leaves):
        raise ValueError(
            f"Layer {name!r} expected {len(specs)} input(s). Received {len(leaves)} instead."
            f" Inputs: {inputs}"
        )
    for index, (leaf, one) in enumerate(zip(leaves, specs)):
        if one is None or leaf is None and one.optional:
            continue
        shape = getattr(leaf, "shape", None)
        if shape is None:
            raise ValueError(
                f"Inputs to layer {name!r} should be tensors. Received: {leaf!r} (of type"
                f" {type(leaf)})"
            )
        shape = tuple(shape)
        problem = _mismatch(one, shape, getattr(leaf, "dtype", None))
        if problem:
            raise ValueError(
                f"Input {index} of layer {name!r} is incompatible with the layer: {problem}"
                f" Full shape received: {shape}"
            )


def _mismatch(spec: Any, shape: tuple, dtype: Any) -> str | None:
    ndim = len(shape)
    if spec.shape is not None and spec.allow_last_axis_squeeze:
        if shape and shape[-1] == 1 and len(spec.shape) == ndim - 1:
            shape, ndim = shape[:-1], ndim - 1
        elif spec.shape and spec.shape[-1] == 1 and len(spec.shape) == ndim + 1:
            shape, ndim = (*shape, 1), ndim + 1
    if spec.ndim is not None and ndim != spec.ndim:
        return f"expected ndim={spec.ndim}, found ndim={ndim}."
    if spec.max_ndim is not None and ndim > spec.max_ndim:
        return f"expected max_ndim={spec.max_ndim}, found ndim={ndim}."
    if spec.min_ndim is not None and ndim < spec.min_ndim:
        return f"expected min_ndim={spec.min_ndim}, found ndim={ndim}."
    if spec.dtype is not None and dtype is not None:
        if dtypes.standardize_dtype(dtype) != spec.dtype:
            return f"expected dtype={spec.dtype}, found dtype={dtype}."
    for axis, size in spec.axes.items():
        if size is not None and -ndim <= axis < ndim and shape[axis] not in (size, None):
            return (
                f"expected axis {axis} of input shape to have value {size}, but received input"
                f" with shape {shape}."
            )
    if spec.shape is not None:
        for expected, found in zip(spec.shape, shape):
            if expected is not None and found is not None and expected != found:
                return f"expected shape={spec.shape}, found shape={shape}."
    return None

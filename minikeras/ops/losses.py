"""Cross-entropies, and encodings of classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import dtypes
from minikeras.engine.symbolic import KerasTensor
from minikeras.ops.base import Kernel, canonical_axis, static, tensor
from minikeras.ops.reductions import reduced_shape


class OneHot(Kernel):
    """Classes as vectors with a single one."""

    num_classes: int
    axis: int = -1
    dtype: Any = None
    sparse: bool = False

    def forward(self, ctx: Any, x: Any) -> Any:
        dtype = dtypes.to_numpy_dtype(self.dtype or "float32")
        hot = x.astype("int64")[..., None] == np.arange(self.num_classes)
        axis = canonical_axis(self.axis, x.ndim + 1)
        return np.moveaxis(hot.astype(dtype), -1, axis)

    def compute_output_spec(self, x: Any) -> Any:
        shape = list(x.shape)
        shape.insert(canonical_axis(self.axis, len(shape) + 1), self.num_classes)
        return KerasTensor(shape, dtype=self.dtype or "float32")


def one_hot(
    x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False
) -> Any:
    """Classes as vectors with a one at the class; all zeros for classes out of range.

    Args:
        x: Integer tensor.
        num_classes: Integer.
        axis: Integer, default -1: where the classes go.
        dtype: Name of the dtype. Defaults to float32.
        sparse: Sparse results are not supported: False only.

    Raises:
        ValueError: for `sparse=True`.

    Example:

    >>> import minikeras
    >>> minikeras.ops.one_hot([1, 0], 2).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    if sparse:
        raise ValueError("Sparse results are not supported. Use `sparse=False`.")
    return OneHot(int(static(num_classes)), axis, dtype, False)(x)


class MultiHot(OneHot):
    """Sets of classes as vectors of zeros and ones."""

    num_classes: Any = None

    def forward(self, ctx: Any, x: Any) -> Any:
        hot = super().forward(ctx, x)
        return hot.max(axis=1 if x.ndim > 1 else 0)

    def compute_output_spec(self, x: Any) -> Any:
        spec = super().compute_output_spec(x)
        shape = list(spec.shape)
        del shape[1 if len(x.shape) > 1 else 0]
        return KerasTensor(shape, dtype=spec.dtype)


def multi_hot(
    inputs: Any,
    num_classes: Any = None,
    axis: int = -1,
    dtype: Any = None,
    sparse: bool = False,
    **kwargs: Any,
) -> Any:
    """Sets of classes as vectors with ones at the classes in the set.

    Args:
        inputs: Integer tensor: a set along the second axis (the only one of a vector).
        num_classes: Integer.
        axis: Integer, default -1: where the classes go.
        dtype: Name of the dtype. Defaults to `floatx()`.
        sparse: Sparse results are not supported: False only.

    Raises:
        ValueError: for `sparse=True`, or without `num_classes`.

    Example:

    >>> import minikeras
    >>> minikeras.ops.multi_hot([0, 2], 3).tolist()
    [1.0, 0.0, 1.0]
    """
    if num_classes is None:
        num_classes = kwargs.pop("num_tokens", None)
    if num_classes is None:
        raise ValueError("Argument `num_classes` must be specified.")
    if kwargs:
        raise TypeError(f"Unknown arguments: {sorted(kwargs)}")
    if sparse:
        raise ValueError("Sparse results are not supported. Use `sparse=False`.")
    return MultiHot(int(static(num_classes)), axis, dtypes.standardize_dtype(dtype), False)(inputs)


class _Crossentropy(Kernel):
    """A cross-entropy: fields, and the dtype in which it is computed."""

    from_logits: bool = False

    def floats(self, target: Any, output: Any) -> tuple:
        if output.dtype.kind != "f":
            output = output.astype(config.floatx())
        return target.astype(output.dtype, copy=False), output


def _clipped(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities kept away from 0 and 1, and where they were not changed."""
    epsilon = p.dtype.type(config.epsilon())
    return np.clip(p, epsilon, 1 - epsilon), (p >= epsilon) & (p <= 1 - epsilon)


def _same_shape(target: Any, output: Any) -> None:
    if len(target.shape) != len(output.shape) or any(
        a != b and None not in (a, b) for a, b in zip(target.shape, output.shape)
    ):
        raise ValueError(
            "Arguments `target` and `output` must have the same shape. Received: target.shape="
            f"{tuple(target.shape)}, output.shape={tuple(output.shape)}"
        )


class BinaryCrossentropy(_Crossentropy):
    """Cross-entropy of independent probabilities."""

    def forward(self, ctx: Any, target: Any, output: Any) -> Any:
        ctx.dtypes = (target.dtype, output.dtype)
        t, x = self.floats(target, output)
        if self.from_logits:
            ctx.save(t, x, None, None)
            return np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))
        p, inside = _clipped(x)
        ctx.save(t, x, p, inside)
        return -(t * np.log(p) + (1 - t) * np.log(1 - p))

    def backward(self, ctx: Any, dy: Any) -> Any:
        t, x, p, inside = ctx.saved
        if self.from_logits:
            sigmoid = 0.5 * (1 + np.tanh(0.5 * x))
            gradients = (-dy * x, dy * (sigmoid - t))
        else:
            gradients = (
                dy * (np.log(1 - p) - np.log(p)),
                dy * inside * ((1 - t) / (1 - p) - t / p),
            )
        return _floats_only(gradients, ctx.dtypes)

    def compute_output_spec(self, target: Any, output: Any) -> Any:
        _same_shape(target, output)
        return KerasTensor(output.shape, dtype=output.dtype)


def _floats_only(gradients: Any, found: Any) -> list:
    return [
        gradient.astype(dtype, copy=False) if dtype.kind == "f" else None
        for gradient, dtype in zip(gradients, found)
    ]


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """-t log(p) - (1 - t) log(1 - p), element by element.

    Args:
        target: Tensor of probabilities, mostly 0 and 1.
        output: Tensor of the same shape: probabilities, or logits.
        from_logits: Boolean, default False.

    Raises:
        ValueError: if the shapes differ.

    Example:

    >>> import minikeras
    >>> minikeras.ops.binary_crossentropy([1.0], [0.0], from_logits=True).shape
    (1,)
    """
    target, output = tensor(target), tensor(output)
    _same_shape(target, output)
    return BinaryCrossentropy(from_logits)(target, output)


def _log_softmax(x: np.ndarray, axis: int) -> np.ndarray:
    x = x - x.max(axis, keepdims=True)
    return x - np.log(np.exp(x).sum(axis, keepdims=True))


class CategoricalCrossentropy(_Crossentropy):
    """Cross-entropy of distributions over classes."""

    axis: int = -1

    def forward(self, ctx: Any, target: Any, output: Any) -> Any:
        ctx.dtypes = (target.dtype, output.dtype)
        t, x = self.floats(target, output)
        if self.from_logits:
            logs = _log_softmax(x, self.axis)
            ctx.save(t, logs)
        else:
            total = x.sum(self.axis, keepdims=True)
            p, inside = _clipped(x / total)
            logs = np.log(p)
            ctx.save(t, logs, p, inside, x / total, total)
        return -(t * logs).sum(self.axis)

    def backward(self, ctx: Any, dy: Any) -> Any:
        t, logs, *rest = ctx.saved
        dy = np.expand_dims(dy, self.axis)
        if self.from_logits:
            dx = dy * (np.exp(logs) * t.sum(self.axis, keepdims=True) - t)
        else:
            p, inside, normal, total = rest
            g = -dy * t * inside / p
            dx = (g - (g * normal).sum(self.axis, keepdims=True)) / total
        return _floats_only((-dy * logs, dx), ctx.dtypes)

    def compute_output_spec(self, target: Any, output: Any) -> Any:
        _same_shape(target, output)
        return KerasTensor(reduced_shape(output.shape, self.axis, False), dtype=output.dtype)


def categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """-Σ t log(p) along an axis.

    Args:
        target: Tensor: a distribution along `axis`, such as one-hot vectors.
        output: Tensor of the same shape: probabilities (made to sum to 1), or logits.
        from_logits: Boolean, default False.
        axis: Integer, default -1: the classes.

    Returns:
        Tensor without that axis.

    Raises:
        ValueError: if the shapes differ.

    Example:

    >>> import minikeras
    >>> minikeras.ops.categorical_crossentropy([[0.0, 1.0]], [[0.0, 1.0]]).shape
    (1,)
    """
    target, output = tensor(target), tensor(output)
    if len(target.shape) < 1:
        raise ValueError(
            "Arguments `target` and `output` must be at least rank 1. Received: target.shape="
            f"{target.shape}, output.shape={output.shape}"
        )
    _same_shape(target, output)
    return CategoricalCrossentropy(from_logits, canonical_axis(axis, len(output.shape)))(
        target, output
    )


class SparseCategoricalCrossentropy(_Crossentropy):
    """Cross-entropy of class indices and distributions."""

    axis: int = -1

    def forward(self, ctx: Any, target: Any, output: Any) -> Any:
        ctx.dtype = output.dtype
        _, x = self.floats(output, output)
        index = target.astype("int64")
        if index.ndim == x.ndim:
            index = index[..., 0]
        classes = x.shape[-1]
        if index.size and (index.min() < 0 or index.max() >= classes):
            raise ValueError(
                f"Argument `target` must hold classes from 0 to {classes - 1}: `output` has"
                f" {classes} of them. Received values from {index.min()} to {index.max()}"
            )
        inside = None
        if not self.from_logits:
            p, inside = _clipped(x)
            x = np.log(p)
        logs = _log_softmax(x, -1)
        ctx.save(index, logs, inside, x)
        return -np.take_along_axis(logs, index[..., None], -1)[..., 0]

    def backward(self, ctx: Any, dy: Any) -> Any:
        index, logs, inside, x = ctx.saved
        dx = np.exp(logs)
        key = index[..., None]
        np.put_along_axis(dx, key, np.take_along_axis(dx, key, -1) - 1, -1)
        dx *= dy[..., None]
        if inside is not None:
            dx = dx * inside / np.exp(x)
        return None, dx.astype(ctx.dtype, copy=False)

    def compute_output_spec(self, target: Any, output: Any) -> Any:
        return KerasTensor(output.shape[:-1], dtype=output.dtype)


def sparse_categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """-log(p) of the right class.

    Args:
        target: Integer tensor: the classes; a last axis of size 1 may be there.
        output: Tensor: probabilities along the last axis, or logits.
        from_logits: Boolean, default False.
        axis: Integer: the classes. -1 (default) or the last axis.

    Raises:
        ValueError: if the shapes do not fit, or a class is out of range.

    Example:

    >>> import minikeras
    >>> minikeras.ops.sparse_categorical_crossentropy([1], [[0.5, 0.5]]).shape
    (1,)
    """
    target, output = tensor(target), tensor(output)
    if len(output.shape) < 1:
        raise ValueError(
            f"Argument `output` must be at least rank 1. Received: output.shape={output.shape}"
        )
    if axis not in (-1, len(output.shape) - 1):
        raise ValueError(
            f"Only axis=-1 is supported. Move the classes to the last axis. Received: axis={axis}"
        )
    shape = tuple(target.shape)
    if len(shape) == len(output.shape) and shape[-1] in (1, None):
        shape = shape[:-1]
    if len(shape) != len(output.shape) - 1 or any(
        a != b and None not in (a, b) for a, b in zip(shape, output.shape)
    ):
        raise ValueError(
            "Arguments `target` and `output` must have the same shape up until the last dimension."
            f" Received: target.shape={tuple(target.shape)}, output.shape={tuple(output.shape)}"
        )
    return SparseCategoricalCrossentropy(from_logits, -1)(target, output)


__all__ = [
    "binary_crossentropy", "categorical_crossentropy", "multi_hot", "one_hot",
    "sparse_categorical_crossentropy",
]  # fmt: skip

"""Cross-entropies, and encodings of classes.

Connectionist temporal classification (Graves et al. 2006): loss and decoding.
"""

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


def _log_softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
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


_NEVER = -1e30


def _add(*logs: np.ndarray) -> np.ndarray:
    top = np.maximum.reduce(logs)
    return top + np.log(np.add.reduce([np.exp(one - top) for one in logs]))


class CTCLoss(Kernel):
    """Negative logarithm of the probability of a sequence of labels."""

    mask_index: int = 0

    def forward(
        self, ctx: Any, target: Any, output: Any, target_length: Any, output_length: Any
    ) -> Any:
        dtype = np.result_type(output.dtype, "float32")
        ctx.dtype = output.dtype
        logs = _log_softmax(output.astype("float64"))
        batch, steps, classes = logs.shape
        blank = self.mask_index % classes
        labels = target.astype("int64")
        if labels.size and (labels.min() < 0 or labels.max() >= classes):
            raise ValueError(
                f"Argument `target` must hold classes from 0 to {classes - 1}. Received values from"
                f" {labels.min()} to {labels.max()}"
            )
        # Labels with blanks around them: blank, l1, blank, l2, ..., blank.
        width = 2 * labels.shape[1] + 1
        path = np.full((batch, width), blank)
        path[:, 1::2] = labels
        skips = np.zeros((batch, width), bool)
        # By place, not by class: also a label that is the class of the blanks may follow another.
        skips[:, 3::2] = path[:, 3::2] != path[:, 1:-2:2]
        last = 2 * target_length.astype("int64")
        places = np.arange(width)
        rows = np.arange(batch)
        emitted = np.take_along_axis(
            logs, np.broadcast_to(path[:, None], (batch, steps, width)), -1
        )

        def shifted(a: np.ndarray, n: int) -> np.ndarray:
            out = np.full_like(a, _NEVER)
            if n > 0:
                out[:, n:] = a[:, :-n]
            else:
                out[:, :n] = a[:, -n:]
            return out

        alpha = np.full((batch, steps, width), _NEVER)
        alpha[:, 0, : min(2, width)] = emitted[:, 0, : min(2, width)]
        for t in range(1, steps):
            before = alpha[:, t - 1]
            alpha[:, t] = emitted[:, t] + _add(
                before, shifted(before, 1), np.where(skips, shifted(before, 2), _NEVER)
            )
        end = output_length.astype("int64") - 1
        final = alpha[rows, end]
        total = _add(
            final[rows, last], np.where(last > 0, final[rows, np.maximum(last - 1, 0)], _NEVER)
        )
        if ctx.recording:
            beta = np.full((batch, steps, width), _NEVER)
            stop = (places == last[:, None]) | (places == last[:, None] - 1)
            ahead = np.zeros_like(skips)
            ahead[:, :-2] = skips[:, 2:]
            after = np.full((batch, width), _NEVER)
            for t in range(steps - 1, -1, -1):
                step = _add(after, shifted(after, -1), np.where(ahead, shifted(after, -2), _NEVER))
                beta[:, t] = np.where((end == t)[:, None], np.where(stop, 0.0, _NEVER), step)
                after = beta[:, t] + emitted[:, t]
            share = np.exp(np.minimum(alpha + beta - total[:, None, None], 0))
            share[np.arange(steps) > end[:, None]] = 0
            posterior = np.zeros_like(logs)
            index = np.broadcast_to(path[:, None], share.shape)
            grid = np.ogrid[:batch, :steps, :width]
            np.add.at(posterior, (grid[0], grid[1], index), share)
            inside = (np.arange(steps) <= end[:, None])[..., None]
            ctx.save((np.exp(logs) - posterior) * inside * (total > _NEVER / 2)[:, None, None])
        loss = np.where(total > _NEVER / 2, -total, np.inf)
        return loss.astype(dtype)

    def backward(self, ctx: Any, dy: Any) -> Any:
        return None, (dy[:, None, None] * ctx.saved[0]).astype(ctx.dtype)

    def compute_output_spec(self, target: Any, output: Any, *_: Any) -> Any:
        return KerasTensor((output.shape[0],), dtype=dtypes.result_type(output.dtype, "float32"))


def ctc_loss(
    target: Any, output: Any, target_length: Any, output_length: Any, mask_index: int = 0
) -> Any:
    """Negative logarithm of the probability of a sequence of labels, over all alignments.

    Args:
        target: Integer tensor of shape (batch, labels).
        output: Tensor of logits of shape (batch, steps, classes).
        target_length: Integer tensor of shape (batch,): how many labels count.
        output_length: Integer tensor of shape (batch,): how many steps count.
        mask_index: Integer, default 0: the class that stands for no label.

    Returns:
        Tensor of shape (batch,).

    Example:

    >>> import minikeras
    >>> minikeras.ops.ctc_loss([[1]], minikeras.ops.zeros((1, 2, 3)), [1], [2]).shape
    (1,)
    """
    target, output = tensor(target), tensor(output)
    if len(target.shape) != 2 or len(output.shape) != 3:
        raise ValueError(
            "`ctc_loss` needs `target` of shape (batch, labels) and `output` of shape (batch,"
            f" steps, classes). Received shapes: {tuple(target.shape)}, {tuple(output.shape)}"
        )
    return CTCLoss(mask_index)(target, output, target_length, output_length)


def _greedy(logits: np.ndarray, merge: bool, blank: int) -> tuple[list, float]:
    best = logits.argmax(-1)
    keep = best != blank
    if merge:
        keep[1:] &= best[1:] != best[:-1]
    return best[keep].tolist(), -float(logits.max(-1).sum())


def _beam(logs: np.ndarray, width: int, paths: int, blank: int) -> list:
    """The most probable prefixes: each with the logs of ending in blank and in a label."""
    beams: dict[tuple, tuple] = {(): (0.0, _NEVER)}
    for step in logs:
        found: dict[tuple, list] = {}
        for prefix, (ends_blank, ends_label) in beams.items():
            both = np.logaddexp(ends_blank, ends_label)
            entry = found.setdefault(prefix, [_NEVER, _NEVER])
            entry[0] = np.logaddexp(entry[0], both + step[blank])
            if prefix:
                entry[1] = np.logaddexp(entry[1], ends_label + step[prefix[-1]])
            for label in range(len(step)):
                if label == blank:
                    continue
                start = ends_blank if prefix and prefix[-1] == label else both
                entry = found.setdefault((*prefix, label), [_NEVER, _NEVER])
                entry[1] = np.logaddexp(entry[1], start + step[label])
        ranked = sorted(found.items(), key=lambda item: -np.logaddexp(*item[1]))[:width]
        beams = {prefix: (a, b) for prefix, (a, b) in ranked}
    best: Any = sorted(beams.items(), key=lambda item: -np.logaddexp(*item[1]))[:paths]
    return [(prefix, float(np.logaddexp(*scores))) for prefix, scores in best]


class CTCDecode(Kernel):
    """The most probable sequences of labels."""

    strategy: str = "greedy"
    beam_width: int = 100
    top_paths: int = 1
    merge_repeated: bool = True
    mask_index: Any = 0

    def forward(self, ctx: Any, inputs: Any, lengths: Any) -> Any:
        logits = inputs.astype(np.result_type(inputs.dtype, "float32"))
        batch, steps, classes = logits.shape
        blank = classes - 1 if self.mask_index is None else self.mask_index % classes
        paths = 1 if self.strategy == "greedy" else self.top_paths
        decoded = np.full((paths, batch, steps), -1, "int32")
        scores = np.zeros((batch, paths), logits.dtype)
        for i, (row, length) in enumerate(zip(logits, lengths)):
            row = row[: int(length)]
            if self.strategy == "greedy":
                results = [_greedy(row, self.merge_repeated, blank)]
            else:
                results = _beam(_log_softmax(row.astype("float64")), self.beam_width, paths, blank)
            for j, (labels, score) in enumerate(results):
                decoded[j, i, : len(labels)] = labels
                scores[i, j] = score
        return decoded, scores

    def compute_output_spec(self, inputs: Any, lengths: Any) -> Any:
        paths = 1 if self.strategy == "greedy" else self.top_paths
        dtype = dtypes.result_type(inputs.dtype, "float32")
        return (
            KerasTensor((paths, *inputs.shape[:2]), dtype="int32"),
            KerasTensor((inputs.shape[0], paths), dtype=dtype),
        )


def ctc_decode(
    inputs: Any,
    sequence_lengths: Any,
    strategy: str = "greedy",
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
    mask_index: Any = 0,
) -> Any:
    """The most probable sequences of labels.

    Args:
        inputs: Tensor of logits of shape (batch, steps, classes).
        sequence_lengths: Integer tensor of shape (batch,): how many steps count.
        strategy: `"greedy"` (default): the best class of each step. `"beam_search"`: the best
            `top_paths` sequences of the `beam_width` followed.
        beam_width: Integer, default 100.
        top_paths: Integer, default 1.
        merge_repeated: Boolean, default True. Whether equal neighbours are one label (greedy).
        mask_index: Integer, default 0: the class that stands for no label. None: the last.

    Returns:
        Pair: int32 labels of shape (top_paths, batch, steps), filled with -1; scores of shape
        (batch, top_paths): logarithms of probabilities, or, if greedy, minus the sum of logits.

    Raises:
        ValueError: for another `strategy`.

    Example:

    >>> import minikeras
    >>> labels, scores = minikeras.ops.ctc_decode([[[0.0, 1.0], [1.0, 0.0]]], [2])
    >>> labels.tolist()
    [[[1, -1]]]
    """
    if strategy not in ("greedy", "beam_search"):
        raise ValueError(
            f"Invalid strategy {strategy}. Supported values are 'greedy' and 'beam_search'."
        )
    operation = CTCDecode(strategy, beam_width, top_paths, merge_repeated, mask_index)
    return operation(tensor(inputs), sequence_lengths)


__all__ = [
    "binary_crossentropy",
    "categorical_crossentropy",
    "ctc_decode",
    "ctc_loss",
    "multi_hot",
    "one_hot",
    "sparse_categorical_crossentropy",
]

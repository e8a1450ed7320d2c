"""Connectionist temporal classification (Graves et al. 2006): loss and decoding."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import dtypes
from minikeras.engine.symbolic import KerasTensor
from minikeras.ops.base import Kernel, tensor

_NEVER = -1e30


def _log_softmax(x: np.ndarray) -> np.ndarray:
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


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


__all__ = ["ctc_decode", "ctc_loss"]

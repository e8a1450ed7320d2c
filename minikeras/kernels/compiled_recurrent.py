"""LSTM and GRU through compiled loops, in the layout that these want.

Gates of a row lie side by side, in the order of the kernel: `(time, batch, gates * units)`. So a
kernel is used as it is, and a batch is shared by threads that work on its rows from the first step
to the last. What is kept is marked by its type, `Kept`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minikeras.kernels import compiled, parallel
from minikeras.kernels.rows import empty, operand
from minikeras.kernels.sequence import (
    Array,
    Gradients,
    Run,
    Sequences,
    buffer,
    finish,
    start_backward,
    state_buffers,
)

# Multiplications from which on two threads pay.
_LARGE = 2_000_000


class Kept(NamedTuple):
    """What the way back reads: buffers of all steps."""

    seq: Sequences
    gates: Array
    h: Array
    c: Array | None
    squashed: Array | None


def loops_for(seq: Sequences, fused: bool) -> Any:
    """The compiled loops if they can do this sequence, or None."""
    found = compiled.loops()
    if found is None or not fused or seq.recurrent_dropout is not None:
        return None
    arrays = (seq.inputs, seq.kernel, seq.recurrent_kernel)
    plain = all(one.dtype.char == "f" and one.flags.c_contiguous for one in arrays)
    whole = seq.gate_dropout is None and all(hold is None for hold in seq.holds)
    return found if plain and whole and seq.inputs.size and len(seq.recurrent_kernel) else None


def _share(function: Callable[[int, int], Any], batch: int, work: int) -> None:
    """Call `function` with the bounds of parts of a batch."""
    count = min(parallel.parts_for(work, _LARGE), batch)
    parts = [(part.start, part.stop) for part in parallel.edges(batch, max(count, 1))]
    if count < 2:
        function(0, batch)
    else:
        parallel.side_by_side(lambda part: function(*parts[part]), count)


def forward(
    loops: Any, seq: Sequences, slots: int, bias: Array | None, initial: Sequence[Array | None],
    sequences: bool, keep: bool,
) -> Run:  # fmt: skip
    """A recurrence of one state (GRU) or two (LSTM)."""
    (steps, batch, features), units = seq.inputs.shape, len(seq.recurrent_kernel)
    kept = steps if keep else 1
    wanted = (keep or sequences, keep)[: len(initial)]
    states = state_buffers(initial, steps, batch, units, seq.inputs.dtype, wanted)
    z = empty((kept, batch, slots * units), seq.inputs.dtype)
    offset = np.zeros(slots * units, np.float32) if bias is None else bias
    buffers: tuple = (states[0],)
    if len(states) == 2:
        buffers = (*states, np.empty((kept, batch, units), np.float32))
    loop = loops.lstm if len(states) == 2 else loops.gru
    kernels = operand(seq.kernel), operand(seq.recurrent_kernel)
    arrays = (seq.inputs, *kernels, offset, z, *buffers)
    work = steps * batch * slots * units * (features + units)
    _share(lambda first, last: loop(*arrays, first, last), batch, work)
    own = (*buffers, None, None)[:3]
    return finish(seq, states, sequences, Kept(seq, z, *own) if keep else None)


def backward(
    kept: Kept, d_outputs: Any, d_last: Any, d_states: Any, need_inputs: bool, need_weights: bool,
    into: Sequence[Array | None], overwrite: bool,
) -> Gradients:  # fmt: skip
    """The derivatives of `forward`."""
    seq, z, h, c, squashed = kept
    (steps, batch, features), units = seq.inputs.shape, h.shape[-1]
    columns = seq.kernel.shape[1]
    d_outputs, states = start_backward(
        seq, 1 if c is None else 2, units, d_outputs, d_last, d_states
    )
    none = np.empty((0, 0, 0), np.float32)
    given = none if d_outputs is None else np.ascontiguousarray(d_outputs, np.float32)
    dz = z if overwrite else empty(z.shape, z.dtype)
    back = operand(seq.recurrent_kernel.T)
    inward = operand(seq.kernel.T) if need_inputs else none[0]
    dx = np.empty(seq.inputs.shape, np.float32) if need_inputs else none
    loops = compiled.compiled_loops()  # what they began, they end
    if c is None:
        loop, arrays = loops.gru_back, (z, h, given, *states, dz, back, inward, dx)
    else:
        loop, arrays = loops.lstm_back, (z, c, squashed, given, *states, dz, back, inward, dx)
    work = steps * batch * columns * (features + units)
    _share(lambda first, last: loop(*arrays, first, last), batch, work)
    d_kernel, d_recurrent, d_bias = (
        buffer(target, like) if need_weights else None
        for target, like in zip(into, (seq.kernel, seq.recurrent_kernel, seq.bias))
    )
    rows = dz.reshape(steps * batch, -1)
    if need_weights:
        _weights(seq, h[:-1], rows, d_kernel, d_recurrent, work)
    if d_bias is not None:
        total = np.add.reduce(rows, axis=0)
        if d_bias.ndim == 2:
            d_bias[0] = total[:columns]
            d_bias[1, : 2 * units] = total[: 2 * units]
            d_bias[1, 2 * units :] = total[columns:]
        else:
            d_bias[...] = total[:columns]
    result: Array | None = None
    if need_inputs:
        if seq.dropout is not None:
            dx *= seq.dropout
        result = (dx[::-1] if seq.reverse else dx).transpose(1, 0, 2)
    return Gradients(result, d_kernel, d_recurrent, d_bias, states)


def _weights(
    seq: Sequences, h: Array, rows: Array, d_kernel: Any, d_recurrent: Any, work: int
) -> None:
    """The gradients of both kernels, side by side."""
    units, columns = h.shape[-1], d_kernel.shape[1]
    left = [seq.inputs.reshape(len(rows), -1).T, h.reshape(len(rows), -1).T]

    def product(part: int) -> None:
        if part == 0:
            np.matmul(left[0], rows[:, :columns], out=d_kernel)
        elif rows.shape[1] == columns:
            np.matmul(left[1], rows, out=d_recurrent)
        else:  # the gates, and the candidate's own part
            np.matmul(left[1], rows[:, : 2 * units], out=d_recurrent[:, : 2 * units])
            np.matmul(left[1], rows[:, columns:], out=d_recurrent[:, 2 * units :])

    if parallel.parts_for(work, _LARGE) < 2:
        product(0)
        product(1)
    else:
        parallel.side_by_side(product, 2)

"""LSTM, GRU and Adam as loops that Numba compiles, each at its first call, and keeps on disk.

Imported where they are asked for only (see `blas`). Loops have one result each, and run from 0 over
slices: so the compiler sees that what is read and what is written lie apart, and makes vectors.

Gates of a row lie side by side, as in the kernel: `(time, batch, gates * units)`. Threads share the
rows of a batch, from the first step to the last.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from minikeras.kernels import blas, parallel
from minikeras.kernels.rows import empty, operand
from minikeras.kernels.sequence import (
    Array,
    Gradients,
    Kept,
    Run,
    Sequences,
    buffer,
    finish,
    start_backward,
    state_buffers,
)

_binding: Any = import_module("llvmlite.binding")
_numba: Any = import_module("numba")
njit, types = _numba.njit, _numba.types
whole, wide, f4 = types.int32, types.int64, types.float32

_gemm = ctypes.cast(blas.functions()["gemm", "f"], ctypes.c_void_p).value
_binding.add_symbol("minikeras_sgemm", _gemm)
_signature = (whole, whole, whole, wide, wide, wide, f4, wide, wide, wide, wide, f4, wide, wide)
sgemm = types.ExternalFunction("minikeras_sgemm", types.void(*_signature))

OPTIONS: dict[str, Any] = {
    "nogil": True,
    "cache": True,
    "fastmath": {"contract", "nsz", "arcp"},
    "error_model": "numpy",
}


@njit(types.void(*[wide] * 10), **OPTIONS)
def gemm(rows, columns, inner, x, x_step, w, w_step, y, y_step, add):
    """`y = x @ w`, or added to `y`: addresses, and steps from row to row."""
    block = 1_000_000 // (inner * columns)
    if block < 4:
        block = rows
    elif block > 8:
        block -= block % 8
    for start in range(0, rows, block):
        sgemm(
            whole(101), whole(111), whole(111), min(block, rows - start), columns, inner, f4(1),
            x + 4 * start * x_step, x_step, w, w_step, f4(add), y + 4 * start * y_step, y_step,
        )  # fmt: skip


@njit(**OPTIONS)
def multiply(x, w, y, add):
    """`y = x @ w` or `y += x @ w`; rows may lie apart, their elements may not."""
    gemm(
        x.shape[0], w.shape[1], x.shape[1], x.ctypes.data, x.strides[0] // 4, w.ctypes.data,
        w.strides[0] // 4, y.ctypes.data, y.strides[0] // 4, add,
    )  # fmt: skip


@njit(**OPTIONS)
def tanh(x):
    # A quotient of polynomials in x, as in Eigen and XLA: within 2e-7 everywhere.
    most = f4(7.90531110763549805)
    x = -most if x < -most else (most if x > most else x)
    s = x * x
    p = f4(-2.76076847742355e-16) * s + f4(2.00018790482477e-13)
    p = p * s + f4(-8.60467152213735e-11)
    p = p * s + f4(5.12229709037114e-08)
    p = p * s + f4(1.48572235717979e-05)
    p = p * s + f4(6.37261928875436e-04)
    p = p * s + f4(4.89352455891786e-03)
    q = f4(1.19825839466702e-06) * s + f4(1.18534705686654e-04)
    q = q * s + f4(2.26843463243900e-03)
    q = q * s + f4(4.89352518554385e-03)
    return x * p / q


@njit(**OPTIONS)
def sigmoid(x):
    return f4(0.5) * tanh(f4(0.5) * x) + f4(0.5)


@njit(**OPTIONS)
def lstm(x, kernel, recurrent, bias, z, h, c, squashed, first, last):
    """Rows `first` to `last` of a batch; gates of a row side by side: i, f, g, o."""
    n = recurrent.shape[0]
    for t in range(len(x)):
        before, after = t % len(h), (t + 1) % len(h)
        old, new, now = t % len(c), (t + 1) % len(c), t % len(z)
        gates = z[now, first:last]
        for row in gates:
            row[:] = bias
        multiply(x[t, first:last], kernel, gates, 1)
        multiply(h[before, first:last], recurrent, gates, 1)
        for b in range(first, last):
            row, cell, tanh_c, state = z[now, b], c[new, b], squashed[now, b], h[after, b]
            i, f, g, o = row[:n], row[n : 2 * n], row[2 * n : 3 * n], row[3 * n :]
            sigmoids, cell_before = row[: 2 * n], c[old, b]
            for j in range(2 * n):
                sigmoids[j] = sigmoid(sigmoids[j])
            for j in range(n):
                g[j] = tanh(g[j])
            for j in range(n):
                o[j] = sigmoid(o[j])
            for j in range(n):
                cell[j] = f[j] * cell_before[j] + i[j] * g[j]
            for j in range(n):
                tanh_c[j] = tanh(cell[j])
            for j in range(n):
                state[j] = o[j] * tanh_c[j]


@njit(**OPTIONS)
def lstm_back(z, c, squashed, d_outputs, dh, dc, dz, back, inward, dx, first, last):
    """`back` and `inward`: the recurrent kernel and the kernel, transposed."""
    n = dh.shape[1]
    spare = np.empty(4 * n, np.float32)
    di, df, dg, do = spare[:n], spare[n : 2 * n], spare[2 * n : 3 * n], spare[3 * n :]
    for t in range(len(z) - 1, -1, -1):
        for b in range(first, last):
            row, cell, y = z[t, b], c[t, b], squashed[t, b]
            i, f, g, o = row[:n], row[n : 2 * n], row[2 * n : 3 * n], row[3 * n :]
            d_state, d_cell = dh[b], dc[b]
            if len(d_outputs):
                given = d_outputs[t, b]
                for j in range(n):
                    d_state[j] += given[j]
            for j in range(n):
                d_cell[j] += d_state[j] * o[j] * (1 - y[j] * y[j])
            for j in range(n):
                di[j] = d_cell[j] * g[j] * (i[j] - i[j] * i[j])
            for j in range(n):
                df[j] = d_cell[j] * cell[j] * (f[j] - f[j] * f[j])
            for j in range(n):
                dg[j] = d_cell[j] * i[j] * (1 - g[j] * g[j])
            for j in range(n):
                do[j] = d_state[j] * y[j] * (o[j] - o[j] * o[j])
            for j in range(n):
                d_cell[j] *= f[j]
            dz[t, b][:] = spare
        multiply(dz[t, first:last], back, dh[first:last], 0)
        if len(dx):
            multiply(dz[t, first:last], inward, dx[t, first:last], 0)


@njit(**OPTIONS)
def gru(x, kernel, recurrent, bias, z, h, first, last):
    """As `lstm`: update, reset, candidate, and the states' part of the candidate."""
    n = recurrent.shape[0]
    spare = np.empty(n, np.float32)
    for t in range(len(x)):
        before, after, now = t % len(h), (t + 1) % len(h), t % len(z)
        gates, old = z[now, first:last], h[before, first:last]
        for row in gates:
            row[:] = bias
        multiply(x[t, first:last], kernel, gates[:, : 3 * n], 1)
        multiply(old, recurrent[:, : 2 * n], gates[:, : 2 * n], 1)
        multiply(old, recurrent[:, 2 * n :], gates[:, 3 * n :], 1)
        for b in range(first, last):
            row, state, state_before = z[now, b], h[after, b], h[before, b]
            u, r, g, own = row[:n], row[n : 2 * n], row[2 * n : 3 * n], row[3 * n :]
            sigmoids = row[: 2 * n]
            for j in range(2 * n):
                sigmoids[j] = sigmoid(sigmoids[j])
            for j in range(n):
                spare[j] = tanh(g[j] + r[j] * own[j])
            for j in range(n):
                state[j] = spare[j] + u[j] * (state_before[j] - spare[j])
            g[:] = spare


@njit(**OPTIONS)
def gru_back(z, h, d_outputs, dh, dz, back, inward, dx, first, last):
    n = dh.shape[1]
    spare = np.empty(4 * n, np.float32)
    du, dr, dg, d_own = spare[:n], spare[n : 2 * n], spare[2 * n : 3 * n], spare[3 * n :]
    for t in range(len(z) - 1, -1, -1):
        for b in range(first, last):
            row, before, d_state = z[t, b], h[t, b], dh[b]
            u, r, g, own = row[:n], row[n : 2 * n], row[2 * n : 3 * n], row[3 * n :]
            if len(d_outputs):
                given = d_outputs[t, b]
                for j in range(n):
                    d_state[j] += given[j]
            for j in range(n):
                du[j] = d_state[j] * (before[j] - g[j]) * (u[j] - u[j] * u[j])
            for j in range(n):
                dg[j] = d_state[j] * (1 - u[j]) * (1 - g[j] * g[j])
            for j in range(n):
                dr[j] = dg[j] * own[j] * (r[j] - r[j] * r[j])
            for j in range(n):
                d_own[j] = dg[j] * r[j]
            for j in range(n):
                d_state[j] *= u[j]
            dz[t, b][:] = spare
        rows = dz[t, first:last]
        multiply(rows[:, : 2 * n], back[: 2 * n], dh[first:last], 1)
        multiply(rows[:, 3 * n :], back[2 * n :], dh[first:last], 1)
        if len(dx):
            multiply(rows[:, : 3 * n], inward, dx[t, first:last], 0)


@njit(**OPTIONS)
def adam(w, g, m, v, first, second, epsilon, rate):
    for j in range(len(w)):
        m[j] += (g[j] - m[j]) * first
        v[j] += (g[j] * g[j] - v[j]) * second
        w[j] -= m[j] * rate / (np.sqrt(v[j]) + epsilon)


# Multiplications from which on two threads pay.
_LARGE = 2_000_000


def can(seq: Sequences, fused: bool) -> bool:
    """Whether these loops do this sequence; `fused`: whether with `tanh` and `sigmoid`."""
    if not fused or seq.recurrent_dropout is not None or seq.gate_dropout is not None:
        return False
    arrays = (seq.inputs, seq.kernel, seq.recurrent_kernel)
    plain = all(one.dtype.char == "f" and one.flags.c_contiguous for one in arrays)
    sized = seq.inputs.size and len(seq.recurrent_kernel)
    return plain and bool(sized) and all(hold is None for hold in seq.holds)


def _share(function: Callable[[int, int], Any], batch: int, work: int) -> None:
    """Call `function` with the bounds of parts of a batch."""
    count = min(parallel.parts_for(work, _LARGE), batch)
    parts = [(part.start, part.stop) for part in parallel.edges(batch, max(count, 1))]
    if count < 2:
        function(0, batch)
    else:
        parallel.side_by_side(lambda part: function(*parts[part]), count)


def forward(
    seq: Sequences, slots: int, bias: Array | None, initial: Sequence[Array | None],
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
    loop = lstm if len(states) == 2 else gru
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
    if c is None:
        loop, arrays = gru_back, (z, h, given, *states, dz, back, inward, dx)
    else:
        loop, arrays = lstm_back, (z, c, squashed, given, *states, dz, back, inward, dx)
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

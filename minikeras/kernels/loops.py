"""Loops that Numba compiles, each at its first call, and keeps on disk where it can.

Imported where they are asked for only: see `compiled`. Loops have one result each, and run from 0
over slices: so the compiler sees that what is read and what is written lie apart, and makes vectors
of them.
"""

from __future__ import annotations

import ctypes
from importlib import import_module
from typing import Any

import numpy as np

from minikeras.kernels import blas

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


@njit(types.void(*[wide] * 11), **OPTIONS)
def gemm(across, rows, columns, inner, x, x_step, w, w_step, y, y_step, add):
    """`y = x @ w`, or `x.T @ w` if `across`, or added to `y`: addresses, and steps of rows."""
    block = 1_000_000 // (inner * columns)
    if across or block < 4:
        block = rows
    elif block > 8:
        block -= block % 8
    for start in range(0, rows, block):
        sgemm(
            whole(101), whole(112 if across else 111), whole(111), min(block, rows - start),
            columns, inner, f4(1), x + 4 * start * x_step, x_step, w, w_step, f4(add),
            y + 4 * start * y_step, y_step,
        )  # fmt: skip


@njit(**OPTIONS)
def multiply(x, w, y, add):
    """`y = x @ w` or `y += x @ w`; rows may lie apart, their elements may not."""
    gemm(
        0, x.shape[0], w.shape[1], x.shape[1], x.ctypes.data, x.strides[0] // 4,
        w.ctypes.data, w.strides[0] // 4, y.ctypes.data, y.strides[0] // 4, add,
    )  # fmt: skip


@njit(**OPTIONS)
def multiply_across(x, w, y):
    """`y = x.T @ w`."""
    gemm(
        1, x.shape[1], w.shape[1], x.shape[0], x.ctypes.data, x.strides[0] // 4,
        w.ctypes.data, w.strides[0] // 4, y.ctypes.data, y.strides[0] // 4, 0,
    )  # fmt: skip


@njit(**OPTIONS)
def exp(x):
    # 2**k * exp(r), as in Cephes; comparisons leave NaN alone.
    x = f4(-87) if x < f4(-87) else (f4(88) if x > f4(88) else x)
    k = np.floor(x * f4(1.44269504) + f4(0.5))
    r = x - k * f4(0.693359375) + k * f4(2.12194440e-4)
    p = f4(1.9875691500e-4) * r + f4(1.3981999507e-3)
    p = p * r + f4(8.3334519073e-3)
    p = p * r + f4(4.1665795894e-2)
    p = p * r + f4(1.6666665459e-1)
    p = p * r + f4(5.0000001201e-1)
    p = p * r * r + r + f4(1)
    return p * np.int32((np.int32(k) + np.int32(127)) << np.int32(23)).view(np.float32)


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


# Sums in the order that vectors give.
SUMS = {**OPTIONS, "fastmath": {*OPTIONS["fastmath"], "reassoc"}}


@njit(**SUMS)
def normalize_rows(x, gamma, beta, epsilon, normal, inverse, y):
    n = x.shape[1]
    for b in range(len(x)):
        row, unit, out = x[b], normal[b], y[b]
        total = f4(0)
        for j in range(n):
            total += row[j]
        mean, total = total / n, f4(0)
        for j in range(n):
            total += (row[j] - mean) * (row[j] - mean)
        factor = f4(1) / np.sqrt(total / n + f4(epsilon))
        inverse[b, 0] = factor
        for j in range(n):
            unit[j] = (row[j] - mean) * factor
        for j in range(n):
            out[j] = unit[j] * gamma[j] + beta[j]


@njit(**SUMS)
def normalize_rows_back(dy, normal, inverse, gamma, dx, totals):
    """`totals`: the gradients of gamma and beta, float64, to which those of rows are added."""
    rows, n = dy.shape
    part = np.zeros((2, n), np.float32)
    for b in range(rows):
        given, unit, out = dy[b], normal[b], dx[b]
        d_gamma, d_beta = part[0], part[1]
        along = total = f4(0)
        for j in range(n):
            d_gamma[j] += given[j] * unit[j]
        for j in range(n):
            d_beta[j] += given[j]
        for j in range(n):
            out[j] = given[j] * gamma[j]
        for j in range(n):
            along += out[j] * unit[j]
            total += out[j]
        along, total = along / n, total / n
        for j in range(n):
            out[j] = (out[j] - unit[j] * along - total) * inverse[b, 0]
        if b % 1024 == 1023 or b == rows - 1:
            totals += part
            part[:] = 0


@njit(**SUMS)
def attend(q, k, v, most, powers, inverse, output, first, last):
    heads, source = q.shape[2], k.shape[1]
    across = np.empty((q.shape[3], source), np.float32)
    for b in range(first, last):
        for h in range(heads):
            scores = powers[b, h]
            across[:] = k[b, :, h].T
            multiply(q[b, :, h], across, scores, 0)
            moderate = True
            for t in range(len(scores)):
                row = scores[t]
                for j in range(source):
                    row[j] = exp(row[j])
                total = f4(0)
                for j in range(source):
                    total += row[j]
                moderate = moderate and most > total and total * most > f4(1)
                inverse[b, h, t] = f4(1) / total
            if not moderate:
                multiply(q[b, :, h], across, scores, 0)
                for t in range(len(scores)):
                    row = scores[t]
                    peak = np.max(row)
                    total = f4(0)
                    for j in range(source):
                        row[j] = exp(row[j] - peak)
                        total += row[j]
                    inverse[b, h, t] = f4(1) / total
            multiply(scores, v[b, :, h], output[b, :, h], 0)
            for t in range(len(scores)):
                output[b, t, h] *= inverse[b, h, t]


@njit(**SUMS)
def attend_back(q, k, v, powers, inverse, output, dy, scale, dq, dk, dv, first, last):
    target, heads, size = dy.shape[1:]
    source = k.shape[1]
    across = np.empty((size, source), np.float32)
    g, ds = np.empty((target, size), np.float32), np.empty((target, source), np.float32)
    for b in range(first, last):
        for h in range(heads):
            weights = powers[b, h]
            across[:] = v[b, :, h].T
            for t in range(target):
                factor, given, row = inverse[b, h, t], dy[b, t, h], g[t]
                for j in range(size):
                    row[j] = given[j] * factor
            multiply(g, across, ds, 0)
            multiply_across(weights, g, dv[b, :, h])
            for t in range(target):
                row, given, out, weight = g[t], output[b, t, h], ds[t], weights[t]
                mean = f4(0)
                for j in range(size):
                    mean += row[j] * given[j]
                for j in range(source):
                    out[j] = (out[j] - mean) * weight[j]
            multiply(ds, k[b, :, h], dq[b, :, h], 0)
            multiply_across(ds, q[b, :, h], dk[b, :, h])
            for t in range(target):
                dq[b, t, h] *= f4(scale)


@njit(**OPTIONS)
def shift(z, bias, rectified):
    """Add `bias` to rows, in place, and cut them off below 0."""
    floor = f4(0) if rectified else f4(-np.inf)
    for row in z:
        for j in range(len(bias)):
            y = row[j] + bias[j]
            row[j] = floor if y < floor else y


@njit(**OPTIONS)
def rectified(y, dy, dz):
    for b in range(len(y)):
        kept, given, out = y[b], dy[b], dz[b]
        for j in range(len(kept)):
            out[j] = given[j] if kept[j] > 0 else f4(0)

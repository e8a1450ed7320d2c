"""Whole-sequence recurrences (SimpleRNN, LSTM, GRU) and their derivatives through time.

Each family is a pair `name(...) -> Run` and `name_backward(...) -> Gradients`. One matrix
product serves the inputs of all steps; a step then makes one small product per gate and works in
place.

Layout. Inside, time is the first axis of sequences and the gate the first axis of gate buffers:
`(gates, time, batch, units)`. A gate of one step is then one contiguous block, which elementwise
work likes, and the products of a step are small enough for BLAS to run without waking its threads.

Gates of a sigmoid are computed as `0.5 * tanh(z / 2) + 0.5`: it cannot overflow, and halving the
weights of those gates beforehand lets one `tanh` serve all the gates of a step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minikeras.kernels.rows import matmul, operand

Array = np.ndarray


class Activation(NamedTuple):
    """An activation as the recurrences use it.

    Attributes:
        forward: `z -> (y, saved)`; may compute in place in `z`.
        backward: `(dy, y, saved) -> dz`; may overwrite `dy`.
    """

    forward: Callable[[Array], tuple[Array, Any]]
    backward: Callable[[Array, Array, Any], Array]


def _sigmoid(z: Array) -> tuple[Array, None]:
    z *= 0.5
    np.tanh(z, out=z)
    z *= 0.5
    z += 0.5
    return z, None


def _relu(z: Array) -> tuple[Array, None]:
    return np.maximum(z, 0, out=z), None


TANH = Activation(lambda z: (np.tanh(z, out=z), None), lambda dy, y, _: dy * (1 - y * y))
SIGMOID = Activation(_sigmoid, lambda dy, y, _: dy * (y - y * y))
RELU = Activation(_relu, lambda dy, y, _: dy * (y > 0))
LINEAR = Activation(lambda z: (z, None), lambda dy, y, _: dy)


class Run(NamedTuple):
    """What a forward pass returns.

    Attributes:
        outputs: all outputs of shape `(batch, time, units)` in the order of processing, a view of
            time-major memory; `None` unless asked for.
        last: the last output, of shape `(batch, units)`.
        states: the last states, each of shape `(batch, units)`.
        saved: what the backward pass reads; `None` unless `keep`.
    """

    outputs: Array | None
    last: Array
    states: tuple[Array, ...]
    saved: Any


class Gradients(NamedTuple):
    """Gradients of a recurrence; `None` for those not asked for."""

    inputs: Array | None
    kernel: Array | None
    recurrent_kernel: Array | None
    bias: Array | None
    states: tuple[Array, ...]


class Sequences(NamedTuple):
    """The parts of a forward pass that all families share."""

    inputs: Array  # (time, batch, features), dropped out already if one mask serves all gates
    kernel: Array
    recurrent_kernel: Array
    bias: Array | None
    reverse: bool
    holds: list  # per step: None, rows to hold back of shape (batch, 1), or ALL
    valid: Array | None  # (time, batch, 1): where outputs are not forced to zero
    dropout: Array | None
    gate_dropout: Array | None
    recurrent_dropout: Array | None


ALL = "all rows are masked"


def prepare(
    x, kernel, recurrent_kernel, bias, gates, initial, mask, reverse, dropout,
    recurrent_dropout, zero_output_for_mask,
) -> Sequences:  # fmt: skip
    dtype = np.result_type(x, kernel)
    x = x.transpose(1, 0, 2)
    if reverse:
        x = x[::-1]
    gate_dropout = None
    if dropout is not None and dropout.ndim == 3:
        gate_dropout, dropout = dropout[list(gates)], None
    x = np.ascontiguousarray(x, dtype=dtype) if dropout is None else x * dropout
    if recurrent_dropout is not None:
        recurrent_dropout = np.broadcast_to(
            recurrent_dropout, (len(gates), *recurrent_dropout.shape[-2:])
        )
    holds: list = [None] * len(x)
    valid = None
    if mask is not None:
        live = np.asarray(mask, dtype=bool).reshape(x.shape[1], x.shape[0]).T
        if reverse:
            live = live[::-1]
        live = live[:, :, None]
        every, some = live.all(axis=(1, 2)), live.any(axis=(1, 2))
        held = ~live
        holds = [None if e else (h if s else ALL) for e, s, h in zip(every, some, held)]
        if zero_output_for_mask:
            valid = live
        elif initial[0] is not None:
            # Outputs are zero until a step is live, while the state already holds what was given.
            valid = np.logical_or.accumulate(live, axis=0)
    return Sequences(
        x, kernel, recurrent_kernel, bias, reverse, holds, valid, dropout, gate_dropout,
        recurrent_dropout,
    )  # fmt: skip


def by_gate(weights: Array, gates: Sequence[int], scale: Sequence[float]) -> Array:
    """Copies `(n, count * units)` to `(gates, n, units)`, each gate times its scale."""
    rows, columns = weights.shape
    units = columns // len(gates)
    result = np.empty((len(gates), rows, units), weights.dtype)
    for slot, gate in enumerate(gates):
        np.multiply(weights[:, gate * units : (gate + 1) * units], scale[slot], out=result[slot])
    return result


def bias_by_gate(bias: Array, gates: Sequence[int], scale: Sequence[float], batch: int) -> Array:
    # Repeated over the batch, because adding contiguous blocks is several times faster than
    # broadcasting rows in every step.
    return np.repeat(by_gate(bias[None], gates, scale), batch, axis=1)


def project(seq: Sequences, kernel: Array, out: Array) -> None:
    """Writes the product of all inputs with every gate's kernel to `out`."""
    steps, batch, features = seq.inputs.shape
    flat = seq.inputs.reshape(steps * batch, features)
    for slot, weights in enumerate(kernel):
        if seq.gate_dropout is not None:
            flat = (seq.inputs * seq.gate_dropout[slot]).reshape(flat.shape)
        matmul(flat, weights, out=out[slot].reshape(steps * batch, -1))


def recurrent_product(kernel: Array, dropout: Array | None) -> Callable[[Array, Array], Array]:
    kernel = operand(kernel)
    if dropout is None:
        return lambda h, out: np.matmul(h, kernel, out=out)
    return lambda h, out: np.matmul(dropout * h, kernel, out=out)


def recurrent_product_backward(
    kernel: Array, dropout: Array | None
) -> Callable[[Array, Array], None]:
    # A transposed copy: the small products run twice as fast as on a transposed view.
    transposed = operand(kernel.transpose(0, 2, 1))

    def backward(dz: Array, out: Array) -> None:
        dh = np.matmul(dz, transposed)
        if dropout is not None:
            dh *= dropout
        np.add.reduce(dh, axis=0, out=out)

    return backward


def state_buffers(given, steps, batch, units, dtype, keep) -> tuple[Array, ...]:
    """State buffers whose row `t` is the state before step `t`; two rows in turn if not kept."""
    buffers = []
    for first, whole in zip(given, keep):
        state = np.empty((steps + 1 if whole else 2, batch, units), dtype)
        state[0] = 0 if first is None else first
        buffers.append(state)
    return tuple(buffers)


def scan(seq: Sequences, step: Callable[[int], None], states: Sequence[Array]) -> None:
    for t, hold in enumerate(seq.holds):
        if hold is not ALL:
            step(t)
        if hold is not None:
            where = True if hold is ALL else hold
            for state in states:
                rows = len(state)
                np.copyto(state[(t + 1) % rows], state[t % rows], where=where)


def finish(seq: Sequences, states: Sequence[Array], sequences: bool, saved: Any) -> Run:
    steps = len(seq.holds)
    h = states[0]
    last = h[steps % len(h)]
    final = tuple(state[steps % len(state)] for state in states)
    if seq.valid is not None:
        last = np.where(seq.valid[-1], last, h.dtype.type(0))
    outputs = None
    if sequences:
        outputs = h[1:]
        if seq.valid is not None:
            outputs = np.where(seq.valid, outputs, h.dtype.type(0))
        outputs = outputs.transpose(1, 0, 2)
    return Run(outputs, last, final, saved)


def start_backward(
    seq: Sequences, count: int, units: int, d_outputs, d_last, d_states
) -> tuple[Array | None, tuple[Array, ...]]:
    """Time-major output gradients and the state gradients after the last step (owned)."""
    shape = (seq.inputs.shape[1], units)
    states = []
    for given in d_states or (None,) * count:
        state = np.zeros(shape, seq.inputs.dtype)
        if given is not None:
            state += given
        states.append(state)
    if d_last is not None:
        states[0] += d_last if seq.valid is None else d_last * seq.valid[-1]
    if d_outputs is not None:
        d_outputs = d_outputs.transpose(1, 0, 2)
        if seq.valid is not None:
            d_outputs = d_outputs * seq.valid
    return d_outputs, tuple(states)


def scan_backward(
    seq: Sequences,
    step: Callable[[int], None],
    d_states: Sequence[Array],
    d_outputs: Array | None,
    dz: Array,
) -> None:
    for t in range(len(seq.holds) - 1, -1, -1):
        if d_outputs is not None:
            d_states[0][...] += d_outputs[t]
        hold = seq.holds[t]
        if hold is None:
            step(t)
        elif hold is ALL:
            dz[:, t] = 0
        else:
            held = [d.copy() for d in d_states]
            step(t)
            for d, before in zip(d_states, held):
                np.copyto(d, before, where=hold)
            np.copyto(dz[:, t], 0, where=hold)


def buffer(given: Array | None, like: Array | None) -> Array | None:
    return given if given is not None or like is None else np.empty_like(like)


def weight_gradient(
    left: Array, dz: Array, gates: Sequence[int], dropout: Array | None, out: Array
) -> None:
    """`out[:, gate] = left' dz[gate]`, summed over time and batch."""
    steps, batch, features = left.shape
    units = dz.shape[-1]
    for slot, gate in enumerate(gates):
        rows = left if dropout is None else left * dropout[slot]
        matmul(
            rows.reshape(steps * batch, features).T,
            dz[slot].reshape(steps * batch, units),
            out=out[:, gate * units : (gate + 1) * units],
        )


def bias_gradient(dz: Array, gates: Sequence[int], out: Array) -> None:
    units = dz.shape[-1]
    for slot, gate in enumerate(gates):
        dz[slot].sum(axis=(0, 1), out=out[gate * units : (gate + 1) * units])


# Rows of the input gradient that are summed over the gates while they are in the cache.
_TILE = 2**16


def input_gradient(seq: Sequences, dz: Array, gates: Sequence[int]) -> Array:
    steps, batch, features = seq.inputs.shape
    units = dz.shape[-1]
    # Transposed copies: the products take them faster than transposed views.
    weights = [operand(seq.kernel[:, gate * units : (gate + 1) * units].T) for gate in gates]
    dx = np.empty(seq.inputs.shape, dz.dtype)
    tile = max(1, _TILE // max(1, batch * features))
    part = np.empty((min(tile, steps) * batch, features), dz.dtype)
    for start in range(0, steps, tile):
        target = dx[start : start + tile].reshape(-1, features)
        for slot in range(len(gates)):
            out = part[: len(target)] if slot else target
            rows = dz[slot, start : start + tile].reshape(-1, units)
            matmul(rows, weights[slot], out=out)
            if seq.gate_dropout is not None:
                out.reshape(-1, batch, features)[...] *= seq.gate_dropout[slot]
            if slot:
                target += out
    if seq.dropout is not None:
        dx *= seq.dropout
    if seq.reverse:
        dx = dx[::-1]
    return dx.transpose(1, 0, 2)


def activate(activation: Activation, z: Array) -> Any:
    y, saved = activation.forward(z)
    if y is not z:
        z[...] = y
    return saved


def collect(
    seq, dz, dz_recurrent, h, gates, recurrent_gates, states, need_inputs, need_weights,
    d_kernel, d_recurrent_kernel, d_bias, last_left=None,
) -> Gradients:  # fmt: skip
    """Weight and input gradients from those of the gates.

    `dz` belongs to the inputs' product, `dz_recurrent` to the states'. `last_left` replaces the
    state as the left factor of the last recurrent gate.
    """
    dx = input_gradient(seq, dz, gates) if need_inputs else None
    if not need_weights:
        return Gradients(dx, None, None, None, states)
    d_kernel = buffer(d_kernel, seq.kernel)
    d_recurrent_kernel = buffer(d_recurrent_kernel, seq.recurrent_kernel)
    d_bias = buffer(d_bias, seq.bias)
    weight_gradient(seq.inputs, dz, gates, seq.gate_dropout, d_kernel)
    dropout = seq.recurrent_dropout
    if last_left is None:
        weight_gradient(h, dz_recurrent, recurrent_gates, dropout, d_recurrent_kernel)
    else:
        weight_gradient(h, dz_recurrent[:-1], recurrent_gates[:-1], dropout, d_recurrent_kernel)
        weight_gradient(last_left, dz_recurrent[-1:], recurrent_gates[-1:], None,
                         d_recurrent_kernel)  # fmt: skip
    if d_bias is not None:
        if d_bias.ndim == 2:
            bias_gradient(dz, gates, d_bias[0])
            bias_gradient(dz_recurrent, recurrent_gates, d_bias[1])
        else:
            bias_gradient(dz, gates, d_bias)
    return Gradients(dx, d_kernel, d_recurrent_kernel, d_bias, states)

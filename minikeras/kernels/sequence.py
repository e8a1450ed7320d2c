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

from minikeras.kernels import parallel
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
BUILT_IN = (TANH, SIGMOID, RELU, LINEAR)


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


class Kept(NamedTuple):
    """What the way back reads where `loops` went forward: buffers of all steps."""

    seq: Sequences
    gates: Array
    h: Array
    c: Array | None
    squashed: Array | None


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


# Parts of a sequence that two threads work on one behind the other, and steps that are worth it.
_CHUNKS = 4
_FEWEST = 16
# Multiplications of the inputs' product from which on that pays.
_LARGE = 20_000_000
ALL_STEPS = slice(None)


def _chunks(seq: Sequences, columns: int) -> list[slice] | None:
    steps = len(seq.inputs)
    if steps < _FEWEST or parallel.parts_for(seq.inputs.size * columns, _LARGE / 2) < 2:
        return None
    return parallel.edges(steps, _CHUNKS)


def project(seq: Sequences, kernel: Array, out: Array, part: slice = ALL_STEPS) -> None:
    """Writes the product of the inputs of steps with every gate's kernel to `out`."""
    inputs, out = seq.inputs[part], out[:, part]
    flat = inputs.reshape(-1, inputs.shape[-1])
    for slot, weights in enumerate(kernel):
        if seq.gate_dropout is not None:
            flat = (inputs * seq.gate_dropout[slot]).reshape(flat.shape)
        matmul(flat, weights, out=out[slot].reshape(len(flat), -1))


def project_and_scan(
    seq: Sequences,
    kernel: Array,
    z: Array,
    step: Callable[[int], None],
    states: Sequence[Array],
    activations: Sequence[Activation],
) -> None:
    """`project`, then `scan`: both at a time where that pays and activations are built in."""
    cuts = _chunks(seq, kernel.shape[0] * kernel.shape[2])
    if cuts is None or not all(one in BUILT_IN for one in activations):
        project(seq, kernel, z)
        scan(seq, step, states)
        return
    parallel.pipeline(
        lambda k: project(seq, kernel, z, cuts[k]),
        lambda k: scan(seq, step, states, cuts[k]),
        len(cuts),
    )


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


def scan(
    seq: Sequences, step: Callable[[int], None], states: Sequence[Array], part: slice = ALL_STEPS
) -> None:
    for t in range(len(seq.holds))[part]:
        hold = seq.holds[t]
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
    part: slice = ALL_STEPS,
) -> None:
    for t in range(len(seq.holds))[part][::-1]:
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


def _gate_rows(seq: Sequences, gates: Sequence[int]) -> list[Array]:
    """The kernels of the gates, transposed: products take copies faster than transposed views."""
    units = seq.kernel.shape[1] // len(gates)
    return [operand(seq.kernel[:, gate * units : (gate + 1) * units].T) for gate in gates]


def input_gradient(
    seq: Sequences, dz: Array, weights: list[Array], dx: Array, part: slice = ALL_STEPS
) -> None:
    """Writes the gradient of the inputs of steps to `dx`, before what the inputs went through."""
    dx, dz = dx[part], dz[:, part]
    steps, batch, features = dx.shape
    units = dz.shape[-1]
    tile = max(1, _TILE // max(1, batch * features))
    spare = np.empty((min(tile, steps) * batch, features), dz.dtype)
    for start in range(0, steps, tile):
        target = dx[start : start + tile].reshape(-1, features)
        for slot, kernel in enumerate(weights):
            out = spare[: len(target)] if slot else target
            rows = dz[slot, start : start + tile].reshape(-1, units)
            matmul(rows, kernel, out=out)
            if seq.gate_dropout is not None:
                out.reshape(-1, batch, features)[...] *= seq.gate_dropout[slot]
            if slot:
                target += out


def activate(activation: Activation, z: Array) -> Any:
    y, saved = activation.forward(z)
    if y is not z:
        z[...] = y
    return saved


def scan_and_collect(
    seq: Sequences,
    step: Callable[[int], None],
    states: tuple[Array, ...],
    d_outputs: Array | None,
    dz: Array,
    recurrent: slice,
    h: Array,
    gates: tuple[Sequence[int], Sequence[int]],
    need_inputs: bool,
    need_weights: bool,
    into: Sequence[Array | None],
    recurrent_of: Callable[[], Sequence[tuple]] | None = None,
) -> Gradients:
    """Goes back through all steps, then collects the gradients of inputs and weights.

    Both at a time where that pays: a thread collects from the steps that the other one has done.

    Args:
        seq, step, states, d_outputs, dz: as in `scan_backward`.
        recurrent: the slots of `dz` that belong to the states' product; those before slot 3 belong
            to the inputs'.
        h: the states before each step.
        gates: places of the slots in the kernel, and in the recurrent kernel.
        need_inputs, need_weights: what is wanted.
        into: where the gradients of kernel, recurrent kernel and bias go; None for new arrays.
        recurrent_of: returns the `(left, dz, gates, dropout)` that make up the gradient of the
            recurrent kernel where these are others.
    """
    own_gates, recurrent_gates = gates
    own, dropout = dz[: len(own_gates)], seq.recurrent_dropout
    dx = np.empty(seq.inputs.shape, dz.dtype) if need_inputs else None
    weights = _gate_rows(seq, own_gates) if need_inputs else []
    d_kernel: Any
    d_recurrent: Any
    d_kernel, d_recurrent, d_bias = (
        buffer(given, like) if need_weights else None
        for given, like in zip(into, (seq.kernel, seq.recurrent_kernel, seq.bias))
    )
    masked = seq.gate_dropout is not None or dropout is not None
    cuts = None if recurrent_of or masked else _chunks(seq, len(own_gates) * dz.shape[-1])
    if cuts is None:
        scan_backward(seq, step, states, d_outputs, dz)
        if dx is not None:
            input_gradient(seq, own, weights, dx)
        if d_kernel is not None:
            weight_gradient(seq.inputs, own, own_gates, seq.gate_dropout, d_kernel)
            products: Sequence[tuple] = [(h, dz[recurrent], recurrent_gates, dropout)]
            for product in recurrent_of() if recurrent_of else products:
                weight_gradient(*product, d_recurrent)  # type: ignore[call-arg]
    else:
        cuts.reverse()
        late = len(cuts) - len(cuts) // 4
        kernels: Any = np.stack(weights) if weights else None
        # Sums of the early parts, which are another thread's, and of the late ones.
        sums: dict[bool, list[Array]] = {False: [], True: []}

        def collect(k: int) -> None:
            """One call of NumPy for all gates: threads wait for each other between calls."""
            part = cuts[k]
            if dx is not None:
                shape = (len(own), -1, own.shape[-1])
                each = np.matmul(own[:, part].reshape(shape), kernels)
                np.add.reduce(each, axis=0, out=dx[part].reshape(each.shape[1:]))
            if d_kernel is None:
                return
            total = sums[k >= late]
            lefts = ((seq.inputs[part], own[:, part]), (h[part], dz[recurrent, part]))
            for place, (left, right) in enumerate(lefts):
                rows = left.reshape(-1, left.shape[-1])
                new = np.matmul(rows.T, right.reshape(len(right), len(rows), -1))
                if len(total) == place:
                    total.append(new)
                else:
                    total[place] += new

        parallel.pipeline(
            lambda k: scan_backward(seq, step, states, d_outputs, dz, cuts[k]),
            collect,
            len(cuts),
            len(cuts) - late,
        )
        for target, places, *both in zip((d_kernel, d_recurrent), gates, *sums.values()):
            units = both[0].shape[-1]
            for slot, gate in enumerate(places):
                np.add(both[0][slot], both[1][slot], out=target[:, gate * units :][:, :units])
    if d_bias is not None:
        if d_bias.ndim == 2:
            bias_gradient(own, own_gates, d_bias[0])
            bias_gradient(dz[recurrent], recurrent_gates, d_bias[1])
        else:
            bias_gradient(own, own_gates, d_bias)
    if dx is not None:
        if seq.dropout is not None:
            dx *= seq.dropout
        dx = (dx[::-1] if seq.reverse else dx).transpose(1, 0, 2)
    return Gradients(dx, d_kernel, d_recurrent, d_bias, states)

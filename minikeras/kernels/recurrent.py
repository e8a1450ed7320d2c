"""Recurrences: gated recurrent unit, long short-term memory, and the fully connected one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minikeras.kernels import blas
from minikeras.kernels.rows import operand
from minikeras.kernels.sequence import LINEAR as LINEAR
from minikeras.kernels.sequence import RELU as RELU
from minikeras.kernels.sequence import (
    SIGMOID,
    TANH,
    Activation,
    Array,
    Gradients,
    Kept,
    Run,
    activate,
    bias_by_gate,
    by_gate,
    finish,
    prepare,
    project_and_scan,
    recurrent_product,
    recurrent_product_backward,
    scan_and_collect,
    start_backward,
    state_buffers,
)

# Slots of the gate buffer: candidate, update, reset and, with `reset_after`, the recurrent part
# of the candidate. So the inputs' gates are slots 0 to 2 and the states' gates slots 1 to 3.
_GRU_GATES = (2, 0, 1)
_GRU_RECURRENT_GATES = (0, 1, 2)


def gru(
    x: Array,
    kernel: Array,
    recurrent_kernel: Array,
    bias: Array | None = None,
    initial_state: Sequence[Array | None] = (None,),
    *,
    reset_after: bool = True,
    activation: Activation = TANH,
    recurrent_activation: Activation = SIGMOID,
    mask: Array | None = None,
    go_backwards: bool = False,
    zero_output_for_mask: bool = False,
    dropout: Array | None = None,
    recurrent_dropout: Array | None = None,
    sequences: bool = True,
    keep: bool = True,
) -> Run:
    """Gated recurrent unit (Cho et al. 2014).

    With `s` the recurrent activation and `a` the activation, gates in the kernel's order
    `z, r, g`: `z = s(x Wz + h Uz)`, `r = s(x Wr + h Ur)`, `g = a(x Wg + r (h Ug))` if
    `reset_after`, else `g = a(x Wg + (r h) Ug)`; `h[t] = z h[t-1] + (1 - z) g`.

    Args:
        x: of shape `(batch, time, features)`.
        kernel: of shape `(features, 3 * units)`.
        recurrent_kernel: of shape `(units, 3 * units)`.
        bias: of shape `(2, 3 * units)` (inputs' and states') if `reset_after`, else `(3 * units,)`;
            or `None`.
        initial_state: `(h,)`; `None` stands for zeros.
        reset_after: whether the reset gate applies after the product with the recurrent kernel.
        activation: `a`.
        recurrent_activation: `s`.
        mask, go_backwards, zero_output_for_mask, sequences, keep: as in `simple_rnn`.
        dropout: multiplier of the inputs, of shape `(batch, features)`, or `(3, batch, features)`,
            one a gate.
        recurrent_dropout: multipliers of the state, of shape `(3, batch, units)`, one a gate.

    Returns:
        A `Run`.
    """
    seq = prepare(
        x, kernel, recurrent_kernel, bias, _GRU_GATES, initial_state, mask, go_backwards, dropout,
        recurrent_dropout, zero_output_for_mask,
    )  # fmt: skip
    (steps, batch, _), units = seq.inputs.shape, recurrent_kernel.shape[0]
    dtype = seq.inputs.dtype
    fused = activation is TANH and recurrent_activation is SIGMOID
    if (loops := blas.loops()) and loops.can(seq, fused and reset_after):
        offset = None
        if bias is not None:
            offset = np.concatenate([bias[0], bias[1, 2 * units :]])
            offset[: 2 * units] += bias[1, : 2 * units]
        return loops.forward(seq, 4, offset, initial_state, sequences, keep)
    half = 0.5 if fused else 1.0
    z = np.empty((4 if reset_after else 3, steps, batch, units), dtype)
    states = state_buffers(initial_state, steps, batch, units, dtype, (keep or sequences,))
    (h,) = states
    rows = len(h)
    weights = by_gate(recurrent_kernel, _GRU_RECURRENT_GATES, (half, half, 1.0))
    masks = seq.recurrent_dropout
    count = 3 if reset_after else 2
    product = recurrent_product(weights[:count], None if masks is None else masks[:count])
    temporary = np.empty((count, batch, units), dtype)
    reset = np.empty((batch, units), dtype)
    gate_offset: Any = None
    candidate_offset: Any = None
    if bias is not None:
        inputs_bias = bias[0] if reset_after else bias
        scale = (half, half, 1.0)
        own = bias_by_gate(inputs_bias, _GRU_RECURRENT_GATES, scale, batch)
        candidate_offset, gate_offset = own[2].copy(), own[:count]
        if reset_after:
            gate_offset[2] = 0
            gate_offset += bias_by_gate(bias[1], _GRU_RECURRENT_GATES, scale, batch)
    saved_activations: list = [None] * steps

    def step(t: int) -> None:
        zt = z[:, t]
        before = h[t % rows]
        product(before, temporary)
        if gate_offset is not None:
            np.add(temporary, gate_offset, out=temporary)
            np.add(zt[0], candidate_offset, out=zt[0])
        gates = zt[1:3]
        np.add(gates, temporary[:2], out=gates)
        notes: list = []
        if fused:
            np.tanh(gates, out=gates)
            gates *= 0.5
            gates += 0.5
        else:
            notes = [activate(recurrent_activation, gate) for gate in gates]
        candidate, update, r = zt[:3]
        if reset_after:
            zt[3] = temporary[2]
            np.multiply(r, zt[3], out=reset)
            candidate += reset
        else:
            np.multiply(r, before, out=reset)
            if masks is not None:
                np.multiply(reset, masks[2], out=reset)
            candidate += np.matmul(reset, weights[2])
        if fused:
            np.tanh(candidate, out=candidate)
        else:
            notes.append(activate(activation, candidate))
            if keep:
                saved_activations[t] = notes
        np.subtract(before, candidate, out=reset)
        np.multiply(reset, update, out=reset)
        np.add(reset, candidate, out=h[(t + 1) % rows])

    projection = by_gate(kernel, _GRU_GATES, (1.0, half, half))
    project_and_scan(seq, projection, z[:3], step, states, (activation, recurrent_activation))
    saved = None
    if keep:
        saved = (seq, z, h, reset_after, fused, activation, recurrent_activation, saved_activations)
    return finish(seq, states, sequences, saved)


def gru_backward(
    saved: Any,
    d_outputs: Array | None = None,
    d_last: Array | None = None,
    d_states: Sequence[Array | None] | None = None,
    *,
    need_inputs: bool = True,
    need_weights: bool = True,
    d_kernel: Array | None = None,
    d_recurrent_kernel: Array | None = None,
    d_bias: Array | None = None,
    overwrite: bool = False,
) -> Gradients:
    """Derivatives of `gru`; arguments as in `simple_rnn_backward`."""
    if isinstance(saved, Kept):
        return blas.compiled_loops().backward(
            saved, d_outputs, d_last, d_states, need_inputs, need_weights,
            (d_kernel, d_recurrent_kernel, d_bias), overwrite,
        )  # fmt: skip
    seq, z, h, reset_after, fused, activation, recurrent_activation, notes = saved
    units = h.shape[-1]
    d_outputs, states = start_backward(seq, 1, units, d_outputs, d_last, d_states)
    (dh,) = states
    dz = z if overwrite else np.empty_like(z)
    weights = by_gate(seq.recurrent_kernel, _GRU_RECURRENT_GATES, (1.0,) * 3)
    masks = seq.recurrent_dropout
    count = 3 if reset_after else 2
    product_backward = recurrent_product_backward(
        weights[:count], None if masks is None else masks[:count]
    )
    candidate_weights = operand(weights[2].T)
    d_slots = np.empty((len(z), *dh.shape), dh.dtype)
    d_candidate, d_update, d_reset = d_slots[:3]
    slope = np.empty((2, *dh.shape), dh.dtype)
    through = np.empty_like(dh)

    def step(t: int) -> None:
        candidate, update, r = z[:3, t]
        before = h[t]
        np.subtract(before, candidate, out=d_update)
        np.multiply(d_update, dh, out=d_update)
        np.multiply(dh, update, out=through)
        np.subtract(dh, through, out=d_candidate)
        if fused:
            np.multiply(candidate, candidate, out=d_reset)
            np.subtract(1, d_reset, out=d_reset)
            np.multiply(d_candidate, d_reset, out=d_candidate)
        else:
            d_candidate[...] = activation.backward(d_candidate, candidate, notes[t][2])
        if reset_after:
            np.multiply(d_candidate, z[3, t], out=d_reset)
            np.multiply(d_candidate, r, out=d_slots[3])
        else:
            d_masked = np.matmul(d_candidate, candidate_weights)
            if masks is not None:
                d_masked *= masks[2]
            np.multiply(d_masked, before, out=d_reset)
            d_masked *= r
            np.add(through, d_masked, out=through)
        d_gates = d_slots[1:3]
        gates = z[1:3, t]
        if fused:
            np.multiply(gates, gates, out=slope)
            np.subtract(gates, slope, out=slope)
            np.multiply(d_gates, slope, out=d_gates)
        else:
            for n in range(2):
                d_gates[n] = recurrent_activation.backward(d_gates[n], gates[n], notes[t][n])
        dz[:, t] = d_slots
        product_backward(d_slots[1 : 1 + count], dh)
        np.add(dh, through, out=dh)

    def recurrent_of() -> list[tuple]:
        reset_state = r * h[:-1] if masks is None else r * h[:-1] * masks[2]
        return [
            (h[:-1], dz[1:3], (0, 1), masks),
            (reset_state, dz[:1], (2,), None),
        ]

    r = None if reset_after else z[2].copy()
    return scan_and_collect(
        seq, step, states, d_outputs, dz, slice(1, 4), h[:-1], (_GRU_GATES, _GRU_RECURRENT_GATES),
        need_inputs, need_weights, (d_kernel, d_recurrent_kernel, d_bias),
        None if reset_after else recurrent_of,
    )  # fmt: skip


# Slots of the gate buffer: input, forget, output, candidate; numbers are places in Keras's
# kernel. The three sigmoids stand together.
_LSTM_GATES = (0, 1, 3, 2)


def lstm(
    x: Array,
    kernel: Array,
    recurrent_kernel: Array,
    bias: Array | None = None,
    initial_state: Sequence[Array | None] = (None, None),
    *,
    activation: Activation = TANH,
    recurrent_activation: Activation = SIGMOID,
    mask: Array | None = None,
    go_backwards: bool = False,
    zero_output_for_mask: bool = False,
    dropout: Array | None = None,
    recurrent_dropout: Array | None = None,
    sequences: bool = True,
    keep: bool = True,
) -> Run:
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate of Gers et al. 2000).

    With `s` the recurrent activation and `a` the activation, gates in the kernel's order
    `i, f, g, o`: `i, f, o = s(z)`, `g = a(z)`, `c[t] = f c[t-1] + i g`, `h[t] = o a(c[t])`.

    Args:
        x: of shape `(batch, time, features)`.
        kernel: of shape `(features, 4 * units)`.
        recurrent_kernel: of shape `(units, 4 * units)`.
        bias: of shape `(4 * units,)`, or `None`.
        initial_state: `(h, c)`; `None` stands for zeros.
        activation: `a`.
        recurrent_activation: `s`.
        mask, go_backwards, zero_output_for_mask, sequences, keep: as in `simple_rnn`.
        dropout: multiplier of the inputs, of shape `(batch, features)`, or `(4, batch, features)`,
            one a gate.
        recurrent_dropout: multipliers of the state, of shape `(4, batch, units)`, one a gate.

    Returns:
        A `Run`.
    """
    gates = _LSTM_GATES
    if recurrent_dropout is not None:
        recurrent_dropout = recurrent_dropout[list(gates)]
    seq = prepare(
        x, kernel, recurrent_kernel, bias, gates, initial_state, mask, go_backwards, dropout,
        recurrent_dropout, zero_output_for_mask,
    )  # fmt: skip
    (steps, batch, _), units = seq.inputs.shape, recurrent_kernel.shape[0]
    dtype = seq.inputs.dtype
    fused = activation is TANH and recurrent_activation is SIGMOID
    if (loops := blas.loops()) and loops.can(seq, fused):
        return loops.forward(seq, 4, bias, initial_state, sequences, keep)
    scale = (0.5, 0.5, 0.5, 1.0) if fused else (1.0,) * 4
    z = np.empty((4, steps, batch, units), dtype)
    states = state_buffers(initial_state, steps, batch, units, dtype, (keep or sequences, keep))
    h, c = states
    h_rows, c_rows = len(h), len(c)
    tanh_c = np.empty((steps if keep else 1, batch, units), dtype)
    product = recurrent_product(by_gate(recurrent_kernel, gates, scale), seq.recurrent_dropout)
    offset = None if bias is None else bias_by_gate(bias, gates, scale, batch)
    temporary = np.empty((4, batch, units), dtype)
    added = np.empty((batch, units), dtype)
    saved_activations: list = [None] * steps

    def step(t: int) -> None:
        zt = z[:, t]
        product(h[t % h_rows], temporary)
        if offset is not None:
            np.add(temporary, offset, out=temporary)
        np.add(zt, temporary, out=zt)
        i, f, o, g = zt
        if fused:
            np.tanh(zt, out=zt)
            sigmoids = zt[:3]
            sigmoids *= 0.5
            sigmoids += 0.5
        else:
            notes = [activate(recurrent_activation, gate) for gate in (i, f, o)]
            notes.append(activate(activation, g))
        cell = c[(t + 1) % c_rows]
        np.multiply(f, c[t % c_rows], out=cell)
        np.multiply(i, g, out=added)
        cell += added
        squashed = tanh_c[t % len(tanh_c)]
        if fused:
            np.tanh(cell, out=squashed)
        else:
            squashed[...] = cell
            notes.append(activate(activation, squashed))
            if keep:
                saved_activations[t] = notes
        np.multiply(o, squashed, out=h[(t + 1) % h_rows])

    project_and_scan(
        seq, by_gate(kernel, gates, scale), z, step, states, (activation, recurrent_activation)
    )
    saved = None
    if keep:
        saved = (seq, z, h, c, tanh_c, fused, activation, recurrent_activation, saved_activations)
    return finish(seq, states, sequences, saved)


def lstm_backward(
    saved: Any,
    d_outputs: Array | None = None,
    d_last: Array | None = None,
    d_states: Sequence[Array | None] | None = None,
    *,
    need_inputs: bool = True,
    need_weights: bool = True,
    d_kernel: Array | None = None,
    d_recurrent_kernel: Array | None = None,
    d_bias: Array | None = None,
    overwrite: bool = False,
) -> Gradients:
    """Derivatives of `lstm`; arguments as in `simple_rnn_backward`."""
    if isinstance(saved, Kept):
        return blas.compiled_loops().backward(
            saved, d_outputs, d_last, d_states, need_inputs, need_weights,
            (d_kernel, d_recurrent_kernel, d_bias), overwrite,
        )  # fmt: skip
    seq, z, h, c, tanh_c, fused, activation, recurrent_activation, notes = saved
    gates = _LSTM_GATES
    units = h.shape[-1]
    d_outputs, states = start_backward(seq, 2, units, d_outputs, d_last, d_states)
    dh, dc = states
    dz = z if overwrite else np.empty_like(z)
    kernel = by_gate(seq.recurrent_kernel, gates, (1.0,) * 4)
    product_backward = recurrent_product_backward(kernel, seq.recurrent_dropout)
    d_gates = np.empty((4, *dh.shape), dh.dtype)
    slope = np.empty_like(d_gates)
    di, df, do, dg = d_gates
    d_cell = np.empty_like(dh)

    def step(t: int) -> None:
        zt = z[:, t]
        i, f, o, g = zt
        squashed = tanh_c[t]
        np.multiply(dh, squashed, out=do)
        np.multiply(dh, o, out=d_cell)
        if fused:
            np.multiply(squashed, squashed, out=di)
            np.subtract(1, di, out=di)
            np.multiply(d_cell, di, out=d_cell)
            np.add(dc, d_cell, out=dc)
        else:
            np.add(dc, activation.backward(d_cell, squashed, notes[t][4]), out=dc)
        np.multiply(dc, g, out=di)
        np.multiply(dc, c[t], out=df)
        np.multiply(dc, i, out=dg)
        np.multiply(dc, f, out=dc)
        if fused:
            sigmoids, slopes = zt[:3], slope[:3]
            np.multiply(sigmoids, sigmoids, out=slopes)
            np.subtract(sigmoids, slopes, out=slopes)
            np.multiply(g, g, out=slope[3])
            np.subtract(1, slope[3], out=slope[3])
            np.multiply(d_gates, slope, out=dz[:, t])
        else:
            for n, (dy, y) in enumerate(zip((di, df, do), (i, f, o))):
                dz[n, t] = recurrent_activation.backward(dy, y, notes[t][n])
            dz[3, t] = activation.backward(dg, g, notes[t][3])
        product_backward(dz[:, t], dh)

    return scan_and_collect(
        seq, step, states, d_outputs, dz, slice(0, 4), h[:-1], (gates, gates),
        need_inputs, need_weights, (d_kernel, d_recurrent_kernel, d_bias),
    )  # fmt: skip


def simple_rnn(
    x: Array,
    kernel: Array,
    recurrent_kernel: Array,
    bias: Array | None = None,
    initial_state: Sequence[Array | None] = (None,),
    *,
    activation: Activation = TANH,
    mask: Array | None = None,
    go_backwards: bool = False,
    zero_output_for_mask: bool = False,
    dropout: Array | None = None,
    recurrent_dropout: Array | None = None,
    sequences: bool = True,
    keep: bool = True,
) -> Run:
    """`h[t] = activation(x[t] W + h[t-1] U + b)`.

    Args:
        x: of shape `(batch, time, features)`.
        kernel: `W`, of shape `(features, units)`.
        recurrent_kernel: `U`, of shape `(units, units)`.
        bias: of shape `(units,)`, or `None`.
        initial_state: `(h,)`; `None` stands for zeros.
        activation: the activation.
        mask: boolean, of shape `(batch, time)`. A masked step repeats the previous output (zero
            before the first live step) and keeps the state.
        go_backwards: process time in reverse.
        zero_output_for_mask: outputs of masked steps are zero instead.
        dropout: multiplier of the inputs, the same in each step, of shape `(batch, features)`.
        recurrent_dropout: multiplier of the state, of shape `(batch, units)`.
        sequences: whether to return all outputs.
        keep: whether to save what `simple_rnn_backward` reads.

    Returns:
        A `Run`.
    """
    gates = (0,)
    seq = prepare(
        x, kernel, recurrent_kernel, bias, gates, initial_state, mask, go_backwards, dropout,
        recurrent_dropout, zero_output_for_mask,
    )  # fmt: skip
    (steps, batch, _), units, dtype = seq.inputs.shape, kernel.shape[1], seq.inputs.dtype
    z = np.empty((1, steps, batch, units), dtype)
    states = state_buffers(initial_state, steps, batch, units, dtype, (keep or sequences,))
    (h,) = states
    rows = len(h)
    product = recurrent_product(recurrent_kernel[None], seq.recurrent_dropout)
    temporary = np.empty((1, batch, units), dtype)
    offset = None if bias is None else np.repeat(bias[None], batch, axis=0)
    saved_activations: list = [None] * steps

    def step(t: int) -> None:
        product(h[t % rows], temporary)
        if offset is not None:
            temporary[...] += offset
        after = h[(t + 1) % rows]
        np.add(z[0, t], temporary[0], out=after)
        saved = activate(activation, after)
        if keep:
            saved_activations[t] = saved

    project_and_scan(seq, kernel[None], z, step, states, (activation,))
    return finish(seq, states, sequences, (seq, h, activation, saved_activations) if keep else None)


def simple_rnn_backward(
    saved: Any,
    d_outputs: Array | None = None,
    d_last: Array | None = None,
    d_states: Sequence[Array | None] | None = None,
    *,
    need_inputs: bool = True,
    need_weights: bool = True,
    d_kernel: Array | None = None,
    d_recurrent_kernel: Array | None = None,
    d_bias: Array | None = None,
    overwrite: bool = False,
) -> Gradients:
    """Derivatives of `simple_rnn`.

    Args:
        saved: of the forward pass.
        d_outputs: gradient of all outputs, of shape `(batch, time, units)`.
        d_last: gradient of the last output, of shape `(batch, units)`.
        d_states: gradients of the last states; any may be `None`.
        need_inputs: whether the gradient of the inputs is wanted.
        need_weights: whether the gradients of kernels and bias are wanted.
        d_kernel, d_recurrent_kernel, d_bias: where to write these gradients.
        overwrite: whether `saved` may be destroyed, which spares a buffer.

    Returns:
        `Gradients`.
    """
    seq, h, activation, saved_activations = saved
    units = h.shape[-1]
    d_outputs, states = start_backward(seq, 1, units, d_outputs, d_last, d_states)
    (dh,) = states
    dz = np.empty((1, *h[1:].shape), h.dtype)
    product_backward = recurrent_product_backward(seq.recurrent_kernel[None], seq.recurrent_dropout)

    def step(t: int) -> None:
        dz[0, t] = activation.backward(dh, h[t + 1], saved_activations[t])
        product_backward(dz[:, t], dh)

    return scan_and_collect(
        seq, step, states, d_outputs, dz, slice(0, 1), h[:-1], ((0,), (0,)),
        need_inputs, need_weights, (d_kernel, d_recurrent_kernel, d_bias),
    )  # fmt: skip

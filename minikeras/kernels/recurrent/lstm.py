"""Long short-term memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minikeras.kernels.recurrent.sequence import (
    SIGMOID,
    TANH,
    Activation,
    Array,
    Gradients,
    Run,
    activate,
    bias_by_gate,
    by_gate,
    collect,
    finish,
    prepare,
    project,
    recurrent_product,
    recurrent_product_backward,
    scan,
    scan_backward,
    start_backward,
    state_buffers,
)

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
    scale = (0.5, 0.5, 0.5, 1.0) if fused else (1.0,) * 4
    z = np.empty((4, steps, batch, units), dtype)
    project(seq, by_gate(kernel, gates, scale), z)
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

    scan(seq, step, states)
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

    scan_backward(seq, step, states, d_outputs, dz)
    return collect(seq, dz, dz, h[:-1], gates, gates, states, need_inputs,
                    need_weights,
                    d_kernel, d_recurrent_kernel, d_bias)  # fmt: skip

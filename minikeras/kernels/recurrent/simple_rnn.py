"""The fully connected recurrence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minikeras.kernels.recurrent.sequence import (
    TANH,
    Activation,
    Array,
    Gradients,
    Run,
    activate,
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
    project(seq, kernel[None], z)
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

    scan(seq, step, states)
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

    scan_backward(seq, step, states, d_outputs, dz)
    return collect(seq, dz, dz, h[:-1], (0,), (0,), states, need_inputs,
                    need_weights,
                    d_kernel, d_recurrent_kernel, d_bias)  # fmt: skip

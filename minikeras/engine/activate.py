"""Activations inside kernel layers.

A built-in activation function carries a `kernel`: an object with

- `forward(z) -> y`: may overwrite and return `z`, unless `keeps` is `"z"`;
- `backward(kept, dy) -> dz`: a new array, from what was kept;
- `keeps`: `"y"` (the output, the default) or `"z"` (the input).

Any other callable is recorded while it runs, and walked back.
"""

from __future__ import annotations

from typing import Any

from minikeras.engine.recording import Recording
from minikeras.engine.symbolic import Tensor
from minikeras.kernels.bound import bound_activation


def is_linear(activation: Any) -> bool:
    """Whether `activation` does nothing."""
    return activation is None or getattr(activation, "is_linear", False)


def activate(ctx: Any, activation: Any, z: Any) -> Any:
    """Apply `activation` to the array `z`, which the caller owns and gives away.

    If `ctx.want_logits` is set, `ctx.logits` gets `z`, and `activate_backward` expects the
    gradient with respect to `z`: that is how softmax and cross-entropy are fused.
    """
    if is_linear(activation):
        return z
    kernel = getattr(activation, "kernel", None)
    if kernel is None:
        return _recorded(ctx, activation, z)
    if ctx.want_logits:
        ctx.logits = z
        return kernel.forward(z.copy())
    y = kernel.forward(z)
    if ctx.recording:
        ctx.activation = (kernel, z if kernel.keeps == "z" else y)
    return y


def activate_backward(ctx: Any, dy: Any) -> Any:
    """The gradient with respect to `z`, from the gradient with respect to the output."""
    how = ctx.activation
    if how is None or ctx.want_logits:
        return dy
    if type(how[0]) is Recording:
        recording, z, y = how
        return recording.reverse([(y, dy)])[z]
    kernel, kept = how
    return kernel.backward(kept, dy)


def bind_activation(activation: Any, shape: tuple, dtype: Any, logits: bool) -> Any:
    """What `bound_activation` makes of an activation, or None; with `logits`, of none."""
    if logits or is_linear(activation):
        return bound_activation(None, shape, dtype)
    kernel = getattr(activation, "kernel", None)
    return None if kernel is None else bound_activation(kernel, shape, dtype)


def _recorded(ctx: Any, function: Any, z: Any) -> Any:
    if not ctx.recording:
        result = function(Tensor(z))
        return result.array if isinstance(result, Tensor) else result
    with Recording(ctx.run) as recording:
        tensor = recording.track(z)
        result = function(tensor)
        if not isinstance(result, Tensor) or result.recording is not recording:
            raise ValueError(
                f"The activation {function!r} must compute its result from its argument with"
                " `minikeras.ops`, so that it has a gradient."
            )
    ctx.activation = (recording, tensor.slot, result.slot)
    return result.array

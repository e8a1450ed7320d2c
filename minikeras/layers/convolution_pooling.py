"""Convolution and the maximum pooling that follows it, as one operation.

`activation(conv(x) + bias)` and then the maximum is, for an activation that does not decrease, the
same as the maximum first: that leaves a fraction of the values to add the bias to, to activate, to
keep and to walk back, and the convolution itself is never stored.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minikeras.engine.context import Context
from minikeras.engine.operation import Operation
from minikeras.kernels import activation as activations
from minikeras.kernels import windows
from minikeras.kernels.convolution import bias_gradient
from minikeras.kernels.pooling import convolve_max_pool, pooled_kernel_gradient, unpool
from minikeras.layers.convolution_base import epilogue_of
from minikeras.ops.convolutional import CONVOLUTION
from minikeras.ops.spatial import from_last, to_last

# Those that are straight lines beside a bend: other increasing functions may make ties of values
# that differ, and then give the gradient to another place than the maximum of their results would.
_INCREASING = ("linear", "relu", "relu6")


def joinable(conv: Any, pool: Any) -> bool:
    """Whether the layers `conv` and then `pool` can be one operation."""
    kernel = getattr(conv.activation, "kernel", None)
    return (
        conv.form is CONVOLUTION
        and conv.rank == pool.rank
        and conv.groups == 1
        and conv.data_format == pool.data_format
        and pool.mode == "max"
        and pool.padding == "valid"
        and pool.strides == pool.pool_size
        and conv.dtype_policy.compute_dtype == pool.dtype_policy.compute_dtype
        and conv.compute_dtype != "float16"
        and kernel in [activations.KERNELS[name]() for name in _INCREASING]
    )


class _PooledForm(NamedTuple):
    """How to get the kernel's gradient where the input wants none."""

    hits: Any
    pool_size: tuple

    def kernel_gradient(self, x: Any, dy: Any, shape: tuple, at: Any, out: Any = None) -> Any:
        return pooled_kernel_gradient(
            x, dy, self.hits, shape, at.strides, at.before, at.dilation, self.pool_size, out=out
        )


class ConvolutionAndPooling(Operation):
    """The layers `conv` and then `pool`, on arrays."""

    def __init__(self, conv: Any, pool: Any) -> None:
        super().__init__(f"{conv.name}+{pool.name}")
        self.conv, self.pool = conv, pool
        self.settings = self._settings()

    def _settings(self) -> tuple:
        return self.conv.activation, self.pool.pool_size, self.pool.strides

    def has_trainable_variables(self) -> bool:
        return self.conv.has_trainable_variables()

    def forward(self, ctx: Any, x: Any) -> Any:
        conv, pool = self.conv, self.pool
        if self._settings() != self.settings:
            # Somebody changed a layer since: one after the other.
            ctx.pair = tuple(Context(ctx.run, ctx.recording, ctx.needs) for _ in range(2))
            ctx.pair[1].needs = [True]
            return pool.forward(ctx.pair[1], conv.forward(ctx.pair[0], x))
        ctx.pair = None
        pool.compute_output_shape(conv.compute_output_shape(x.shape))
        x, kernel = to_last(x, conv.data_format), conv._kernel_array()
        at = conv._where(x.shape, kernel.shape)
        sizes, _ = windows.geometry(at.outputs, pool.pool_size, pool.strides, "valid")
        activation = conv.activation.kernel
        bias = None if conv.bias is None else conv.bias.array
        epilogue = epilogue_of(bias, activation, sizes[-1])
        y, hits = convolve_max_pool(
            x,
            kernel,
            at.strides,
            at.before,
            sizes,
            at.dilation,
            pool.pool_size,
            keep=ctx.recording,
            epilogue=epilogue,
        )
        ctx.save(x, y, hits)
        ctx.at = at
        return from_last(y, conv.data_format)

    def backward(self, ctx: Any, dy: Any) -> Any:
        conv = self.conv
        if ctx.pair is not None:
            return conv.backward(ctx.pair[0], self.pool.backward(ctx.pair[1], dy))
        x, y, hits = ctx.saved
        dy = conv.activation.kernel.backward(y, to_last(dy, conv.data_format))
        if conv.bias is not None and conv.bias.trainable:
            target = ctx.grad_target(conv.bias)
            if target is not None:
                bias_gradient(dy, out=target)
            else:
                ctx.add_grad(conv.bias, bias_gradient(dy))
        if not ctx.needs[0]:
            conv._kernel_backward(ctx, x, dy, _PooledForm(hits, self.pool.pool_size))
            return None
        dz = unpool(dy, hits, self.pool.pool_size)
        conv._kernel_backward(ctx, x, dz)
        dx = conv.form.input_gradient(dz, conv._kernel_array(), x.shape[1:-1], ctx.at)
        return from_last(dx.astype(np.result_type(dy), copy=False), conv.data_format)

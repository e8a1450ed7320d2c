"""What all convolution layers share, and a convolution joined with the pooling behind it."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minikeras import config
from minikeras.engine import registry
from minikeras.engine.context import Context
from minikeras.engine.input_spec import InputSpec
from minikeras.engine.layer import Layer
from minikeras.engine.operation import Operation
from minikeras.engine.recording import activate, activate_backward
from minikeras.engine.serialization import in_order
from minikeras.engine.variable import Variable
from minikeras.kernels import activation as activations
from minikeras.kernels import windows
from minikeras.kernels.convolution import bias_gradient
from minikeras.kernels.pooling import convolve_max_pool, pooled_kernel_gradient, unpool
from minikeras.ops.convolutional import CONVOLUTION, Form, Where
from minikeras.ops.spatial import (
    from_last,
    standardize_padding,
    standardize_tuple,
    to_last,
    widened,
    window_output_shape,
)

# Activations that work in place on any block of values: applied while the block is in cache.
_IN_BLOCKS = ("relu", "relu6", "leaky_relu", "sigmoid", "tanh", "elu", "selu", "hard_sigmoid")


def with_defaults(init: Any, **defaults: Any) -> Any:
    """A constructor like `init` with other default values."""
    names = init.__code__.co_varnames[: init.__code__.co_argcount]
    known = dict(zip(reversed(names), reversed(init.__defaults__)))
    values = tuple({**known, **defaults}[name] for name in names[-len(known) :])
    twin = types.FunctionType(init.__code__, init.__globals__, "__init__", values, init.__closure__)
    twin.__annotations__ = init.__annotations__
    twin.__qualname__ = init.__qualname__
    return twin


def positive(value: Any, name: str, none: bool = True) -> Any:
    if value is None and none:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value <= 0:
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected a strictly positive value. Received"
            f" {name}={value!r}."
        )
    return int(value)


class ConvolutionLayer(Layer):
    """Base of the convolution layers.

    Bias and activation are applied block by block, while the product is in cache.
    """

    rank = 2
    _computes_floats = True
    form: Form = CONVOLUTION
    output_padding: tuple[int, ...] | None = None
    # Whether to pad as Theano did; see `dialects.eras`.
    _pads_half = False
    # The kernels, by the prefix of their arguments.
    kernels: tuple[str, ...] = ("kernel",)
    bias: Variable | None
    activation: Any

    def _set_arguments(self, arguments: dict) -> None:
        """Set what all constructors take, checked and resolved."""
        rank = self.rank
        self.kernel_size = standardize_tuple(arguments["kernel_size"], rank, "kernel_size")
        self.strides = standardize_tuple(arguments["strides"], rank, "strides")
        self.dilation_rate = standardize_tuple(arguments["dilation_rate"], rank, "dilation_rate")
        self.padding = standardize_padding(
            arguments["padding"], allow_causal=rank == 1 and type(self).form is CONVOLUTION
        )
        self.data_format = config.standardize_data_format(arguments["data_format"])
        self.activation = registry.activations.get(arguments["activation"] or "linear")
        self.use_bias = arguments["use_bias"]
        for name in (*self.kernels, "bias"):
            for kind in ("initializer", "regularizer", "constraint"):
                home = getattr(registry, f"{kind}s")
                setattr(self, f"{name}_{kind}", home.get(arguments[f"{name}_{kind}"]))
        self.input_spec = InputSpec(min_ndim=rank + 2)

    def _no_stride_with_dilation(self) -> None:
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                "`strides > 1` not supported in conjunction with `dilation_rate > 1`. Received:"
                f" strides={self.strides} and dilation_rate={self.dilation_rate}"
            )

    def _channels(self, input_shape: Any) -> int:
        """Channels of the input; the layer accepts no other number from here on."""
        if len(input_shape) != self.rank + 2:
            raise ValueError(
                f"{type(self).__name__} expects inputs of {self.rank + 2} axes (batch, {self.rank}"
                f" spatial, channels). Received: input_shape={tuple(input_shape)}"
            )
        axis = -1 if self.data_format == "channels_last" else 1
        channels = input_shape[axis]
        if channels is None:
            raise ValueError(
                f"The number of channels (axis {axis}) of the inputs of {type(self).__name__} must"
                f" be known. Received: input_shape={tuple(input_shape)}"
            )
        self.input_spec = InputSpec(min_ndim=self.rank + 2, axes={axis: channels})
        return channels

    def _add(self, name: str, shape: tuple, prefix: str) -> Variable:
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=getattr(self, f"{prefix}_initializer"),
            regularizer=getattr(self, f"{prefix}_regularizer"),
            constraint=getattr(self, f"{prefix}_constraint"),
        )

    def _where(self, shape: tuple, kernel_shape: tuple) -> Where:
        at = self.form.where(
            shape, kernel_shape, self.strides, self.padding, self.dilation_rate, self.output_padding
        )
        if self._pads_half and self.padding == "same" and self.form is CONVOLUTION:
            widths = zip(self.kernel_size, self.dilation_rate)
            at = at._replace(before=tuple(((k - 1) * d + 1) // 2 for k, d in widths))
        return at

    # Forward and backward

    def _kernel_array(self) -> np.ndarray:
        return self.kernel.array

    def forward(self, ctx: Any, x: Any) -> Any:
        dtype = x.dtype
        x, kernel = widened(to_last(x, self.data_format), self._kernel_array())
        ctx.at = at = self._where(x.shape, kernel.shape)
        ctx.save(x)
        return self._finish(
            ctx, lambda epilogue: self.form.forward(x, kernel, at, epilogue), at.outputs[-1], dtype
        )

    def backward(self, ctx: Any, dy: Any) -> Any:
        (x,) = ctx.saved
        dz = self._begin(ctx, dy)
        kernel = self._kernel_array()
        self._kernel_backward(ctx, x, dz)
        if not ctx.needs[0]:
            return None
        (kernel,) = widened(kernel)
        dx = self.form.input_gradient(dz, kernel, x.shape[1:-1], ctx.at)
        return from_last(dx.astype(dy.dtype, copy=False), self.data_format)

    def _kernel_backward(self, ctx: Any, x: np.ndarray, dz: np.ndarray, form: Any = None) -> None:
        self._add_kernel_gradient(ctx, self.kernel, form or self.form, x, dz, ctx.at)

    def _add_kernel_gradient(
        self, ctx: Any, kernel: Variable, form: Any, x: np.ndarray, dz: np.ndarray, at: Where
    ) -> None:
        if not kernel.trainable:
            return
        target = ctx.grad_target(kernel)
        if target is not None and target.dtype == dz.dtype:
            form.kernel_gradient(x, dz, kernel.shape, at, target)
            return
        gradient = form.kernel_gradient(x, dz, kernel.shape, at)
        if target is not None:
            target[...] = gradient
        else:
            ctx.add_grad(kernel, gradient)

    def _finish(self, ctx: Any, compute: Callable, width: int, dtype: np.dtype) -> np.ndarray:
        """Run `compute`, with bias and activation, and put the result in the layer's layout."""
        kernel = None if ctx.want_logits else _in_blocks(self.activation)
        bias = None if self.bias is None else self.bias.array
        z = compute(epilogue_of(bias, kernel, width))
        if kernel is None:
            z = from_last(z.astype(dtype, copy=False), self.data_format)
            ctx.fused = False
            return activate(ctx, self.activation, z)
        if ctx.recording:
            ctx.activation, ctx.fused = (kernel, z), True
        return from_last(z.astype(dtype, copy=False), self.data_format)

    def _begin(self, ctx: Any, dy: np.ndarray) -> np.ndarray:
        """The gradient before activation and bias, channels-last; adds that of the bias."""
        if ctx.fused:
            (dy,) = widened(to_last(dy, self.data_format))
            dz = activate_backward(ctx, dy)
        else:
            dz = to_last(activate_backward(ctx, dy), self.data_format)
            (dz,) = widened(dz)
        bias = self.bias
        if bias is not None and bias.trainable:
            target = ctx.grad_target(bias)
            if target is not None:
                bias_gradient(dz, out=target)
            else:
                ctx.add_grad(bias, bias_gradient(dz))
        return dz

    # Shapes and configuration

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output, from that of the input."""
        return window_output_shape(
            input_shape,
            self._output_channels(input_shape),
            self.kernel_size,
            self.strides,
            self.padding,
            self.data_format,
            self.dilation_rate,
        )

    def _output_channels(self, input_shape: Any) -> Any:
        return self.filters

    # Names of the config entries that are plain attributes.
    _plain: tuple[str, ...] = ()

    def get_config(self) -> dict:
        """The configuration."""
        entries = {name: getattr(self, name) for name in self._plain}
        entries["activation"] = registry.activations.serialize(self.activation)
        for name in (*self.kernels, "bias"):
            for kind in ("initializer", "regularizer", "constraint"):
                home = getattr(registry, f"{kind}s")
                entries[f"{name}_{kind}"] = home.serialize(getattr(self, f"{name}_{kind}"))
        entries["activity_regularizer"] = registry.regularizers.serialize(self.activity_regularizer)
        return in_order({**super().get_config(), **entries})


def _in_blocks(activation: Any) -> Any:
    kernel = getattr(activation, "kernel", None)
    return kernel if kernel in _block_kernels() else None


def _block_kernels() -> set:
    if not _blocks:
        _blocks.update(activations.KERNELS[name]() for name in _IN_BLOCKS)
    return _blocks


_blocks: set = set()


def epilogue_of(bias: np.ndarray | None, kernel: Any, width: int) -> Callable | None:
    """What is done to each block of rows (all of `width` outputs in a row of the image)."""
    if bias is None and kernel is None:
        return None
    # A whole row at once: the inner loop of the addition is then long.
    row = None if bias is None else np.tile(bias, width)

    def apply(block: np.ndarray) -> None:
        if row is not None and bias is not None:
            if block.size % row.size:
                block += bias
            else:
                wide = block.reshape(-1, row.size)
                wide += row
        if kernel is not None:
            y = kernel.forward(block)
            if y is not block:
                block[...] = y

    return apply


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

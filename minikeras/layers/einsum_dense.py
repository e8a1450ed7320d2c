"""EinsumDense: a dense layer along any axes."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.engine.input_spec import InputSpec
from minikeras.engine.recording import (
    activate,
    activate_backward,
    activated_product,
    product_gradients,
)
from minikeras.kernels.rows import column_sum, contract, contract_backward, flat_inner
from minikeras.layers.quantized import Part, QuantizableWeight


@registry.layers.register("EinsumDense")
class EinsumDense(QuantizableWeight):
    """`activation(einsum(equation, inputs, kernel) + bias)`.

    Args:
        equation: String such as `"ab,bc->ac"`; `"...x,xy->...y"` or `"ab...,bc->ac..."` leave axes
            open.
        output_shape: Integer or tuple: the output shape without the batch axis and without the axes
            that `...` stands for; None where a size is not fixed.
        activation: Activation, or None (default: linear).
        bias_axes: String of the output's labels along which the bias differs, or None (default) for
            no bias.
        kernel_initializer: Defaults to `"glorot_uniform"`.
        bias_initializer: Defaults to `"zeros"`.
        kernel_regularizer, bias_regularizer: Regularizers, or None.
        kernel_constraint, bias_constraint: Constraints, or None.
        lora_rank: Positive integer, or None (default). If given, the kernel is frozen and a change
            of this rank is trained; see `enable_lora`.
        lora_alpha: Float, default `lora_rank`. Scale of that change.
        gptq_unpacked_column_size: Kept: the number of columns that GPTQ packed.
        quantization_config: `QuantizationConfig` for a quantized dtype policy, or None (default).

    Raises:
        ValueError: for an equation that is none, or shapes that do not fit it.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> layer = minikeras.layers.EinsumDense("abc,cd->abd", output_shape=(None, 64), bias_axes="d")
    >>> layer(np.zeros((2, 32, 128), "float32")).shape
    (2, 32, 64)
    """

    _computes_floats = True
    ends_in_activation = True

    def __init__(
        self,
        equation: str,
        output_shape: Any,
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        gptq_unpacked_column_size: Any = None,
        quantization_config: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.equation = equation
        if isinstance(output_shape, (int, np.integer)):
            output_shape = (int(output_shape),)
        self.partial_output_shape = tuple(output_shape)
        self.bias_axes = bias_axes
        self.activation = registry.activations.get(activation)
        self.kernel_initializer = registry.initializers.get(kernel_initializer)
        self.bias_initializer = registry.initializers.get(bias_initializer)
        self.kernel_regularizer = registry.regularizers.get(kernel_regularizer)
        self.bias_regularizer = registry.regularizers.get(bias_regularizer)
        self.kernel_constraint = registry.constraints.get(kernel_constraint)
        self.bias_constraint = registry.constraints.get(bias_constraint)
        self.gptq_unpacked_column_size = gptq_unpacked_column_size
        self._init_low_rank(lora_rank, lora_alpha)
        self._init_quantization(quantization_config)

    def build(self, input_shape: Any) -> None:
        """Make the kernel, and the bias if there is one."""
        plan = Equation(self.equation, self.bias_axes, input_shape, self.partial_output_shape)
        self._terms, self.original_kernel_shape = plan.terms, plan.kernel_shape
        initializer = self.kernel_initializer
        if getattr(initializer, "input_axes", 0) is None or (
            getattr(initializer, "output_axes", 0) is None
        ):
            # Fans follow from the labels, not from the order of the axes.
            config = {
                **initializer.get_config(),
                "seed": initializer.seed,
                "input_axes": plan.input_axes,
                "output_axes": plan.output_axes,
            }
            initializer = type(initializer).from_config(config)
        mode = self.quantization_mode
        if mode is not None:
            self.quantized_build(plan.kernel_shape, mode, self.quantization_config)
        if mode in (None, "float8"):
            self._kernel = self.add_weight(
                name="kernel",
                shape=plan.kernel_shape,
                initializer=initializer,
                regularizer=self.kernel_regularizer,
                constraint=self.kernel_constraint,
            )
        self.bias = None
        if plan.bias_shape is not None:
            self.bias = self.add_weight(
                name="bias",
                shape=plan.bias_shape,
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        # How many axes a product of flat matrices sums over, if that is all there is to do.
        self._inner = flat_inner(*self._terms)
        if plan.bias_shape not in (None, plan.kernel_shape[self._inner :]):
            self._inner = 0
        self.input_spec = InputSpec(ndim=len(input_shape))
        self.built = True
        if self.lora_rank:
            self.enable_lora(self.lora_rank, self.lora_alpha)

    @property
    def kernel(self) -> Any:
        """The kernel, with its low-rank change if there is one."""
        if not self.built and self.__dict__.get("_kernel") is None:
            raise AttributeError("You must build the layer before accessing `kernel`.")
        return self._shown_weight() if self.altered else self._kernel

    def forward(self, ctx: Any, x: Any) -> Any:
        if self.altered:
            return self._altered_forward(ctx, x)
        ctx.save(x)
        if inner := self._inner:
            depth = math.prod(x.shape[-inner:])
            shape = (*x.shape[:-inner], *self._kernel.shape[inner:])
            bias = None if self.bias is None else self.bias.array.reshape(-1)
            w = self._kernel.array.reshape(depth, -1)
            return activated_product(ctx, self.activation, x.reshape(-1, depth), w, bias, shape)
        z = contract(*self._terms, x, self._kernel.array)
        if self.bias is not None:
            z = z + self.bias.array if z.base is x else np.add(z, self.bias.array, out=z)
        return activate(ctx, self.activation, z)

    def backward(self, ctx: Any, dy: Any) -> Any:
        if self.altered:
            return self._altered_backward(ctx, dy)
        (x,) = ctx.saved
        kernel, bias = self._kernel, self.bias
        if inner := self._inner:
            rows = x.reshape(-1, math.prod(x.shape[-inner:]))
            found = product_gradients(ctx, rows, kernel, bias, dy)
            if found is not None:
                return found[0].reshape(x.shape) if ctx.needs[0] else None
        dz = activate_backward(ctx, dy)
        dx, dw = self._product_backward(x, kernel.array, dz, ctx.needs[0], kernel.trainable)
        if dw is not None:
            ctx.add_grad(kernel, dw)
        if bias is not None and bias.trainable:
            self._bias_backward(ctx, dz)
        return dx

    def _bias_backward(self, ctx: Any, dz: Any) -> None:
        bias = self.bias
        if dz.shape[-bias.ndim :] == bias.shape:
            total = column_sum(dz.reshape(-1, bias.array.size))
        else:
            shape = (1,) * (dz.ndim - bias.ndim) + bias.shape
            total = dz.sum(
                axis=tuple(axis for axis, size in enumerate(shape) if size < dz.shape[axis])
            )
        ctx.add_grad(bias, total.reshape(bias.shape))

    def _product(self, x: Any, weight: Any) -> Any:
        return contract(*self._terms, x, weight)

    def _product_backward(
        self, x: Any, weight: Any, dz: Any, need_x: bool, need_weight: bool
    ) -> tuple:
        return contract_backward(*self._terms, x, weight, dz, need_x, need_weight)

    # Quantization

    _zero_point_name = "zero_point"

    def _weight_shape(self) -> tuple:
        return self.original_kernel_shape

    def _axes_outside_output(self, labels: str) -> tuple:
        return tuple(axis for axis, label in enumerate(labels) if label not in self._terms[2])

    @property
    def _input_axes_of_product(self) -> tuple:
        return self._axes_outside_output(self._terms[0])

    def _parts(self, mode: str) -> list:
        shape, axes = self.original_kernel_shape, self._axes_outside_output(self._terms[1])
        if mode == "int8":
            return [Part("kernel", "_kernel", shape, axes)]
        # In four bits the kernel is a matrix, in the order of its axes.
        rows = int(np.prod([shape[axis] for axis in axes]))
        return [Part("kernel", "_kernel", (rows, int(np.prod(shape)) // rows), 0)]

    def _block_size(self, config: Any) -> Any:
        block = super()._block_size(config)
        return None if block == -1 else block

    def _matrix_shape(self) -> tuple:
        shape = self.original_kernel_shape
        if len(shape) not in (2, 3):
            raise ValueError(
                "GPTQ and AWQ quantize kernels of 2 or 3 axes. The one of layer"
                f" {self.name!r} has the shape {shape}."
            )
        # Of three axes the largest is taken for the width of the model.
        split = 2 if len(shape) == 3 and shape.index(max(shape)) else 1
        return int(np.prod(shape[:split])), int(np.prod(shape[split:]))

    def _stored_scale(self, scale: Any, part: Any) -> Any:
        _, labels, last = self._terms
        kept = [label for label in last if label in labels]
        order = [labels.index(label) for label in kept]
        size = dict(zip(labels, scale.shape))
        rest = [axis for axis in range(scale.ndim) if axis not in order]
        return scale.transpose(*order, *rest).reshape([size.get(label, 1) for label in last])

    def _spread_scale(self, scale: Any, part: Any) -> Any:
        _, labels, last = self._terms
        size = dict(zip(last, scale.shape))
        kept = [label for label in last if label in labels]
        inner = [label for label in labels if label in kept]
        scale = scale.reshape([size[label] for label in kept])
        return scale.transpose([kept.index(label) for label in inner]).reshape(
            [size.get(label, 1) for label in labels]
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape that the equation gives."""
        return Equation(
            self.equation, self.bias_axes, input_shape, self.partial_output_shape
        ).output_shape

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "equation": self.equation,
            "output_shape": self.partial_output_shape,
            "activation": registry.activations.serialize(self.activation),
            "bias_axes": self.bias_axes,
            "kernel_initializer": registry.initializers.serialize(self.kernel_initializer),
            "bias_initializer": registry.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": registry.regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": registry.regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": registry.regularizers.serialize(self.activity_regularizer),
            "kernel_constraint": registry.constraints.serialize(self.kernel_constraint),
            "bias_constraint": registry.constraints.serialize(self.bias_constraint),
            **(
                {"gptq_unpacked_column_size": self.gptq_unpacked_column_size}
                if self.gptq_unpacked_column_size
                else {}
            ),
            **self._quantization_config(),
            **self._low_rank_config(),
        }


_FORMS = (
    re.compile(r"([a-zA-Z]+),([a-zA-Z]+)->([a-zA-Z]+)"),
    re.compile(r"\.\.\.([a-zA-Z]+),([a-zA-Z]+)->\.\.\.([a-zA-Z]+)"),
    re.compile(r"([a-zA-Z]{2,})\.\.\.,([a-zA-Z]+)->([a-zA-Z]+)\.\.\."),
)


class Equation:
    """What an equation means for an input of a certain shape.

    Attributes:
        terms: Labels of input, kernel and output, `...` replaced by free labels.
        output_shape, kernel_shape, bias_shape: The shapes; None for no bias.
        input_axes, output_axes: Axes of the kernel that only the input, or the output, has.
    """

    def __init__(
        self, equation: str, bias_axes: str | None, input_shape: Any, partial_output_shape: tuple
    ) -> None:
        matches = [form.fullmatch(equation.replace(" ", "")) for form in _FORMS]
        if not any(matches):
            raise ValueError(
                f"Invalid einsum equation '{equation}'. Equations must be in the form"
                " [X],[Y]->[Z], ...[X],[Y]->...[Z], or [X]...,[Y]->[Z]...."
            )
        form = next(index for index, match in enumerate(matches) if match)
        first, kernel, last = matches[form].groups()  # type: ignore[union-attr]
        rank = len(input_shape)
        open_count = rank - len(first)
        if open_count < 0 or (form == 0 and open_count):
            raise ValueError(
                f"The einsum equation '{equation}' takes inputs of rank {len(first)}"
                f"{' or more' if form else ''}. Received: input_shape={tuple(input_shape)}"
            )
        used = set(first + kernel + last)
        free = [label for label in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if label not in used][:open_count]
        extra = "".join(free)
        given = [input_shape[0], *partial_output_shape]
        if form == 1:
            first, last = extra + first, extra + last
            given = [*input_shape[:open_count], *given[1:]] if open_count else given
        elif form == 2:
            first, last = first + extra, last + extra
            given += input_shape[rank - open_count :] if open_count else ()
        if len(given) != len(last):
            raise ValueError(
                f"The output of the einsum equation '{equation}' has the axes '{last}', the first"
                f" of which is the batch. Received: output_shape={partial_output_shape}"
            )
        in_size, out_size = dict(zip(first, input_shape)), dict(zip(last, given))
        for label in first:
            size = out_size.get(label)
            if size is not None and size != in_size[label]:
                raise ValueError(
                    f"Input shape and output shape do not match at shared dimension '{label}'."
                    f" Input shape is {in_size[label]}, and output shape is {size}."
                )
            if size is None and label in last[1:]:
                out_size[label] = in_size[label]
        for label in last:
            if label not in first and label not in kernel:
                raise ValueError(
                    f"Dimension '{label}' was specified in the output '{last}' but has no"
                    f" corresponding dim in the input spec '{first}' or weight spec '{kernel}'"
                )
        for label in kernel:
            if label not in out_size and label not in in_size:
                raise ValueError(
                    f"Weight dimension '{label}' did not have a match in either the input spec"
                    f" '{first}' or the output spec '{last}'. For this layer, the weight must be"
                    " fully specified."
                )
        self.terms = (first, kernel, last)
        self.output_shape = (given[0], *(out_size[label] for label in last[1:]))
        self.kernel_shape = tuple(
            out_size[label] if label in out_size else in_size[label] for label in kernel
        )
        if None in self.kernel_shape:
            raise ValueError(
                f"The kernel of the einsum equation '{equation}' would have the shape"
                f" {self.kernel_shape}: sizes of its axes must be known. Received:"
                f" input_shape={tuple(input_shape)}, output_shape={partial_output_shape}"
            )
        self.output_axes = [axis for axis, label in enumerate(kernel) if label in out_size]
        self.input_axes = [axis for axis, label in enumerate(kernel) if label not in out_size]
        self.bias_shape = None
        if bias_axes is not None:
            for label in bias_axes:
                if label not in last:
                    raise ValueError(
                        f"Bias dimension '{label}' was requested, but is not part of the output"
                        f" spec '{last}'"
                    )
            begin = min(last.index(label) for label in bias_axes)
            self.bias_shape = tuple(
                out_size[label] if label in bias_axes else 1 for label in last[begin:]
            )

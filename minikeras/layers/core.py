"""Input, Dense, Activation, Identity and Masking."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from minikeras import ops
from minikeras.engine import dtypes, registry, serialization, tree
from minikeras.engine.context import INFERENCE_CONTEXT, Context
from minikeras.engine.input_spec import InputSpec
from minikeras.engine.layer import Layer
from minikeras.engine.recording import (
    Node,
    activate,
    activate_backward,
    activated_product,
    bind_activation,
    is_linear,
    product_gradients,
)
from minikeras.engine.spelling import runs_unedited
from minikeras.engine.symbolic import KerasTensor, Tensor
from minikeras.engine.variable import Variable, plain, standardize_shape
from minikeras.kernels.bound import Bound, bound_dense
from minikeras.kernels.rows import column_sum, matmul
from minikeras.layers.quantized import Part, QuantizableWeight


@registry.layers.register("InputLayer")
class InputLayer(Layer):
    """The entry of a model. `Input(...)` makes one and returns its symbolic tensor.

    Args:
        shape: Tuple of integers and None, without the batch axis.
        batch_size: Integer or None (default).
        dtype: Dtype of the data. Defaults to `floatx()`.
        sparse, ragged: Not supported; None or False.
        batch_shape: Tuple, with the batch axis; instead of `shape` and `batch_size`.
        input_tensor: `KerasTensor` to use as the input, or None.
        optional: Boolean, default False. Whether None may be passed.
        name: String.

    Raises:
        ValueError: if the shape is missing, given twice or not a tuple.
    """

    _held: Any = None

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Any = None,
        input_tensor: Any = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if "input_shape" in kwargs:
            warnings.warn(
                "Argument `input_shape` is deprecated. Use `shape` instead.", stacklevel=2
            )
            shape = kwargs.pop("input_shape")
        if "batch_input_shape" in kwargs:
            batch_shape = kwargs.pop("batch_input_shape")
        for kind, asked in (("sparse", sparse), ("ragged", ragged)):
            if asked and input_tensor is None:
                raise ValueError(f"`{kind}=True` is not supported. Use dense arrays.")
        super().__init__(name=name, **kwargs)
        if input_tensor is not None:
            if not isinstance(input_tensor, KerasTensor):
                value = isinstance(input_tensor, (np.ndarray, Tensor, Variable))
                shaped = shape is not None or batch_shape is not None
                if not value or shaped and not runs_unedited():
                    raise ValueError(
                        "Argument `input_tensor` must be a KerasTensor, or the value of this input,"
                        f" without a shape. Received: {input_tensor!r} of type {type(input_tensor)}"
                    )
                # A value, as in Keras 2: what is computed from it needs no data for this input.
                self.__dict__["_held"] = input_tensor
                shape, batch_size = None, None
                batch_shape, dtype = input_tensor.shape, str(input_tensor.dtype)
                input_tensor = None
        if input_tensor is not None:
            self._check_input_tensor(
                input_tensor, shape, batch_size, batch_shape, dtype, sparse, ragged
            )
            shape, batch_size = None, None
            batch_shape, dtype = input_tensor.shape, input_tensor.dtype
        if shape is not None and batch_shape is not None:
            raise ValueError("You cannot pass both `shape` and `batch_shape` at the same time.")
        if batch_size is not None and batch_shape is not None:
            raise ValueError(
                "You cannot pass both `batch_size` and `batch_shape` at the same time."
            )
        if shape is None and batch_shape is None:
            raise ValueError("You must pass a `shape` argument.")
        if shape is not None:
            batch_shape = (batch_size, *standardize_shape(shape))
        self._batch_shape = standardize_shape(batch_shape)
        self._dtype_name = dtypes.standardize_dtype(dtype)
        self.sparse, self.ragged, self.optional = False, False, bool(optional)
        self.built = True
        if input_tensor is None:
            input_tensor = KerasTensor(self._batch_shape, self._dtype_name, name=self.name)
        Node(self, (), {}, input_tensor)

    @staticmethod
    def _check_input_tensor(
        tensor: KerasTensor,
        shape: Any,
        batch_size: Any,
        batch_shape: Any,
        dtype: Any,
        sparse: Any,
        ragged: Any,
    ) -> None:
        given = {
            "shape": (shape, tensor.shape[1:]),
            "batch_size": (batch_size, tensor.shape[0] if tensor.shape else None),
            "batch_shape": (batch_shape, tensor.shape),
            "dtype": (None if dtype is None else dtypes.standardize_dtype(dtype), tensor.dtype),
            "sparse": (sparse, False),
            "ragged": (ragged, False),
        }
        for argument, (value, own) in given.items():
            if isinstance(value, list):
                value = tuple(value)
            if value is not None and value != own:
                raise ValueError(
                    "When providing the `input_tensor` argument, you cannot provide an incompatible"
                    f" `{argument}` argument. Received: {argument}={value}, and a tensor with {own}"
                )

    @property
    def input(self) -> Any:
        """The symbolic tensor, as in Keras 1 and 2 (in Keras 3 an empty list)."""
        return self.output

    def call(self) -> Any:
        """The value that it was made of; None where there is none."""
        return self._held if self._held is None else ops.convert_to_tensor(self._held)

    @property
    def batch_shape(self) -> tuple:
        """The shape, with the batch axis."""
        return self._batch_shape

    @property
    def dtype(self) -> str:
        """The dtype of the data."""
        return self._dtype_name

    def get_build_config(self) -> None:
        """None: nothing is built."""
        return None

    def get_config(self) -> dict:
        """The configuration."""
        return {
            "batch_shape": self.batch_shape,
            "dtype": self.dtype,
            "sparse": False,
            "ragged": False,
            "name": self.name,
            "optional": self.optional,
        }


def Input(
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Any = None,
    name: str | None = None,
    tensor: Any = None,
    optional: bool = False,
) -> KerasTensor:
    """A symbolic tensor to begin a functional model with.

    Args:
        shape: Tuple of integers and None, without the batch axis.
        batch_size: Integer or None (default).
        dtype: Dtype of the data. Defaults to `floatx()`.
        sparse, ragged: Not supported; None or False.
        batch_shape: Tuple, with the batch axis; instead of `shape` and `batch_size`.
        name: String.
        tensor: `KerasTensor` to use as the input, or array or variable that is its value; or None.
        optional: Boolean, default False. Whether None may be passed.

    Example:

    >>> import minikeras
    >>> minikeras.Input(shape=(32,)).shape
    (None, 32)
    """
    layer = InputLayer(
        shape=shape,
        batch_size=batch_size,
        dtype=dtype,
        sparse=sparse,
        ragged=ragged,
        batch_shape=batch_shape,
        name=name,
        input_tensor=tensor,
        optional=optional,
    )
    return layer._inbound_nodes[0].outputs_structure


@registry.layers.register("Dense")
class Dense(QuantizableWeight):
    """`activation(inputs @ kernel + bias)`, on the last axis.

    Args:
        units: Positive integer. Size of the output.
        activation: Activation, or None (default: linear).
        use_bias: Boolean, default True.
        kernel_initializer: Defaults to `"glorot_uniform"`.
        bias_initializer: Defaults to `"zeros"`.
        kernel_regularizer, bias_regularizer, activity_regularizer: Regularizers, or None.
        kernel_constraint, bias_constraint: Constraints, or None.
        lora_rank: Positive integer, or None (default). If given, the kernel is frozen and a change
            of this rank is trained; see `enable_lora`.
        lora_alpha: Float, default `lora_rank`. Scale of that change.
        quantization_config: `QuantizationConfig` for a quantized dtype policy, or None (default).

    Input shape: `(batch, ..., n)`. Output shape: `(batch, ..., units)`.

    Raises:
        ValueError: for `units` that are no positive integer.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.Dense(3, activation="relu")(np.ones((2, 4), "float32")).shape
    (2, 3)
    """

    _computes_floats = True
    ends_in_activation = True

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        if isinstance(units, bool) or not isinstance(units, (int, np.integer)) or units <= 0:
            raise ValueError(
                "Received an invalid value for `units`, expected a positive integer. Received:"
                f" units={units!r}"
            )
        self.units = int(units)
        self.activation = registry.activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = registry.initializers.get(kernel_initializer)
        self.bias_initializer = registry.initializers.get(bias_initializer)
        self.kernel_regularizer = registry.regularizers.get(kernel_regularizer)
        self.bias_regularizer = registry.regularizers.get(bias_regularizer)
        self.kernel_constraint = registry.constraints.get(kernel_constraint)
        self.bias_constraint = registry.constraints.get(bias_constraint)
        self._init_low_rank(lora_rank, lora_alpha)
        self._init_quantization(quantization_config)
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Make the kernel and the bias."""
        n = input_shape[-1]
        if n is None:
            raise ValueError(
                "The last axis of the inputs of a Dense layer must be known. Received:"
                f" input_shape={input_shape}"
            )
        self.input_spec = InputSpec(min_ndim=2, axes={-1: n})
        mode = self.quantization_mode
        if mode is not None:
            self.quantized_build((n, self.units), mode, self.quantization_config)
        if mode in (None, "float8"):
            self._kernel = self.add_weight(
                name="kernel",
                shape=(n, self.units),
                initializer=self.kernel_initializer,
                regularizer=self.kernel_regularizer,
                constraint=self.kernel_constraint,
            )
        self.bias = (
            self.add_weight(
                name="bias",
                shape=(self.units,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
            if self.use_bias
            else None
        )
        self.built = True
        if self.lora_rank:
            self.enable_lora(self.lora_rank, self.lora_alpha)

    def _weight_shape(self) -> tuple:
        return self.input_spec.axes[-1], self.units

    _matrix_shape = _weight_shape

    def _parts(self, mode: str) -> list:
        return [Part("kernel", "_kernel", self._weight_shape(), 0)]

    @property
    def kernel(self) -> Any:
        """The kernel, with its low-rank change if there is one."""
        if not self.built and self.__dict__.get("_kernel") is None:
            raise AttributeError("You must build the layer before accessing `kernel`.")
        return self._shown_weight() if self.altered else self._kernel

    @kernel.setter
    def kernel(self, value: Any) -> None:
        self._kernel = value
        if isinstance(value, Tensor):  # what another network computed, which is to learn from it
            self.call = self._call_given  # type: ignore[method-assign]

    def _call_given(self, x: Any) -> Any:
        y = ops.matmul(x, self._kernel)
        y = y if self.bias is None else ops.add(y, self.bias)
        return y if self.activation is None else self.activation(y)

    def forward(self, ctx: Any, x: Any) -> Any:
        if self.altered:
            return self._altered_forward(ctx, x)
        ctx.save(x)
        # One product of all rows.
        rows = x if x.ndim == 2 else x.reshape(-1, x.shape[-1])
        bias = None if self.bias is None else self.bias.array
        shape = (*x.shape[:-1], self.units)
        return activated_product(ctx, self.activation, rows, self._kernel.array, bias, shape)

    def infer(self, run: Any, x: Any) -> Any:
        if x.ndim != 2 or self.altered or len(x) > 32:
            return self.forward(Context(run), x)
        z = np.dot(x, self._kernel.array)
        if self.bias is not None:
            z += self.bias.array
        return activate(INFERENCE_CONTEXT, self.activation, z)

    def backward(self, ctx: Any, dy: Any) -> Any:
        if self.altered:
            return self._altered_backward(ctx, dy)
        (x,) = ctx.saved
        kernel = self._kernel
        x2 = x if x.ndim == 2 else x.reshape(-1, x.shape[-1])
        found = product_gradients(ctx, x2, kernel, self.bias, dy)
        if found is not None:
            return found[0].reshape(x.shape) if ctx.needs[0] else None
        dz = activate_backward(ctx, dy)
        rows = dz if dz.ndim == 2 else dz.reshape(-1, dz.shape[-1])
        if kernel.trainable:
            target = ctx.grad_target(kernel)
            if target is not None:
                matmul(x2.T, rows, out=target)
            else:
                ctx.add_grad(kernel, matmul(x2.T, rows))
        bias = self.bias
        if bias is not None and bias.trainable:
            self._bias_backward(ctx, rows)
        if not ctx.needs[0]:
            return None
        dx = matmul(rows, kernel.array.T)
        return dx if dz.ndim == 2 else dx.reshape(x.shape)

    def _bias_backward(self, ctx: Any, dz: Any) -> None:
        rows = dz if dz.ndim == 2 else dz.reshape(-1, dz.shape[-1])
        target = ctx.grad_target(self.bias)
        if target is not None:
            column_sum(rows, out=target)
        else:
            ctx.add_grad(self.bias, column_sum(rows))

    def _product(self, x: Any, weight: Any) -> Any:
        return np.dot(x.reshape(-1, x.shape[-1]), weight).reshape(*x.shape[:-1], self.units)

    def _product_backward(
        self, x: Any, weight: Any, dz: Any, need_x: bool, need_weight: bool
    ) -> tuple:
        rows = dz.reshape(-1, dz.shape[-1])
        return (
            np.dot(rows, weight.T).reshape(x.shape) if need_x else None,
            np.dot(x.reshape(-1, x.shape[-1]).T, rows) if need_weight else None,
        )

    def bind(self, shape: tuple, dtype: Any, needs_input: bool, target: Any, logits: bool) -> Any:
        if type(self).forward is not Dense.forward or self.altered:
            return None
        kernel, bias = self._kernel, self.bias
        if len(shape) != 2 or kernel.array.dtype != dtype:
            return None
        act = bind_activation(self.activation, (shape[0], self.units), dtype, logits)
        variables = (kernel,) if bias is None else (kernel, bias)
        into = [target(id(one)) if one.trainable else None for one in variables]
        if act is None or any(
            one.trainable and array is None for one, array in zip(variables, into)
        ):
            return None
        forward, backward = bound_dense(
            shape,
            kernel.array,
            None if bias is None else bias.array,
            act,
            (into[0], None if bias is None else into[1]),
            needs_input,
        )
        return Bound(forward, backward, variables)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape with the last axis replaced by `units`."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict:
        """The configuration."""
        return {
            **super().get_config(),
            "units": self.units,
            "activation": registry.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": registry.initializers.serialize(self.kernel_initializer),
            "bias_initializer": registry.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": registry.regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": registry.regularizers.serialize(self.bias_regularizer),
            "kernel_constraint": registry.constraints.serialize(self.kernel_constraint),
            "bias_constraint": registry.constraints.serialize(self.bias_constraint),
            **self._quantization_config(),
            **self._low_rank_config(),
        }


@registry.layers.register("Activation")
class Activation(Layer):
    """Applies an activation function.

    Args:
        activation: Activation: a name, a function or any callable.

    Output shape: that of the input.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.Activation("relu")(np.array([[-3.0, 2.0]])).numpy()
    array([[0., 2.]], dtype=float32)
    """

    ends_in_activation = True

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.activation = registry.activations.get(activation)
        self._build_at_init()

    def forward(self, ctx: Any, x: Any) -> Any:
        activation = self.activation
        if is_linear(activation):
            return x
        kernel = getattr(activation, "kernel", None)
        ctx.exact = x.dtype.kind in "fc"
        if kernel is not None and not ctx.exact and not kernel.integers:
            x = x.astype(dtypes.numpy_dtype(self.compute_dtype))
        elif kernel is not None and kernel.keeps == "y":
            x = x.copy()
        return activate(ctx, activation, x)

    def backward(self, ctx: Any, dy: Any) -> Any:
        if not is_linear(self.activation) and not ctx.exact:
            return None
        return activate_backward(ctx, dy)

    def bind(self, shape: tuple, dtype: Any, needs_input: bool, target: Any, logits: bool) -> Any:
        act = bind_activation(self.activation, shape, dtype, logits)
        if act is None or dtype.kind != "f" or type(self).forward is not Activation.forward:
            return None
        if logits or is_linear(self.activation):
            return Bound(lambda x: x, lambda dy: dy)
        activate, slope = act
        y = np.empty(shape, dtype)
        return Bound(lambda x: activate(x, y), lambda dy: slope(y, dy))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "activation": registry.activations.serialize(self.activation),
        }


@registry.layers.register("Identity")
class Identity(Layer):
    """Returns its inputs.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.Identity()(np.array([[1.0, 2.0]])).numpy()
    array([[1., 2.]], dtype=float32)
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs: Any) -> Any:
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input."""
        return input_shape

    def compute_output_spec(self, inputs: Any) -> Any:
        return tree.map_structure(lambda x: KerasTensor(x.shape, dtype=x.dtype), inputs)

    def get_config(self) -> dict:
        return super().get_config()


@registry.layers.register("Masking")
class Masking(Layer):
    """Masks the time steps whose features all equal a value.

    Layers after it that support masks (such as `LSTM`) skip them; their values become 0.

    Args:
        mask_value: Number, default 0.

    Input shape: `(batch, steps, features)`. Output shape: the same.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> y = minikeras.layers.Masking()(np.array([[[1.0, 0.0], [0.0, 0.0]]]))
    >>> y._keras_mask.numpy()
    array([[ True, False]])
    """

    def __init__(self, mask_value: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(mask_value, dict):
            mask_value = serialization.deserialize(mask_value)
        self.mask_value = mask_value
        self.supports_masking = True
        self._build_at_init()

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """True at the steps where a feature differs from the value."""
        differs = ops.not_equal(inputs, self.mask_value)  # type: ignore[attr-defined]
        return ops.any(differs, axis=-1)

    def forward(self, ctx: Any, x: Any) -> Any:
        keep = (x != plain(self.mask_value)).any(axis=-1, keepdims=True)
        ctx.save(keep)
        return np.where(keep, x, x.dtype.type(0))

    def backward(self, ctx: Any, dy: Any) -> Any:
        return dy * ctx.saved[0]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), "mask_value": self.mask_value}

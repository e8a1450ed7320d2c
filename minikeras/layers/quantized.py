"""Layers whose large weight can be quantized.

Layers of one large weight, and its low-rank adaptation (LoRA).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minikeras import quantizers
from minikeras.engine import dtypes, registry
from minikeras.engine.dtype_policy import QUANTIZATION_MODES
from minikeras.engine.layer import Layer
from minikeras.engine.recording import activate, activate_backward
from minikeras.engine.symbolic import Tensor
from minikeras.kernels import quantization as kernels
from minikeras.ops.base import array_of

_E4M3, _E5M2 = "float8_e4m3fn", "float8_e5m2"


class Part(NamedTuple):
    """How one weight is kept in integers.

    Attributes:
        name: Name of its variable.
        attribute: Attribute of the layer that holds the variable.
        shape: Shape of the weight; as a matrix, in four bits.
        axis: Axis (or axes) along which it is summed, and its groups lie.
        pack_axis: Axis whose neighbours share a byte in four bits.
        zero_dtype: Dtype of the zero points; None for that of variables.
    """

    name: str
    attribute: str
    shape: tuple
    axis: Any
    pack_axis: int = -1
    zero_dtype: str | None = "int8"


class LowRankAdaptation(Layer):
    """Train a low-rank change of a frozen weight: `weight + alpha / rank * a @ b`.

    From Hu et al. 2022, "LoRA: low-rank adaptation of large language models". For layers with one
    large weight, named by `_adapted`.
    """

    _adapted = "kernel"
    activation: Any
    bias: Any
    # Whether there is a change, or the weight is quantized: then calls go another way.
    altered = False
    lora_enabled = False
    lora_rank: Any
    lora_alpha: Any

    def _init_low_rank(self, rank: Any, alpha: Any) -> None:
        self.lora_rank = rank
        self.lora_alpha = alpha if alpha is not None else rank
        self.lora_enabled = False

    # A layer defines the shape of the weight, however it is kept; what is computed before bias and
    # activation, with its gradients; and how the gradient of the bias is passed on.
    _weight_shape: Any
    _product: Any
    _product_backward: Any
    _bias_backward: Any

    def enable_lora(
        self,
        rank: int,
        lora_alpha: float | None = None,
        a_initializer: Any = "he_uniform",
        b_initializer: Any = "zeros",
    ) -> None:
        """Freeze the weight and train a low-rank change of it instead.

        Args:
            rank: Positive integer.
            lora_alpha: Float. The change is scaled by `lora_alpha / rank`. Defaults to `rank`.
            a_initializer: Defaults to `"he_uniform"`.
            b_initializer: Defaults to `"zeros"`: the layer computes at first what it did before.

        Raises:
            ValueError: if the weight has a constraint, the layer is not built, this was done
                already, or `rank` is not positive.
            NotImplementedError: if the layer is quantized by GPTQ, AWQ or to float8.
        """
        name = self._adapted
        if getattr(self, f"{name}_constraint"):
            raise ValueError(
                f"Lora is incompatible with {name.removesuffix('s')} constraints. Remove the"
                f" `{name}_constraint` argument to enable lora on this layer."
            )
        if not self.built:
            raise ValueError("Cannot enable lora on a layer that isn't yet built.")
        if self.lora_enabled:
            raise ValueError("lora is already enabled. This can only be done once per layer.")
        if isinstance(rank, bool) or not isinstance(rank, (int, np.integer)) or rank <= 0:
            raise ValueError(f"`rank` must be a positive integer. Received: rank={rank!r}")
        mode = self.quantization_mode
        if mode in ("gptq", "awq", "float8"):
            raise NotImplementedError(f"lora is not supported with {mode} quantization.")
        shape = self._weight_shape()
        regularizer = getattr(self, f"{name}_regularizer")
        for letter, part, initializer in (
            ("a", (*shape[:-1], rank), a_initializer),
            ("b", (rank, shape[-1]), b_initializer),
        ):
            variable = self.add_weight(
                name=f"lora_{name}_{letter}",
                shape=part,
                initializer=registry.initializers.get(initializer),
                dtype="float32",
                regularizer=regularizer,
            )
            setattr(self, f"lora_{name}_{letter}", variable)
        getattr(self, f"_{name}").trainable = False
        self.lora_enabled = self.altered = True
        self.lora_rank = rank
        self.lora_alpha = lora_alpha if lora_alpha is not None else rank

    def _pair(self) -> tuple[Any, Any, float]:
        name = self._adapted
        scale = self.lora_alpha / self.lora_rank
        return getattr(self, f"lora_{name}_a"), getattr(self, f"lora_{name}_b"), scale

    def _float_weight(self) -> np.ndarray:
        """The weight without its low-rank change."""
        return getattr(self, f"_{self._adapted}").array

    def _merged(self) -> np.ndarray:
        """The weight with its low-rank change."""
        weight = self._float_weight()
        return self._changed(weight) if self.lora_enabled else weight

    def _changed(self, weight: np.ndarray) -> np.ndarray:
        a, b, scale = self._pair()
        return weight + (scale * (a.array @ b.array)).astype(weight.dtype, copy=False)

    def _add_merged_gradient(self, ctx: Any, gradient: np.ndarray) -> None:
        """Pass the gradient of the merged weight on to what trains."""
        weight = self.__dict__.get(f"_{self._adapted}")
        if weight is not None:
            ctx.add_grad(weight, gradient)
        if self.lora_enabled:
            a, b, scale = self._pair()
            rows = gradient.reshape(-1, gradient.shape[-1])
            columns = a.array.reshape(-1, a.shape[-1])
            ctx.add_grad(a, scale * (rows @ b.array.T).reshape(a.shape))
            ctx.add_grad(b, scale * (columns.T @ rows))

    def _trains_merged(self) -> bool:
        parts = [self.__dict__.get(f"_{self._adapted}")]
        if self.lora_enabled:
            parts += self._pair()[:2]
        return any(one is not None and one.trainable for one in parts)

    # Calls of an altered layer

    def _altered_forward(self, ctx: Any, x: np.ndarray) -> np.ndarray:
        given, inside, weight, bias = self._operands(ctx, x)
        total = self._changed(weight) if self.lora_enabled else weight
        if inside is given or not self.lora_enabled:
            z = self._product(inside, total)
        else:
            z = self._product(inside, weight) + self._product(given, total - weight)
        ctx.save(given, total)
        if bias is not None:
            z = z + bias
        return activate(ctx, self.activation, z)

    def _operands(self, ctx: Any, x: np.ndarray) -> tuple:
        """The input for the low-rank change and gradients, that for the weight, weight, bias."""
        bias = self.bias
        return x, x, self._float_weight(), None if bias is None else bias.array

    def _altered_backward(self, ctx: Any, dy: np.ndarray) -> Any:
        x, weight = ctx.saved
        dz = activate_backward(ctx, dy)
        bias = self.bias
        if bias is not None and bias.trainable:
            self._bias_backward(ctx, dz)
        dz = self._upstream(ctx, dz)
        dx, dw = self._product_backward(x, weight, dz, ctx.needs[0], self._trains_merged())
        if dw is not None:
            self._add_merged_gradient(ctx, dw)
        return dx

    def _upstream(self, ctx: Any, dz: np.ndarray) -> np.ndarray:
        return dz

    # Files

    @property
    def variable_serialization_spec(self) -> dict:
        """The names of the variables, by quantization mode, in the order of files."""
        name = self._adapted
        scaled = [name, "bias", f"{name}_scale"]
        packed = ["bias", f"quantized_{name}", f"{name}_scale", f"{name}_zero"]
        return {
            None: [name, "bias"],
            "int8": scaled,
            "int4": [*scaled, f"{name}_zero", "g_idx"],
            "float8": [
                name, "bias", "inputs_scale", "inputs_amax_history", f"{name}_scale",
                f"{name}_amax_history", "outputs_grad_scale", "outputs_grad_amax_history",
            ],
            "gptq": [*packed, "g_idx"],
            "awq": [*packed, "awq_scales", "g_idx"],
        }  # fmt: skip

    def _in_files(self) -> dict:
        """The variables in the order of files, by name."""
        mode = self.quantization_mode
        names = self.variable_serialization_spec[mode]
        named = {
            name: self.__dict__.get(f"_{name}" if name == self._adapted else name) for name in names
        }
        return {name: variable for name, variable in named.items() if variable is not None}

    def _merged_in_files(self) -> dict:
        """Values that are not those of the variables, by name."""
        return {self._adapted: self._merged()}

    def save_own_variables(self, store: Any) -> None:
        """Put the variables into `store`; a low-rank change is merged into its weight."""
        if not self.altered:
            super().save_own_variables(store)
            return
        merged = self._merged_in_files() if self.lora_enabled else {}
        for index, (name, variable) in enumerate(self._in_files().items()):
            store[str(index)] = merged[name] if name in merged else variable.array

    def load_own_variables(self, store: Any) -> None:
        """Take the variables from `store`; a low-rank change is set back to zero."""
        if not self.altered:
            super().load_own_variables(store)
            return
        named = self._in_files()
        if len(store.keys()) != len(named):
            raise ValueError(
                f"Layer {self.name!r} expected {len(named)} variables,"
                f" but received {len(store.keys())} variables during loading. Expected:"
                f" {list(named)}"
            )
        for index, variable in enumerate(named.values()):
            variable.assign(np.asarray(store[str(index)]))
        if self.lora_enabled:
            for variable in self._pair()[:2]:
                variable.array[...] = 0

    def _low_rank_config(self) -> dict:
        if not self.lora_rank:
            return {}
        return {"lora_rank": self.lora_rank, "lora_alpha": self.lora_alpha}


class QuantizableWeight(LowRankAdaptation):
    """A large weight that is kept in 8 or 4 bits, or trained in float8.

    Calls compute with floats that are equal to the integers divided by their scales, so that
    forward and backward are those of the layer as it was. Gradients pass the rounding of inputs
    as if it were not there.
    """

    _modes: tuple = QUANTIZATION_MODES
    _is_quantized = False
    is_gptq_calibrated = is_awq_calibrated = False
    # Called with the inputs while GPTQ or AWQ looks at them.
    _observe: Any = None
    _zero_point_name = "kernel_zero"
    inputs_quantizer: Any = None
    quantization_config: Any

    def _init_quantization(self, config: Any) -> None:
        self.quantization_config = registry.quantizers.get(config)

    # A layer defines the weights that int8 and int4 quantize, by mode, as `Part`s; and how many
    # inputs and outputs GPTQ and AWQ see.
    _parts: Any
    _matrix_shape: Any
    _input_axes_of_product: Any = -1

    def _stored_scale(self, scale: np.ndarray, part: Part) -> np.ndarray:
        """A scale as it is kept, from one that has ones for the axes of `part`."""
        return np.squeeze(scale, part.axis)

    def _spread_scale(self, scale: np.ndarray, part: Part) -> np.ndarray:
        """The reverse of `_stored_scale`."""
        return np.expand_dims(scale, part.axis)

    # Quantizing

    def quantize(self, mode: Any = None, type_check: bool = True, config: Any = None) -> None:
        """Quantize the weight: keep it in 8 or 4 bits, or train in float8.

        Args:
            mode: `"int8"`, `"int4"`, `"float8"`, `"gptq"` or `"awq"`. Defaults to that of `config`.
            type_check: Boolean, default True. Whether subclasses refuse, as they may not expect it.
            config: `QuantizationConfig`. Defaults to that of the mode.

        Raises:
            ValueError: if the layer is not built, or quantized already.
            NotImplementedError: for a subclass, or a mode that the layer does not have.
        """
        if type_check and registry.layers.canonical_name(type(self)) is None:
            raise NotImplementedError(
                f"{type(self).__name__} is a subclass, which may not expect quantized weights: it"
                " does not have a `quantize` method implemented. Pass `type_check=False` if it"
                " computes as its base class does."
            )
        self._check_layer_mode(mode)
        if self.lora_enabled and mode not in ("int8", "int4"):
            raise NotImplementedError(f"{mode} quantization is not supported with lora.")
        values: dict[str, Any] = {}
        if mode in ("int8", "int4"):
            parts = self._parts(mode)
            for part in parts:
                weight = getattr(self, part.attribute).array
                values.update(self._integers(part, weight, mode, config))
            for part in parts:
                delattr(self, part.attribute)
        self.quantization_config = config
        self.quantized_build(self._weight_shape(), mode, config)
        for name, value in values.items():
            getattr(self, name).assign(value)
        policy = self.dtype_policy
        if policy.quantization_mode is None:
            if mode in ("gptq", "awq"):
                mode = config.dtype_policy_string()
            elif mode == "int4":
                block = config.block_size
                mode = f"int4/{-1 if block is None else block}"
            self.dtype_policy = f"{mode}_from_{policy.name}"

    def _check_layer_mode(self, mode: Any) -> None:
        if mode not in self._modes:
            raise NotImplementedError(
                f"Invalid quantization mode. Expected one of {self._modes}. Received:"
                f" quantization_mode={mode}"
            )

    def quantized_build(self, input_shape: Any, mode: Any, config: Any = None) -> None:
        """Make the variables of a quantized weight of shape `input_shape`."""
        self._check_layer_mode(mode)
        if mode in ("int8", "int4"):
            default = quantizers.AbsMaxQuantizer() if mode == "int8" else None
            self.inputs_quantizer = default if config is None else config.activation_quantizer
            for part in self._parts(mode):
                getattr(self, f"_build_{mode}")(part, config)
        elif mode == "float8":
            self._build_float8()
        else:
            self._build_calibrated(mode, config)
        self._is_quantized = self.altered = True

    def _add(self, name: str, shape: tuple, dtype: Any = None, ones: bool = False) -> Any:
        return self.add_weight(
            name=name,
            shape=shape,
            initializer="ones" if ones else "zeros",
            dtype=dtype,
            trainable=False,
        )

    def _setting(self, config: Any, name: str, default: Any = None) -> Any:
        """A setting of the configuration or, where it was not given, of the dtype policy."""
        policy = self.dtype_policy
        return getattr(policy if config is None else config, name, default)

    def _build_int8(self, part: Part, config: Any) -> None:
        setattr(self, part.attribute, self._add(part.name, part.shape, "int8"))
        like = np.broadcast_to(np.float32(0), part.shape).max(axis=part.axis, keepdims=True)
        scale = self._add(f"{part.name}_scale", self._stored_scale(like, part).shape, ones=True)
        setattr(self, f"{part.name}_scale", scale)

    def _build_int4(self, part: Part, config: Any) -> None:
        block = self._int4_block_size = self._block_size(config)
        packed, scales = list(part.shape), list(part.shape)
        packed[part.pack_axis] = -(-packed[part.pack_axis] // 2)
        size = scales.pop(part.axis)
        setattr(self, part.attribute, self._add(part.name, tuple(packed), "int8"))
        if block not in (None, -1):
            scales.insert(part.axis, -(-size // block))
        scale = self._add(f"{part.name}_scale", tuple(scales), ones=True)
        setattr(self, f"{part.name}_scale", scale)
        if block not in (None, -1):
            zero = self._add(f"{part.name}_zero", tuple(scales), part.zero_dtype)
            setattr(self, f"{part.name}_zero", zero)
            if not hasattr(self, "g_idx"):
                self.g_idx = self._add("g_idx", (size,), "float32")
                self.g_idx.assign(np.arange(size) // block)
        if part.name == self._adapted:
            self._orig_output_dim = self._int4_unpacked_column_size = part.shape[-1]

    def _block_size(self, config: Any) -> Any:
        block = self._setting(config, "block_size")
        # Policies say -1 for None.
        return None if config is None and block == -1 else block

    def _build_calibrated(self, mode: str, config: Any) -> None:
        self.__dict__[f"is_{mode}_calibrated"] = False
        rows, columns = self._matrix_shape()
        size = self._setting(config, "group_size")
        bits = self._setting(config, "weight_bits")
        if size is None or bits is None:
            raise ValueError(
                f"For {mode.upper()} quantization, pass a `{mode.upper()}Config`, or a dtype policy"
                f" such as '{mode}/4/128_from_float32'."
            )
        self._unpacked_columns = columns
        setattr(self, f"{mode}_unpacked_column_size", columns)
        groups = 1 if size == -1 else -(-rows // size)
        packed = -(-columns // 2) if bits == 4 else columns
        self.quantized_kernel = self._add("kernel", (packed, rows), "uint8")
        self.kernel_scale = self._add("kernel_scale", (columns, groups), ones=True)
        self.kernel_zero = self._add(self._zero_point_name, (columns, groups), "uint8")
        if mode == "awq":
            self.awq_scales = self._add("awq_scales", (rows,), ones=True)
        self.g_idx = self._add("g_idx", (rows,), "float32")

    def _build_float8(self) -> None:
        length = self._setting(None, "amax_history_length", 1024)
        for name in ("inputs", "kernel", "outputs_grad"):
            for what, shape in (("scale", ()), ("amax_history", (length,))):
                variable = self.add_weight(
                    name=f"{name}_{what}",
                    shape=shape,
                    initializer="zeros" if shape else "ones",
                    dtype="float32",
                    autocast=False,
                    overwrite_with_gradient=True,
                )
                setattr(self, f"{name}_{what}", variable)

    # Floats to integers and back

    def _integers(self, part: Part, weight: np.ndarray, mode: str, config: Any) -> dict:
        """What to keep of a float weight, by attribute."""
        name = part.name
        if mode == "int4":
            weight = weight.reshape(part.shape)
            block = self._block_size(config)
            if block not in (None, -1):
                across = weight if part.axis == 0 else weight.T
                found = kernels.grouped(across, block, (-8, 7), 1e-7)
                values, scale, zero = found if part.axis == 0 else (one.T for one in found)
                packed = kernels.pack(values.astype("int8"), part.pack_axis)
                return {part.attribute: packed, f"{name}_scale": scale, f"{name}_zero": zero}
        quantizer = getattr(config, "weight_quantizer", None)
        if quantizer is None:
            value_range = (-8, 7) if mode == "int4" else (-127, 127)
            quantizer = quantizers.AbsMaxQuantizer(part.axis, value_range)
        elif isinstance(quantizer, quantizers.AbsMaxQuantizer):
            self._check_axis(quantizer, part)
        if isinstance(quantizer, quantizers.AbsMaxQuantizer):
            found = quantizer(Tensor(weight), axis=part.axis, to_numpy=True)
        else:
            found = quantizer(Tensor(weight), to_numpy=True)
        values, scale = (array_of(one) for one in found)
        if mode == "int4":
            values, scale = kernels.pack(values, part.pack_axis), np.squeeze(scale, part.axis)
        else:
            scale = self._stored_scale(scale, part)
        return {part.attribute: values, f"{name}_scale": scale}

    def _check_axis(self, quantizer: Any, part: Part) -> None:
        axes = self._parts("int8")[0].axis
        wanted = axes if isinstance(axes, tuple) else (axes,)
        if quantizer.axis is None or part.name != self._adapted:
            return
        rank = len(self._weight_shape())
        if {axis % rank for axis in quantizer.axis} != {axis % rank for axis in wanted}:
            raise ValueError(
                f"The weight_quantizer of {type(self).__name__} must have axis={wanted}: it has one"
                f" scale an output. Received: axis={quantizer.axis}"
            )

    def _floats(self, part: Part, mode: str, values: Any, rows: Any = None) -> np.ndarray:
        """The floats that stand behind the integers `values`; with `rows`, of these alone."""
        scale = getattr(self, f"{part.name}_scale").array
        if mode == "int8":
            scale = self._spread_scale(scale, part) if rows is None else scale[rows][..., None]
            return values / scale
        values = kernels.unpack(values, part.shape[part.pack_axis], part.pack_axis)
        axis = part.axis if rows is None else -1
        scale = scale if rows is None else scale[rows]
        zero = self.__dict__.get(f"{part.name}_zero")
        if zero is None:
            return values / np.expand_dims(scale, axis)
        zero = zero.array if rows is None else zero.array[rows]
        return kernels.groups_from_levels(values, scale, zero, self.g_idx, axis)

    def _calibrated_integers(self) -> np.ndarray:
        values = self.quantized_kernel.array
        if self._setting(None, "weight_bits") == 4:
            values = kernels.unpack(values, self._unpacked_columns, 0, "uint8")
        return values

    def _is_calibrated(self) -> bool:
        return self.is_gptq_calibrated or self.is_awq_calibrated

    def _float_weight(self) -> np.ndarray:
        mode = self.quantization_mode if self._is_quantized else None
        if mode in ("int8", "int4"):
            part = self._parts(mode)[0]
            values = getattr(self, part.attribute).array
            return self._floats(part, mode, values).reshape(self._weight_shape())
        if not self._is_calibrated():
            if self.__dict__.get(f"_{self._adapted}") is None:
                raise ValueError(
                    f"Layer {self.name!r} has no weight yet: its dtype policy"
                    " says that it is quantized with calibration. Load its weights, or make it"
                    " without that policy and quantize it."
                )
            return super()._float_weight()
        weight = kernels.groups_from_levels(
            self._calibrated_integers(), self.kernel_scale, self.kernel_zero, self.g_idx
        ).T
        if self.is_awq_calibrated:
            weight = weight / self.awq_scales.array[:, None]
        return weight.reshape(self._weight_shape())

    def _shown_weight(self) -> Any:
        """The weight as the public attribute shows it: integers, as they are or unpacked."""
        if self.lora_enabled:
            return Tensor(self._merged())
        mode = self.quantization_mode if self._is_quantized else None
        if mode == "int4":
            part = self._parts(mode)[0]
            values = kernels.unpack(
                getattr(self, part.attribute).array, part.shape[part.pack_axis], part.pack_axis
            )
            return Tensor(values.reshape(self._weight_shape()))
        if self._is_calibrated():
            return Tensor(self._calibrated_integers())
        return self.__dict__.get(f"_{self._adapted}")

    def _take_calibrated(self, mode: str, values: np.ndarray, **others: Any) -> None:
        """Keep what GPTQ or AWQ found, instead of the float weight."""
        values = values.astype("uint8")
        if self._setting(None, "weight_bits") == 4:
            values = kernels.pack(values, 0)
        self.quantized_kernel.assign(values)
        for name, value in others.items():
            getattr(self, name).assign(value)
        del self._kernel
        setattr(self, f"is_{mode}_calibrated", True)

    # Calls

    def _operands(self, ctx: Any, x: np.ndarray) -> tuple:
        given, inside, weight, bias = super()._operands(ctx, x)
        if self._observe is not None:
            self._observe(x)
        if self.inputs_quantizer is not None:
            inside = self._rounded(x, self._input_axes_of_product)
        if self._is_quantized and self.quantization_mode == "float8":
            given = inside = self._in_float8(ctx, x, "inputs")
            weight = self._in_float8(ctx, weight, "kernel")
            if bias is not None and self.compute_dtype == "float32":
                bias = dtypes.plain_array(dtypes.narrowed(bias, "bfloat16"))
        return given, inside, weight, bias

    def _rounded(self, x: np.ndarray, axes: Any) -> np.ndarray:
        """Inputs as they are after they were integers."""
        values, scale = self.inputs_quantizer(Tensor(x), axis=axes)
        return array_of(values) / array_of(scale)

    def _in_float8(
        self, ctx: Any, x: np.ndarray, name: str, dtype: str = _E4M3, update: bool | None = None
    ) -> np.ndarray:
        """An array as it is after it was in float8; in training, its scale follows it."""
        scale, history = getattr(self, f"{name}_scale"), getattr(self, f"{name}_amax_history")
        if ctx.recording and (ctx.training if update is None else update):
            largest = quantizers.quantizers.FLOAT8_MAX[dtype]
            amax = Tensor(history.array.max())
            with np.errstate(divide="ignore"):
                new_scale = quantizers.compute_float8_scale(amax, Tensor(scale.array), largest)
            new = quantizers.compute_float8_amax_history(Tensor(x), Tensor(history.array))
            ctx.overwrite = [
                *getattr(ctx, "overwrite", ()), (scale, new_scale.array), (history, new.array)
            ]  # fmt: skip
        compute = self.compute_dtype
        return quantizers.quantize_and_dequantize(
            Tensor(x), Tensor(scale.array), dtype, compute
        ).array

    def _upstream(self, ctx: Any, dz: np.ndarray) -> np.ndarray:
        if self.quantization_mode != "float8":
            return dz
        dz = self._in_float8(ctx, dz, "outputs_grad", _E5M2, update=True)
        for variable, value in ctx.overwrite:
            if variable.trainable:
                target = ctx.grad_target(variable)
                if target is None:
                    # Called twice in one step: the scales must fit both.
                    target = ctx.run.sink.get(variable)
                    value = np.maximum(target, value)
                target[...] = value
        return dz

    # Files

    def _merged_in_files(self) -> dict:
        mode = self.quantization_mode
        if mode is None:
            return super()._merged_in_files()
        part = self._parts(mode)[0]
        found = self._integers(part, self._merged(), mode, self.quantization_config)
        return {name.removeprefix("_"): value for name, value in found.items()}

    def save_own_variables(self, store: Any) -> None:
        mode = self.quantization_mode
        if mode in ("gptq", "awq") and self.__dict__.get("_kernel") is not None:
            raise ValueError(
                f"Layer {self.name!r} is to be quantized by {mode.upper()}, but"
                " not calibrated: the file would not hold its weight. Call `model.quantize` with a"
                " `quantization_layer_structure` that contains it first, or leave it out with"
                " `filters`."
            )
        super().save_own_variables(store)

    def load_own_variables(self, store: Any) -> None:
        super().load_own_variables(store)
        mode = self.quantization_mode
        if mode in ("gptq", "awq") and self._is_quantized:
            # What is in files is calibrated.
            if "_kernel" in self.__dict__:
                del self._kernel
            setattr(self, f"is_{mode}_calibrated", True)

    def _quantization_config(self) -> dict:
        from minikeras.engine import serialization

        return {"quantization_config": serialization.serialize(self.quantization_config)}


for _mode in QUANTIZATION_MODES:
    # What `quantized_call` reaches: calls of a quantized layer are calls like others.
    setattr(
        QuantizableWeight,
        f"_{_mode}_call",
        lambda self, *args, **kwargs: self.call(*args, **kwargs),
    )

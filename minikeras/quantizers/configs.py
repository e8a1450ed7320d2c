"""How to quantize: one configuration a mode."""

from __future__ import annotations

from typing import Any

from minikeras.engine import registry, serialization
from minikeras.engine.dtype_policy import check_mode
from minikeras.quantizers.quantizers import AbsMaxQuantizer


@registry.quantizers.register("QuantizationConfig", "quantization_config")
class QuantizationConfig:
    """Base class of the configurations. A subclass defines `mode`.

    Args:
        weight_quantizer: `Quantizer` of weights, or None (default) for that of the layer.
        activation_quantizer: `Quantizer` of inputs, or None (default) for none.
    """

    def __init__(self, weight_quantizer: Any = None, activation_quantizer: Any = None) -> None:
        self.weight_quantizer = weight_quantizer
        self.activation_quantizer = activation_quantizer

    @property
    def mode(self) -> str:
        """The name of the mode."""
        raise NotImplementedError(
            "Subclasses must implement this property. Do not instantiate QuantizationConfig"
            " directly."
        )

    def get_config(self) -> dict:
        """The configuration."""
        return {
            "weight_quantizer": serialization.serialize(self.weight_quantizer),
            "activation_quantizer": serialization.serialize(self.activation_quantizer),
        }

    @classmethod
    def from_config(cls, config: dict) -> Any:
        """The object that `config` describes."""
        return cls(**{key: serialization.deserialize(value) for key, value in config.items()})


def _check_weight_quantizer(config: Any, value_range: tuple | None = None) -> None:
    quantizer = config.weight_quantizer
    for name, wanted in (("value_range", value_range), ("output_dtype", "int8")):
        if quantizer is None or wanted is None:
            continue
        given = getattr(quantizer, name)
        if (tuple(given) if isinstance(given, list) else given) != wanted:
            raise ValueError(
                f"{type(config).__name__} requires a weight_quantizer with {name}={wanted!r}."
                f" Received: {name}={given!r}"
            )


@registry.quantizers.register("Int8QuantizationConfig", "int8_quantization_config")
class Int8QuantizationConfig(QuantizationConfig):
    """Weights in 8 bits, and inputs too.

    Args:
        weight_quantizer: `Quantizer` of weights, or None (default) for an `AbsMaxQuantizer`.
        activation_quantizer: `Quantizer` of inputs, or None for none. Defaults to an
            `AbsMaxQuantizer`.

    Raises:
        ValueError: if `weight_quantizer` gives another dtype than int8.

    Example:

    >>> import minikeras
    >>> model = minikeras.Sequential([minikeras.Input((4,)), minikeras.layers.Dense(2)])
    >>> config = minikeras.quantizers.Int8QuantizationConfig(activation_quantizer=None)
    >>> model.quantize(config=config)
    >>> model.layers[0]._kernel.dtype
    'int8'
    """

    mode = "int8"  # type: ignore[assignment]

    def __init__(self, weight_quantizer: Any = None, activation_quantizer: Any = "default") -> None:
        if isinstance(activation_quantizer, str) and activation_quantizer == "default":
            activation_quantizer = AbsMaxQuantizer()
        super().__init__(weight_quantizer, activation_quantizer)
        _check_weight_quantizer(self)


@registry.quantizers.register("Int4QuantizationConfig", "int4_quantization_config")
class Int4QuantizationConfig(QuantizationConfig):
    """Weights in 4 bits.

    Args:
        weight_quantizer: `Quantizer` of weights, or None (default) for an `AbsMaxQuantizer`.
        activation_quantizer: `Quantizer` of inputs, or None. Defaults to None.
        block_size: Positive integer: so many inputs have a scale and a zero point of their own.
            None or -1 for one scale an output. Defaults to 128.

    Raises:
        ValueError: for quantizers together with blocks, or a `weight_quantizer` that gives others
            than the integers from -8 to 7.
    """

    mode = "int4"  # type: ignore[assignment]

    def __init__(
        self,
        weight_quantizer: Any = None,
        activation_quantizer: Any = "default",
        block_size: int | None = 128,
    ) -> None:
        if isinstance(activation_quantizer, str) and activation_quantizer == "default":
            activation_quantizer = None
        super().__init__(weight_quantizer, activation_quantizer)
        if block_size is not None and block_size != -1 and block_size <= 0:
            raise ValueError(
                "block_size must be None, -1, or a positive integer. Received:"
                f" block_size={block_size!r}"
            )
        self.block_size = block_size
        quantizers = (weight_quantizer, self.activation_quantizer)
        if block_size not in (None, -1) and any(one is not None for one in quantizers):
            raise ValueError(
                "Int4 sub-channel quantization (block_size > 0) does not support custom quantizers."
                " Pass block_size=None with them, or leave them out. Received:"
                f" block_size={block_size}"
            )
        _check_weight_quantizer(self, (-8, 7))

    def get_config(self) -> dict:
        return {**super().get_config(), "block_size": self.block_size}

    @classmethod
    def from_config(cls, config: dict) -> Any:
        # There were no blocks at first.
        return super().from_config({"block_size": None, **config})


@registry.quantizers.register("Float8QuantizationConfig", "float8_quantization_config")
class Float8QuantizationConfig(QuantizationConfig):
    """Training with inputs, weights and gradients rounded to float8."""

    mode = "float8"  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()

    def get_config(self) -> dict:
        return {}


class _Calibrated(QuantizationConfig):
    """What GPTQ and AWQ have in common."""

    def __init__(self, dataset: Any, tokenizer: Any, **settings: Any) -> None:
        super().__init__()
        self.dataset, self.tokenizer = dataset, tokenizer
        self._settings = tuple(settings)
        self.__dict__.update(settings)
        for name in ("num_samples", "sequence_length", "num_grid_points"):
            if settings.get(name, 1) <= 0:
                raise ValueError(
                    f"{name} must be a positive integer. Received: {name}={settings[name]!r}"
                )
        if self.group_size < -1 or self.group_size == 0:
            raise ValueError(
                "Invalid group_size. Supported values are -1 (one scale an output) or a positive"
                f" integer, but got {self.group_size}."
            )

    group_size: int
    weight_bits: int

    def dtype_policy_string(self) -> str:
        """What the dtype policy of a layer quantized so begins with."""
        return f"{self.mode}/{self.weight_bits}/{self.group_size}"

    def get_config(self) -> dict:
        # What calibration alone needs is not kept.
        unkept = dict.fromkeys(("dataset", "tokenizer", "quantization_layer_structure"))
        return {**{name: getattr(self, name) for name in self._settings}, **unkept}

    @classmethod
    def from_config(cls, config: dict) -> Any:
        return cls(**config)


def _given(arguments: dict) -> dict:
    """The arguments of a constructor, from its `locals()`."""
    return {key: value for key, value in arguments.items() if key not in ("self", "__class__")}


@registry.quantizers.register("GPTQConfig", "gptq_config")
class GPTQConfig(_Calibrated):
    """Weights by GPTQ: each is rounded so as to make up for the errors of those before it.

    From Frantar et al. 2022, "GPTQ: accurate post-training quantization for generative pre-trained
    transformers". `model.quantize(config=...)` runs samples through the model to see what the
    inputs of its layers are like.

    Args:
        dataset: Iterable of strings, or of arrays of tokens.
        tokenizer: Object whose `tokenize` turns a string into tokens.
        weight_bits: 2, 3, 4 (default) or 8.
        num_samples: Positive integer, default 128. Number of samples.
        per_channel: Boolean, default True. Whether each output has its own scale.
        sequence_length: Positive integer, default 512. Tokens of a sample.
        hessian_damping: Float between 0 and 1, default 0.01. Part of its mean that is added to the
            diagonal of the Hessian.
        group_size: Positive integer, default 128. How many inputs share a scale; -1 for all.
        symmetric: Boolean, default False. Whether ranges are symmetric.
        activation_order: Boolean, default False. Whether the weights of the largest inputs are
            rounded first.
        quantization_layer_structure: dict of `"pre_block_layers"` (layers that samples pass first)
            and `"sequential_blocks"` (layers of which one follows the other: those inside are
            quantized), or None (default) for what `model.get_quantization_layer_structure` returns.

    Raises:
        ValueError: for settings out of range.
    """

    mode = "gptq"  # type: ignore[assignment]

    def __init__(
        self,
        dataset: Any,
        tokenizer: Any,
        *,
        weight_bits: int = 4,
        num_samples: int = 128,
        per_channel: bool = True,
        sequence_length: int = 512,
        hessian_damping: float = 0.01,
        group_size: int = 128,
        symmetric: bool = False,
        activation_order: bool = False,
        quantization_layer_structure: dict | None = None,
    ) -> None:
        if weight_bits not in (2, 3, 4, 8):
            raise ValueError(
                f"Unsupported weight_bits {weight_bits}. Supported values are 2, 3, 4, and 8."
            )
        if not 0 <= hessian_damping <= 1:
            raise ValueError(
                f"hessian_damping must be between 0 and 1. Received: {hessian_damping!r}"
            )
        super().__init__(**_given(locals()))


@registry.quantizers.register("AWQConfig", "awq_config")
class AWQConfig(_Calibrated):
    """Weights in 4 bits by AWQ: those of large inputs are scaled up before they are rounded.

    From Lin et al. 2023, "AWQ: activation-aware weight quantization for LLM compression and
    acceleration". `model.quantize(config=...)` runs samples through the model to see what the
    inputs of its layers are like.

    Args:
        dataset: Iterable of strings, or of arrays of tokens.
        tokenizer: Object whose `tokenize` turns a string into tokens.
        weight_bits: 4.
        num_samples: Positive integer, default 128. Number of samples.
        sequence_length: Positive integer, default 512. Tokens of a sample.
        group_size: Positive integer, default 128. How many inputs share a scale; -1 for all.
        num_grid_points: Positive integer, default 20. How many strengths of scaling are tried.
        quantization_layer_structure: As for `GPTQConfig`.

    Raises:
        ValueError: for settings out of range.
    """

    mode = "awq"  # type: ignore[assignment]

    def __init__(
        self,
        dataset: Any,
        tokenizer: Any,
        *,
        weight_bits: int = 4,
        num_samples: int = 128,
        sequence_length: int = 512,
        group_size: int = 128,
        num_grid_points: int = 20,
        quantization_layer_structure: dict | None = None,
    ) -> None:
        if weight_bits != 4:
            raise ValueError(
                f"AWQ only supports 4-bit quantization. Received weight_bits={weight_bits}."
            )
        super().__init__(**_given(locals()))


def resolve_config(mode: Any, config: Any) -> Any:
    """The configuration that `quantize(mode, config)` means.

    Raises:
        ValueError: for an unknown mode, or one that the configuration contradicts.
    """
    if isinstance(config, str):
        mode, config = config, None
    if mode is not None:
        check_mode(mode)
    if config is None:
        if mode is None:
            raise ValueError("You must provide either `mode` or `config` to `quantize`.")
        if mode in ("gptq", "awq"):
            name = mode.upper()
            raise ValueError(
                f"For {name}, you must pass a `{name}Config` object in the `config` argument."
            )
        defaults: dict[str, Any] = {
            "int8": Int8QuantizationConfig,
            "int4": Int4QuantizationConfig,
            "float8": Float8QuantizationConfig,
        }
        return defaults[mode]()
    if not isinstance(config, QuantizationConfig):
        raise ValueError(
            "Argument `config` must be an instance of `QuantizationConfig`. Received:"
            f" config={config!r} (of type {type(config)})"
        )
    if mode is not None and config.mode != mode:
        raise ValueError(f"Contradictory arguments: mode='{mode}' but config.mode='{config.mode}'")
    check_mode(config.mode)
    kind: Any = {"gptq": GPTQConfig, "awq": AWQConfig}.get(config.mode, QuantizationConfig)
    if not isinstance(config, kind):
        raise ValueError(
            f"Mode '{config.mode}' requires a valid `config` argument of type `{kind.__name__}`."
            f" Received: {type(config)}"
        )
    return config


__all__ = [
    "AWQConfig", "Float8QuantizationConfig", "GPTQConfig", "Int4QuantizationConfig",
    "Int8QuantizationConfig", "QuantizationConfig",
]  # fmt: skip

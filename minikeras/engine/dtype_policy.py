"""Dtype policies: in which type a layer computes and in which it keeps its variables."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
from typing import Any

from minikeras import config
from minikeras.engine import dtypes, registry

QUANTIZATION_MODES = ("int8", "float8", "int4", "gptq", "awq")

_global: dict[str, Any] = {"policy": None}


@registry.policies.register("DTypePolicy", "FloatDTypePolicy")
class DTypePolicy:
    """A compute dtype and a variable dtype under one name.

    Args:
        name: String. A dtype name such as `"float32"` (both dtypes), or `"mixed_float16"` /
            `"mixed_bfloat16"` (computation in the narrow type, variables in float32). Defaults
            to the global policy, `keras.config.dtype_policy()`.

    Raises:
        ValueError: if the name is not known.

    Example:

    >>> import minikeras
    >>> policy = minikeras.DTypePolicy("mixed_float16")
    >>> policy.compute_dtype, policy.variable_dtype
    ('float16', 'float32')
    """

    _keras_module = "keras"
    _quantization_mode: str | None = None

    def __init__(self, name: str | None = None) -> None:
        if name is None:
            name = dtype_policy().name
        self._name = name
        self._compute_in(name)

    def _compute_in(self, name: str) -> None:
        if not isinstance(name, str):
            raise TypeError(
                "'name' must be a string, such as 'mixed_float16'. Received:"
                f" name={name!r} (of type {type(name)})"
            )
        self._compute_dtype, self._variable_dtype = self._parse_name(name)
        self.compute_array_dtype = dtypes.numpy_dtype(self._compute_dtype)
        self.input_array_dtype = dtypes.to_numpy_dtype(self._compute_dtype)
        self.is_mixed = self._compute_dtype != self._variable_dtype

    def _parse_name(self, name: str) -> tuple[str, str]:
        if name in ("mixed_float16", "mixed_bfloat16"):
            return name[6:], "float32"
        try:
            dtype = dtypes.standardize_dtype(name)
        except ValueError as error:
            raise ValueError(
                f"Cannot convert {name!r} to a dtype policy. Use 'mixed_float16', 'mixed_bfloat16'"
                " or the name of a dtype, such as 'float32' or 'float64'."
            ) from error
        return dtype, dtype

    @property
    def name(self) -> str:
        """The name of the policy."""
        return self._name

    @property
    def compute_dtype(self) -> str:
        """The dtype in which a layer computes."""
        return self._compute_dtype

    @property
    def variable_dtype(self) -> str:
        """The dtype in which a layer keeps its variables."""
        return self._variable_dtype

    @property
    def quantization_mode(self) -> str | None:
        """How weights are quantized: `"int8"`, `"int4"`, `"float8"`, `"gptq"`, `"awq"` or None."""
        return self._quantization_mode

    def convert_input(self, x: Any, autocast: bool, dtype: str) -> Any:
        """Arrays become floats of `dtype` where `autocast` asks for it."""
        from minikeras.engine.operation import as_input

        return as_input(x, dtypes.to_numpy_dtype(dtype) if autocast else None)

    def get_config(self) -> dict:
        """The configuration: the name."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict) -> DTypePolicy:
        """The policy that `config` describes."""
        return cls(**config)

    def __repr__(self) -> str:
        return f'<{type(self).__name__} "{self._name}">'

    def __eq__(self, other: Any) -> bool:
        return type(other) is type(self) and other._name == self._name

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._name))


@registry.policies.register("QuantizedDTypePolicy")
class QuantizedDTypePolicy(DTypePolicy):
    """A policy of layers whose weights are quantized.

    Args:
        mode: `"int8"`, `"int4"`, `"float8"`, `"gptq"` or `"awq"`.
        source_name: Name of the policy for everything else. Defaults to the global policy's.

    Raises:
        ValueError: for another mode, or int8 with computation in float16.

    Example:

    >>> import minikeras
    >>> policy = minikeras.dtype_policies.QuantizedDTypePolicy("int8", "mixed_bfloat16")
    >>> policy.name, policy.compute_dtype
    ('int8_from_mixed_bfloat16', 'bfloat16')
    """

    _keras_module = "keras.dtype_policies"

    def __init__(self, mode: str, source_name: str | None = None) -> None:
        if source_name is None:
            # That of a global policy which is quantized itself, too.
            source_name = getattr(dtype_policy(), "_source_name", dtype_policy().name)
        self._compute_in(source_name)
        check_mode(mode, self.compute_dtype)
        self._name = f"{mode}_from_{source_name}"
        self._source_name, self._quantization_mode = source_name, mode

    def get_config(self) -> dict:
        """The configuration."""
        return {"mode": self._name.split("_from_")[0], "source_name": self._source_name}


@registry.policies.register("QuantizedFloat8DTypePolicy")
class QuantizedFloat8DTypePolicy(QuantizedDTypePolicy):
    """A policy of layers that train in float8.

    Args:
        mode: `"float8"`.
        source_name: Name of the policy for everything else. Defaults to the global policy's.
        amax_history_length: Integer, default 1024. From how many steps scales are found.
    """

    default_amax_history_length = 1024

    def __init__(
        self, mode: str, source_name: str | None = None, amax_history_length: int = 1024
    ) -> None:
        super().__init__(mode, source_name)
        if not isinstance(amax_history_length, int):
            raise TypeError(
                "`amax_history_length` must be an integer. Received:"
                f" amax_history_length={amax_history_length!r}"
            )
        self._amax_history_length = amax_history_length

    @property
    def amax_history_length(self) -> int:
        """From how many steps scales are found."""
        return self._amax_history_length

    def __eq__(self, other: Any) -> bool:
        return super().__eq__(other) and other.amax_history_length == self.amax_history_length

    __hash__ = DTypePolicy.__hash__

    def get_config(self) -> dict:
        """The configuration."""
        return {**super().get_config(), "amax_history_length": self.amax_history_length}


class _ModeWithSettings(QuantizedDTypePolicy):
    """A mode with integers behind it; `_form` names them."""

    _form = ""
    _bits: tuple = ()

    def __init__(self, mode: str, source_name: str | None = None) -> None:
        names = self._form.split("/")
        given = mode.split("/")
        try:
            if len(given) != len(names) or given[0] != names[0]:
                raise ValueError
            values = [int(value) for value in given[1:]]
        except ValueError:
            raise ValueError(
                f"Invalid mode for {type(self).__name__}. Expected format '{self._form}' with"
                f" integers, but got {mode!r}."
            ) from None
        super().__init__(names[0], source_name)
        self._name = f"{mode}_from_{self._source_name}"
        self.mode = names[0]
        for name, value in zip(names[1:], values):
            name = name.strip("<>")
            bits = name == "weight_bits"
            if value not in self._bits if bits else value < -1 or value == 0:
                only = " AWQ only supports 4-bit quantization." if self.mode == "awq" else ""
                allowed = ", ".join(map(str, self._bits)) if bits else "-1 or a positive integer"
                raise ValueError(
                    f"Invalid {name} in mode.{only} Supported values are {allowed}, but got"
                    f" {value} from {mode!r}."
                )
            setattr(self, name, value)


@registry.policies.register("Int4DTypePolicy")
class Int4DTypePolicy(_ModeWithSettings):
    """A policy of layers with weights in four bits.

    Args:
        mode: `"int4/<block_size>"`, such as `"int4/128"`: so many inputs have a scale and a zero
            point of their own; -1 for one scale an output.
        source_name: Name of the policy for everything else. Defaults to the global policy's.
    """

    _form = "int4/<block_size>"
    block_size: int


@registry.policies.register("GPTQDTypePolicy")
class GPTQDTypePolicy(_ModeWithSettings):
    """A policy of layers with weights quantized by GPTQ.

    Args:
        mode: `"gptq/<weight_bits>/<group_size>"`, such as `"gptq/4/128"`: 2, 3, 4 or 8 bits, and
            how many inputs share a scale; -1 for all.
        source_name: Name of the policy for everything else. Defaults to the global policy's.
    """

    _form = "gptq/<weight_bits>/<group_size>"
    _bits = (2, 3, 4, 8)
    weight_bits: int
    group_size: int


@registry.policies.register("AWQDTypePolicy")
class AWQDTypePolicy(_ModeWithSettings):
    """A policy of layers with weights quantized by AWQ.

    Args:
        mode: `"awq/4/<group_size>"`, such as `"awq/4/128"`: how many inputs share a scale; -1 for
            all.
        source_name: Name of the policy for everything else. Defaults to the global policy's.
    """

    _form = "awq/<weight_bits>/<group_size>"
    _bits = (4,)
    weight_bits: int
    group_size: int


def check_mode(mode: Any, compute_dtype: str | None = None) -> None:
    """Raise a ValueError unless weights may be quantized so."""
    if mode not in QUANTIZATION_MODES:
        raise ValueError(
            f"Invalid quantization mode. Expected one of {QUANTIZATION_MODES}. Received:"
            f" mode={mode}"
        )
    if mode == "int8" and compute_dtype == "float16":
        raise ValueError(
            "Quantization mode='int8' doesn't work well with compute_dtype='float16'. Use another"
            " dtype policy, such as 'mixed_bfloat16'."
        )


@registry.policies.register("DTypePolicyMap")
class DTypePolicyMap(DTypePolicy, MutableMapping):
    """Policies by layer path, with a default for the rest.

    Args:
        default_policy: Policy or name for paths without an entry. Defaults to the global policy.
        policy_map: dict of path or regular expression to policy.
    """

    _keras_module = "keras.dtype_policies"
    # Each path has its own policy; some may be mixed.
    is_mixed = True

    def __init__(self, default_policy: Any = None, policy_map: dict | None = None) -> None:
        if isinstance(default_policy, DTypePolicyMap):
            raise ValueError("`default_policy` cannot be a `DTypePolicyMap`.")
        if policy_map is not None and not isinstance(policy_map, dict):
            raise TypeError(
                "If specified, `policy_map` must be a dict. Received:"
                f" policy_map={policy_map!r} (of type {type(policy_map)})"
            )
        self._default = default_policy
        self._policy_map = policy_map or {}

    @property
    def name(self) -> str:
        """`map_` and the name of the default policy."""
        return f"map_{self.default_policy.name}"

    @property
    def default_policy(self) -> DTypePolicy:
        """The policy of paths without an entry."""
        return get(self._default)

    @property
    def compute_dtype(self) -> str:
        """The compute dtype of the default policy."""
        return self.default_policy.compute_dtype

    @property
    def variable_dtype(self) -> str:
        """The variable dtype of the default policy."""
        return self.default_policy.variable_dtype

    @property
    def quantization_mode(self) -> str | None:
        """The quantization mode of the default policy."""
        return self.default_policy.quantization_mode

    def __getitem__(self, key: str) -> DTypePolicy:
        known = self._policy_map
        if key in known:
            return known[key]
        matches = [pattern for pattern in known if re.fullmatch(pattern, key)]
        if len(matches) > 1:
            raise ValueError(
                f"Path '{key}' matches multiple dtype policy specification keys: {matches}. Make"
                " one match."
            )
        return known[matches[0]] if matches else self.default_policy

    def __setitem__(self, key: str, policy: Any) -> None:
        if key in self._policy_map:
            raise ValueError(
                f"{key} already exist in the DTypePolicyMap with value {self._policy_map[key]}."
                " Delete it first."
            )
        try:
            self._policy_map[key] = get(policy)
        except (TypeError, ValueError) as error:
            raise ValueError(
                "Cannot interpret the assigned value by `keras.dtype_policies.get`. Received:"
                f" {policy!r} of type {type(policy)}"
            ) from error

    def __delitem__(self, key: str) -> None:
        del self._policy_map[key]

    def __contains__(self, key: Any) -> bool:
        return key in self._policy_map

    def __len__(self) -> int:
        return len(self._policy_map)

    def __iter__(self) -> Iterator[str]:
        return iter(self._policy_map)

    __eq__ = MutableMapping.__eq__
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        mapping = [(key, policy.name) for key, policy in self._policy_map.items()]
        return f"<DTypePolicyMap default_policy={self.default_policy.name}, mapping={mapping}>"

    def get_config(self) -> dict:
        """The default policy and the map."""
        policy_map = {key: serialize(policy) for key, policy in self._policy_map.items()}
        if self._default is None:
            # Where it is read, the global policy there counts.
            for one in policy_map.values():
                key = "source_name" if "source_name" in one["config"] else "name"
                one["config"][key] = None
        return {"default_policy": self._default, "policy_map": policy_map}

    @classmethod
    def from_config(cls, config: dict) -> DTypePolicyMap:
        """The map that `config` describes."""
        mapping = {key: deserialize(value) for key, value in config["policy_map"].items()}
        default = config["default_policy"]
        return cls(deserialize(default) if isinstance(default, dict) else default, mapping)


def dtype_policy() -> DTypePolicy:
    """The global policy."""
    policy = _global["policy"]
    if policy is None or _global["floatx"] != config.floatx():
        policy = get(config.floatx())
        if _global["policy"] is None or _global.get("default"):
            _global.update(policy=policy, floatx=config.floatx(), default=True)
        else:
            policy = _global["policy"]
    return policy


def set_dtype_policy(policy: Any) -> None:
    """Set the global policy: a name or a policy."""
    _cache.clear()
    if not isinstance(policy, (str, DTypePolicy)):
        raise ValueError(
            "Invalid `policy` argument. It must be a name such as 'mixed_float16' or a DTypePolicy."
            f" Received: policy={policy!r} (of type {type(policy)})"
        )
    policy = get(policy)
    _global.update(policy=policy, floatx=config.floatx(), default=False)


_cache: dict[str, DTypePolicy] = {}


def get(identifier: Any) -> Any:
    """The policy for None (the global one), a name, a dtype, a config dict or a policy."""
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        policy = deserialize(identifier)
        # Layers that share a policy share it in the next file as well.
        return get(policy.name) if type(policy) is DTypePolicy else policy
    if isinstance(identifier, str):
        policy = _cache.get(identifier)
        if policy is None:
            named = any(identifier.startswith(f"{mode}_") for mode in QUANTIZATION_MODES)
            named = named and identifier not in dtypes.FLOAT8 or "/" in identifier
            policy = (quantized_policy if named else DTypePolicy)(identifier)
            _cache[identifier] = policy
        return policy
    try:
        return DTypePolicy(dtypes.standardize_dtype(identifier))
    except (TypeError, ValueError):
        raise ValueError(
            f"Cannot interpret `dtype` argument {identifier!r}. Pass the name of a dtype, of a"
            " policy, or a DTypePolicy."
        ) from None


def quantized_policy(name: str) -> DTypePolicy:
    """The policy of a name such as `"int8_from_float32"`."""
    if not isinstance(name, str):
        raise TypeError(f"`policy` must be a string. Received: policy={name!r}")
    if not name.startswith(QUANTIZATION_MODES):
        raise ValueError(
            f"`policy` is incompatible with the current supported quantization. Received: {name!r}"
        )
    parts = name.split("_from_")
    if len(parts) != 2:
        raise ValueError(
            "Cannot convert `policy` into a valid pair (`mode`, `source_name`), as in"
            f" 'int8_from_float32'. Received: policy={name!r}"
        )
    kinds: dict[str, Any] = {
        "float8": QuantizedFloat8DTypePolicy, "gptq": GPTQDTypePolicy, "awq": AWQDTypePolicy
    }  # fmt: skip
    base, _, settings = parts[0].partition("/")
    if base == "int4" and settings:
        return Int4DTypePolicy(*parts)
    return kinds.get(base, QuantizedDTypePolicy)(*parts)


def serialize(dtype_policy: Any) -> dict:
    """The config of a policy."""
    from minikeras.engine import serialization

    return serialization.serialize(dtype_policy)


def deserialize(config: dict, custom_objects: dict | None = None) -> Any:
    """The policy that `config` describes."""
    return registry.policies.deserialize(config, custom_objects)

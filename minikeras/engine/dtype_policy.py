"""Dtype policies: in which type a layer computes and in which it keeps its variables."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import dtypes, registry

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

    def __init__(self, name: str | None = None) -> None:
        if name is None:
            name = dtype_policy().name
        if not isinstance(name, str):
            name = dtypes.standardize_dtype(name)
        self._name = name
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
        """None: no quantization."""
        return None

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


@registry.policies.register("DTypePolicyMap")
class DTypePolicyMap(dict):
    """Policies by layer path, with a default for the rest.

    Args:
        default_policy: Policy or name for paths without an entry. Defaults to the global policy.
        policy_map: dict of path or regular expression to policy.
    """

    # Each path has its own policy; some may be mixed.
    is_mixed = True

    def __init__(self, default_policy: Any = None, policy_map: dict | None = None) -> None:
        super().__init__(policy_map or {})
        self._default = default_policy

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
        import re

        if dict.__contains__(self, key):
            return dict.__getitem__(self, key)
        matches = [pattern for pattern in self if re.fullmatch(pattern, key)]
        if len(matches) > 1:
            raise ValueError(f"Path {key!r} matches several patterns: {matches}. Make one match.")
        return dict.__getitem__(self, matches[0]) if matches else self.default_policy

    def __setitem__(self, key: str, policy: Any) -> None:
        if key in self:
            raise ValueError(f"{key!r} already has the policy {dict.__getitem__(self, key)}.")
        dict.__setitem__(self, key, get(policy))

    def get_config(self) -> dict:
        """The default policy and the map."""
        return {
            "default_policy": self._default,
            "policy_map": {key: serialize(dict.__getitem__(self, key)) for key in self},
        }

    @classmethod
    def from_config(cls, config: dict) -> DTypePolicyMap:
        """The map that `config` describes."""
        mapping = {key: deserialize(value) for key, value in config["policy_map"].items()}
        default = config["default_policy"]
        return cls(deserialize(default) if isinstance(default, dict) else default, mapping)


def _no_quantization(name: str) -> type:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        raise ValueError(
            f"{name} is not available: minikeras computes in floating point and has no quantized"
            " layers. Use `DTypePolicy('float32')`."
        )

    return type(
        name,
        (DTypePolicy,),
        {"__init__": __init__, "__doc__": "Not available: minikeras has no quantized layers."},
    )


QuantizedDTypePolicy = _no_quantization("QuantizedDTypePolicy")
QuantizedFloat8DTypePolicy = _no_quantization("QuantizedFloat8DTypePolicy")
GPTQDTypePolicy = _no_quantization("GPTQDTypePolicy")
AWQDTypePolicy = _no_quantization("AWQDTypePolicy")


def dtype_policy() -> DTypePolicy:
    """The global policy."""
    policy = _global["policy"]
    if policy is None or _global["floatx"] != config.floatx():
        policy = DTypePolicy(config.floatx())
        if _global["policy"] is None or _global.get("default"):
            _global.update(policy=policy, floatx=config.floatx(), default=True)
        else:
            policy = _global["policy"]
    return policy


def set_dtype_policy(policy: Any) -> None:
    """Set the global policy: a name or a policy."""
    if isinstance(policy, str):
        policy = DTypePolicy(policy)
    if not isinstance(policy, DTypePolicy):
        raise ValueError(
            "Argument `policy` must be a name such as 'mixed_float16' or a DTypePolicy."
            f" Received: policy={policy!r} (of type {type(policy)})"
        )
    _global.update(policy=policy, floatx=config.floatx(), default=False)


_cache: dict[str, DTypePolicy] = {}


def get(identifier: Any) -> Any:
    """The policy for None (the global one), a name, a dtype, a config dict or a policy."""
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, (DTypePolicy, DTypePolicyMap)):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str):
        policy = _cache.get(identifier)
        if policy is None:
            policy = _cache[identifier] = DTypePolicy(identifier)
        return policy
    try:
        return DTypePolicy(dtypes.standardize_dtype(identifier))
    except (TypeError, ValueError):
        raise ValueError(
            f"Cannot interpret `dtype` argument {identifier!r}. Pass the name of a dtype, of a"
            " policy, or a DTypePolicy."
        ) from None


def serialize(dtype_policy: Any) -> dict:
    """The config of a policy."""
    from minikeras.engine import serialization

    return serialization.serialize(dtype_policy)


def deserialize(config: dict, custom_objects: dict | None = None) -> Any:
    """The policy that `config` describes."""
    return registry.policies.deserialize(config, custom_objects)


def is_float_array(x: Any) -> bool:
    """Whether `x` is a floating NumPy array."""
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"

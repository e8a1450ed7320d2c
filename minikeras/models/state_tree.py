"""A model's variables as nested dicts, by their paths."""

from __future__ import annotations

from typing import Any

_FORMATS = ("backend_tensor", "numpy_array")


def variables_of(model: Any) -> dict[str, list]:
    """The kinds of variables of a model."""
    optimizer = getattr(model, "optimizer", None)
    return {
        "trainable_variables": model.trainable_variables,
        "non_trainable_variables": model.non_trainable_variables,
        "optimizer_variables": [] if optimizer is None else list(optimizer.variables),
        "metrics_variables": model.metrics_variables,
    }


def state_tree(model: Any, value_format: str) -> dict[str, dict]:
    """The values of all variables of a model, nested by the parts of their paths."""
    if value_format not in _FORMATS:
        raise ValueError(
            f"Argument `value_format` must be one of {_FORMATS}. Received:"
            f" value_format={value_format!r}"
        )
    return {kind: _nest(variables, value_format) for kind, variables in variables_of(model).items()}


def _nest(variables: list, value_format: str) -> dict:
    nested: dict = {}
    seen = set()
    for variable in variables:
        if variable.path in seen:
            raise ValueError(
                "The following variable path is found twice in the model:"
                f" {variable.path!r}. Give layers of one kind different names."
            )
        seen.add(variable.path)
        *folders, last = variable.path.split("/")
        inner = nested
        for folder in folders:
            inner = inner.setdefault(folder, {})
        inner[last] = variable.numpy() if value_format == "numpy_array" else variable.value
    return nested


def assign_state_tree(model: Any, tree: dict) -> None:
    """Assign values that are nested as those of `state_tree`; what is not in it stays."""
    known = variables_of(model)
    for kind, nested in tree.items():
        if kind not in known:
            raise ValueError(f"Unknown variable name: {kind}. Expected some of {list(known)}.")
        values = _flatten(nested)
        for variable in known[kind]:
            if variable.path in values:
                variable.assign(values[variable.path])


def _flatten(nested: dict, prefix: str = "") -> dict[str, Any]:
    flat = {}
    for key, value in nested.items():
        if isinstance(value, dict):
            flat.update(_flatten(value, f"{prefix}{key}/"))
        else:
            flat[f"{prefix}{key}"] = value
    return flat

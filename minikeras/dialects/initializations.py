"""`keras.initializations` of Keras 1: functions of a shape that return a variable."""

from __future__ import annotations

from typing import Any

from minikeras import initializers
from minikeras.engine.variable import Variable

_OPTIONS: dict[str, str] = {
    "normal": "stddev",
    "uniform": "maxval",
    "identity": "gain",
    "orthogonal": "gain",
}
_TODAY: dict[str, str] = {
    "normal": "RandomNormal",
    "uniform": "RandomUniform",
    "zero": "Zeros",
    "one": "Ones",
    "identity": "Identity",
    "orthogonal": "Orthogonal",
    "glorot_normal": "GlorotNormal",
    "glorot_uniform": "GlorotUniform",
    "he_normal": "HeNormal",
    "he_uniform": "HeUniform",
    "lecun_uniform": "LecunUniform",
}
_SCALES = {"normal": 0.05, "uniform": 0.05, "identity": 1.0, "orthogonal": 1.1}


def _of(name: str) -> Any:
    def initialize(
        shape: Any, scale: float | None = None, name: str | None = None, dim_ordering: Any = None
    ) -> Any:
        options: dict = {}
        if key in _OPTIONS:
            scale = _SCALES[key] if scale is None else scale
            options[_OPTIONS[key]] = scale
            if key == "uniform":
                options["minval"] = -scale
        made = getattr(initializers, _TODAY[key])(**options)
        return Variable(made(tuple(shape)), name=name)

    key = name
    initialize.__name__ = name
    initialize.__doc__ = (
        f"A variable with the values of `initializers.{_TODAY[name]}`, as in Keras 1."
    )
    return initialize


for _name in _TODAY:
    globals()[_name] = _of(_name)


def get(identifier: Any, **_: Any) -> Any:
    """The function of a shape that a name, or a function, stands for."""
    if identifier in _TODAY if isinstance(identifier, str) else False:
        return globals()[identifier]
    found = initializers.get(identifier)
    return lambda shape, name=None, **_: Variable(found(tuple(shape)), name=name)

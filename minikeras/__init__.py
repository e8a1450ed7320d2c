"""Keras on NumPy: the public namespace, imported piece by piece as it is used.

`import minikeras` loads NumPy and little more; `minikeras.layers` or `minikeras.Model` are imported
when they are first asked for.

Example:

>>> import minikeras
>>> minikeras.config.floatx()
'float32'
"""

import sys
from importlib import import_module
from typing import Any

import numpy as np  # noqa: F401  (the one import that every use needs)

__version__ = "0.1.0"

_SUBMODULES = (
    "activations",
    "applications",
    "backend",
    "callbacks",
    "config",
    "constraints",
    "datasets",
    "distillation",
    "distribution",
    "dtype_policies",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "mixed_precision",
    "models",
    "ops",
    "optimizers",
    "preprocessing",
    "random",
    "regularizers",
    "saving",
    "tree",
    "utils",
    "wrappers",
)

# Public name -> the module that defines it.
_NAMES = {
    "DTypePolicy": "dtype_policies",
    "FloatDTypePolicy": "dtype_policies",
    "Function": "models",
    "GradientTape": "gradient_tape",
    "Initializer": "initializers",
    "Input": "layers",
    "InputSpec": "layers",
    "KerasTensor": "engine.symbolic",
    "Layer": "layers",
    "Loss": "losses",
    "Metric": "metrics",
    "Model": "models",
    "Operation": "engine.operation",
    "Optimizer": "optimizers",
    "Quantizer": "quantizers",
    "Regularizer": "regularizers",
    "RematScope": "backend",
    "Sequential": "models",
    "Variable": "engine.variable",
    "device": "backend",
    "install_as_keras": "standin",
    "name_scope": "backend",
    "remat": "backend",
    "uninstall_as_keras": "standin",
}

__all__ = ["__version__", "version", *_NAMES, *_SUBMODULES]


def version() -> str:
    """Returns the version of minikeras.

    >>> import minikeras
    >>> minikeras.version() == minikeras.__version__
    True
    """
    return __version__


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        value = getattr(import_module(f"{__name__}.{_NAMES[name]}"), name)
    elif name in _SUBMODULES:
        value = import_module(f"{__name__}.{name}")
    elif name in ("initializations", "objectives"):  # modules of Keras 1
        value = import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))


class _OlderPaths:
    """Finds modules that older versions of Keras had, where no module of today is found."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        if name.startswith(f"{__name__}.") and not name.startswith(f"{__name__}.dialects"):
            return import_module(f"{__name__}.dialects.names").find_spec(name)
        return None


sys.meta_path.append(_OlderPaths)  # type: ignore[arg-type]

"""Optimizers, under Keras's names."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from minikeras.engine import registry
from minikeras.engine.spelling import answer_calls, older_names
from minikeras.optimizers import schedules
from minikeras.optimizers.adagrad import Adadelta, Adafactor, Adagrad, Ftrl
from minikeras.optimizers.adam import Adam, AdamW, Lamb, Lion
from minikeras.optimizers.adamax import Adamax, Muon, Nadam, ScheduleFreeAdamW
from minikeras.optimizers.base import Optimizer
from minikeras.optimizers.kernel import SGD, RMSprop
from minikeras.optimizers.multi import LossScaleOptimizer, MultiOptimizer, OptimizerMap

__all__ = [
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "LossScaleOptimizer",
    "MultiOptimizer",
    "Muon",
    "Nadam",
    "Optimizer",
    "OptimizerMap",
    "RMSprop",
    "ScheduleFreeAdamW",
    "deserialize",
    "get",
    "legacy",
    "schedules",
    "serialize",
]

# Those of Keras 2 are today's, which know the old arguments.
legacy = sys.modules[f"{__name__}.legacy"] = ModuleType(f"{__name__}.legacy")
vars(legacy).update({one.__name__: one for one in (SGD, Adagrad, Adam, Ftrl, Optimizer, RMSprop)})


def serialize(optimizer: Any) -> dict:
    """The config of an optimizer, as a dict."""
    return registry.optimizers.serialize(optimizer)


def deserialize(config: Any, custom_objects: dict | None = None) -> Any:
    """The optimizer that `serialize` described.

    Args:
        config: dict with `class_name` and `config`. The class name may be in lower case.
        custom_objects: dict of names to the user's own classes.

    Raises:
        ValueError: for an unknown class.
    """
    return registry.optimizers.deserialize(config, custom_objects)


def get(identifier: Any) -> Any:
    """The optimizer that `identifier` means.

    Args:
        identifier: Name in any case, config dict, optimizer, or None.

    Raises:
        ValueError: for an unknown name or a thing of another kind.

    Example:

    >>> import minikeras
    >>> type(minikeras.optimizers.get("adam")).__name__
    'Adam'
    """
    found = registry.optimizers.get(identifier)
    if found is None or isinstance(found, Optimizer):
        return found
    raise ValueError(
        f"Could not interpret optimizer identifier: {identifier!r}. Pass the name of an optimizer,"
        " an instance, or its config."
    )


__getattr__ = older_names("optimizers")

# Keras 1 and 2 called optimizers so, which are modules here.
for _optimizer in (Adagrad, Adam, Adamax, RMSprop, SGD):
    answer_calls(_optimizer.__module__, _optimizer)

"""What is measured. Each module is a workload, or several with `VARIANTS`.

A workload of `KIND = "fit"` states `BATCH`, `data()` and `build(keras)`, the same source for every
Keras; and, where they apply, `torch_parts(torch)`, `sklearn_model()` and `floor()`, a function of
one epoch's unavoidable matrix products. One of `KIND = "call"` offers `call(keras)`,
`torch_call()`, `sklearn_call()`, `onnx_call()`, `floor_call()`: they return the function that is
timed. One of `KIND = "process"`
offers `script(peer)`: source whose whole process is timed.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import SimpleNamespace
from typing import Any


def names() -> list[str]:
    """The names of all workloads, in the order of `ORDER`, then by name."""
    found = []
    for module in pkgutil.iter_modules(__path__):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        variants = getattr(loaded, "VARIANTS", None)
        found += [(loaded.ORDER, name) for name in (variants or [module.name.replace("_", "-")])]
    return [name for _, name in sorted(found, key=lambda pair: pair[0])]


def load(name: str) -> Any:
    """The workload called `name`."""
    for module in pkgutil.iter_modules(__path__):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        variants = getattr(loaded, "VARIANTS", None)
        if variants and name in variants:
            return SimpleNamespace(**{"TITLE": loaded.__doc__, **loaded.variant(**variants[name])})
        if not variants and module.name.replace("_", "-") == name:
            vars(loaded).setdefault("TITLE", loaded.__doc__)
            return loaded
    raise SystemExit(f"No workload is called {name!r}. There are: {', '.join(names())}")

"""Which public name each name inside Keras stands for: `keras.src...` -> `keras...`.

`python compat/keras_suite/names.py` makes `names.json` anew, with the Keras that is installed.

Keras's tests import from `keras.src`. An object found there that is also found under a public
name is that public name; what is left is private.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import pkgutil
import sys
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent
FILE = HERE / "names.json"

# Modules that need other frameworks, or belong to other people's names.
SKIPPED = ("jax", "torch", "openvino", "numpy.core", "tensorflow")


def load() -> dict:
    """`{"modules": [...], "names": {"module": {"name": "public name"}}, "aliases": {...}}`."""
    return json.loads(FILE.read_text())


def public_objects() -> tuple[dict[int, str], list[str]]:
    """id of an object -> its public name; and the public modules."""
    import keras

    names: dict[int, str] = {}
    modules = ["keras"]
    todo = [("keras", keras)]
    while todo:
        path, module = todo.pop(0)
        for name, value in sorted(vars(module).items()):
            if name.startswith("_") or name == "src":
                continue
            if isinstance(value, ModuleType):
                if value.__name__ == f"{path}.{name}":
                    modules.append(value.__name__)
                    todo.append((value.__name__, value))
            elif callable(value):
                known = names.get(id(value))
                if known is None or rank(f"{path}.{name}") < rank(known):
                    names[id(value)] = f"{path}.{name}"
    return names, modules


def rank(name: str) -> tuple:
    """Plain names first, those of older Keras last."""
    return ("legacy" in name, "preprocessing" in name, name.count("."), name)


def build() -> dict:
    """The table of names."""
    import keras

    public, public_modules = public_objects()
    names: dict[str, dict[str, str]] = {}
    aliases: dict[str, str] = {}
    modules = list(public_modules)
    for info in pkgutil.walk_packages(keras.src.__path__, "keras.src.", onerror=lambda _: None):
        if info.name.endswith("_test") or any(f".backend.{s}" in info.name for s in SKIPPED):
            continue
        try:
            module = importlib.import_module(info.name)
        except Exception:
            continue
        modules.append(info.name)
    for path in [*modules, "keras.src"]:
        module = importlib.import_module(path)
        for name, value in sorted(vars(module).items()):
            if name.startswith("__"):
                continue
            if isinstance(value, ModuleType):
                if value.__name__.startswith("keras.") and value.__name__ != f"{path}.{name}":
                    aliases[f"{path}.{name}"] = value.__name__
            elif callable(value) and id(value) in public and not inspect.isbuiltin(value):
                if public[id(value)] != f"{path}.{name}":
                    names.setdefault(path, {})[name] = public[id(value)]
    # The backend at work is bound at run time.
    aliases = {
        k: v.replace("keras.src.backend.tensorflow", "keras.src.backend")
        for k, v in aliases.items()
    }
    aliases = {k: v for k, v in aliases.items() if k != v}
    return {
        "keras": keras.__version__,
        "public": sorted(public_modules),
        "modules": sorted({*modules, "keras.src"} - set(public_modules)),
        "aliases": dict(sorted(aliases.items())),
        "names": {k: dict(sorted(v.items())) for k, v in sorted(names.items())},
    }


if __name__ == "__main__":
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.path.pop(0)
    FILE.write_text(json.dumps(build(), indent=0) + "\n")
    print(FILE, FILE.stat().st_size)

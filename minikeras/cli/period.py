"""What scripts of the years of Keras 1 and 2 expect of other packages.

Names that those packages dropped since, where another name means the same: aliases of NumPy,
module names of scikit-learn, the image functions of SciPy. Only in the process of
`python -m minikeras run`, and only what the script names.
"""

from __future__ import annotations

import importlib
import re
import sys
from types import ModuleType
from typing import Any

import numpy as np

_ALIASES: dict[str, Any] = {
    "bool": bool, "complex": complex, "float": float, "int": int, "long": int, "object": object,
    "str": str, "unicode": str, "Inf": np.inf, "Infinity": np.inf, "infty": np.inf, "NaN": np.nan,
    "NINF": -np.inf, "float_": np.float64, "product": np.prod, "row_stack": np.vstack,
}  # fmt: skip
_MOVED = {
    "sklearn.cross_validation": "sklearn.model_selection",
    "sklearn.externals.joblib": "joblib",
    "sklearn.grid_search": "sklearn.model_selection",
}
_IMAGES = ("imread", "imresize", "imsave", "toimage")


def supply(source: str) -> list[str]:
    """Supply what a script names of it and is not there; returns what was supplied.

    Args:
        source: The text of the script.
    """
    supplied = []
    for name in sorted(set(re.findall(r"\bn(?:um)?py?\.(\w+)\b", source)) & set(_ALIASES)):
        if name not in np.__dict__:
            setattr(np, name, _ALIASES[name])
            supplied.append(f"numpy.{name}")
    for old, today in _MOVED.items():
        last = old.rpartition(".")[2]
        if re.search(rf"\b{last}\b", source) and not _is_there(old) and _is_there(today):
            _put(old, importlib.import_module(today))
            supplied.append(old)
    if re.search(r"\bscipy\.misc\b|from scipy import misc", source) and _is_there("scipy"):
        module = _misc()
        if module is not None:
            _put("scipy.misc", module)
            supplied.append("scipy.misc")
    return supplied


def _is_there(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def _put(name: str, module: ModuleType) -> None:
    parent, _, last = name.rpartition(".")
    sys.modules[name] = module
    if parent not in sys.modules and not _is_there(parent):
        sys.modules[parent] = ModuleType(parent)
    setattr(sys.modules[parent], last, module)


def _misc() -> ModuleType | None:
    """`scipy.misc` with its functions of images, by Pillow; None where SciPy has them."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = importlib.import_module("scipy.misc") if _is_there("scipy.misc") else None
        if own is not None and hasattr(own, "imsave"):
            return None
    module = ModuleType("scipy.misc", "The functions of images that SciPy had.")
    module.__dict__.update({name: globals()[f"_{name}"] for name in _IMAGES})
    if own is not None:
        module.__getattr__ = lambda name: getattr(own, name)  # type: ignore[method-assign]
    return module


def _toimage(array: Any) -> Any:
    from PIL import Image

    array = np.asarray(array)
    if array.dtype != np.uint8:
        # SciPy stretched them to the whole range.
        low, span = array.min(), np.ptp(array)
        array = (array - low) * (255.0 / span if span else 1.0) + 0.4999999
        array = np.clip(array, 0, 255).astype("uint8")
    return Image.fromarray(array)


def _imsave(name: Any, array: Any, format: str | None = None) -> None:
    _toimage(array).save(name, format)


def _imread(name: Any, flatten: bool = False, mode: str | None = None) -> Any:
    from PIL import Image

    image: Any = Image.open(name)
    if mode or image.mode == "P":
        image = image.convert(mode or "RGB")
    return np.asarray(image.convert("F") if flatten else image)


def _imresize(array: Any, size: Any, interp: str = "bilinear", mode: str | None = None) -> Any:
    from PIL import Image

    image = _toimage(array)
    width, height = image.size
    if isinstance(size, (int, np.integer)):
        size = (height * size // 100, width * size // 100)
    elif isinstance(size, float):
        size = (int(height * size), int(width * size))
    ways = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "cubic": 3}
    resized = image.resize((size[1], size[0]), Image.Resampling(ways[interp]))
    return np.asarray(resized)

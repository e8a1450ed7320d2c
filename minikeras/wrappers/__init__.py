"""Models as scikit-learn estimators.

`SKLearnClassifier`, `SKLearnRegressor` and `SKLearnTransformer` are those of Keras 3;
`minikeras.wrappers.scikit_learn` has the `KerasClassifier` and `KerasRegressor` of Keras 1 and 2.
scikit-learn is imported when one of the first three is asked for.
"""

from importlib import import_module
from typing import Any

__all__ = ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        import sklearn  # noqa: F401
    except ImportError:
        raise ImportError(
            f'{name} needs scikit-learn. Install it with: pip install "minikeras[sklearn]"'
        ) from None
    value = getattr(import_module(f"{__name__}.estimators"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))

"""The scikit-learn wrappers of Keras 1 and 2: a function that builds a model, and its settings.

Keras 3 has `SKLearnClassifier` and `SKLearnRegressor` in their place.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from minikeras.dialects import calls
from minikeras.models import Model
from minikeras.utils.numerical import to_categorical

__all__ = ["BaseWrapper", "KerasClassifier", "KerasRegressor"]


def _takes(function: Callable, name: str) -> bool:
    """Whether `function` names the argument; `**kwargs` do not count."""
    parameter = inspect.signature(function).parameters.get(name)
    return parameter is not None and parameter.kind in (
        parameter.POSITIONAL_OR_KEYWORD,
        parameter.KEYWORD_ONLY,
    )


class BaseWrapper:
    """What the classifier and the regressor share.

    Args:
        build_fn: Function, method or callable object that returns a compiled model. None: the
            `__call__` of a subclass does.
        **sk_params: Arguments of `build_fn`, and of the model's `fit`, `predict` and `evaluate`
            (`epochs`, `batch_size`, `verbose`, `callbacks`...). A method of the wrapper that
            receives one of them prefers what it receives.

    Raises:
        ValueError: one of `sk_params` belongs to none of these.
    """

    _kind = ""

    def __init__(self, build_fn: Callable | None = None, **sk_params: Any) -> None:
        self.build_fn = build_fn
        self.sk_params = sk_params
        self.check_params(sk_params)

    def _builder(self) -> Callable:
        if self.build_fn is not None:
            return self.build_fn
        if callable(self):
            return self
        raise ValueError(
            f"{type(self).__name__} needs `build_fn`, a function that returns a compiled model,"
            " or a subclass with `__call__`. Received: build_fn=None"
        )

    def check_params(self, params: dict) -> None:
        """Checks names of settings.

        Args:
            params: Dict of settings.

        Raises:
            ValueError: a name is no argument of the builder, `fit`, `predict` or `evaluate`.
        """
        takers = (Model.fit, Model.predict, Model.evaluate, self._builder())
        for name in params:
            new = calls.RENAMED.get(name, name)
            if new not in calls.GONE and not any(
                _takes(taker, one) for taker in takers for one in (name, new)
            ):
                raise ValueError(
                    f"{name!r} is not a legal parameter: it is no argument of `build_fn`, nor of"
                    " `fit`, `predict` or `evaluate` of models."
                )

    def get_params(self, **params: Any) -> dict:
        """All settings, `build_fn` among them.

        Args:
            **params: What scikit-learn passes (`deep`); nothing depends on it.
        """
        # The values themselves: scikit-learn checks that a clone has what it was given.
        return {**self.sk_params, "build_fn": self.build_fn}

    def set_params(self, **params: Any) -> BaseWrapper:
        """Changes settings.

        Args:
            **params: Settings by name.

        Returns:
            The wrapper.

        Raises:
            ValueError: a name is not legal.
        """
        self.build_fn = params.pop("build_fn", self.build_fn)
        self.check_params(params)
        self.sk_params.update(params)
        return self

    def filter_sk_params(self, fn: Callable, override: dict | None = None) -> dict:
        """The settings that `fn` has arguments for.

        Args:
            fn: A function.
            override: Dict of arguments that come before the settings, or None.
        """
        found = {}
        for name, value in self.sk_params.items():
            new = calls.RENAMED.get(name, name)
            if _takes(fn, name):
                found[name] = value
            elif _takes(fn, new):
                found[new] = value
        found.update(override or {})
        return found

    def fit(self, x: Any, y: Any, **kwargs: Any) -> Any:
        """Builds a new model and fits it.

        Args:
            x: Array of shape `(n_samples, ...)`.
            y: Array of shape `(n_samples,)` or `(n_samples, n_outputs)`.
            **kwargs: Arguments of the model's `fit`.

        Returns:
            The `History` of the training.
        """
        builder = self._builder()
        self.model = builder(**self.filter_sk_params(builder))
        if _is_categorical(self.model.loss) and len(np.shape(y)) != 2:
            y = to_categorical(y)
        # Callbacks remember things: each fit has its own.
        settings = copy.deepcopy(self.filter_sk_params(Model.fit))
        return self.model.fit(x, y, **{**settings, **kwargs})

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model")

    @property
    def _estimator_type(self) -> str:  # before scikit-learn 1.6
        return self._kind

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags

        classifier = self._kind == "classifier"
        return Tags(
            estimator_type=self._kind,  # type: ignore[arg-type]
            target_tags=TargetTags(required=True, multi_output=True),
            transformer_tags=None,
            classifier_tags=ClassifierTags(multi_label=True) if classifier else None,
            regressor_tags=None if classifier else RegressorTags(),
            input_tags=InputTags(three_d_array=True),
            non_deterministic=True,
        )


def _is_categorical(loss: Any) -> bool:
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", None)
    return name == "categorical_crossentropy" or (type(loss).__name__ == "CategoricalCrossentropy")


class KerasClassifier(BaseWrapper):
    """A classifier for scikit-learn, as Keras 1 and 2 had it.

    Args:
        build_fn: Function, method or callable object that returns a compiled model. None: the
            `__call__` of a subclass does.
        **sk_params: Arguments of `build_fn`, and of the model's `fit`, `predict` and `evaluate`
            (`epochs`, `batch_size`, `verbose`, `callbacks`...).

    Raises:
        ValueError: one of `sk_params` belongs to none of these.

    Example:

    >>> import minikeras, numpy as np
    >>> from sklearn.model_selection import GridSearchCV
    >>> from minikeras.wrappers.scikit_learn import KerasClassifier
    >>> def build(width=4):
    ...     model = minikeras.Sequential()
    ...     model.add(minikeras.layers.Dense(width, activation="relu", input_shape=(3,)))
    ...     model.add(minikeras.layers.Dense(1, activation="sigmoid"))
    ...     model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    ...     return model
    >>> x, y = np.random.rand(30, 3), np.array([0, 1] * 15)
    >>> grid = GridSearchCV(KerasClassifier(build, verbose=0), {"width": [2, 4], "epochs": [1, 2]})
    >>> sorted(grid.fit(x, y).best_params_)
    ['epochs', 'width']
    """

    _kind = "classifier"

    def fit(self, x: Any, y: Any, sample_weight: Any = None, **kwargs: Any) -> Any:
        """Builds a new model and fits it.

        Args:
            x: Array of shape `(n_samples, ...)`.
            y: Labels of shape `(n_samples,)` or `(n_samples, 1)`, or one-hot of shape
                `(n_samples, n_classes)`.
            sample_weight: Array of shape `(n_samples,)`, or None.
            **kwargs: Arguments of the model's `fit`.

        Returns:
            The `History` of the training.

        Raises:
            ValueError: `y` has another shape.
        """
        y = np.array(y)
        if y.ndim == 2 and y.shape[1] > 1:
            self.classes_ = np.arange(y.shape[1])
        elif y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1):
            self.classes_ = np.unique(y)
            y = np.searchsorted(self.classes_, y)
        else:
            raise ValueError(
                "`y` must be of shape (n_samples,), (n_samples, 1) or (n_samples, n_classes)."
                f" Received shape: {y.shape}"
            )
        self.n_classes_ = len(self.classes_)
        if sample_weight is not None:
            kwargs["sample_weight"] = sample_weight
        return super().fit(x, y, **kwargs)

    def predict(self, x: Any, **kwargs: Any) -> np.ndarray:
        """The labels of the likeliest classes.

        Args:
            x: Array of shape `(n_samples, ...)`.
            **kwargs: Arguments of the model's `predict`.

        Returns:
            Labels of shape `(n_samples,)`; `(n_samples, 1)` where the model has one output.
        """
        y = self.model.predict(x, **self.filter_sk_params(Model.predict, kwargs))
        classes = y.argmax(axis=-1) if y.shape[-1] > 1 else (y > 0.5).astype("int32")
        return self.classes_[classes]

    def predict_proba(self, x: Any, **kwargs: Any) -> np.ndarray:
        """The probabilities of the classes.

        Args:
            x: Array of shape `(n_samples, ...)`.
            **kwargs: Arguments of the model's `predict`.

        Returns:
            Array of shape `(n_samples, n_classes)`; two columns where the model has one output.
        """
        y = self.model.predict(x, **self.filter_sk_params(Model.predict, kwargs))
        return np.hstack([1 - y, y]) if y.shape[1] == 1 else y

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """The accuracy.

        Args:
            x: Array of shape `(n_samples, ...)`.
            y: Labels, as for `fit`.
            **kwargs: Arguments of the model's `evaluate`.

        Raises:
            ValueError: the model was not compiled with `metrics=["accuracy"]`.
        """
        y = np.searchsorted(self.classes_, y)
        if _is_categorical(self.model.loss) and y.ndim != 2:
            y = to_categorical(y, len(self.classes_))
        kwargs = self.filter_sk_params(Model.evaluate, kwargs)
        kwargs.pop("return_dict", None)
        found = self.model.evaluate(x, y, return_dict=True, **kwargs)
        for name in ("accuracy", "acc"):
            if name in found:
                return found[name]
        raise ValueError(
            "The model does not compute accuracy. Pass `metrics=['accuracy']` to its `compile`."
        )


class KerasRegressor(BaseWrapper):
    """A regressor for scikit-learn, as Keras 1 and 2 had it.

    Args:
        build_fn: Function, method or callable object that returns a compiled model. None: the
            `__call__` of a subclass does.
        **sk_params: Arguments of `build_fn`, and of the model's `fit`, `predict` and `evaluate`
            (`epochs`, `batch_size`, `verbose`, `callbacks`...).

    Raises:
        ValueError: one of `sk_params` belongs to none of these.

    Example:

    >>> import minikeras, numpy as np
    >>> from sklearn.model_selection import cross_val_score
    >>> from minikeras.wrappers.scikit_learn import KerasRegressor
    >>> def build():
    ...     model = minikeras.Sequential([minikeras.layers.Dense(1, input_shape=(3,))])
    ...     model.compile("sgd", "mean_squared_error")
    ...     return model
    >>> x = np.random.rand(30, 3)
    >>> scores = cross_val_score(KerasRegressor(build, epochs=2, verbose=0), x, x.sum(1), cv=3)
    >>> bool((scores < 0).all())
    True
    """

    _kind = "regressor"

    def predict(self, x: Any, **kwargs: Any) -> np.ndarray:
        """The predictions.

        Args:
            x: Array of shape `(n_samples, ...)`.
            **kwargs: Arguments of the model's `predict`.

        Returns:
            Array of shape `(n_samples,)`, or `(n_samples, n_outputs)`.
        """
        y = self.model.predict(x, **self.filter_sk_params(Model.predict, kwargs))
        return y[..., 0] if y.shape[-1] == 1 else y

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """The negated loss: more is better.

        Args:
            x: Array of shape `(n_samples, ...)`.
            y: Targets.
            **kwargs: Arguments of the model's `evaluate`.
        """
        found = self.model.evaluate(x, y, **self.filter_sk_params(Model.evaluate, kwargs))
        return -(found[0] if isinstance(found, list) else found)

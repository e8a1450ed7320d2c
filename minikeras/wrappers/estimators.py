"""The scikit-learn estimators of Keras 3. They subclass scikit-learn's own: it must be there."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from minikeras.models import Model, clone_model


def _validate(estimator: Any, *args: Any, **kwargs: Any) -> Any:
    """scikit-learn's check of the inputs, wherever its version keeps it."""
    try:
        from sklearn.utils.validation import validate_data
    except ImportError:  # before 1.6
        return estimator._validate_data(*args, **kwargs)
    return validate_data(estimator, *args, **kwargs)


def _target_type(y: Any) -> str:
    kind = type_of_target(y)
    if kind == "unknown":
        raise ValueError(f"Unknown label type for data: {y!r}")
    return kind


class _Estimator(BaseEstimator):
    def __init__(
        self,
        model: Model | Callable,
        warm_start: bool = False,
        model_kwargs: dict | None = None,
        fit_kwargs: dict | None = None,
    ) -> None:
        self.model = model
        self.warm_start = warm_start
        self.model_kwargs = model_kwargs
        self.fit_kwargs = fit_kwargs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True
        return tags

    def _more_tags(self) -> dict:  # before scikit-learn 1.6
        return {"non_deterministic": True}

    def __sklearn_clone__(self) -> _Estimator:
        settings = self.get_params(deep=False)
        if isinstance(self.model, Model):
            settings["model"] = copy.deepcopy(self.model)
        return type(self)(**settings)

    @property
    def epoch_(self) -> int:
        """Epochs of the last `fit`; 0 before."""
        return len(self.history_.epoch) if hasattr(self, "history_") else 0

    def set_fit_request(self, **kwargs: Any) -> _Estimator:
        """Requests metadata for `fit`, where scikit-learn's metadata routing is on.

        Args:
            **kwargs: `name=alias`, with an alias of True, False, None or a string.

        Raises:
            RuntimeError: metadata routing is off.
        """
        if not sklearn.get_config().get("enable_metadata_routing", False):
            raise RuntimeError(
                "`set_fit_request` needs metadata routing. Turn it on with "
                "`sklearn.set_config(enable_metadata_routing=True)`."
            )
        requests = self._get_metadata_request()
        for name, alias in kwargs.items():
            requests.fit.add_request(param=name, alias=alias)
        self._metadata_request = requests
        return self

    def _get_model(self, X: np.ndarray, y: np.ndarray) -> Model:
        if self.warm_start and hasattr(self, "model_"):
            return self.model_
        if not isinstance(self.model, Model):
            model = self.model(X=X, y=y, **(self.model_kwargs or {}))
        else:
            model = self.model if self.warm_start else _clone_compiled(self.model)
        if not (model.compiled and model.loss and model.optimizer):
            raise RuntimeError(
                "The model must be compiled, with a loss and an optimizer. "
                "Call its `compile` before it is given to the wrapper."
            )
        return model

    def fit(self, X: Any, y: Any, **kwargs: Any) -> _Estimator:
        """Fits the model.

        Args:
            X: Array of shape `(n_samples, n_features)`.
            y: Array of shape `(n_samples,)` or `(n_samples, n_outputs)`.
            **kwargs: Arguments of `Model.fit`; they come before those of `fit_kwargs`.

        Returns:
            The estimator.
        """
        shape = np.asarray(y).shape
        several = len(shape) == 2 and shape[1] > 1  # a column is still a mistake, and warned of
        X, y = _validate(self, X, y, multi_output=several)
        y = self._process_target(y, reset=True)
        model = self._get_model(X, y)
        self.history_ = model.fit(X, y, **{**(self.fit_kwargs or {}), **kwargs})
        self.model_ = model
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predicts targets of the kind that `fit` was given.

        Args:
            X: Array of shape `(n_samples, n_features)`.
        """
        return self._reverse_process_target(self._outputs(X))

    def _outputs(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return self.model_.predict(_validate(self, X, reset=False))

    def _process_target(self, y: np.ndarray, reset: bool = False) -> np.ndarray:
        """The targets as the model learns them: with an axis of outputs."""
        _target_type(y)
        if reset:
            self._one_dimensional = y.ndim == 1
        return y.reshape(-1, 1) if y.ndim == 1 else y

    def _reverse_process_target(self, y: np.ndarray) -> np.ndarray:
        return np.squeeze(y, axis=1) if self._one_dimensional and y.ndim == 2 else y


def _clone_compiled(model: Model) -> Model:
    """A clone with fresh weights, compiled as the model is."""
    clone = clone_model(model)
    if model.compiled and not clone.compiled:
        clone.compile_from_config(model.get_compile_config())
    return clone


class SKLearnClassifier(ClassifierMixin, _Estimator):
    """A classifier of scikit-learn around a model.

    The model learns the classes one-hot; `predict` returns the labels that `fit` was given.

    Args:
        model: A compiled `Model`, or a function that returns one. A model is cloned, with fresh
            weights, before it is fitted, unless `warm_start=True`. A function is called as
            `model(X=X, y=y, **model_kwargs)` with the data that `fit` received; `y` is one-hot.
        warm_start: Boolean, default False. True: each `fit` goes on with the weights of the last.
        model_kwargs: Dict of more arguments for `model`, if that is a function.
        fit_kwargs: Dict of arguments for `Model.fit`, such as `{"epochs": 5}`.

    Attributes:
        model_: The fitted model.
        history_: The `History` of its training.
        classes_: Array of the labels, sorted.

    Example:

    >>> import minikeras, numpy as np
    >>> from sklearn.model_selection import cross_val_score
    >>> def build(X, y, width=8):
    ...     model = minikeras.Sequential([
    ...         minikeras.Input((X.shape[1],)),
    ...         minikeras.layers.Dense(width, "relu"),
    ...         minikeras.layers.Dense(y.shape[1], "softmax"),
    ...     ])
    ...     model.compile("adam", "categorical_crossentropy")
    ...     return model
    >>> classifier = minikeras.wrappers.SKLearnClassifier(
    ...     build, model_kwargs={"width": 4}, fit_kwargs={"epochs": 2, "verbose": 0}
    ... )
    >>> x, y = np.random.rand(30, 3), np.array(["no", "yes"] * 15)
    >>> classifier.fit(x, y).predict(x).shape
    (30,)
    >>> cross_val_score(classifier, x, y, cv=3).shape
    (3,)
    """

    def decision_function(self, X: Any) -> np.ndarray:
        """The outputs of the model.

        Args:
            X: Array of shape `(n_samples, n_features)`.

        Returns:
            Array of shape `(n_samples, n_classes)`.
        """
        return self._outputs(X)

    def _process_target(self, y: np.ndarray, reset: bool = False) -> np.ndarray:
        kind = _target_type(y)
        if kind not in ("binary", "multiclass"):
            raise ValueError(
                f"Only binary and multiclass target types are supported. Target type: {kind}"
            )
        labels = y.reshape(-1)
        if reset:
            self._one_dimensional = y.ndim == 1
            self.classes_ = np.unique(labels)
            if len(self.classes_) == 1:
                raise ValueError("Classifier can't train when only one class is present.")
        return (labels[:, None] == self.classes_).astype(float)

    def _reverse_process_target(self, y: np.ndarray) -> np.ndarray:
        labels = self.classes_[y.argmax(axis=-1)]
        return labels if self._one_dimensional else labels.reshape(-1, 1)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags

    def _more_tags(self) -> dict:
        return {"poor_score": True}


class SKLearnRegressor(RegressorMixin, _Estimator):
    """A regressor of scikit-learn around a model.

    Args:
        model: A compiled `Model`, or a function that returns one. A model is cloned, with fresh
            weights, before it is fitted, unless `warm_start=True`. A function is called as
            `model(X=X, y=y, **model_kwargs)` with the data that `fit` received; `y` has two axes.
        warm_start: Boolean, default False. True: each `fit` goes on with the weights of the last.
        model_kwargs: Dict of more arguments for `model`, if that is a function.
        fit_kwargs: Dict of arguments for `Model.fit`, such as `{"epochs": 5}`.

    Attributes:
        model_: The fitted model.
        history_: The `History` of its training.

    Example:

    >>> import minikeras, numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> model = minikeras.Sequential([minikeras.Input((3,)), minikeras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> regressor = minikeras.wrappers.SKLearnRegressor(model, fit_kwargs={"verbose": 0})
    >>> x = np.random.rand(20, 3)
    >>> make_pipeline(StandardScaler(), regressor).fit(x, x.sum(1)).predict(x).shape
    (20,)
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags

    def _more_tags(self) -> dict:
        return {"poor_score": True}


class SKLearnTransformer(TransformerMixin, _Estimator):
    """A transformer of scikit-learn around a model: its outputs are features for the next step.

    Args:
        model: A compiled `Model`, or a function that returns one. A model is cloned, with fresh
            weights, before it is fitted, unless `warm_start=True`. A function is called as
            `model(X=X, y=y, **model_kwargs)` with the data that `fit` received; `y` has two axes.
        warm_start: Boolean, default False. True: each `fit` goes on with the weights of the last.
        model_kwargs: Dict of more arguments for `model`, if that is a function.
        fit_kwargs: Dict of arguments for `Model.fit`, such as `{"epochs": 5}`.

    Attributes:
        model_: The fitted model.
        history_: The `History` of its training.

    Example:

    >>> import minikeras, numpy as np
    >>> model = minikeras.Sequential([minikeras.Input((3,)), minikeras.layers.Dense(2)])
    >>> model.compile("sgd", "mse")
    >>> transformer = minikeras.wrappers.SKLearnTransformer(model, fit_kwargs={"verbose": 0})
    >>> x = np.random.rand(20, 3)
    >>> transformer.fit(x, x[:, :2]).transform(x).shape
    (20, 2)
    """

    def transform(self, X: Any) -> np.ndarray:
        """The outputs of the model.

        Args:
            X: Array of shape `(n_samples, n_features)`.

        Returns:
            Array of shape `(n_samples, n_outputs)`.
        """
        return self._outputs(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _more_tags(self) -> dict:
        return {"preserves_dtype": []}

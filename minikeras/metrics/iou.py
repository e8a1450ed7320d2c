"""Intersection over union of the areas of classes, for segmentation."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import registry
from minikeras.engine.symbolic import Tensor
from minikeras.metrics.metric import Metric, as_array


@registry.metrics.register("IoU", "io_u")
class IoU(Metric):
    """The mean intersection over union, `tp / (tp + fp + fn)`, of some classes.

    Args:
        num_classes: Integer. The number of classes.
        target_class_ids: Sequence of class numbers that are averaged.
        name: String. Defaults to an automatic name.
        dtype: Dtype of the counts. Defaults to `"int"`.
        ignore_class: Integer or None (default). Labels of this class do not count.
        sparse_y_true: Boolean, default True. Whether labels are class numbers (else scores or
            one-hot along `axis`).
        sparse_y_pred: Boolean, default True. The same of the predictions.
        axis: Integer, default -1. The axis of the classes where they are not sparse.

    Raises:
        ValueError: if a target class is out of range.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.IoU(num_classes=2, target_class_ids=[0])
    >>> round(float(metric([0, 0, 1, 1], [0, 1, 0, 1])), 4)
    0.3333
    """

    _direction = "up"

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Any,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(name=name, dtype=dtype or "int")
        target_class_ids = list(target_class_ids)
        bad = [number for number in target_class_ids if not 0 <= number < num_classes]
        if bad:
            raise ValueError(
                f"Argument `target_class_ids` must hold numbers from 0 to {num_classes - 1}"
                f" (num_classes={num_classes}). Received: {bad}"
            )
        self.num_classes = num_classes
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
        self.target_class_ids = target_class_ids
        self.total_cm = self.add_variable(
            (num_classes, num_classes), dtype=self.dtype, name="total_confusion_matrix"
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch. Labels and predictions outside of the classes do not count.

        Args:
            y_true: Array of class numbers (or scores).
            y_pred: Array of class numbers (or scores).
            sample_weight: Array of weights, of the shape of the labels, or None.
        """
        self._accumulate(as_array(y_true), as_array(y_pred), as_array(sample_weight))

    def _accumulate(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> None:
        y_true = self._class_numbers(y_true, self.sparse_y_true)
        y_pred = self._class_numbers(y_pred, self.sparse_y_pred)
        if y_true.shape != y_pred.shape:
            raise ValueError(
                "`y_true` and `y_pred` must hold the same number of labels. Received:"
                f" {y_true.size} and {y_pred.size}"
            )
        counts, classes = self.total_cm.array, self.num_classes
        known = (y_true >= 0) & (y_true < classes) & (y_pred >= 0) & (y_pred < classes)
        if self.ignore_class is not None:
            known &= y_true != self.ignore_class
        cells = (y_true * classes + y_pred)[known]
        weights = None
        if sample_weight is not None:
            weights = np.asarray(sample_weight)
            if weights.dtype.kind == "f" and counts.dtype.kind == "i":
                warnings.warn(
                    f"You are passing weights of dtype {weights.dtype}, a float, to a metric that"
                    f" counts in {counts.dtype}, an int. This casting cuts them to whole numbers."
                    " Pass integers, or a float `dtype` to the metric.",
                    stacklevel=3,
                )
            weights = np.broadcast_to(weights.astype(counts.dtype).ravel(), y_true.shape)[known]
        found = np.bincount(cells, weights, minlength=classes * classes)
        counts += found.reshape(classes, classes).astype(counts.dtype)

    def _class_numbers(self, values: Any, sparse: bool) -> np.ndarray:
        values = np.asarray(values)
        if not sparse:
            values = values.argmax(self.axis)
        return values.astype(np.int64).ravel()

    def result(self) -> Tensor:
        """The mean so far, over the target classes that occurred."""
        counts, wanted = self.total_cm.array, self.target_class_ids
        hits = np.diagonal(counts)[wanted].astype("float32")
        union = (counts.sum(0) + counts.sum(1) - np.diagonal(counts))[wanted].astype("float32")
        occurred = union > 1e-9
        epsilon = np.float32(config.epsilon())
        scores = np.where(occurred, hits / (union + epsilon), np.float32(0))
        return Tensor(scores.sum() / (np.float32(np.count_nonzero(occurred)) + epsilon))

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "target_class_ids": self.target_class_ids,
            "ignore_class": self.ignore_class,
            "sparse_y_true": self.sparse_y_true,
            "sparse_y_pred": self.sparse_y_pred,
            "axis": self.axis,
        }

    def _config_without(self, *keys: str) -> dict:
        return {key: value for key, value in IoU.get_config(self).items() if key not in keys}


@registry.metrics.register("BinaryIoU", "binary_io_u")
class BinaryIoU(IoU):
    """The mean intersection over union of the classes 0 and 1, of predictions cut at a threshold.

    Args:
        target_class_ids: Sequence, default `(0, 1)`. The classes that are averaged.
        threshold: Float, default 0.5. Predictions of this or more are of class 1.
        name: String. Defaults to an automatic name.
        dtype: Dtype of the counts. Defaults to `"int"`.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.BinaryIoU(target_class_ids=[0, 1], threshold=0.3)
    >>> round(float(metric([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7])), 4)
    0.3333
    """

    def __init__(
        self,
        target_class_ids: Any = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(2, target_class_ids, name=name, dtype=dtype)
        self.threshold = threshold

    def _accumulate(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> None:
        y_pred = np.asarray(y_pred, "float32") >= self.threshold
        super()._accumulate(y_true, y_pred, sample_weight)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            "target_class_ids": self.target_class_ids,
            "threshold": self.threshold,
            "name": self.name,
            "dtype": self.dtype,
        }


@registry.metrics.register("MeanIoU", "mean_io_u")
class MeanIoU(IoU):
    """The mean intersection over union of all classes.

    Args:
        num_classes: Integer. The number of classes.
        name: String. Defaults to an automatic name.
        dtype: Dtype of the counts. Defaults to `"int"`.
        ignore_class: Integer or None (default). Labels of this class do not count.
        sparse_y_true: Boolean, default True. Whether labels are class numbers.
        sparse_y_pred: Boolean, default True. Whether predictions are class numbers.
        axis: Integer, default -1. The axis of the classes where they are not sparse.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.MeanIoU(num_classes=2)
    >>> round(float(metric([0, 0, 1, 1], [0, 1, 0, 1])), 4)
    0.3333
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes,
            range(num_classes),
            name=name,
            dtype=dtype,
            ignore_class=ignore_class,
            sparse_y_true=sparse_y_true,
            sparse_y_pred=sparse_y_pred,
            axis=axis,
        )

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return self._config_without("target_class_ids")


@registry.metrics.register("OneHotIoU", "one_hot_io_u")
class OneHotIoU(IoU):
    """The mean intersection over union of some classes, for one-hot labels.

    Args:
        num_classes: Integer. The number of classes.
        target_class_ids: Sequence of class numbers that are averaged.
        name: String. Defaults to an automatic name.
        dtype: Dtype of the counts. Defaults to `"int"`.
        ignore_class: Integer or None (default). Labels of this class do not count.
        sparse_y_pred: Boolean, default False. Whether predictions are class numbers.
        axis: Integer, default -1. The axis of the classes.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.OneHotIoU(num_classes=3, target_class_ids=[0, 2])
    >>> y_true = [[0, 0, 1], [1, 0, 0], [0, 1, 0], [1, 0, 0]]
    >>> y_pred = [[0.2, 0.3, 0.5], [0.1, 0.2, 0.7], [0.5, 0.3, 0.1], [0.1, 0.4, 0.5]]
    >>> round(float(metric(y_true, y_pred)), 4)
    0.1667
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Any,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes,
            target_class_ids,
            name=name,
            dtype=dtype,
            ignore_class=ignore_class,
            sparse_y_true=False,
            sparse_y_pred=sparse_y_pred,
            axis=axis,
        )

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return self._config_without("sparse_y_true")


@registry.metrics.register("OneHotMeanIoU", "one_hot_mean_io_u")
class OneHotMeanIoU(MeanIoU):
    """The mean intersection over union of all classes, for one-hot labels.

    Args:
        num_classes: Integer. The number of classes.
        name: String. Defaults to an automatic name.
        dtype: Dtype of the counts. Defaults to `"int"`.
        ignore_class: Integer or None (default). Labels of this class do not count.
        sparse_y_pred: Boolean, default False. Whether predictions are class numbers.
        axis: Integer, default -1. The axis of the classes.

    Example:

    >>> import minikeras
    >>> metric = minikeras.metrics.OneHotMeanIoU(num_classes=3)
    >>> y_true = [[0, 0, 1], [1, 0, 0], [0, 1, 0], [1, 0, 0]]
    >>> y_pred = [[0.2, 0.3, 0.5], [0.1, 0.2, 0.7], [0.5, 0.3, 0.1], [0.1, 0.4, 0.5]]
    >>> round(float(metric(y_true, y_pred)), 4)
    0.1111
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes,
            name=name,
            dtype=dtype,
            ignore_class=ignore_class,
            sparse_y_true=False,
            sparse_y_pred=sparse_y_pred,
            axis=axis,
        )

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return self._config_without("target_class_ids", "sparse_y_true")

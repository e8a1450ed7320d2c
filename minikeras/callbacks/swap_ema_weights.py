"""Averaged weights while the model is evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minikeras.callbacks.callback import Callback


class SwapEMAWeights(Callback):
    """Evaluates, predicts and saves with the moving average of the weights.

    The optimizer must have `use_ema=True`. Before `evaluate`, `predict` and the validation in `fit`
    the model's weights and their averages change places; afterwards they change back.

    Args:
        swap_on_epoch: Whether they also change places at the end of each epoch, so that callbacks
            after this one (such as `ModelCheckpoint`) save the averages. Defaults to False.

    Raises:
        ValueError: In use, if the optimizer has no averages.

    Example:

    >>> import minikeras
    >>> swap = minikeras.callbacks.SwapEMAWeights(swap_on_epoch=True)
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._ema_weights_in_model = False

    def _pairs(self) -> Iterator[tuple[Any, Any]]:
        """Each trainable variable with its average."""
        optimizer = self.model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        several = hasattr(optimizer, "optimizers")
        inner = optimizer.optimizers if several else [optimizer]
        averaged = [one for one in inner if getattr(one, "use_ema", False)]
        if not averaged:
            raise ValueError(
                "SwapEMAWeights must be used when `use_ema=True` is set on the optimizer"
                f"{' (on at least one of them)' if several else ''}. Received: use_ema=False"
            )
        for one in averaged:
            averages = getattr(one, "_model_variables_moving_average", None)
            if averages is None:
                raise ValueError(
                    "SwapEMAWeights needs an optimizer that is built. Compile the model, and fit "
                    f"it first. Received: {type(one).__name__}, not built."
                )
            yield from zip(one._trainable_variables, averages)

    def _swap_variables(self) -> None:
        for variable, average in self._pairs():
            value = np.array(variable.numpy())
            variable.assign(average.numpy())
            average.assign(value)
        self._ema_weights_in_model = not self._ema_weights_in_model

    def _swap_in(self) -> None:
        if not self._ema_weights_in_model:
            self._swap_variables()

    def _swap_out(self) -> None:
        if self._ema_weights_in_model:
            self._swap_variables()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        if self.swap_on_epoch:
            self._swap_out()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if not self.swap_on_epoch:
            return
        self._swap_in()
        if self.params is not None and epoch == self.params["epochs"] - 1:
            # Training ends by assigning the averages to the weights: they must be found there.
            for variable, average in self._pairs():
                average.assign(variable.numpy())

    def on_test_begin(self, logs: dict | None = None) -> None:
        self._swap_in()

    def on_test_end(self, logs: dict | None = None) -> None:
        self._swap_out()

    def on_predict_begin(self, logs: dict | None = None) -> None:
        self._swap_in()

    def on_predict_end(self, logs: dict | None = None) -> None:
        self._swap_out()

"""What `compile` says: optimizer, losses, metrics, and their configuration."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from minikeras.engine import registry, serialization, tree
from minikeras.engine.spelling import understands_old


class Compiled:
    """A model's optimizer, losses and metrics."""

    _no_track: frozenset
    built: bool
    compiled: bool
    history: Any
    steps_per_execution: int
    _initial_epoch: int | None
    _compile_arguments: Any
    _trainable_when_compiled: list
    _layers_when_compiled: list
    _compile_loss: Any
    _compile_metrics: Any
    _loss_tracker: Any

    def __init__(self) -> None:
        self.__dict__.update(
            _optimizer=None,
            _compile_loss=None,
            _compile_metrics=None,
            _loss_tracker=None,
            _compile_arguments=None,
            _stepper=None,
            _program=None,
            compiled=False,
            stop_training=False,
            run_eagerly=False,
            jit_compile=False,
            steps_per_execution=1,
            history=None,
            # Set by a callback that resumes an interrupted run.
            _initial_epoch=None,
            _shuffle_rng=None,
        )

    @understands_old
    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
        **kwargs: Any,
    ) -> None:
        """Say how to train.

        Args:
            optimizer: Optimizer, or its name. Defaults to `"rmsprop"`.
            loss: Loss, its name, a function `(y_true, y_pred)`, or a list or dict of them, one per
                output. None: the losses that the layers add.
            loss_weights: Float, list or dict of floats: the weight of each output's loss.
            metrics: List of metrics (names, functions, objects), or a list of lists or a dict, one
                per output.
            weighted_metrics: The same, for metrics that use sample weights.
            run_eagerly: Boolean. Everything always runs eagerly here; no effect on results.
            steps_per_execution: Positive integer, default 1. Callbacks see every that many batches.
            jit_compile: Kept for Keras's signature: nothing is compiled; no effect on results.
            auto_scale_loss: Boolean, default True. Under `mixed_float16`, whether the optimizer is
                wrapped in a `LossScaleOptimizer`.

        Raises:
            ValueError: for unknown names, listing near matches.
        """
        from minikeras.metrics import Mean
        from minikeras.training.objectives import CompiledLoss, CompiledMetrics

        if isinstance(loss_weights, (list, tuple)) and any(
            isinstance(one, str) or callable(one) for one in loss_weights
        ):
            # The order of Keras 1 and 2: optimizer, loss, metrics, loss weights.
            loss_weights, metrics = metrics, loss_weights
        if kwargs:
            raise ValueError(
                f"Unrecognized arguments of `compile()`: {sorted(kwargs)}. Known arguments:"
                " optimizer, loss, loss_weights, metrics, weighted_metrics, run_eagerly,"
                " steps_per_execution, jit_compile, auto_scale_loss."
            )
        if not isinstance(steps_per_execution, (int, np.integer)) or steps_per_execution < 1:
            raise ValueError(
                "Argument `steps_per_execution` must be a positive integer. Received:"
                f" steps_per_execution={steps_per_execution!r}"
            )
        from minikeras import optimizers

        optimizer = optimizers.get(optimizer)
        if (
            optimizer is not None
            and auto_scale_loss
            and self._dtype_policy.name == "mixed_float16"  # type: ignore[attr-defined]
            and not isinstance(optimizer, optimizers.LossScaleOptimizer)
        ):
            optimizer = optimizers.LossScaleOptimizer(optimizer, name="loss_scale_optimizer")
        compiled_loss = CompiledLoss(loss, loss_weights) if loss is not None else None
        compiled_metrics = (
            CompiledMetrics(metrics, weighted_metrics)
            if metrics is not None or weighted_metrics is not None
            else None
        )
        self.__dict__.update(
            _optimizer=optimizer,
            _compile_loss=compiled_loss,
            _compile_metrics=compiled_metrics,
            _loss_tracker=Mean(name="loss"),
            # A model may have a `loss` of its own, which its `compute_loss` calls.
            loss=getattr(self, "loss", None) if loss is None else loss,
            _trainable_when_compiled=list(self.trainable_variables),  # type: ignore[attr-defined]
            _layers_when_compiled=[
                one
                for one in self._flatten_layers()  # type: ignore[attr-defined]
                if one.trainable
            ],
            _stepper=None,
            _program=None,
            compiled=True,
            stop_training=False,
            run_eagerly=bool(run_eagerly),
            jit_compile=False,
            steps_per_execution=int(steps_per_execution),
            _compile_arguments={
                "optimizer": optimizer,
                "loss": loss,
                "loss_weights": loss_weights,
                "metrics": metrics,
                "weighted_metrics": weighted_metrics,
                "run_eagerly": run_eagerly,
                "steps_per_execution": steps_per_execution,
                "jit_compile": False,
            },
        )

    @property
    def optimizer(self) -> Any:
        """The optimizer that `compile` was given."""
        return self.__dict__.get("_optimizer")

    @optimizer.setter
    def optimizer(self, value: Any) -> None:
        self.__dict__["_optimizer"] = value
        self.__dict__["_stepper"] = None

    @property
    def metrics(self) -> list:
        """The loss tracker, the compiled metrics, and the metrics of the layers."""
        metrics = self._get_own_metrics()
        for layer in self._flatten_layers(include_self=False):  # type: ignore[attr-defined]
            if isinstance(layer, Compiled):
                continue
            metrics.extend(layer._metrics)
        seen: set[int] = set()
        return [m for m in metrics if not (id(m) in seen or seen.add(id(m)))]  # type: ignore[func-returns-value]

    def _get_own_metrics(self) -> list:
        metrics: list = []
        if self.__dict__.get("_loss_tracker") is not None:
            metrics.append(self._loss_tracker)
        if self.__dict__.get("_compile_metrics") is not None:
            metrics.append(self._compile_metrics)
        if self.__dict__.get("_compile_loss") is not None:
            metrics.extend(self._compile_loss.metrics)
        metrics.extend(self._metrics)  # type: ignore[attr-defined]
        return metrics

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` returns, in its order.

        Keras 3 has one name for all that were compiled, `"compile_metrics"`; scripts of Keras 1
        and 2 look for their own.
        """
        compiled = self.__dict__.get("_compile_metrics")
        if compiled is not None and not compiled.built:
            given = tree.flatten(self._compile_arguments.get("metrics"))  # type: ignore[union-attr]
            names = [getattr(one, "name", None) or getattr(one, "__name__", one) for one in given]
            return ["loss", *(str(name) for name in names if name is not None)]
        return self._names_in_order(list(self.get_metrics_result()))

    def _names_in_order(self, found: list[str]) -> list[str]:
        """Names of results: the loss, the metrics, then the rest by name."""
        names: list[str] = []
        for metric in self.metrics:
            if metric is self._compile_metrics:
                # Their own names: the results of several outputs, which carry the output's,
                # come last.
                names += [one.name for one in metric.metrics]
            else:
                names.append(metric.name)
        order = [name for name in names if name in found]
        return order + [name for name in sorted(found) if name not in names]

    def reset_metrics(self) -> None:
        """Set all metrics back."""
        for metric in self.metrics:
            metric.reset_state()

    def get_metrics_result(self) -> dict:
        """The values of the metrics by name."""
        results: dict = {}
        for metric in self.metrics:
            value = metric.result()
            if isinstance(value, dict):
                results.update(value)
            else:
                results[metric.name] = value
        return results

    def get_compile_config(self) -> dict | None:
        """The arguments of `compile`, as a config.

        None if the model is not compiled.
        """
        if self.compiled and self._compile_arguments is not None:
            return {
                key: serialization.serialize(value)
                for key, value in self._compile_arguments.items()
            }
        return None

    def compile_from_config(self, config: dict) -> None:
        """Compile with the arguments in `config`."""
        if type(self).compile is not Compiled.compile:
            warnings.warn(
                "`compile()` was not called as part of model loading because the model's"
                " `compile()` method is custom. Override `get_compile_config()` and"
                " `compile_from_config()`, or"
                " call `compile()` after loading.",
                stacklevel=2,
            )
            return
        config = {
            "optimizer": serialization.deserialize(config.get("optimizer"), registry.optimizers),
            "loss": _deserialize_objective(config.get("loss"), registry.losses),
            "loss_weights": config.get("loss_weights"),
            "metrics": _deserialize_objective(config.get("metrics"), registry.metrics),
            "weighted_metrics": _deserialize_objective(
                config.get("weighted_metrics"), registry.metrics
            ),
            "run_eagerly": bool(config.get("run_eagerly", False)),
            "steps_per_execution": config.get("steps_per_execution") or 1,
        }
        self.compile(**config)
        if self.optimizer is not None and self.built:
            self.optimizer.build(self.trainable_variables)  # type: ignore[attr-defined]

    def _assert_compiled(self, method: str) -> None:
        if not self.compiled:
            raise ValueError(
                f"You must call `compile()` before calling `{method}()`, e.g."
                " model.compile(optimizer='adam', loss='mse')."
            )


def _deserialize_objective(value: Any, home: Any) -> Any:
    """Losses and metrics of a compile config: names stay names, dicts become objects."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return [_deserialize_objective(one, home) for one in value]
    if isinstance(value, dict):
        if "class_name" in value:
            return serialization.deserialize(value, home)
        return {key: _deserialize_objective(one, home) for key, one in value.items()}
    return value

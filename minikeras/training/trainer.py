"""`Trainer`: compile, fit, evaluate, predict, and the points where users override them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import dtypes, registry, rng, serialization, tree
from minikeras.engine.context import INFERENCE, Run
from minikeras.engine.operation import trace_once
from minikeras.engine.recording import Paused
from minikeras.engine.symbolic import KerasTensor, Tensor
from minikeras.engine.variable import plain


class Trainer:
    """What makes a layer a model: training, evaluation and prediction."""

    _no_track: frozenset
    built: bool
    compiled: bool
    history: Any
    steps_per_execution: int
    _initial_epoch: int | None
    _compile_arguments: Any
    _trainable_when_compiled: list
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

    # Compiling

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

        self._clear_previous_trainer_metrics()
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
            _loss_tracker=Mean(name="loss") if loss is not None or self._losses_expected() else None,
            loss=loss,
            _trainable_when_compiled=list(self.trainable_variables),  # type: ignore[attr-defined]
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

    def _losses_expected(self) -> bool:
        return True

    def _clear_previous_trainer_metrics(self) -> None:
        return None

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
            if isinstance(layer, Trainer):
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
        """The names of `metrics`."""
        return [metric.name for metric in self.metrics]

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
        if type(self).compile is not Trainer.compile and (
            not config or "optimizer" not in config and not set(config) <= _COMPILE_ARGUMENTS
        ):
            warnings.warn(
                "`compile()` was not called as part of model loading because the model's `compile()`"
                " method is custom. Override `get_compile_config()` and `compile_from_config()`, or"
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

    # Steps that users override

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The total loss of a batch, as a scalar tensor. May be overridden.

        Raises:
            ValueError: if there is no loss.
        """
        total: Any = None
        if self._compile_loss is not None:
            names = getattr(self, "output_names", None) if hasattr(self, "_graph_model") else None
            total = self._compile_loss(y, y_pred, sample_weight, names)
        for loss in self.losses:  # type: ignore[attr-defined]
            total = loss if total is None else total + loss
        if total is None:
            raise ValueError("No loss to compute. Provide a `loss` argument in `compile()`.")
        return total

    def _compute_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> Any:
        import inspect

        if "training" in inspect.signature(self.compute_loss).parameters:
            return self.compute_loss(
                x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training
            )
        return self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict:
        """Update the metrics with a batch and return their values by name. May be overridden."""
        if self._compile_metrics is not None:
            if not self._compile_metrics.built:
                names = (
                    getattr(self, "output_names", None) if hasattr(self, "_graph_model") else None
                )
                self._compile_metrics.build(y, y_pred, names)
            self._compile_metrics.update_state(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def train_step(self, data: Any) -> dict:
        """One training step on `(x, y, sample_weight)`; returns logs. May be overridden.

        A step of your own records the forward pass and applies the gradients:

            x, y = data
            with minikeras.GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = self.compute_loss(y=y, y_pred=y_pred)
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
        """
        from minikeras.gradient_tape import GradientTape
        from minikeras.training.data import unpack_x_y_sample_weight

        x, y, sample_weight = unpack_x_y_sample_weight(data)
        with GradientTape() as tape:
            y_pred = self._call_model(x, training=True)
            loss = self._compute_loss(x, y, y_pred, sample_weight, True)
            if self.optimizer is not None:
                scaled = self.optimizer.scale_loss(loss)
        self._track_loss(loss, x)
        variables = self.trainable_weights  # type: ignore[attr-defined]
        if variables:
            gradients = tape.gradient(scaled, variables)
            self.optimizer.apply_gradients(zip(gradients, variables))
        else:
            warnings.warn("The model does not have any trainable weights.", stacklevel=2)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def test_step(self, data: Any) -> dict:
        """One evaluation step on `(x, y, sample_weight)`; returns logs. May be overridden."""
        from minikeras.training.data import unpack_x_y_sample_weight

        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self._call_model(x, training=False)
        loss = self._compute_loss(x, y, y_pred, sample_weight, False)
        self._track_loss(loss, x)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def predict_step(self, data: Any) -> Any:
        """One prediction step; returns the outputs. May be overridden."""
        from minikeras.training.data import unpack_x_y_sample_weight

        x, _, _ = unpack_x_y_sample_weight(data)
        return self._call_model(x, training=False)

    def _call_model(self, x: Any, training: bool) -> Any:
        from minikeras.engine.layer import _accepts

        if self.composite and not _accepts(type(self), "training"):  # type: ignore[attr-defined]
            return self(x)  # type: ignore[operator]
        return self(x, training=training)  # type: ignore[operator]

    def _track_loss(self, loss: Any, x: Any) -> None:
        if self._loss_tracker is not None:
            leaves = tree.flatten(x)
            shape = np.shape(plain(leaves[0])) if leaves else ()
            self._loss_tracker.update_state(
                np.asarray(plain(loss)), sample_weight=np.asarray(shape[0] if shape else 1)
            )

    def _overrides(self, *names: str) -> bool:
        for name in names:
            own = getattr(type(self), name)
            if own is not getattr(Trainer, name) or name in self.__dict__:
                return True
        return False

    # Programs

    def _get_program(self) -> Any:
        from minikeras.training.step import CallProgram, GraphProgram

        program = self.__dict__.get("_program")
        graph_model = self._planned_model()
        if program is not None and (
            graph_model is None or getattr(program, "functional", None) is graph_model
        ):
            return program
        program = CallProgram(self) if graph_model is None else GraphProgram(self)
        self.__dict__.update(_program=program, _stepper=None)
        return program

    def _planned_model(self) -> Any:
        """The functional model whose graph says all that `call` does, or None."""
        from minikeras.models.functional import Functional, GraphModel
        from minikeras.models.sequential import Sequential

        if not isinstance(self, GraphModel):
            return None
        if type(self).call not in (Functional.call, Sequential.call):  # type: ignore[attr-defined]
            return None
        if self.activity_regularizer is not None:  # type: ignore[attr-defined]
            return None
        if isinstance(self, Sequential) and self.__dict__.get("_functional") is None:
            return None
        return self._graph_model

    def _get_stepper(self) -> Any:
        from minikeras.training.step import Stepper

        program = self._get_program()
        stepper = self.__dict__.get("_stepper")
        if stepper is None:
            stepper = Stepper(self, program)
            self.__dict__["_stepper"] = stepper
        return stepper

    def _regularized_variables(self) -> list:
        from minikeras.engine.variable import trainable_version

        cached = self.__dict__.get("_regularized")
        if cached is None or cached[0] != trainable_version():
            found = [
                v for v in self.trainable_weights if v.regularizer is not None  # type: ignore[attr-defined]
            ]
            cached = self.__dict__["_regularized"] = (trainable_version(), found)
        return cached[1]

    def _ensure_built(self, x: Any) -> None:
        """Build the model and nothing else, from the shapes of a batch."""
        if self.built and all(layer.built for layer in self._flatten_layers()):  # type: ignore[attr-defined]
            return
        specs = tree.map_structure(
            lambda leaf: KerasTensor((None, *leaf.shape[1:]), dtypes.standardize_dtype(leaf.dtype)), x
        )
        try:
            trace_once(lambda inputs: self._call_model(inputs, training=False), specs)
        except ValueError:
            raise
        except Exception:
            # Shapes may depend on values: then real rows have to do.
            with Paused(training=False):
                self._call_model(_first_rows(x), training=False)

    def _build_optimizer(self) -> None:
        optimizer = self.optimizer
        if optimizer is None:
            raise ValueError(
                "The model was compiled without an optimizer. Pass `optimizer` to `compile()`."
            )
        if not optimizer.built:
            # Also what was trainable when `compile` was called: parts of a model that are frozen and
            # thawed in turn (the discriminator of a GAN) keep their optimizer.
            known = {id(variable) for variable in self._trainable_when_compiled}
            optimizer.build(
                [
                    variable
                    for variable in self.variables  # type: ignore[attr-defined]
                    if variable.trainable or id(variable) in known
                ]
            )

    def _make_train(self) -> Any:
        """The function of a batch that `fit` calls; it returns logs or None."""
        if self._overrides("train_step", "compute_loss", "compute_metrics"):

            def custom(x: Any, y: Any, sample_weight: Any) -> Any:
                return self.train_step(_as_data(x, y, sample_weight))

            return custom
        return self._get_stepper().train

    def _make_test(self) -> Any:
        if self._overrides("test_step", "compute_loss", "compute_metrics"):

            def custom(x: Any, y: Any, sample_weight: Any) -> Any:
                return self.test_step(_as_data(x, y, sample_weight))

            return custom
        return self._get_stepper().test

    # Fitting

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: Any = True,
        class_weight: dict | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
    ) -> Any:
        """Train for a number of epochs.

        Args:
            x: Inputs: array, list or dict of arrays, frame, generator, `PyDataset`, or any iterable
                of batches `(x, y)` or `(x, y, sample_weight)`.
            y: Targets: array, or list or dict of arrays. None where `x` yields them.
            batch_size: Rows per step. Defaults to 32.
            epochs: Number of the epoch to end with. Defaults to 1.
            verbose: `"auto"` (default), 0 silent, 1 progress bar, 2 one line per epoch.
            callbacks: List of callbacks.
            validation_split: Fraction of the last rows, before shuffling, to validate on.
            validation_data: `(x_val, y_val)`, `(x_val, y_val, weights)`, or an iterable of batches.
            shuffle: Boolean, default True, or `"batch"`.
            class_weight: dict of class index to weight.
            sample_weight: Weights of the rows.
            initial_epoch: Number of epochs that are done already. Defaults to 0.
            steps_per_epoch: Batches per epoch. Defaults to all.
            validation_steps: Batches per validation. Defaults to all.
            validation_batch_size: Defaults to `batch_size`.
            validation_freq: Validate every that many epochs, or in the epochs listed.

        Returns:
            `History`: its `history` maps names to one value per epoch.

        Raises:
            ValueError: before `compile`, and for data that do not fit the model or each other.
        """
        from minikeras.callbacks import CallbackList
        from minikeras.callbacks.callback_list import pythonify_logs
        from minikeras.training.data import make_batches, train_validation_split

        self._assert_compiled("fit")
        _check_epochs(epochs, initial_epoch)
        limit = config.max_epochs()
        if limit and limit < epochs:
            warnings.warn(f"Limiting epochs to {limit}", stacklevel=2)
            epochs = limit
        self.stop_training = False
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = train_validation_split(
                (x, y, sample_weight), validation_split
            )
        val_x = val_y = val_weight = None
        if validation_data is not None:
            val_x, val_y, val_weight = _unpack_validation(validation_data)
        self._shuffle_rng = _shuffle_generator() if shuffle else None
        source = make_batches(
            x,
            y,
            sample_weight,
            batch_size=batch_size,
            steps_per_epoch=steps_per_epoch,
            shuffle=shuffle,
            class_weight=class_weight,
            rng=self._shuffle_rng,
            strings=_takes_strings(self),
        )
        first = source.peek()
        if first is not None:
            self._ensure_built(first[0])
        self._build_optimizer()
        step = self._make_train()
        callback_list = self._callback_list(
            callbacks, verbose, epochs, source.num_batches, CallbackList
        )
        validator: Any = None
        callback_list.on_train_begin()
        begin, end = callback_list.batch_hooks("train")
        training_logs: dict = {}
        logs: Any = None
        # `BackupAndRestore` has told, in `on_train_begin`, which epochs are done already.
        for epoch in range(self._initial_epoch or initial_epoch, epochs):
            self.reset_metrics()
            callback_list.on_epoch_begin(epoch)
            logs = self._run_epoch(source, step, begin, end)
            if source.exhausted:  # there was no batch, so there is nothing to record
                break
            epoch_logs = pythonify_logs(self._logs_or_metrics(logs))
            if validation_data is not None and _validates(epoch, validation_freq):
                if validator is None:
                    validator = make_batches(
                        val_x,
                        val_y,
                        val_weight,
                        batch_size=validation_batch_size or batch_size,
                        steps_per_epoch=validation_steps,
                        strings=_takes_strings(self),
                    )
                validator.reset()
                val_logs = self._evaluate_source(validator, callback_list)
                epoch_logs.update({f"val_{name}": value for name, value in val_logs.items()})
            callback_list.on_epoch_end(epoch, epoch_logs)
            training_logs = epoch_logs
            if self.stop_training:
                break
        if epochs > initial_epoch:
            self.optimizer.finalize_variable_values(self.trainable_weights)  # type: ignore[attr-defined]
        callback_list.on_train_end(training_logs)
        return self.history

    def _run_epoch(self, source: Any, step: Any, begin: Any, end: Any) -> Any:
        logs: Any = None
        if begin is None and end is None:
            for x, y, sample_weight in source.epoch():
                logs = step(x, y, sample_weight)
                if self.stop_training:
                    break
            return logs
        every, index = self.steps_per_execution, -1
        for index, (x, y, sample_weight) in enumerate(source.epoch()):
            if begin is not None and index % every == 0:
                begin(index)
            logs = step(x, y, sample_weight)
            if end is not None and (index + 1) % every == 0:
                end(index, self.get_metrics_result if logs is None else logs)
            if self.stop_training:
                break
        self._end_execution(index, end, logs)
        return logs

    def _end_execution(self, index: int, end: Any, logs: Any) -> None:
        """Reports the batches of the last execution where they are fewer than in others."""
        done = (index + 1) % self.steps_per_execution
        if end is not None and done:
            last = index - done + self.steps_per_execution
            end(last, self.get_metrics_result if logs is None else logs)

    def _logs_or_metrics(self, logs: Any) -> dict:
        if logs is None:
            return self.get_metrics_result()
        metrics = self.get_metrics_result()
        if isinstance(logs, dict) and set(logs) == set(metrics):
            return metrics
        return logs

    def _callback_list(
        self, callbacks: Any, verbose: Any, epochs: int, steps: Any, kind: Any
    ) -> Any:
        if isinstance(callbacks, kind):
            return callbacks
        return kind(
            callbacks,
            add_history=True,
            add_progbar=verbose != 0,
            verbose=verbose,
            epochs=epochs,
            steps=steps,
            model=self,
        )

    # Evaluating

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """The loss and the metrics on data.

        Args:
            x, y, sample_weight, batch_size, verbose, callbacks: As in `fit`.
            steps: Batches to take. Defaults to all.
            return_dict: Boolean, default False. Whether to return a dict by name.

        Returns:
            The loss, a list `[loss, metric, ...]`, or a dict.
        """
        from minikeras.callbacks import CallbackList
        from minikeras.training.data import make_batches

        self._assert_compiled("evaluate")
        if kwargs:
            raise ValueError(f"Arguments not recognized by `evaluate()`: {sorted(kwargs)}")
        source = make_batches(
            x,
            y,
            sample_weight,
            batch_size=batch_size,
            steps_per_epoch=steps,
            strings=_takes_strings(self),
        )
        first = source.peek()
        if first is not None:
            self._ensure_built(first[0])
        callback_list = self._callback_list(
            callbacks, verbose, 1, source.num_batches, CallbackList
        )
        logs = self._evaluate_source(source, callback_list)
        return logs if return_dict else self._in_order(logs)

    def _evaluate_source(self, source: Any, callback_list: Any) -> dict:
        from minikeras.callbacks.callback_list import pythonify_logs

        self.stop_evaluating = False
        step = self._make_test()
        callback_list.on_test_begin()
        begin, end = callback_list.batch_hooks("test")
        self.reset_metrics()
        logs: Any = None
        every, index = self.steps_per_execution, -1
        for index, (x, y, sample_weight) in enumerate(source.epoch()):
            if begin is not None and index % every == 0:
                begin(index)
            logs = step(x, y, sample_weight)
            if end is not None and (index + 1) % every == 0:
                end(index, self.get_metrics_result if logs is None else logs)
            if self.stop_evaluating:
                break
        self._end_execution(index, end, logs)
        result = pythonify_logs(self._logs_or_metrics(logs))
        callback_list.on_test_end(result)
        return result

    def _in_order(self, logs: dict) -> Any:
        """Logs as a list: the loss, the metrics, then the rest by name."""
        names: list[str] = []
        for metric in self.metrics:
            if metric is self._compile_metrics:
                names += [name for name, _ in metric._results]
            else:
                names.append(metric.name)
        results = [logs[name] for name in names if name in logs]
        results += [logs[name] for name in sorted(logs) if name not in names]
        return results[0] if len(results) == 1 else results

    # Predicting

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """The outputs for inputs, as NumPy arrays.

        One batch that fits needs no progress bar; many threads may predict with one model.

        Args:
            x: Inputs, as in `fit`.
            batch_size: Rows per step. Defaults to 32.
            verbose: As in `fit`.
            steps: Batches to take. Defaults to all.
            callbacks: List of callbacks.
        """
        if (
            callbacks is None
            and steps is None
            and type(x) is np.ndarray
            and 0 < len(x) <= (batch_size or 32)
            and (verbose == "auto" or not verbose)
            and x.dtype.kind in "fiub"
            and self.built
            and not self._overrides("predict_step")
        ):
            program = self._get_program()
            if program.graph is not None:
                outputs, _, _ = program.forward(INFERENCE_RUN, x)
                return program.pack([_owned(array, x) for array in outputs])
        return self._predict_source(x, batch_size, verbose, steps, callbacks)

    def _predict_source(
        self, x: Any, batch_size: Any, verbose: Any, steps: Any, callbacks: Any
    ) -> Any:
        from minikeras.callbacks import CallbackList
        from minikeras.training.data import make_batches

        source = make_batches(x, batch_size=batch_size, steps_per_epoch=steps, strings=True)
        first = source.peek()
        if first is not None:
            self._ensure_built(first[0])
        if verbose == "auto" and source.num_batches == 1:
            verbose = 0
        callback_list = self._callback_list(
            callbacks, verbose, 1, source.num_batches, CallbackList
        )
        callback_list.on_predict_begin()
        begin, end = callback_list.batch_hooks("predict")
        self.stop_predicting = False
        custom = self._overrides("predict_step")
        program = None if custom else self._get_program()
        collected: list[list] = []
        structure: Any = None
        logs: dict = {}
        for index, (batch, _, _) in enumerate(source.epoch()):
            if begin is not None:
                begin(index)
            if custom:
                result = self.predict_step(_as_tensors(batch))
                structure = tree.map_structure(lambda _: None, result)
                flat = [np.asarray(plain(leaf)) for leaf in tree.flatten(result)]
            else:
                flat, _, _ = program.forward(Run(False), batch)  # type: ignore[union-attr]
            collected.append(flat)
            if end is not None:
                outputs = flat[0] if len(flat) == 1 else flat
                logs = {"outputs": outputs}
                end(index, logs)
            if self.stop_predicting:
                break
        callback_list.on_predict_end()
        if not collected:
            raise ValueError("`predict()` received no data. Pass at least one row.")
        joined = [
            np.concatenate(parts) if len(parts) > 1 else np.array(parts[0])
            for parts in zip(*collected)
        ]
        if custom:
            if not tree.is_nested(structure):
                return joined[0]
            return tree.pack_sequence_as(structure, joined)
        return program.pack(joined)  # type: ignore[union-attr]

    # Single batches

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One training step on one batch.

        Returns:
            The loss, a list `[loss, metric, ...]`, or a dict by name.
        """
        from minikeras.callbacks.callback_list import pythonify_logs
        from minikeras.training.data import one_batch

        self._assert_compiled("train_on_batch")
        if class_weight is not None and sample_weight is not None:
            raise ValueError(
                "Arguments `sample_weight` and `class_weight` cannot be specified at the same time."
                f" Received: sample_weight={sample_weight}, class_weight={class_weight}"
            )
        x, y, sample_weight = one_batch(
            x, y, sample_weight, class_weight, strings=_takes_strings(self)
        )
        self._ensure_built(x)
        self._build_optimizer()
        self.reset_metrics()
        logs = self._make_train()(x, y, sample_weight)
        result = pythonify_logs(self.get_metrics_result() if logs is None else logs)
        return result if return_dict else self._in_order(result)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One evaluation step on one batch; returns as `train_on_batch`."""
        from minikeras.callbacks.callback_list import pythonify_logs
        from minikeras.training.data import one_batch

        self._assert_compiled("test_on_batch")
        x, y, sample_weight = one_batch(x, y, sample_weight, strings=_takes_strings(self))
        self._ensure_built(x)
        self.reset_metrics()
        logs = self._make_test()(x, y, sample_weight)
        result = pythonify_logs(self.get_metrics_result() if logs is None else logs)
        return result if return_dict else self._in_order(result)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, as NumPy arrays."""
        from minikeras.training.data import one_batch

        x, _, _ = one_batch(x, strings=True)
        self._ensure_built(x)
        if self._overrides("predict_step"):
            return tree.map_structure(
                lambda leaf: np.asarray(plain(leaf)), self.predict_step(_as_tensors(x))
            )
        program = self._get_program()
        outputs, _, _ = program.forward(Run(False), x)
        return program.pack([np.array(array) for array in outputs])

    def make_predict_function(self, force: bool = False) -> Any:
        """The function of one batch that `predict` calls."""
        self.predict_function = lambda iterator: self.predict_on_batch(next(iter(iterator)))
        return self.predict_function


INFERENCE_RUN = INFERENCE
_COMPILE_ARGUMENTS = {
    "optimizer",
    "loss",
    "loss_weights",
    "metrics",
    "weighted_metrics",
    "run_eagerly",
    "steps_per_execution",
    "jit_compile",
    "auto_scale_loss",
}


def _owned(array: np.ndarray, source: np.ndarray) -> np.ndarray:
    """`array`, copied where it shares memory with the caller's data or is a view of a buffer."""
    return array if array.base is None and array is not source else array.copy()


def _as_tensors(x: Any) -> Any:
    return tree.map_structure(lambda leaf: None if leaf is None else Tensor(leaf), x)


def _as_data(x: Any, y: Any, sample_weight: Any) -> Any:
    from minikeras.training.data import pack_x_y_sample_weight

    return pack_x_y_sample_weight(_as_tensors(x), _as_tensors(y), _as_tensors(sample_weight))


def _first_rows(x: Any) -> Any:
    return tree.map_structure(lambda leaf: None if leaf is None else Tensor(leaf[:1]), x)


def _shuffle_generator() -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(rng.make_default_seed()))


def _check_epochs(epochs: Any, initial_epoch: Any) -> None:
    for name, value in (("epochs", epochs), ("initial_epoch", initial_epoch)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
            raise ValueError(
                f"Argument `{name}` must be a non-negative integer. Received: {name}={value!r}"
            )


def _validates(epoch: int, frequency: Any) -> bool:
    if isinstance(frequency, (int, np.integer)):
        return (epoch + 1) % int(frequency) == 0
    if isinstance(frequency, (list, tuple, set)):
        return (epoch + 1) in frequency
    raise ValueError(
        "Argument `validation_freq` must be an integer or a list of epoch numbers. Received:"
        f" validation_freq={frequency!r} of type {type(frequency)}"
    )


def _takes_strings(model: Any) -> bool:
    """Whether a layer of the model looks strings up: else text in the data is a mistake."""
    return any(getattr(layer, "takes_strings", False) for layer in model._flatten_layers())


def _unpack_validation(data: Any) -> tuple[Any, Any, Any]:
    from minikeras.training.data import unpack_x_y_sample_weight

    if isinstance(data, (list, tuple)):
        return unpack_x_y_sample_weight(data)
    return data, None, None


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

"""`Trainer`: fit, evaluate, predict, and single batches."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import rng, tree
from minikeras.engine.context import INFERENCE, Run
from minikeras.engine.spelling import runs_unedited, tell_as_before, understands_old
from minikeras.engine.variable import plain
from minikeras.kernels.parallel import sharing
from minikeras.training.overriding import Steps, as_tensors
from minikeras.training.programs import batches_at_once, joined_outputs


class Trainer(Steps):
    """What makes a layer a model: training, evaluation and prediction."""

    # How older versions of Keras took losses and metrics; see `dialects.eras`.
    _mask_is_weight = False
    _penalties_in_training_only = False
    _metrics_unmasked = False

    # Fitting

    @understands_old
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
            self._ensure_built(first[0], source)
        self._build_optimizer()
        step = self._make_train()
        callback_list = self._callback_list(
            callbacks, verbose, epochs, source.num_batches, CallbackList
        )
        if runs_unedited():
            tell_as_before(
                self, callback_list, source, validation_data is not None, val_x, val_y, val_weight
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

    @sharing
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
            # A `train_step` that returns its own loss need not update the tracker of that name.
            tracker = self._loss_tracker
            if tracker is not None and "loss" in logs and not tracker.count.array:
                return {**metrics, "loss": logs["loss"]}
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

    @understands_old
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
            self._ensure_built(first[0], source)
        callback_list = self._callback_list(callbacks, verbose, 1, source.num_batches, CallbackList)
        logs = self._evaluate_source(source, callback_list)
        return logs if return_dict else self._in_order(logs)

    @sharing
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
        results = [logs[name] for name in self._names_in_order(list(logs))]
        return results[0] if len(results) == 1 else results

    # Predicting

    @understands_old
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
            batch_size: Rows per step. Defaults to 32, or more at once where that changes nothing.
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
                outputs, _, _ = (_forward if program.small else _shared_forward)(program, x)
                return program.pack([_owned(array, x) for array in outputs])
        return self._predict_source(x, batch_size, verbose, steps, callbacks)

    @sharing
    def _predict_source(
        self, x: Any, batch_size: Any, verbose: Any, steps: Any, callbacks: Any
    ) -> Any:
        from minikeras.callbacks import CallbackList
        from minikeras.training.data import make_batches

        source = make_batches(x, batch_size=batch_size, steps_per_epoch=steps, strings=True)
        first = source.peek()
        if first is not None:
            self._ensure_built(first[0], source)
        if verbose == "auto" and source.num_batches == 1:
            verbose = 0
        batches: Any = source.num_batches
        callback_list = self._callback_list(callbacks, verbose, 1, batches, CallbackList)
        callback_list.on_predict_begin()
        begin, end = callback_list.batch_hooks("predict")
        self.stop_predicting = False
        custom = self._overrides("predict_step")
        program = None if custom else self._get_program()
        together = 1
        if batch_size is None and callbacks is None and not custom:
            together = batches_at_once(self, program, source)
        if together > 1:
            source = make_batches(x, batch_size=together * (source.batch_size or 1), strings=True)
        collected: list[list] = []
        recent: list[list] = []
        structure: Any = None
        logs: dict = {}
        every, index = self.steps_per_execution if together == 1 else 1, -1
        for index, (batch, _, _) in enumerate(source.epoch()):
            if begin is not None and index % every == 0:
                begin(index * together)
            if custom:
                result = self.predict_step(as_tensors(batch))
                structure = tree.map_structure(lambda _: None, result)
                flat = [np.asarray(plain(leaf)) for leaf in tree.flatten(result)]
            else:
                flat, _, _ = program.forward(Run(False), batch)  # type: ignore[union-attr]
            collected.append(flat)
            if end is not None:
                recent = [flat] if index % every == 0 else [*recent, flat]
                logs = {"outputs": joined_outputs(recent)}
                last = (index + 1) * together - 1
                if (index + 1) % every == 0:
                    end(last if together == 1 else min(last, batches - 1), logs)
            if self.stop_predicting:
                break
        if every > 1:
            self._end_execution(index, end, logs)
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

    @understands_old
    @sharing
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

    @understands_old
    @sharing
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

    @sharing
    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, as NumPy arrays."""
        from minikeras.training.data import one_batch

        x, _, _ = one_batch(x, strings=True)
        self._ensure_built(x)
        if self._overrides("predict_step"):
            return tree.map_structure(
                lambda leaf: np.asarray(plain(leaf)), self.predict_step(as_tensors(x))
            )
        program = self._get_program()
        outputs, _, _ = program.forward(Run(False), x)
        return program.pack([np.array(array) for array in outputs])

    def make_predict_function(self, force: bool = False) -> Any:
        """The function of one batch that `predict` calls."""
        self.predict_function = lambda iterator: self.predict_on_batch(next(iter(iterator)))
        return self.predict_function


def _forward(program: Any, x: np.ndarray) -> tuple:
    return program.forward(INFERENCE, x)


_shared_forward = sharing(_forward)


def _owned(array: np.ndarray, source: np.ndarray) -> np.ndarray:
    """`array`, copied where it shares memory with the caller's data or is a view of a buffer."""
    return array if array.base is None and array is not source else array.copy()


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

"""All callbacks of a run behind one, with the history and the progress bar."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from minikeras.callbacks.callback import Callback, resolve_monitor_name
from minikeras.engine import tree
from minikeras.utils.progbar import Progbar, print_msg

Hook = Callable[..., Any]


def pythonify_logs(logs: Any) -> dict:
    """Logs in order of their names, with Python floats for what is a single number.

    `logs` may also be a function that returns them, so that nobody computes them in vain.
    """
    if callable(logs):
        logs = logs()
    plain: dict = HistoryDict()  # callbacks of Keras 2 ask for `logs.get("acc")`
    for name, value in sorted((logs or {}).items()):
        if isinstance(value, dict):
            plain.update(pythonify_logs(value))
            continue
        if not isinstance(value, float):
            value = _plain(value)
        plain[name] = value
    return plain


def _plain(value: Any) -> Any:
    """A number as a float, a tensor as an array; anything else as it is."""
    shape = getattr(value, "shape", ())
    if shape:
        value = np.asarray(value)
        if shape != (1,):
            return value
        value = value[0]
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


class CallbackList(Callback):
    """Calls a list of callbacks as one.

    Args:
        callbacks: A callback or a (nested) list of them. Defaults to none.
        add_history: Whether a `History` is added if there is none. Defaults to False.
        add_progbar: Whether a `ProgbarLogger` is added if there is none. Defaults to False.
        model: The model that runs.
        **params: `verbose`, `epochs`, `steps`: what the callbacks find in their `params`.

    Raises:
        TypeError: One of the callbacks is none.

    Example:

    >>> import minikeras
    >>> stop = minikeras.callbacks.EarlyStopping()
    >>> callbacks = minikeras.callbacks.CallbackList([stop], add_history=True)
    >>> [type(callback).__name__ for callback in callbacks.callbacks]
    ['EarlyStopping', 'History']
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        self.callbacks: list = tree.flatten(callbacks) if callbacks else []
        for callback in self.callbacks:
            _check(callback)
        self._history = self._first(History)
        if self._history is None and add_history:
            self._history = History()
            self.callbacks.append(self._history)
        self._progbar = self._first(ProgbarLogger)
        if self._progbar is None and add_progbar:
            self._progbar = ProgbarLogger()
            self.callbacks.append(self._progbar)
        self.set_model(model)
        self.set_params(params)

    def _first(self, kind: type) -> Any:
        return next((cb for cb in self.callbacks if isinstance(cb, kind)), None)

    def set_params(self, params: dict) -> None:
        self.params = params
        if params:
            for callback in self.callbacks:
                callback.set_params(params)

    def set_model(self, model: Any) -> None:
        if model is None:
            return
        self._model = model
        if self._history is not None:
            model.history = self._history
        for callback in self.callbacks:
            callback.set_model(model)

    def batch_hooks(self, phase: str) -> tuple[Hook | None, Hook | None]:
        """What to call before and after each batch, or `None` where nobody cares.

        To be asked for once the run has begun (after `on_train_begin` and its like). Both are
        called as `hook(batch, logs)`. The logs may be a function that returns them: it is called
        only when somebody is going to read them, which for the progress bar alone is a few times a
        second.

        Args:
            phase: `"train"`, `"test"` or `"predict"`.
        """
        begins = self._hooks(f"on_{phase}_batch_begin")
        ends = self._hooks(f"on_{phase}_batch_end")
        bar = self._progbar if type(self._progbar) is ProgbarLogger else None
        if bar is not None and not bar.follows(phase):
            bar = None
        return _begin_hook(begins), _end_hook(ends, bar, phase)

    def _hooks(self, event: str) -> list[Hook]:
        """The methods for a batch event that do something; not those of the plain progress bar."""
        return [
            getattr(callback, event)
            for callback in self.callbacks
            if type(callback) is not ProgbarLogger and _acts_on(callback, event)
        ]

    # Each event goes to all callbacks in their order, with one dict of logs for all of them.

    def _call(self, event: str, *args: Any, logs: Any) -> None:
        logs = pythonify_logs(logs)
        for callback in self.callbacks:
            getattr(callback, event)(*args, logs)

    def on_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._call("on_batch_begin", batch, logs=logs)

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        self._call("on_batch_end", batch, logs=logs)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._call("on_epoch_begin", epoch, logs=logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._call("on_epoch_end", epoch, logs=logs)
        for callback in self.callbacks:
            getattr(callback, "_after_epoch_end", _nothing)(epoch, self.callbacks)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._call("on_train_batch_begin", batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._call("on_train_batch_end", batch, logs=logs)

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._call("on_test_batch_begin", batch, logs=logs)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self._call("on_test_batch_end", batch, logs=logs)

    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._call("on_predict_batch_begin", batch, logs=logs)

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        self._call("on_predict_batch_end", batch, logs=logs)

    def on_train_begin(self, logs: Any = None) -> None:
        self._call("on_train_begin", logs=logs)
        for callback in self.callbacks:
            getattr(callback, "_after_train_begin", _nothing)(self.callbacks)

    def on_train_end(self, logs: Any = None) -> None:
        self._call("on_train_end", logs=logs)

    def on_test_begin(self, logs: Any = None) -> None:
        self._call("on_test_begin", logs=logs)

    def on_test_end(self, logs: Any = None) -> None:
        self._call("on_test_end", logs=logs)

    def on_predict_begin(self, logs: Any = None) -> None:
        self._call("on_predict_begin", logs=logs)

    def on_predict_end(self, logs: Any = None) -> None:
        self._call("on_predict_end", logs=logs)


def _nothing(*args: Any) -> None: ...


def _check(callback: Any) -> None:
    if isinstance(callback, type):
        raise TypeError(
            f"`callbacks` must be objects. Received the class {callback.__name__} itself: write "
            f"`{callback.__name__}()`, with its arguments."
        )
    if not isinstance(callback, Callback) and not hasattr(callback, "on_epoch_end"):
        raise TypeError(
            "`callbacks` must be `minikeras.callbacks.Callback` objects. "
            f"Received: {callback!r} (of type {type(callback).__name__})"
        )


# The training events fall back on the older names of theirs.
_OLDER = {
    "on_train_batch_begin": ("on_batch_begin",),
    "on_train_batch_end": ("on_batch_end",),
}


def _acts_on(callback: Any, event: str) -> bool:
    """Whether a batch event reaches anything: a method of a subclass, or a function set on it."""
    for name in (event, *_OLDER.get(event, ())):
        if name in getattr(callback, "__dict__", ()):
            return True
        method = getattr(type(callback), name, None)
        if method is not getattr(Callback, name):
            # Callbacks of this package know whether their settings leave them anything to do.
            ours = getattr(method, "__module__", "").startswith(__package__)
            return not (ours and callback._is_idle(event))
    return False


def _begin_hook(hooks: list[Hook]) -> Hook | None:
    if not hooks:
        return None

    def begin(batch: int, logs: Any = None) -> None:
        logs = pythonify_logs(logs)
        for hook in hooks:
            hook(batch, logs=logs)

    return begin


def _end_hook(hooks: list[Hook], bar: ProgbarLogger | None, phase: str) -> Hook | None:
    if bar is None and not hooks:
        return None
    if bar is None:

        def end(batch: int, logs: Any = None) -> None:
            logs = pythonify_logs(logs)
            for hook in hooks:
                hook(batch, logs=logs)

        return end
    update = getattr(bar, f"on_{phase}_batch_end")
    now = time.time

    def end_with_bar(batch: int, logs: Any = None) -> None:
        if hooks:
            logs = pythonify_logs(logs)
            for hook in hooks:
                hook(batch, logs=logs)
        bar.seen = batch + 1
        if now() >= bar.next_update:
            update(batch, logs if hooks else pythonify_logs(logs))

    return end_with_bar


class HistoryDict(dict):
    """Metric name -> values, an epoch each.

    A metric also answers to its other spelling: with `metrics=["accuracy"]` compiled,
    `history["acc"]` and `history["val_acc"]` work. The keys are those that were compiled.
    """

    def __missing__(self, name: Any) -> Any:
        if name not in self:
            raise KeyError(name)
        return self[resolve_monitor_name(name, self.keys())]

    def __contains__(self, name: Any) -> bool:
        return resolve_monitor_name(name, self.keys()) in self.keys()

    def get(self, name: Any, default: Any = None) -> Any:
        """The values of a metric, under any spelling, or `default`."""
        try:
            return self[name]
        except KeyError:
            return default


class History(Callback):
    """Keeps the metrics of every epoch. `fit` adds one by itself and returns it.

    Attributes:
        history: Dict from metric name to the list of its values. Metrics answer to both spellings:
            `"acc"` and `"accuracy"`, `"mae"` and `"mean_absolute_error"`...
        epoch: The numbers of the epochs.

    Example:

    >>> import minikeras
    >>> history = minikeras.callbacks.History()
    >>> history.history["accuracy"] = [0.5, 0.75]
    >>> history.history["acc"]
    [0.5, 0.75]
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list] = HistoryDict()
        self.epoch: list[int] = []

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        if self.model is not None:
            self.model.history = self


class ProgbarLogger(Callback):
    """Shows progress and metrics. `fit`, `evaluate` and `predict` add one unless `verbose=0`.

    With `verbose=1` (`"auto"`) it is a bar that is redrawn in a terminal or notebook, and one line
    an epoch elsewhere; with `verbose=2` one line an epoch everywhere.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0
        self.progbar: Progbar | None = None
        self.target: int | None = None
        self.verbose: int = 1
        self.epochs = 1
        self._called_in_fit = False

    def set_params(self, params: dict) -> None:
        self.params = params
        verbose = params.get("verbose", 1)
        if verbose not in ("auto", 0, 1, 2):
            raise ValueError(
                "Argument `verbose` must be 'auto', 0 (silent), 1 (progress bar) or 2 (one line an"
                f" epoch). Received: verbose={verbose!r}"
            )
        self.verbose = 1 if verbose == "auto" else int(verbose)
        self.epochs = params.get("epochs", 1)
        self.target = params.get("steps")

    def follows(self, phase: str) -> bool:
        """Whether batches of this phase (`"train"`, `"test"`, `"predict"`) move the bar."""
        return phase != "test" or not self._called_in_fit

    @property
    def next_update(self) -> float:
        """The time before which an update would not show."""
        return math.inf if self.progbar is None else self.progbar.next_update

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._called_in_fit = True  # the validation in it is silent

    def on_train_end(self, logs: dict | None = None) -> None:
        self._called_in_fit = False

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._start()
        if self.verbose and self.epochs > 1:
            print_msg(f"Epoch {epoch + 1}/{self.epochs}")

    def on_test_begin(self, logs: dict | None = None) -> None:
        if not self._called_in_fit:
            self._start()

    def on_predict_begin(self, logs: dict | None = None) -> None:
        self._start()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._update(batch, logs)

    def on_test_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if not self._called_in_fit:
            self._update(batch, logs)

    def on_predict_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._update(batch, None)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._finish(logs)

    def on_test_end(self, logs: dict | None = None) -> None:
        if not self._called_in_fit:
            self._finish(logs)

    def on_predict_end(self, logs: dict | None = None) -> None:
        self._finish(None)

    def _start(self) -> None:
        self.seen = 0
        # The metrics are running means already: the bar must not average them again.
        self.progbar = Progbar(self.target, verbose=self.verbose, stateless_metrics=())

    def _update(self, batch: int, logs: dict | None) -> None:
        if self.progbar is None:
            self._start()
        self.seen = batch + 1
        if self.verbose == 1:
            self._bar().update(self.seen, _items(logs), finalize=False)

    def _finish(self, logs: dict | None) -> None:
        bar = self._bar()
        if self.target is None:
            self.target = bar.target = self.seen
        bar.update(self.target, _items(logs), finalize=True)

    def _bar(self) -> Progbar:
        if self.progbar is None:
            self._start()
        assert self.progbar is not None
        return self.progbar


def _items(logs: dict | None) -> list[tuple[str, Any]]:
    return list((logs or {}).items())

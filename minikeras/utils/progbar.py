"""The progress bar, and messages to standard output or the log."""

from __future__ import annotations

import logging
import math
import os
import shutil
import sys
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from minikeras import config

_BOLD, _GREEN, _WHITE, _PLAIN = "\x1b[1m", "\x1b[32m", "\x1b[37m", "\x1b[0m"


def _is_terminal() -> bool:
    isatty = getattr(sys.stdout, "isatty", None)
    return bool(isatty and isatty())


def _can_redraw() -> bool:
    """Whether what was written can be written over: in a terminal, a notebook, PyCharm."""
    if not config.is_interactive_logging_enabled():
        return False
    return _is_terminal() or "ipykernel" in sys.modules or "PYCHARM_HOSTED" in os.environ


def _bar_character() -> str:
    try:
        "━".encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return "="
    return "━"


class Progbar:
    """Shows how far a loop is, how long it will take, and how its metrics stand.

    In a terminal or notebook the line is redrawn as the loop goes on. Elsewhere (a file, a pipe)
    only the last line is written, plain; with `interval=0` each update is a line of its own.

    Args:
        target: How many steps there are; `None` if unknown.
        width: Width of the bar in characters. Defaults to 20.
        verbose: 0 is silent, 1 (default) a bar, 2 one line at the end.
        interval: Seconds between two redraws, at least. Defaults to 0.05.
        stateful_metrics: Names of metrics that are shown as they come. All others are averaged
            over the steps.
        stateless_metrics: Names of metrics that are averaged over the steps. All others are shown
            as they come. Give only one of the two; by default every metric is averaged.
        unit_name: What a step is called. Defaults to `"step"`.

    Raises:
        ValueError: Both `stateful_metrics` and `stateless_metrics` are given.

    Example:

    >>> import minikeras
    >>> bar = minikeras.utils.Progbar(3, verbose=2)
    >>> for step in range(3):
    ...     bar.update(step + 1, [("loss", 0.5)])
    3/3 - 0s - .../step - loss: 0.5000
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ) -> None:
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError(
                "Only one of `stateful_metrics` or `stateless_metrics` can be given: each says "
                "which metrics are the exception, as the other says by what it leaves out. "
                f"Received: stateful_metrics={stateful_metrics}, "
                f"stateless_metrics={stateless_metrics}"
            )
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.unit_name = unit_name
        self.stateless_metrics = None if stateless_metrics is None else set(stateless_metrics)
        self.stateful_metrics = None if stateful_metrics is None else set(stateful_metrics)
        if stateful_metrics is None and stateless_metrics is None:
            self.stateful_metrics = set()
        self._redraws = _can_redraw()
        self._seen_so_far = 0
        self._values: dict[str, list] = {}  # name -> [sum, steps]
        self._start = time.time()
        self._time_after_first_step: float | None = None
        self._last_update = 0.0
        self._drawn_width = 0

    @property
    def next_update(self) -> float:
        """The time before which an update of a bar would not show."""
        if self.verbose != 1:
            return math.inf
        if self._redraws or self.interval == 0 or self._time_after_first_step is None:
            return self._last_update + self.interval
        return math.inf

    def update(
        self, current: int, values: Iterable | None = None, finalize: bool | None = None
    ) -> None:
        """Moves the bar.

        Args:
            current: The step that is done, counted from 1.
            values: Pairs `(metric name, its value in this step)`.
            finalize: Whether this is the last update. Defaults to `current >= target`.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        for name, value in values or ():
            self._take_in(name, value, current, finalize)
        self._seen_so_far = current

        now = time.time()
        step_duration = self._step_duration(current, now)
        if self.verbose == 1:
            if finalize:
                print_msg(self._line(current, now, step_duration, True))
            elif now - self._last_update >= self.interval:
                if self._redraws:
                    print_msg(self._line(current, now, step_duration, False), line_break=False)
                elif self.interval == 0:
                    print_msg(self._line(current, now, step_duration, False))
            else:
                return
        elif self.verbose == 2 and finalize and self.target:
            print_msg(
                f"{_count(current, self.target)} - {now - self._start:.0f}s - "
                f"{_per_unit(step_duration, self.unit_name)}{self._metrics()}"
            )
        self._last_update = now

    def add(self, n: int, values: Iterable | None = None) -> None:
        """Moves the bar by `n` steps."""
        self.update(self._seen_so_far + n, values)

    def _take_in(self, name: str, value: Any, current: int, finalize: bool) -> None:
        if self.stateful_metrics is not None:
            averaged = name not in self.stateful_metrics
        else:
            averaged = name in (self.stateless_metrics or ())
        if not isinstance(value, float):
            value = float(np.mean(value))
        if finalize or not averaged:
            self._values[name] = [value, 1]
            return
        steps = max(current - self._seen_so_far, 1)
        entry = self._values.setdefault(name, [0.0, 0])
        entry[0] += value * steps
        entry[1] += steps

    def _step_duration(self, current: int, now: float) -> float:
        """Seconds a step takes; the first, which is often slow, counts only while it is alone."""
        if not current:
            return 0.0
        if self._time_after_first_step is not None and current > 1:
            duration = (now - self._time_after_first_step) / (current - 1)
        else:
            duration = (now - self._start) / current
        if current == 1:
            self._time_after_first_step = now
        return duration

    def _line(self, current: int, now: float, step_duration: float, finalize: bool) -> str:
        """What is written: in a terminal, what overwrites the line that is there."""
        if self.target:
            full = min(int(self.width * current / self.target), self.width)
            dash = _bar_character()
            done, todo = dash * full, dash * (self.width - full)
            count = _count(current, self.target)
        else:
            count, done, todo = f"{current:7d}/Unknown", "", ""
        if self.target and not finalize:
            clock = _clock(step_duration * (self.target - current))
        else:
            clock = f"{now - self._start:.0f}s"
        rest = f" {_per_unit(step_duration, self.unit_name)}{self._metrics()}"
        plain = f"{count} {done}{todo} {clock}" if self.target else f"{count} {clock}"
        if not self._redraws:
            return plain + rest
        if not finalize and _is_terminal():
            # A line that wraps cannot be overwritten.
            columns = shutil.get_terminal_size().columns
            rest = rest[: max(columns - 1 - len(plain), 0)]
        width = len(plain) + len(rest)
        padding = " " * max(self._drawn_width - width, 0)
        self._drawn_width = width
        if self.target:
            bar = f"{_BOLD}{count}{_PLAIN} {_GREEN}{done}{_PLAIN}{_WHITE}{todo}{_PLAIN} "
        else:
            bar = f"{count} "
        return f"\r{bar}{_BOLD}{clock}{_PLAIN}{rest}{padding}"

    def _metrics(self) -> str:
        text = ""
        for name, (total, steps) in self._values.items():
            value = total / max(1, steps)
            text += f" - {name}: {value:.4f}" if abs(value) > 1e-3 else f" - {name}: {value:.4e}"
        return text


def _count(current: int, target: int) -> str:
    return f"{current:{len(str(target))}d}/{target}"


def _clock(seconds: float) -> str:
    whole = int(seconds)
    if seconds > 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
    if seconds > 60:
        return f"{whole // 60}:{whole % 60:02d}"
    return f"{whole}s"


def _per_unit(seconds: float, unit: str) -> str:
    if seconds >= 1 or seconds == 0:
        return f"{seconds:.0f}s/{unit}"
    if seconds >= 1e-3:
        return f"{seconds * 1e3:.0f}ms/{unit}"
    return f"{seconds * 1e6:.0f}us/{unit}"


logger = logging.getLogger("minikeras")


def set_logging_verbosity(level: str) -> None:
    """Sets which messages of minikeras's log are kept.

    Args:
        level: `"DEBUG"`, `"INFO"`, `"WARNING"`, `"ERROR"` or `"FATAL"`.

    Raises:
        ValueError: The level is none of these.
    """
    if level not in ("DEBUG", "INFO", "WARNING", "ERROR", "FATAL"):
        raise ValueError(
            "Argument `level` must be 'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'FATAL'. Received:"
            f" level={level!r}"
        )
    logger.setLevel(level)


def print_msg(message: Any, line_break: bool = True) -> None:
    """Writes `message` to standard output, or to the log where interactive logging is off.

    Characters that the output's encoding lacks are written as `?`.

    Args:
        message: What to write.
        line_break: Whether a line break follows. Defaults to `True`.
    """
    from minikeras import config

    if not config.is_interactive_logging_enabled():
        logger.info(message)
        return
    text = f"{message}\n" if line_break else str(message)
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.write(text.encode(encoding, errors="replace").decode(encoding))
    sys.stdout.flush()


def ask_to_proceed_with_overwrite(filepath: Any) -> bool:
    """Asks on the terminal whether the file may be overwritten.

    Args:
        filepath: The file that exists already.

    Returns:
        Whether the answer was yes.
    """
    answer = input(f"[WARNING] {filepath} already exists - overwrite? [y/n]").strip().lower()
    while answer not in ("y", "n"):
        answer = input('Enter "y" (overwrite) or "n" (cancel).').strip().lower()
    if answer == "y":
        print_msg("[TIP] Next time specify overwrite=True!")
    return answer == "y"

"""Kernels on several threads: the parts of a batch side by side, in threads of NumPy.

NumPy lets other threads run while it copies, computes or multiplies, so parts can be worked on side
by side, elementwise passes included, where a BLAS shares its products alone and leaves its threads
spinning beside all else. So while a model trains or predicts (`sharing`) BLAS has one thread and
the kernels have as many as BLAS had: all cores, or what `OPENBLAS_NUM_THREADS` says.
`MINIKERAS_THREADS` or `set_threads` give another number, 1 for none.
"""

from __future__ import annotations

import _thread
import contextlib
import contextvars
import ctypes
import os
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from queue import SimpleQueue
from time import perf_counter
from typing import Any

import numpy as np

from minikeras.kernels import blas

# Elements below which handing a part to another thread costs more than it saves.
SMALLEST = 1 << 16
# Threads are told one after the other, so that many of them cost more than they give.
_MOST = 8

# Seconds that a part may take longer than the caller's own, how much more often it may be so than
# not, and how many calls then go without threads: ever more, as long as it is so.
_PATIENCE, _TOO_LATE, _SHORTEST, _LONGEST = 0.001, 8, 64, 4096

_local = threading.local()
_chosen: int | None = None
_shared = 1  # what BLAS had, while sharing
_users = 0
_late, _rest, _rests = 0, 0, _SHORTEST
_guard = threading.Lock()
_helpers: list[_Helper] = []
_free = threading.Lock()


def set_threads(count: int) -> None:
    """Use ``count`` threads (1: none but the caller's)."""
    global _chosen
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"The number of threads must be a positive integer. Received: {count!r}")
    _chosen = count


def threads() -> int:
    """How many threads kernels use now."""
    return _shared if _chosen is None else _chosen


def sharing(function: Callable) -> Callable:
    """A decorator: while `function` runs, kernels have BLAS's threads, and NumPy does not warn.

    Weights that diverge become infinite, then NaN, without a word, as in Keras.
    """

    @wraps(function)
    def inside(*args: Any, **kwargs: Any) -> Any:
        enter()
        try:
            with np.errstate(all="ignore"):
                return function(*args, **kwargs)
        finally:
            leave()

    return inside


def enter() -> None:
    """Begin to work with BLAS's threads, which has one until `leave`."""
    global _users, _shared
    with _guard:
        _users += 1
        if _users == 1 and _chosen is None:
            count = blas.threads()
            if count > 1 and blas.set_threads(1):
                _shared = count


def leave() -> None:
    """End what `enter` began; the last to leave gives BLAS its threads back."""
    global _users, _shared
    with _guard:
        _users -= 1
        if not _users and _shared > 1:
            blas.set_threads(_shared)
            _shared = 1


def parts_for(work: float, smallest: float) -> int:
    """In how many parts to share `work`, of `smallest` or more each."""
    count = min(threads(), _MOST, int(work // smallest))
    return 1 if count < 2 or getattr(_local, "busy", False) else count


class _Helper:
    """A thread that waits for a part to work on."""

    def __init__(self) -> None:
        self.begin, self.done = _thread.allocate_lock(), _thread.allocate_lock()
        self.begin.acquire()
        self.done.acquire()
        self.job: Any = None
        self.error: BaseException | None = None
        self.beside = -1  # the processor that it keeps away from
        self.thread = threading.Thread(target=self.work, name="minikeras", daemon=True)
        self.thread.start()

    def work(self) -> None:
        _local.busy = True
        while True:
            self.begin.acquire()
            try:
                context, function, part = self.job
                context.run(function, part)
            except BaseException as error:
                self.error = error
            self.job = context = function = None
            self.done.release()


@lru_cache(maxsize=1)
def _processor() -> Callable[[], int] | None:
    """What tells on which processor the caller is, on Linux."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    try:
        return ctypes.CDLL(None).sched_getcpu
    except (AttributeError, OSError):
        return None


def _keep_apart(helpers: list[_Helper]) -> None:
    """Keep helpers off the caller's processor, where a scheduler might wake them to wait for it."""
    tell = _processor()
    if tell is None:
        return
    here = tell()
    for helper in helpers:
        if helper.beside != here:
            helper.beside = here
            others = os.sched_getaffinity(0) - {here}
            if others and helper.thread.native_id is not None:
                with contextlib.suppress(OSError):
                    os.sched_setaffinity(helper.thread.native_id, others)


def side_by_side(function: Callable[[int], object], count: int) -> None:
    """Call ``function`` with 0 to ``count - 1``, each in a thread of its own; 0 in this one.

    One after the other where another caller has the threads, or this is one of them: the same
    parts, in which nothing is shared again, so that the numbers are the same to the bit.
    """
    if count < 2 or not _take():
        _alone(lambda: [function(part) for part in range(count)])
        return
    try:
        begin = perf_counter()
        asked = _ask(function, range(1, count))
        _local.busy = True
        try:
            function(0)
        finally:
            _local.busy = False
            end = perf_counter()
            _wait(asked)
        _judge(end - begin, perf_counter() - end)
    finally:
        _free.release()


def _alone(work: Callable[[], object]) -> None:
    """Do in this thread what threads would share."""
    outer = getattr(_local, "busy", False)
    _local.busy = True
    try:
        work()
    finally:
        _local.busy = outer


def _take() -> bool:
    """Whether this caller has the threads now, until it releases `_free`."""
    global _rest
    if getattr(_local, "busy", False) or not _free.acquire(blocking=False):
        return False
    if _rest:
        _rest -= 1
        _free.release()
        return False
    return True


def _judge(worked: float, waited: float) -> None:
    """Rest where others have the processors: then a part waits for them and all wait for it."""
    global _rest, _rests, _late
    if waited < worked + _PATIENCE:
        _late = max(_late - 1, 0)
        if not _late:
            _rests = _SHORTEST
        return
    _late += 2
    if _late >= _TOO_LATE:
        _rest, _rests, _late = _rests, min(2 * _rests, _LONGEST), _TOO_LATE - 2


def pipeline(
    first: Callable[[int], object], second: Callable[[int], object], count: int, own: int = 0
) -> None:
    """Call `first` with 0 to `count - 1`, and `second` with each of them some time after it.

    `first` goes on in this thread while `second` runs in another one, which leaves the last `own`
    calls of `second` to this thread, side by side with its own last ones.
    """
    if not _take():
        _alone(lambda: [(first(k), second(k)) for k in range(count)])
        return
    ready: SimpleQueue = SimpleQueue()

    def follow(_: int) -> None:
        while (k := ready.get()) is not None:
            second(k)

    try:
        asked = _ask(follow, [0])
        _local.busy = True
        try:
            for k in range(count):
                first(k)
                if k < count - own:
                    ready.put(k)
            ready.put(None)
            for k in range(count - own, count):
                second(k)
        finally:
            ready.put(None)
            _local.busy = False
            _wait(asked)
    finally:
        _free.release()


def _ask(function: Callable[[int], object], parts: Sequence[int]) -> list[_Helper]:
    """Let helpers begin with `function` of each part."""
    while len(_helpers) < len(parts):
        _helpers.append(_Helper())
    asked = _helpers[: len(parts)]
    _keep_apart(asked)
    for part, helper in zip(parts, asked):
        helper.job = (contextvars.copy_context(), function, part)
        helper.begin.release()
    return asked


def _wait(asked: list[_Helper]) -> None:
    """Wait for helpers; raises the first of their errors."""
    error = None
    try:
        for helper in asked:
            helper.done.acquire()
            error, helper.error = error or helper.error, None
    except BaseException:  # interrupted: nobody knows when these are done
        _helpers.clear()
        raise
    if error is not None:
        raise error


def edges(size: int, count: int) -> list[slice]:
    """`size` in `count` nearly equal parts."""
    ends = [size * part // count for part in range(count + 1)]
    return [slice(*pair) for pair in zip(ends, ends[1:])]


def over_batch(function: Callable[[slice], object], batch: int, work: int) -> int:
    """Call ``function`` with slices that make up the batch, side by side if that pays.

    Args:
        function: Works on its part of the arrays and touches no other.
        batch: Number of samples.
        work: About how many elements are computed in all.

    Returns:
        The number of parts.
    """
    count = min(parts_for(work, SMALLEST), batch)
    if count <= 1:
        function(slice(0, batch))
        return 1
    parts = edges(batch, count)
    side_by_side(lambda part: function(parts[part]), count)
    return count


def each(function: Callable, *arrays: np.ndarray, smallest: int = SMALLEST) -> None:
    """Call ``function`` with parts of arrays that are equally long, side by side if that pays.

    Args:
        function: Computes elementwise, or row by row, into one of the arrays.
        smallest: Elements below which a part is not worth a thread.
    """
    rows = len(arrays[0]) if arrays[0].ndim else 1
    count = min(parts_for(arrays[0].size, smallest), rows)
    if count < 2:
        function(*arrays)
        return
    parts = edges(rows, count)
    side_by_side(lambda part: function(*(array[parts[part]] for array in arrays)), count)


def summed(function: Callable[[slice], Any], rows: int, work: int, smallest: int = SMALLEST) -> Any:
    """The sum of what ``function`` returns for slices that make up `rows`: arrays, or tuples."""
    count = min(parts_for(work, smallest), rows)
    if count < 2:
        return function(slice(0, rows))
    parts, results = edges(rows, count), [None] * count

    def run(part: int) -> None:
        results[part] = function(parts[part])

    side_by_side(run, count)
    if isinstance(results[0], tuple):
        return tuple(map(sum, zip(*results)))  # type: ignore[arg-type]
    return sum(results)  # type: ignore[arg-type]


def _forget_threads() -> None:
    global _free, _guard
    _helpers.clear()  # a forked child has none of its parent's threads
    _free, _guard = threading.Lock(), threading.Lock()
    _local.busy = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
if os.environ.get("MINIKERAS_THREADS", "").isdigit():
    set_threads(max(int(os.environ["MINIKERAS_THREADS"]), 1))

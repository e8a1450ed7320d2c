"""Kernels on several threads: for batches an option, off by default.

NumPy lets other threads run while it copies, computes or multiplies, so the parts of a batch can be
worked on side by side, elementwise passes included. That pays where BLAS itself uses one thread
(`OPENBLAS_NUM_THREADS=1`), which is also the robust setting on a busy machine: BLAS threads wait
for each other by spinning. Set the number with `MINIKERAS_THREADS` or `set_threads`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from minikeras.kernels import blas

# Elements below which handing a part to another thread costs more than it saves.
SMALLEST = 1 << 16

_local = threading.local()
_threads = 1
_pool: ThreadPoolExecutor | None = None


def set_threads(count: int) -> None:
    """Use ``count`` threads (1: none but the caller's)."""
    global _threads, _pool
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"The number of threads must be a positive integer. Received: {count!r}")
    if _pool is not None:
        _pool.shutdown()
    _threads, _pool = count, None


def threads() -> int:
    """How many threads kernels use."""
    return _threads


def useful(size: int, smallest: int) -> int:
    """How many threads to share elementwise work on `size` numbers, `smallest` or more for each.

    As many as NumPy's BLAS may use, if that is more than `threads()`: elementwise work gives the
    same numbers however it is shared.
    """
    if size < 2 * smallest:
        return 1
    return max(1, min(max(_threads, blas.threads()), size // smallest))


def side_by_side(function: Callable[[int], object], count: int) -> None:
    """Call ``function`` with 0 to ``count - 1``, each in a thread of its own; 0 in this one."""
    global _pool
    if count > 1 and not getattr(_local, "busy", False):
        if _pool is None or _pool._max_workers < count - 1:
            _pool = ThreadPoolExecutor(max(count, _threads) - 1, "minikeras")
        waiting = [_pool.submit(_alone, function, part) for part in range(1, count)]
        try:
            _alone(function, 0)
        finally:
            for one in waiting:
                one.result()
    else:
        for part in range(count):
            function(part)


def over_batch(function: Callable[[slice], object], batch: int, work: int) -> int:
    """Call ``function`` with slices that make up the batch, side by side if that pays.

    Args:
        function: Works on its part of the arrays and touches no other.
        batch: Number of samples.
        work: About how many elements are computed in all.

    Returns:
        The number of parts.
    """
    count = min(_threads, batch, max(work // SMALLEST, 1))
    if count <= 1 or getattr(_local, "busy", False):
        function(slice(0, batch))
        return 1
    edges = [batch * part // count for part in range(count + 1)]
    side_by_side(lambda part: function(slice(edges[part], edges[part + 1])), count)
    return count


def _alone(function: Callable[[int], object], part: int) -> None:
    _local.busy = True
    try:
        function(part)
    finally:
        _local.busy = False


def _forget_pool() -> None:
    global _pool
    _pool = None  # a forked child has none of its parent's threads


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
if os.environ.get("MINIKERAS_THREADS", "").isdigit():
    set_threads(max(int(os.environ["MINIKERAS_THREADS"]), 1))

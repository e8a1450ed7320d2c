"""Kernels on several threads: an option, off by default.

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


def over_batch(function: Callable[[slice], object], batch: int, work: int) -> int:
    """Call ``function`` with slices that make up the batch, side by side if that pays.

    Args:
        function: Works on its part of the arrays and touches no other.
        batch: Number of samples.
        work: About how many elements are computed in all.

    Returns:
        The number of parts.
    """
    global _pool
    count = min(_threads, batch, max(work // SMALLEST, 1))
    if count <= 1 or getattr(_local, "busy", False):
        function(slice(0, batch))
        return 1
    if _pool is None:
        _pool = ThreadPoolExecutor(_threads - 1, "minikeras")
    edges = [batch * part // count for part in range(count + 1)]
    parts = [slice(a, b) for a, b in zip(edges, edges[1:])]
    waiting = [_pool.submit(_alone, function, part) for part in parts[1:]]
    try:
        _alone(function, parts[0])
    finally:
        for one in waiting:
            one.result()
    return count


def _alone(function: Callable[[slice], object], part: slice) -> None:
    _local.busy = True
    try:
        function(part)
    finally:
        _local.busy = False


if os.environ.get("MINIKERAS_THREADS", "").isdigit():
    set_threads(max(int(os.environ["MINIKERAS_THREADS"]), 1))

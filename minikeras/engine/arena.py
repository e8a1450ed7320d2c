"""Arenas: many variables in one flat buffer of values and one of gradients, aligned alike.

Then an optimizer is a handful of in-place vector operations over one or few chunks, however many
layers there are.

How much memory the weights of a model from a file may take.

The sizes in a configuration are claims of whoever wrote it. While a model is being made from a
file, variables are charged to a budget before they are allocated, and large ones wait with their
values until these are read from the file, or needed.
"""

from __future__ import annotations

import math
import os
import sys
import threading
from collections.abc import Iterable
from typing import Any

import numpy as np

from minikeras.engine import tree
from minikeras.engine.symbolic import KerasTensor

_ALIGN = 64


class Arena:
    """One flat buffer for the values of `variables` (all of one dtype) and one for gradients.

    The variables' arrays become views. A variable belongs to at most one arena.
    """

    def __init__(self, variables: Iterable[Any], dtype: np.dtype) -> None:
        self.variables = list(variables)
        self.dtype = np.dtype(dtype)
        step = max(1, _ALIGN // self.dtype.itemsize)
        self.offsets: list[int] = []
        size = 0
        for variable in self.variables:
            self.offsets.append(size)
            size += -(-variable.array.size // step) * step
        self.size = size
        self.values = aligned(size, self.dtype)
        self.gradients = aligned(size, self.dtype)
        for index, variable in enumerate(self.variables):
            view = self.view(self.values, index)
            view[...] = variable.array
            variable.array = view
            variable.arena = (self, index)

    def view(self, buffer: np.ndarray, index: int) -> np.ndarray:
        """The part of `buffer` that belongs to variable number `index`, in its shape."""
        variable = self.variables[index]
        start = self.offsets[index]
        return buffer[start : start + variable.array.size].reshape(variable.array.shape)

    def stop(self, index: int) -> int:
        """The end of the part of variable number `index`, padding included."""
        return self.offsets[index + 1] if index + 1 < len(self.offsets) else self.size


def aligned(size: int, dtype: np.dtype) -> np.ndarray:
    """A flat array of zeros that begins at a cache line."""
    raw = np.zeros(size * dtype.itemsize + _ALIGN, dtype=np.uint8)
    start = -raw.ctypes.data % _ALIGN
    return raw[start : start + size * dtype.itemsize].view(dtype)


class Chunk:
    """A run of neighbouring variables of one arena, as flat arrays.

    Attributes:
        values: Flat view of the values.
        gradients: Flat view of the gradients.
        variables: The variables inside, in order.
        slots: One flat view per optimizer slot, filled by the optimizer.
    """

    __slots__ = ("arena", "start", "stop", "values", "gradients", "variables", "indices", "slots")

    def __init__(self, arena: Arena, indices: list[int]) -> None:
        self.arena = arena
        self.indices = indices
        self.start, self.stop = arena.offsets[indices[0]], arena.stop(indices[-1])
        self.values = arena.values[self.start : self.stop]
        self.gradients = arena.gradients[self.start : self.stop]
        self.variables = [arena.variables[index] for index in indices]
        self.slots: dict[str, np.ndarray] = {}

    def part(self, buffer: np.ndarray, position: int) -> np.ndarray:
        """The piece of `buffer` (a flat array as long as the chunk) of one variable, in shape."""
        index = self.indices[position]
        start = self.arena.offsets[index] - self.start
        variable = self.variables[position]
        return buffer[start : start + variable.array.size].reshape(variable.array.shape)


def gather(variables: list[Any]) -> list[Chunk]:
    """Put `variables` into arenas (those that are in one stay there) and cut them into chunks.

    A chunk holds variables that follow each other both in `variables` and in their arena.
    """
    homeless: dict[np.dtype, list[Any]] = {}
    for variable in variables:
        home = variable.arena
        if home is not None and variable.array.base is not None:
            continue
        homeless.setdefault(variable.array.dtype, []).append(variable)
    for dtype, members in homeless.items():
        Arena(members, dtype)
    runs: list[tuple[Arena, list[int]]] = []
    by_arena: dict[int, tuple[Arena, list[int]]] = {}
    for variable in variables:
        arena, index = variable.arena
        by_arena.setdefault(id(arena), (arena, []))[1].append(index)
    for arena, indices in by_arena.values():
        run: list[int] = []
        for index in sorted(set(indices)):
            if run and index != run[-1] + 1:
                runs.append((arena, run))
                run = []
            run.append(index)
        runs.append((arena, run))
    return [Chunk(arena, indices) for arena, indices in runs]


class ArenaGradients:
    """Collects gradients straight into the gradient buffers of arenas.

    The first contribution to a variable is written, the next are added: nothing needs zeroing.
    """

    __slots__ = ("views", "touched", "others")

    def __init__(self, chunks: list[Chunk]) -> None:
        self.views: dict[int, np.ndarray] = {}
        for chunk in chunks:
            for position, variable in enumerate(chunk.variables):
                self.views[id(variable)] = chunk.part(chunk.gradients, position)
        self.touched: set[int] = set()
        self.others: dict[int, np.ndarray] = {}

    def begin(self) -> None:
        """Forget all gradients."""
        self.touched.clear()
        self.others.clear()

    def target(self, variable: Any) -> np.ndarray | None:
        """An array to write the first gradient of `variable` into, or None if there is one."""
        key = id(variable)
        if key in self.touched:
            return None
        view = self.views.get(key)
        if view is None:
            view = self.others[key] = np.empty_like(variable.array)
        self.touched.add(key)
        return view

    def add(self, variable: Any, gradient: np.ndarray) -> None:
        """Add to the gradient of `variable`. `gradient` is not kept and may be reused."""
        view = self.target(variable)
        if view is not None:
            view[...] = gradient
        else:
            view = self.views.get(id(variable))
            if view is None:
                view = self.others[id(variable)]
            view += gradient

    def get(self, variable: Any) -> np.ndarray | None:
        """The gradient of `variable`; None if nothing contributed to it."""
        key = id(variable)
        if key not in self.touched:
            return None
        view = self.views.get(key)
        return self.others[key] if view is None else view


# Arguments of glibc's mallopt (see its manual page).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
# glibc accepts no more for the second; larger blocks go back to the system as before.
_KEEP, _LARGEST = 1 << 30, 32 << 20

_done = False


def keep_freed_memory() -> None:
    """Let the process keep up to 1 GB of freed memory. Called when training begins.

    The C library gives large freed blocks back to the system at once, and every fresh page costs a
    fault: a third of a step's time in convolutional networks. Linux's `mallopt` changes that.

    Settings that the user made in the environment (`MALLOC_...`, `GLIBC_TUNABLES`) stay as they
    are; `MINIKERAS_KEEP_MEMORY=0` leaves the C library alone.
    """
    global _done
    if _done:
        return
    _done = True
    chosen = any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ)
    if not sys.platform.startswith("linux") or chosen:
        return
    if os.environ.get("MINIKERAS_KEEP_MEMORY", "1") == "0":
        return
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # another C library
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGEST)
    mallopt(_M_TRIM_THRESHOLD, _KEEP)


_local = threading.local()
# Values of variables that are no larger are made at once.
_LARGE = 2**14
_TRUST = (
    ", far more than belongs to a model of this kind. If you trust its source, pass"
    " `safe_mode=False`, or call `minikeras.config.enable_unsafe_deserialization()` first."
)


class Budget:
    """`with Budget(limit):` bounds the bytes of all variables that are made inside.

    Args:
        limit: Bytes, or None for no bound. An outer budget stays in force.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit, self.spent = limit, 0

    def __enter__(self) -> Budget:
        self.previous = getattr(_local, "budget", None)
        if self.previous is None:
            _local.budget = self
        return self

    def __exit__(self, *_: Any) -> None:
        _local.budget = self.previous


def repeatable(call: Any) -> Any:
    """Mark the `__call__` of an initializer whose values depend on its arguments and seed alone."""
    call.repeatable = True
    return call


def may_wait(initializer: Any, shape: tuple, dtype: str) -> bool:
    """Whether a variable is large, part of a model from a file, and worth no value yet."""
    return (
        getattr(_local, "budget", None) is not None
        and getattr(type(initializer).__call__, "repeatable", False)
        and isinstance(getattr(initializer, "seed", 0), int)
        and "float" in dtype
        and math.prod(shape) > _LARGE
    )


def charge(shape: Any, itemsize: int, what: str) -> None:
    """Account for one variable.

    Raises:
        ValueError: if it is more than the file can justify.
    """
    budget = getattr(_local, "budget", None)
    if budget is None or budget.limit is None:
        return
    budget.spent += abs(math.prod(int(size) for size in shape)) * itemsize
    if budget.spent > budget.limit:
        raise ValueError(
            f"The configuration asks for weights of more than {budget.limit:,} bytes (at {what!r},"
            " of"
            f" shape {tuple(shape)}){_TRUST}"
        )


# An operation of a model from a file is tried on no more values, and makes no more of them.
_VALUES = 2**26


def assert_small(operation: Any, args: Any, kwargs: Any, tried: bool = False) -> None:
    """See that an operation of a model from a file may run to show the shape of its output.

    Args:
        tried: Whether running it is the only way to know.

    Raises:
        ValueError: if it could fill memory.
    """
    budget = getattr(_local, "budget", None)
    if budget is None or budget.limit is None:
        return
    tensors = [one for one in tree.flatten([args, kwargs]) if hasattr(one, "shape")]
    sizes = [math.prod(2 if size is None else size for size in one.shape) for one in tensors]
    total, fields = sum(sizes), getattr(operation, "fields", None)
    kind = type(operation)
    if kind.__module__.endswith("decompositions"):
        total *= 2**8  # what they take is time
    if tried:
        numbers = tree.flatten([getattr(operation, key) for key in fields or ()])
        large = [abs(one) for one in numbers if isinstance(one, int) and abs(one) > 64]
        # The parts of a composite are looked at one by one.
        parts = "call" in vars(kind)
        total *= max(large, default=1) if parts else math.prod(large)
        if kind.__name__ in ("Diag", "Meshgrid"):
            total = max(total**2 if len(sizes) == 1 else 0, math.prod(sizes))
        elif fields is None:
            axes = zip(*([1] * (64 - len(one.shape)) + [*one.shape] for one in tensors))
            total = max(total, math.prod(max(size or 2 for size in axis) for axis in axes))
    elif fields is not None:
        args, kwargs = tree.map_structure(_spec, (args, kwargs))
        outputs = tree.flatten(operation.compute_output_spec(*args, **kwargs))
        total += sum(math.prod(size or 2 for size in one.shape) for one in outputs)
    if total > _VALUES:
        raise ValueError(
            f"{type(operation).__name__} would make {total:,} values to find out the shape of its"
            f" output{_TRUST}"
        )


def _spec(value: Any) -> Any:
    return KerasTensor(value.shape, value.dtype) if hasattr(value, "shape") else value

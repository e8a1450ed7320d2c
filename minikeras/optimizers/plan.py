"""An update for a given set of variables, cut into blocks of flat arrays once."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

import numpy as np

from minikeras.engine.arena import aligned
from minikeras.engine.variable import plain
from minikeras.kernels import parallel

# Floats a block: small enough that a block's value, gradient, slots and scratch stay in the
# L2 cache over the passes of an update, large enough that calls cost nothing.
BLOCK = 32768

# Numbers of a part of the variables that is worth a thread of its own.
SMALLEST = 1 << 17

# A block of one dtype that is no longer than this has its coefficients spread out to full rows:
# broadcasting a column costs more than reading them.
SPREAD = 4096

# How often slots are searched for values that have faded away: often enough that none gets from
# `FADED` of its dtype to the subnormal numbers in between.
SWEEP = 128
FADED = {"f": 1e-30, "d": 1e-290}


def _exact(value: float) -> float:
    return value


def rounding(dtype: np.dtype) -> Callable[[float], float]:
    """A function that rounds a Python float to what `dtype` can hold."""
    if dtype.char == "d":
        return _exact
    if dtype.char != "f":
        return lambda value: float(dtype.type(value))
    # An array cell rounds in a fifth of the time that a NumPy scalar takes.
    cell = array("f", [0.0])

    def cast(value: float) -> float:
        cell[0] = value
        return cell[0]

    return cast


def _given(dtype: np.dtype) -> Callable[[float], float]:
    """How Keras on TensorFlow rounds an argument of the constructor: never finer than float32."""
    return rounding(np.dtype(np.float32) if dtype.char == "d" else dtype)


class Group:
    """The blocks of one dtype, with the rule's coefficients as arrays of that dtype.

    Attributes:
        cast: Rounds a Python float to the dtype.
        given: Rounds an argument of the constructor.
        blocks: Argument tuples of the update rule (see `KernelOptimizer.rule`).
        bound: Lists of bound rules (see `KernelOptimizer.long_rule`), one a thread.
        matrices: The slots of every block.
    """

    __slots__ = (
        "blocks",
        "bound",
        "cast",
        "column",
        "dtype",
        "given",
        "matrices",
        "numbers",
        "scalars",
        "spread",
        "values",
    )

    def __init__(self, dtype: np.dtype, slots: int, longest: int) -> None:
        self.dtype, self.cast = dtype, rounding(dtype)
        self.given = _given(dtype)
        self.numbers = np.zeros(16, dtype)
        # The first coefficients once more as a column: one a row of the slot matrix.
        self.column = self.numbers[:slots].reshape(-1, 1)
        self.spread = slots if 0 < longest <= SPREAD and slots > 1 else 0
        if self.spread:
            self.column = np.zeros((slots, longest), dtype)
        self.scalars = [self.numbers[index : index + 1].reshape(()) for index in range(16)]
        self.values: tuple = ()
        self.blocks: list[tuple] = []
        self.bound: list[list[Callable]] = []
        self.matrices: list[np.ndarray] = []

    def set(self, values: tuple) -> None:
        """Set the coefficients."""
        old, spread, numbers = self.values, self.spread, self.numbers
        if values == old:
            return
        dirty = False
        for index, value in enumerate(values):
            if not old or value != old[index]:
                numbers[index] = value
                dirty = dirty or index < spread
        if dirty:
            self.column[...] = numbers[:spread].reshape(-1, 1)
        self.values = values


class Plan:
    """What one update does to a set of variables.

    Args:
        optimizer: The optimizer, built and linked to its chunks.
        variables: Those of its variables that have a gradient.
        rule: The update rule, or None to call the optimizer's `update_step`.
        alone: Whether to leave out weight decay, as within one `update_step`.
    """

    def __init__(
        self, optimizer: Any, variables: list, rule: Any = None, alone: bool = False
    ) -> None:
        self.optimizer = optimizer
        self.overwritten = [one for one in variables if _overwrites(one)]
        self.variables = [one for one in variables if not _overwrites(one)]
        self.constrained = [one for one in self.variables if one.constraint is not None]
        self.rule = rule
        self.decayed = [
            (one, None if alone else optimizer._decay_of(one)) for one in self.variables
        ]
        self.runs = runs(optimizer, self.variables)
        self.groups: list[Group] = []
        self.decay: list[tuple] = []
        # One decay for all is taken while a block is in the cache for its update anyway.
        self.decay_with_rule: float | None = None
        self._cut()
        self.preprocessed = bool(
            optimizer.clipnorm
            or optimizer.clipvalue
            or optimizer.global_clipnorm
            or optimizer.loss_scale_factor is not None
            or optimizer.gradient_accumulation_steps
            or self.overwritten
        )
        self.sweeps = not alone and optimizer.fades and getattr(optimizer, "epsilon", 1.0) > 1e-12
        self.simple = not (self.preprocessed or self.constrained or optimizer.use_ema)

    def _cut(self) -> None:
        optimizer = self.optimizer
        groups: dict[np.dtype, Group] = {}
        longest: dict[np.dtype, int] = {}
        for chunk, start, stop in self.runs:
            dtype = chunk.arena.dtype
            longest[dtype] = max(longest.get(dtype, 0), min(stop - start, BLOCK))
        scratch = {dtype: _matrix(2, size, dtype) for dtype, size in longest.items()}
        decays = {value for _, value in self.decayed}
        if self.rule is not None:
            if len(decays) == 1 and not optimizer.layerwise:
                self.decay_with_rule = decays.pop()
                decays = set()
            for chunk, start, stop in self.runs:
                dtype = chunk.arena.dtype
                group = groups.get(dtype)
                if group is None:
                    group = groups[dtype] = Group(
                        dtype, len(chunk.slots["all"]), 0 if optimizer.layerwise else longest[dtype]
                    )
                if not optimizer.layerwise:
                    self._cut_run(group, chunk, start, stop, scratch[dtype])
            self.groups = list(groups.values())
            if optimizer.layerwise:
                self._cut_layers(groups)
        for value in [one for one in decays if one is not None]:
            chosen = [one for one, decay in self.decayed if decay == value]
            for chunk, start, stop in runs(optimizer, chosen):
                given = _given(chunk.arena.dtype)
                for first, last in cuts(start, stop):
                    part = scratch[chunk.arena.dtype][0, : last - first]
                    self.decay.append((given(value), chunk.values[first:last], part))

    def _cut_run(self, group: Group, chunk: Any, start: int, stop: int, scratch: Any) -> None:
        """The blocks of a run of neighbours: long ones bound, others as arguments of the rule."""
        pieces = cuts(start, stop)
        bind = self.optimizer.long_rule
        # A subclass with another rule has no use for the long form of its parent's.
        same = _definer(self.optimizer, "rule") is _definer(self.optimizer, "long_rule")
        long = same and stop - start > SPREAD and group.dtype.char in FADED
        count = parallel.parts_for(stop - start, SMALLEST) if long else 1
        for part in range(count):
            own = scratch if part == 0 else _matrix(2, min(stop - start, BLOCK), group.dtype)
            rules = []
            for first, last in pieces[part::count]:
                slots, rows = chunk.slots["all"][:, first:last], own[:, : last - first]
                arrays = (
                    chunk.values[first:last],
                    chunk.gradients[first:last],
                    (slots, *slots),
                    (rows, *rows),
                )
                group.matrices.append(slots)
                rule = bind(*arrays) if long else None
                if rule is not None:
                    rules.append(self._with_decay(group, rule, *arrays))
                else:
                    column = group.column[:, : last - first]
                    group.blocks.append(((column, *group.scalars), *arrays))
            if rules:
                while len(group.bound) <= part:
                    group.bound.append([])
                group.bound[part] += rules

    def _with_decay(
        self, group: Group, rule: Callable, w: Any, g: Any, slots: tuple, scratch: tuple
    ) -> Callable:
        """`rule` after the weight decay that all variables have, if any."""
        if self.decay_with_rule is None:
            return lambda c, rate: rule(c)
        shrink, part = group.given(self.decay_with_rule), scratch[1]

        def update(c: tuple, rate: float) -> None:
            np.multiply(w, shrink * rate, part)
            np.subtract(w, part, w)
            rule(c)

        return update

    def _cut_layers(self, groups: dict) -> None:
        """One block a variable, in its shape, for rules that look at a variable as a whole."""
        lists = list(self.optimizer._layer_slots().values())
        places = self.optimizer._places
        largest = {
            dtype: max(one.array.size for one in self.variables if one.array.dtype == dtype)
            for dtype in groups
        }
        scratch = {dtype: _matrix(2, size, dtype) for dtype, size in largest.items()}
        for variable in self.variables:
            chunk, position = places[id(variable)]
            group = groups[chunk.arena.dtype]
            index = self.optimizer._indices[id(variable)]
            shape, size = variable.shape, variable.array.size
            rows = [row[:size].reshape(shape) for row in scratch[chunk.arena.dtype]]
            slots = [None if one[index] is None else one[index].array for one in lists]
            group.blocks.append(
                (
                    (group.column, *group.scalars),
                    chunk.part(chunk.values, position),
                    chunk.part(chunk.gradients, position),
                    (None, *slots),
                    (None, *rows),
                )
            )
            group.matrices += [one for one in slots if one is not None]

    # One update

    def run(self, rate: float, count: int) -> None:
        """Do one update with the gradients in the sink.

        Args:
            rate: The learning rate.
            count: How many there were before.
        """
        if self.simple:
            self.update(rate, count)
            return
        optimizer = self.optimizer
        steps = optimizer.gradient_accumulation_steps
        due = not steps or (count + 1) % steps == 0
        self._overwrite(due)
        if self.variables:
            if self.preprocessed:
                self._scale()
                if steps:
                    self._accumulate(steps, due)
            if due:
                if self.preprocessed:
                    self._clip()
                self.update(rate, count // steps if steps else count)
                if steps:
                    for chunk in optimizer.chunks:
                        self._accumulators(chunk)[...] = 0
            if optimizer.use_ema:
                self._average(count // steps if steps else count)
            for variable in self.constrained:
                variable.array[...] = plain(variable.constraint(variable))

    def update(self, rate: float, count: int) -> None:
        """Weight decay and the update rule."""
        optimizer = self.optimizer
        for value, values, part in self.decay:
            np.multiply(values, value * rate, part)
            np.subtract(values, part, values)
        rule = self.rule
        if rule is None:
            from minikeras.optimizers.base import run_update_steps

            sink = optimizer.sink
            run_update_steps(optimizer, [(sink.get(one), one) for one in self.variables])
            return
        optimizer._begin_update(count + 1)
        shrink = self.decay_with_rule
        for group in self.groups:
            group.set(optimizer.coefficients(rate, count + 1, group.cast, group.given))
            if group.bound:
                self._run_bound(group, rate)
            if shrink is not None:
                factor = np.array(group.given(shrink) * rate, group.dtype)
                for coefficients, values, gradients, slots, scratch in group.blocks:
                    part = scratch[1]
                    np.multiply(values, factor, part)
                    np.subtract(values, part, values)
                    rule(coefficients, values, gradients, slots, scratch)
            else:
                for block in group.blocks:
                    rule(*block)
        if self.sweeps and count % SWEEP == SWEEP - 1:
            self._sweep()

    def _run_bound(self, group: Group, rate: float) -> None:
        values = group.values

        def run(part: int) -> None:
            for rule in group.bound[part]:
                rule(values, rate)

        parallel.side_by_side(run, len(group.bound))

    def _sweep(self) -> None:
        """Set to 0 what has faded in the slots.

        Where a gradient stays 0 (a dead unit, a rare word) moments halve again and again. They do
        not matter any more, but processors compute many times more slowly with what they become,
        subnormal numbers.
        """
        for group in self.groups:
            limit = FADED.get(group.dtype.char)
            if limit is not None:
                for matrix in group.matrices:
                    matrix[np.abs(matrix) < limit] = 0

    # Less common parts: over whole runs, in place in the gradient buffers

    def _accumulators(self, chunk: Any) -> np.ndarray:
        return chunk.slots["gradient_accumulator"]

    def _scale(self) -> None:
        factor = self.optimizer.loss_scale_factor
        if factor is not None:
            for chunk, start, stop in self.runs:
                chunk.gradients[start:stop] /= factor

    def _accumulate(self, steps: int, due: bool) -> None:
        for chunk, start, stop in self.runs:
            gradients = chunk.gradients[start:stop]
            before = self._accumulators(chunk)[start:stop]
            if due:
                gradients += before
                gradients /= steps
            else:
                before += gradients

    def _clip(self) -> None:
        optimizer = self.optimizer
        if optimizer.clipnorm and optimizer.clipnorm > 0:
            limit = optimizer.clipnorm
            for variable in self.variables:
                gradient = optimizer.sink.get(variable)
                size = norm(gradient)
                if not size <= limit:
                    gradient *= limit / size
        elif optimizer.global_clipnorm and optimizer.global_clipnorm > 0:
            limit = optimizer.global_clipnorm
            parts = [chunk.gradients[start:stop] for chunk, start, stop in self.runs]
            size = float(np.sqrt(sum(float(np.dot(one, one)) for one in parts)))
            if not size <= limit:
                # Not a finite number: everything becomes nan, as in Keras.
                scale = limit / size + (size - size)
                for part in parts:
                    part *= scale
                if scale != scale:
                    self._clear_padding()
        elif optimizer.clipvalue and optimizer.clipvalue > 0:
            limit = optimizer.clipvalue
            for chunk, start, stop in self.runs:
                gradients = chunk.gradients[start:stop]
                np.clip(gradients, -limit, limit, out=gradients)

    def _clear_padding(self) -> None:
        for chunk in self.optimizer.chunks:
            kept = [chunk.part(chunk.gradients, i).copy() for i in range(len(chunk.variables))]
            chunk.gradients[...] = 0
            for position, gradient in enumerate(kept):
                chunk.part(chunk.gradients, position)[...] = gradient

    def _average(self, count: int) -> None:
        optimizer = self.optimizer
        # The first step copies the variables.
        momentum = optimizer.ema_momentum if count else 0.0
        for chunk in optimizer.chunks:
            average = chunk.slots["average"]
            for first, last in cuts(0, chunk.values.size):
                part, values = average[first:last], chunk.values[first:last]
                part *= momentum
                part += (1 - momentum) * values
        every = optimizer.ema_overwrite_frequency
        if every and (count + 1) % every == 0:
            optimizer._overwrite_with_average(optimizer._trainable_variables)

    def _overwrite(self, due: bool) -> None:
        optimizer = self.optimizer
        for variable in self.overwritten:
            gradient = optimizer.sink.get(variable)
            if not optimizer.gradient_accumulation_steps:
                variable.array[...] = gradient
                continue
            index = optimizer._indices[id(variable)]
            before = optimizer._accumulated_gradients[index].array
            np.maximum(gradient, before, out=before)
            if due:
                variable.array[...] = before
                before[...] = 0


def _matrix(rows: int, size: int, dtype: np.dtype) -> np.ndarray:
    """An uninitialized matrix whose rows begin at cache lines: arithmetic is twice as fast."""
    step = 64 // dtype.itemsize
    size = -(-size // step) * step
    return aligned(rows * size, dtype).reshape(rows, size)


def _definer(thing: Any, name: str) -> type:
    return next(kind for kind in type(thing).__mro__ if name in vars(kind))


def _overwrites(variable: Any) -> bool:
    return getattr(variable, "overwrite_with_gradient", False)


def norm(array: np.ndarray) -> float:
    """The Euclidean norm of all values."""
    flat = array.reshape(-1)
    return float(np.sqrt(np.dot(flat, flat)))


def cuts(start: int, stop: int) -> list[tuple[int, int]]:
    """`start` to `stop` in pieces of at most `BLOCK`."""
    return [(first, min(first + BLOCK, stop)) for first in range(start, stop, BLOCK)]


def runs(optimizer: Any, variables: list) -> list[tuple]:
    """Where `variables` lie: tuples (chunk, start, stop), neighbours joined."""
    chosen = {id(variable) for variable in variables}
    found = []
    for chunk in optimizer.chunks:
        start = None
        for position, variable in enumerate(chunk.variables):
            first = chunk.arena.offsets[chunk.indices[position]] - chunk.start
            if id(variable) in chosen:
                start = first if start is None else start
            elif start is not None:
                found.append((chunk, start, first))
                start = None
        if start is not None:
            found.append((chunk, start, chunk.values.size))
    return [one for one in found if one[2] > one[1]]

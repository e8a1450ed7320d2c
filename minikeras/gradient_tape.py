"""`GradientTape`: gradients of what was computed inside a `with` block, as in TensorFlow."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minikeras.engine import tree
from minikeras.engine.context import Run, state
from minikeras.engine.recording import Recording
from minikeras.engine.spelling import runs_unedited
from minikeras.engine.symbolic import Tensor
from minikeras.engine.variable import Variable
from minikeras.ops.base import array_of


class _Open(threading.local):
    """The tapes that are recording in this thread."""

    def __init__(self) -> None:
        self.tapes: list[GradientTape] = []


_open = _Open()


class _TapeRecording(Recording):
    __slots__ = ()

    def lets_go(self) -> bool:
        # TensorFlow's tapes do.
        return runs_unedited()


class GradientTape:
    """Follows what is computed, so that it can be differentiated.

    Trainable variables are followed by themselves; tensors after `watch`. Gradients are first
    derivatives: a tape does not follow `gradient` itself. Tapes may be nested, as for the two
    losses of a GAN, if their gradients are asked for after the outermost block.

    Args:
        persistent: Boolean, default False. Whether `gradient` may be called more than once.
        watch_accessed_variables: Boolean, default True. False: variables need `watch` too.

    Example:

    >>> import minikeras
    >>> from minikeras.gradient_tape import GradientTape
    >>> x = minikeras.ops.array(3.0)
    >>> with GradientTape() as tape:
    ...     x = tape.watch(x)
    ...     y = x * x
    >>> float(tape.gradient(y, x))
    6.0
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self._persistent = bool(persistent)
        self._watch_variables = bool(watch_accessed_variables)
        self._outer_training: Any = None
        self._entered = False
        self._start()

    def _start(self) -> None:
        # An outer tape whose recording this one uses; whether it uses one with another tape.
        self._outer: GradientTape | None = None
        self._shared = False
        self._recording: Recording = _TapeRecording(
            Run(training=self._outer_training, recording=True)
        )
        self._watched: dict[int, tuple[Any, int]] = {}
        self._used = False

    def __enter__(self) -> GradientTape:
        if self._entered:
            raise ValueError("This tape is recording already. Use another one inside.")
        if state.recording is not None:
            outer = _open.tapes[-1] if _open.tapes else None
            if outer is None or state.recording is not outer._recording:
                raise NotImplementedError(
                    "A tape inside of a training step's own recording would need second"
                    " derivatives, which are not supported."
                )
            self._outer, self._recording = outer, outer._recording
            self._shared = outer._shared = True
            self._entered = True
            _open.tapes.append(self)
            return self
        self._outer_training = None if state.run is None else state.run.training
        self._recording.run.training = self._outer_training
        self._recording.__enter__()
        self._entered = True
        _open.tapes.append(self)
        return self

    def __exit__(self, *error: Any) -> None:
        if self._entered:
            _open.tapes.remove(self)
            if self._outer is None:
                self._recording.__exit__(*error)
            self._entered = False

    def watch(self, tensor: Any) -> Any:
        """Follow a tensor, or each of a structure of them.

        A `Tensor` is followed in place; anything else array-like (a NumPy array) cannot know that
        it is, so use what `watch` returns.

        Returns:
            The tensor(s) that are followed.

        Raises:
            ValueError: outside of the `with` block, or for something that is not of floats.
        """
        if not self._entered:
            raise ValueError("`watch` has an effect only inside of the tape's `with` block.")

        def follow(leaf: Any) -> Any:
            if isinstance(leaf, Variable):
                self._watched[id(leaf)] = (leaf, self._recording.slot_of_variable(leaf))
                return leaf
            array = array_of(leaf)
            if array.dtype.kind not in "fc":
                raise ValueError(
                    f"Only tensors of floats can be watched. Received dtype: {array.dtype}"
                )
            if not isinstance(leaf, Tensor):
                leaf = Tensor(array)
            if leaf.recording is not self._recording:
                leaf.recording, leaf.slot = self._recording, self._recording.new_slot()
            return leaf

        return tree.map_structure(follow, tensor)

    def watched_variables(self) -> tuple:
        """The variables that were used so far, in order."""
        return tuple(variable for variable, _ in self._recording.variables.values())

    @contextmanager
    def stop_recording(self) -> Iterator[None]:
        """Inside of this block nothing is followed."""
        if not self._entered:
            raise ValueError("The tape is not recording.")
        if self._shared and len(_open.tapes) > 1:
            raise NotImplementedError(
                "One of several nested tapes cannot be stopped alone. Compute before their blocks"
                " what is not to be followed, or use `stop_gradient`."
            )
        self.__exit__(None, None, None)
        try:
            yield
        finally:
            self._recording.__enter__()
            self._entered = True
            _open.tapes.append(self)

    def reset(self) -> None:
        """Forget everything that was recorded."""
        if self._shared and len(_open.tapes) > 1:
            raise NotImplementedError("One of several nested tapes cannot be reset alone.")
        entered = self._entered
        if entered:
            self.__exit__(None, None, None)
        self._start()
        if entered:
            self.__enter__()

    def gradient(
        self,
        target: Any,
        sources: Any,
        output_gradients: Any = None,
        unconnected_gradients: Any = "none",
    ) -> Any:
        """Derivatives of (the sum of) `target` by each of `sources`.

        Args:
            target: Tensor, or structure of them, computed inside of the block.
            sources: Variable or watched tensor, or structure of them.
            output_gradients: As `target`: what to weigh its elements with. Defaults to 1.
            unconnected_gradients: `"none"` (default) or `"zero"`: what a source gives on which
                `target` does not depend.

        Returns:
            A structure as `sources`.

        Raises:
            RuntimeError: if called again on a tape that is not persistent.
        """
        if self._used and not self._persistent:
            raise RuntimeError(
                "A non-persistent GradientTape can only be used to compute one set of gradients (or"
                " jacobians). Use GradientTape(persistent=True)."
            )
        how = str(getattr(unconnected_gradients, "value", unconnected_gradients)).lower()
        if how not in ("none", "zero"):
            raise ValueError(
                "Argument `unconnected_gradients` must be 'none' or 'zero'. Received:"
                f" {unconnected_gradients!r}"
            )
        targets = tree.flatten(target)
        weights = (
            [None] * len(targets) if output_gradients is None else tree.flatten(output_gradients)
        )
        seeds = []
        for one, weight in zip(targets, weights):
            slot = self._slot(one)
            if slot is None:
                continue
            array = array_of(one)
            if array.dtype.kind not in "fc":
                raise ValueError(f"A target must be of floats. Received dtype: {array.dtype}")
            seed = np.ones_like(array) if weight is None else array_of(weight)
            seeds.append((slot, np.broadcast_to(seed, array.shape).astype(array.dtype, copy=False)))
        wanted = [
            source.slot
            for source in tree.flatten(sources)
            if isinstance(source, Tensor) and source.recording is self._recording
        ]
        gradients, sink = self._reverse(seeds, frozenset(wanted))
        return tree.map_structure(lambda source: self._of(source, gradients, sink, how), sources)

    def _reverse(self, seeds: list, sources: frozenset) -> tuple:
        if self._recording.open and (self._outer is not None or len(_open.tapes) > 1):
            raise NotImplementedError(
                "A gradient computed inside of another tape's block would be followed by that tape:"
                " second derivatives, which are not supported. Ask for it after the outermost"
                " block."
            )
        self._used = True
        run = self._recording.run
        keep = self._persistent or self._shared
        run.sink.begin()
        if self._entered:
            # Nothing that happens on the way back is recorded.
            with self.stop_recording():
                gradients = self._recording.reverse(seeds, keep, sources)
        else:
            gradients = self._recording.reverse(seeds, keep, sources)
        return gradients, run.sink

    def _slot(self, value: Any) -> Any:
        if isinstance(value, Tensor) and value.recording is self._recording:
            return value.slot
        entry = self._recording.variables.get(id(value)) if isinstance(value, Variable) else None
        return None if entry is None else entry[1]

    def _of(self, source: Any, gradients: list, sink: Any, how: str) -> Any:
        found = None
        if isinstance(source, Variable):
            if self._watch_variables or id(source) in self._watched:
                found = sink.get(source)
                if found is None and id(source) in self._watched:
                    found = gradients[self._watched[id(source)][1]]
        elif isinstance(source, Tensor):
            if source.recording is self._recording:
                found = gradients[source.slot]
        else:
            raise ValueError(
                "Gradients are of variables and of tensors that the tape watches. Received:"
                f" {type(source)}. Use what `watch` returns."
            )
        if found is None:
            return Tensor(np.zeros_like(array_of(source))) if how == "zero" else None
        return Tensor(np.array(found))

    def jacobian(
        self,
        target: Any,
        sources: Any,
        unconnected_gradients: Any = "none",
        parallel_iterations: Any = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """Derivatives of each element of `target`: one backward pass each.

        Args:
            target: Tensor.
            sources: Variable or watched tensor, or structure of them.
            unconnected_gradients: As in `gradient`.
            parallel_iterations: Kept for TensorFlow's signature; makes no difference.
            experimental_use_pfor: Kept for TensorFlow's signature; makes no difference.

        Returns:
            A structure as `sources` of tensors of the shape of `target` and then of the source.
        """
        array = array_of(target)
        persistent, self._persistent = self._persistent, True
        try:
            rows = []
            for i in range(array.size):
                seed = np.zeros(array.size, array.dtype)
                seed[i] = 1
                rows.append(
                    tree.flatten(
                        self.gradient(
                            target, sources, seed.reshape(array.shape), unconnected_gradients
                        )
                    )
                )
        finally:
            self._persistent = persistent
        results: list = []
        for parts in zip(*rows):
            if parts[0] is None:
                results.append(None)
                continue
            stacked = np.stack([part.array for part in parts])
            results.append(Tensor(stacked.reshape(array.shape + parts[0].shape)))
        return tree.pack_sequence_as(sources, results)

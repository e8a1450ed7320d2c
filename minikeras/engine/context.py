"""What a pass through a model carries along: the run, and one context per call.

A `Context` belongs to a call, not to an operation, so shared layers, nested models, re-entrancy
and concurrent `predict` from many threads need no special case.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np


class Gradients:
    """Where a run collects the gradients of variables, in fresh arrays."""

    __slots__ = ("arrays",)

    def __init__(self) -> None:
        self.arrays: dict[int, np.ndarray] = {}

    def begin(self) -> None:
        """Forget all gradients."""
        self.arrays = {}

    def target(self, variable: Any) -> np.ndarray | None:
        """An array to write the first gradient of `variable` into, or None if there is one."""
        key = id(variable)
        if key in self.arrays:
            return None
        array = self.arrays[key] = np.empty_like(variable.array)
        return array

    def add(self, variable: Any, gradient: np.ndarray) -> None:
        """Add to the gradient of `variable`. `gradient` is not kept and may be reused."""
        key = id(variable)
        array = self.arrays.get(key)
        if array is None:
            self.arrays[key] = np.array(gradient, dtype=variable.array.dtype)
        else:
            array += gradient

    def get(self, variable: Any) -> np.ndarray | None:
        """The gradient of `variable`; None if nothing contributed to it."""
        return self.arrays.get(id(variable))


class Run:
    """One pass: forward, and backward if it records.

    Attributes:
        training: True in training, False in inference, None where nobody said.
        recording: Whether a backward will follow.
        sink: Collects the gradients of variables.
        losses: Pairs (loss Tensor, recording) added with `add_loss` on the way.
    """

    __slots__ = ("training", "recording", "sink", "losses", "fuse", "logits")

    def __init__(
        self,
        training: bool | None = None,
        recording: bool = False,
        sink: Any = None,
    ) -> None:
        self.training, self.recording = training, recording
        self.sink = Gradients() if sink is None and recording else sink
        self.losses: list = []
        # The graph whose marked steps leave their logits in `logits`, by slot.
        self.fuse: Any = None
        self.logits: dict = {}


class Context:
    """What one call of one operation leaves behind for its own backward.

    Attributes:
        run: The `Run`.
        recording: Whether a backward will follow this call.
        needs: One flag per array input: whether anybody asks for its gradient.
        saved: What `save` was given.

    A kernel may set further attributes.
    """

    recording = False
    needs: Any = ()
    saved: Any = ()
    # Set by a loss that is fused with the activation of the last layer (see `activate`).
    want_logits = False
    logits: Any = None
    activation: Any = None
    # Walk back even where no gradient comes in: losses were added inside.
    force = False

    def __init__(self, run: Run, recording: bool = False, needs: Any = ()) -> None:
        self.run, self.recording, self.needs = run, recording, needs
        self.training = run.training

    def save(self, *arrays: Any) -> None:
        """Keep arrays for backward. Inference keeps nothing."""
        if self.recording:
            self.saved = arrays

    def add_grad(self, variable: Any, gradient: np.ndarray) -> None:
        """Add to the gradient of `variable` (ignored for frozen ones)."""
        if variable.trainable:
            self.run.sink.add(variable, gradient)

    def grad_target(self, variable: Any) -> np.ndarray | None:
        """An uninitialized array to write the whole gradient of `variable` into.

        None if a gradient is there already: then compute it and call `add_grad`.
        """
        return self.run.sink.target(variable)


class _State(threading.local):
    """What is going on in this thread."""

    run: Run | None = None
    recording: Any = None
    # Set while shapes are inferred: nothing may change state then. "loosely": values may be lost.
    inferring: bool | str = False
    # The name of the dtype that floating variables are read in; see `variable.AutocastScope`.
    autocast: str | None = None
    # Of all threads: how layers run that nobody told (`K.set_learning_phase` of Keras 1 and 2).
    learning_phase: bool | None = None


state = _State()
INFERENCE = Run(training=False)
# For `activate` where nothing is recorded: shared by all threads, so nothing may be set on it.
INFERENCE_CONTEXT = Context(INFERENCE)

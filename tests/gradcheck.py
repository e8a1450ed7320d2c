"""Gradients against central differences along a random direction, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import tree
from minikeras.engine.context import Run
from minikeras.engine.recording import Recording
from minikeras.engine.symbolic import Tensor

STEP = 1e-6
# A loss of order one, rounded to 1e-16 and divided by the step: about 1e-9, times some terms.
RELATIVE, ABSOLUTE = 1e-5, 1e-7


def gradients(
    function: Any, inputs: list, options: dict, training: bool = False, seed: int = 0
) -> tuple[list, list, list, dict]:
    """Outputs, random output gradients, input gradients and the gradients of variables."""
    rng = np.random.default_rng(seed)
    with Recording(Run(training=training, recording=True)) as recording:
        tensors = tree.map_structure(
            lambda x: recording.track(x) if x.dtype.kind == "f" else Tensor(x), inputs
        )
        outputs = function(*tensors, **options)
        leaves = [leaf for leaf in tree.flatten(outputs) if leaf is not None]
    douts = [
        rng.standard_normal(leaf.shape) if leaf.recording is recording else None for leaf in leaves
    ]
    found = recording.reverse(
        [(leaf.slot, dout) for leaf, dout in zip(leaves, douts) if dout is not None]
    )
    dx = [None if leaf.recording is None else found[leaf.slot] for leaf in tree.flatten(tensors)]
    return leaves, douts, dx, recording.run.sink


def check_gradients(
    function: Any,
    *inputs: Any,
    variables: Any = None,
    training: bool = False,
    seed: int = 0,
    relative: float = RELATIVE,
    absolute: float = ABSOLUTE,
    **options: Any,
) -> None:
    """Compare the gradients of an operation or layer with central differences.

    Args:
        function: Operation, layer, or function of tensors. A layer needs `dtype="float64"`, and its
            outputs must not depend on random draws.
        *inputs: Arrays, or structures of arrays. Floating ones are taken in float64 and checked.
        variables: Variables to check. Defaults to the trainable variables of a layer.
        training: Boolean, default False.
        seed: Seed of the directions.
        relative, absolute: Tolerances.
        **options: Keyword arguments of `function`.
    """

    def double(x: Any) -> Any:
        x = np.asarray(x)
        return x.astype("float64") if x.dtype.kind == "f" else x

    values = [tree.map_structure(double, one) for one in inputs]
    if hasattr(function, "built") and not function.built:
        function(*values, **options)
    if variables is None:
        variables = getattr(function, "trainable_variables", [])
    _, douts, dx, sink = gradients(function, values, options, training, seed)
    rng = np.random.default_rng(seed + 1)

    def loss(arguments: list) -> float:
        with Recording(Run(training=training, recording=True)):
            outputs = function(*tree.map_structure(Tensor, arguments), **options)
        leaves = [leaf for leaf in tree.flatten(outputs) if leaf is not None]
        return sum(
            float((leaf.array * dout).sum())
            for leaf, dout in zip(leaves, douts)
            if dout is not None
        )

    def compare(gradient: Any, direction: Any, up: float, down: float, what: str) -> None:
        expected = (up - down) / (2 * STEP)
        found = 0.0 if gradient is None else float((gradient * direction).sum())
        scale = 0.0 if gradient is None else float(np.abs(gradient * direction).sum())
        np.testing.assert_allclose(
            found, expected, rtol=relative, atol=absolute * max(1.0, scale), err_msg=what
        )
        if gradient is not None:
            assert gradient.shape == direction.shape, what

    flat = tree.flatten(values)
    for index, x in enumerate(flat):
        if x.dtype.kind != "f":
            continue
        direction = rng.standard_normal(x.shape)
        moved = [
            [one + sign * STEP * direction if k == index else one for k, one in enumerate(flat)]
            for sign in (1, -1)
        ]
        up, down = (loss(tree.pack_sequence_as(values, one)) for one in moved)
        compare(dx[index], direction, up, down, f"input {index}")
    for variable in variables:
        direction = rng.standard_normal(variable.shape)
        before = variable.array.copy()
        ends = []
        for sign in (1, -1):
            variable.array[...] = before + sign * STEP * direction
            ends.append(loss(values))
        variable.array[...] = before
        compare(sink.get(variable), direction, *ends, f"variable {variable.path}")

"""Losses and metrics that reach into the graph of their model.

In Keras 1 and 2 a loss function may use tensors of the model besides its arguments, as that of a
variational autoencoder does with the mean and the variance of its latent code:

    def vae_loss(x, decoded):
        return binary_crossentropy(x, decoded) - 0.5 * K.sum(1 + z_log_var - ..., axis=-1)

Such a function says something only about the graph. It is called once, with the symbolic targets
and outputs, and its result becomes a further output of the graph that is trained.
"""

from __future__ import annotations

import copy
import types
from typing import Any

import numpy as np

from minikeras.engine import dtypes, tree
from minikeras.engine.graph import Graph
from minikeras.engine.symbolic import KerasTensor
from minikeras.training.programs import GraphProgram


def uses_graph(function: Any, _seen: set | None = None) -> bool:
    """Whether a function (or what it calls, or an object's attributes) holds symbolic tensors."""
    seen = set() if _seen is None else _seen
    if id(function) in seen or len(seen) > 200:
        return False
    seen.add(id(function))
    if isinstance(function, KerasTensor):
        return True
    if isinstance(function, (list, tuple)):
        return any(uses_graph(one, seen) for one in function)
    if isinstance(function, types.MethodType):
        return uses_graph(function.__func__, seen) or uses_graph(function.__self__, seen)
    if not isinstance(function, types.FunctionType):
        if _is_own(type(function)) or isinstance(function, type) or not callable(function):
            return False
        held = list(getattr(function, "__dict__", {}).values())
        return any(uses_graph(one, seen) for one in held) or uses_graph(
            getattr(type(function), "call", type(function).__call__), seen
        )
    if _is_own(function):
        return False
    held = [cell.cell_contents for cell in function.__closure__ or () if _filled(cell)]
    held += function.__defaults__ or ()
    held += [
        function.__globals__[name]
        for name in function.__code__.co_names
        if name in function.__globals__
    ]
    return any(
        uses_graph(one, seen)
        for one in held
        if isinstance(one, (KerasTensor, types.FunctionType, types.MethodType, list, tuple))
    )


def _filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _is_own(thing: Any) -> bool:
    module = getattr(thing, "__module__", None) or ""
    return module.split(".", 1)[0] == __name__.split(".", 1)[0]


def _function_of(thing: Any) -> Any:
    """The function inside a loss or metric that wraps one, else the object itself."""
    return getattr(thing, "fn", None) or getattr(thing, "_fn", None) or thing


class GraphLosses:
    """The losses and metrics of a compiled model that reach into its graph.

    Args:
        program: The `GraphProgram` of the model.
        terms: Its `LossTerm`s.
        groups: Its `MetricGroup`s.
        targets: Flat list of the first batch's targets.

    Attributes:
        losses: Position of a term -> which of the values behind the outputs is its own.
        metrics: `id` of a metric -> the same.
        means: Metrics that are means of values, with the place of these.
        added: Places of scalars that are losses by themselves (`model.add_loss`).
    """

    def __init__(self, program: Any, terms: list, groups: list, targets: list) -> None:
        graph, model = program.graph, program.model
        self.count = len(graph.outputs)
        self.targets: list[int] = []
        self.losses: dict[int, int] = {}
        self.metrics: dict[int, int] = {}
        self.means: list[tuple] = []
        self.added: list[int] = []
        symbolic: dict[int, KerasTensor] = {}
        values: list[KerasTensor] = []

        def target_of(output: int) -> Any:
            target = targets[output]
            prediction = graph.outputs[output]
            if output not in symbolic:
                from minikeras.layers import Input

                kind = prediction.dtype if target.dtype.kind == "f" else str(target.dtype)
                symbolic[output] = Input(
                    batch_shape=(prediction.shape[0], *target.shape[1:]),
                    dtype=kind,
                    name=f"target_{output + 1}",
                )
                self.targets.append(output)
            y_true = symbolic[output]
            if y_true.dtype != prediction.dtype:
                from minikeras import ops

                y_true = ops.cast(y_true, prediction.dtype)
            return y_true

        def call(thing: Any, output: Any) -> int:
            y_true = tree.map_structure(target_of, output)
            prediction = tree.map_structure(graph.outputs.__getitem__, output)
            function = _function_of(thing)
            options = getattr(thing, "_fn_kwargs", {})
            call_it = function if function is not thing else thing.call
            value = call_it(y_true, prediction, **options)
            values.append(value)
            return len(values) - 1

        for position, term in enumerate(terms):
            if uses_graph(_function_of(term.loss)):
                output = term.output if term.parts is None else term.parts
                self.losses[position] = call(term.loss, output)
        for group in groups:
            for metric in group.metrics:
                if hasattr(metric, "accumulate_values") and uses_graph(_function_of(metric)):
                    self.metrics[id(metric)] = call(metric, group.output)
        for tensor, metric in model.__dict__.get("_graph_metrics", ()):
            self.metrics[id(metric)] = len(values)
            self.means.append((metric, len(values)))
            values.append(tensor)
        for tensor in model.__dict__.get("_graph_losses", ()):
            self.added.append(len(values))
            values.append(tensor)
        self.graph: Any = None
        if values:
            inputs = [symbolic[output] for output in self.targets]
            self.graph = Graph([*graph.inputs, *inputs], [*graph.outputs, *tree.flatten(values)])
            self.dtypes = [dtypes.numpy_dtype(one.dtype) for one in inputs]

    def program(self, program: Any) -> JointProgram:
        """The program that computes these values together with the model's outputs."""
        joint = copy.copy(program)
        joint.__class__ = JointProgram
        joint.graph, joint.own = self.graph, program
        return joint

    def give(self, program: JointProgram, targets: list) -> None:
        """Hand the targets of a batch to the program."""
        program.targets = [
            np.asarray(targets[output], dtype=dtype)
            for output, dtype in zip(self.targets, self.dtypes)
        ]


class JointProgram(GraphProgram):
    """A program whose graph also takes targets, and has values of losses as further outputs."""

    own: Any
    targets: list

    def inputs(self, x: Any) -> list:
        """`x` and the targets as the flat list of arrays the graph takes."""
        return [*self.own.inputs(x), *self.targets]

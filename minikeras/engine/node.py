"""Nodes of a symbolic graph. A node is a call, not a layer."""

from __future__ import annotations

from typing import Any, NamedTuple

from minikeras.engine import tree
from minikeras.engine.symbolic import KerasTensor


class KerasHistory(NamedTuple):
    """Where a `KerasTensor` comes from."""

    operation: Any
    node_index: int
    tensor_index: int


class Node:
    """One symbolic call of an operation.

    Attributes:
        operation: What was called.
        args, kwargs: With which arguments; `KerasTensor`s inside.
        input_tensors: The `KerasTensor`s among the arguments, in order.
        output_tensors: The `KerasTensor`s it returned, in order.
        outputs_structure: What it returned.
    """

    def __init__(
        self,
        operation: Any,
        call_args: Any = (),
        call_kwargs: dict | None = None,
        outputs: Any = None,
    ) -> None:
        self.operation = operation
        self.args = tuple(call_args)
        self.kwargs = dict(call_kwargs or {})
        leaves = tree.flatten([list(self.args), self.kwargs])
        self.input_tensors = [leaf for leaf in leaves if isinstance(leaf, KerasTensor)]
        self.outputs_structure = outputs
        self.output_tensors = [
            leaf for leaf in tree.flatten(outputs) if isinstance(leaf, KerasTensor)
        ]
        self.is_input = not self.input_tensors
        self.index = len(operation._inbound_nodes)
        for position, tensor in enumerate(self.output_tensors):
            tensor._keras_history = KerasHistory(operation, self.index, position)
        operation._inbound_nodes.append(self)
        for tensor in self.input_tensors:
            history = tensor._keras_history
            if history is not None:
                history.operation._outbound_nodes.append(self)

    @property
    def arguments_inputs(self) -> Any:
        """The inputs as they were given: one tensor, or the structure of the first argument."""
        if len(self.args) == 1 and not any(
            isinstance(leaf, KerasTensor) for leaf in tree.flatten(self.kwargs)
        ):
            return self.args[0]
        if len(self.input_tensors) == 1:
            return self.input_tensors[0]
        return list(self.input_tensors)

    @property
    def outputs(self) -> list:
        """The `KerasTensor`s it returned."""
        return self.output_tensors

    @property
    def parent_nodes(self) -> list:
        """The nodes that made the inputs."""
        parents: list = []
        for tensor in self.input_tensors:
            history = tensor._keras_history
            if history is not None:
                node = history.operation._inbound_nodes[history.node_index]
                if node not in parents:
                    parents.append(node)
        return parents

    def __repr__(self) -> str:
        return f"<Node operation={self.operation.name}, id={id(self)}>"

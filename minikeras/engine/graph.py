"""Graphs: from symbolic tensors to a plan that runs forward and walks back."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from minikeras.engine import dtypes, tree
from minikeras.engine.context import Context, Run
from minikeras.engine.layer import Layer
from minikeras.engine.recording import Node, Recording, walk_back
from minikeras.engine.symbolic import KerasTensor, Tensor
from minikeras.engine.variable import trainable_version


class NotConnectedError(ValueError):
    """Outputs depend on inputs that are not among those of the model."""


class Trace:
    """Which nodes and operations lie between `inputs` and `outputs`, in which order.

    Attributes:
        nodes: In an order in which they can run; input nodes included.
        operations: By decreasing distance from the outputs, as Keras orders `model.layers`.
    """

    def __init__(self, inputs: Sequence[KerasTensor], outputs: Sequence[KerasTensor]) -> None:
        stop = {id(tensor) for tensor in inputs}
        self.nodes: list[Node] = []
        indices: dict[int, int] = {}
        operations: dict[int, Any] = {}
        done: set[int] = set()
        active: set[int] = set()
        # Depth first without recursion: models may be thousands of layers deep.
        pending: list = [(tensor, False) for tensor in reversed(outputs)]
        while pending:
            tensor, leaving = pending.pop()
            history = tensor._keras_history
            if history is None:
                raise ValueError(
                    "A model's inputs and outputs must be connected: a tensor on the way comes"
                    f" from no layer or operation: {tensor}. Make inputs with `Input(shape=...)`."
                )
            operation = history.operation
            node = operation._inbound_nodes[history.node_index]
            if leaving:
                active.discard(id(node))
                if id(node) not in done:
                    done.add(id(node))
                    self.nodes.append(node)
                continue
            if id(node) in done:
                continue
            if id(node) in active:
                raise ValueError(f"Tensor {tensor} belongs to a cycle of calls.")
            if id(operation) not in indices:
                indices[id(operation)] = len(indices)
                operations[id(operation)] = operation
            if id(tensor) in stop:
                done.add(id(node))
                self.nodes.append(node)
                continue
            active.add(id(node))
            pending.append((tensor, True))
            if not node.is_input:
                pending.extend((parent, False) for parent in reversed(node.input_tensors))
        inside = {id(node) for node in self.nodes}
        depth: dict[int, int] = {}
        operation_depth: dict[int, int] = {}
        for node in reversed(self.nodes):
            key = id(node.operation)
            level = max(depth.get(id(node), 0), operation_depth.get(key, 0))
            operation_depth[key] = depth[id(node)] = level
            if all(id(tensor) in stop for tensor in node.output_tensors) and not node.is_input:
                continue
            for parent in node.parent_nodes:
                if id(parent) in inside:
                    depth[id(parent)] = max(depth.get(id(parent), 0), level + 1)
        for tensor in inputs:
            operation = tensor._keras_history.operation
            if id(operation) not in operations:
                indices[id(operation)] = -1
                operations[id(operation)] = operation
                operation_depth[id(operation)] = 0
                self.nodes.insert(0, operation._inbound_nodes[tensor._keras_history.node_index])
        self.operations = sorted(
            operations.values(), key=lambda one: (-operation_depth[id(one)], indices[id(one)])
        )
        self.depths = operation_depth


def clone_graph(inputs: Any, outputs: Any, make_input: Any) -> tuple[Any, Any]:
    """The same calls again, starting from fresh inputs in the place of `inputs`."""
    flat_inputs = tree.flatten(inputs)
    trace = Trace(flat_inputs, tree.flatten(outputs))
    fresh: dict[int, KerasTensor] = {}
    for tensor in flat_inputs:
        if id(tensor) not in fresh:
            operation = tensor._keras_history.operation
            is_input = operation._inbound_nodes[tensor._keras_history.node_index].is_input
            fresh[id(tensor)] = tensor if is_input else make_input(tensor)

    def swap(leaf: Any) -> Any:
        return fresh.get(id(leaf), leaf) if isinstance(leaf, KerasTensor) else leaf

    for node in trace.nodes:
        if node.is_input or all(id(tensor) in fresh for tensor in node.output_tensors):
            continue
        copies = {}
        for tensor in node.output_tensors:
            copy = KerasTensor(tensor.shape, tensor.dtype, name=tensor.name)
            copy._keras_mask = tensor._keras_mask
            copies[id(tensor)] = copy
        Node(
            node.operation,
            tree.map_structure(swap, node.args),
            tree.map_structure(swap, node.kwargs),
            tree.map_structure(
                lambda leaf, copies=copies: copies.get(id(leaf), leaf), node.outputs_structure
            ),
        )
        for key, copy in copies.items():
            fresh.setdefault(key, copy)
    return tree.map_structure(swap, inputs), tree.map_structure(swap, outputs)


class Step:
    """One call in a plan."""

    __slots__ = (
        "operation",
        "ins",
        "outs",
        "single",
        "args",
        "kwargs",
        "leaves",
        "options",
        "simple",
        "masked",
        "frees",
        "all_slots",
        "marked",
    )

    def __init__(self, node: Node, slots: dict[int, int], new_slot: Any) -> None:
        self.operation = node.operation
        self.args, self.kwargs = node.args, node.kwargs
        self.ins = [slots[id(tensor)] for tensor in node.input_tensors]
        self.outs = [
            slots.setdefault(id(tensor), new_slot(tensor)) for tensor in node.output_tensors
        ]
        self.single = isinstance(node.outputs_structure, KerasTensor)
        self.masked = any(
            tensor._keras_mask is not None for tensor in node.input_tensors + node.output_tensors
        )
        self.frees: tuple = ()
        self.marked = False
        positional = tree.flatten(list(node.args))
        self.leaves = [
            slots[id(leaf)] if isinstance(leaf, KerasTensor) else _Constant(leaf)
            for leaf in positional
        ]
        self.all_slots = all(type(leaf) is int for leaf in self.leaves)
        self.options = {key: value for key, value in node.kwargs.items() if key != "training"}
        self.simple = (
            not self.operation.composite
            and not any(isinstance(leaf, KerasTensor) for leaf in tree.flatten(node.kwargs))
            and not self.masked
            and node.kwargs.get("training") is None
            and self._is_plain_layer(node)
        )

    def _is_plain_layer(self, node: Node) -> bool:
        layer = self.operation
        if not isinstance(layer, Layer):
            return True
        if layer.activity_regularizer is not None:
            return False
        if type(layer).__call__ is not Layer.__call__ and not getattr(
            type(layer), "_plain_call", False
        ):
            return False
        if not layer.autocast:
            return True
        policy = layer.dtype_policy
        if policy.compute_dtype != policy.variable_dtype:
            return False
        compute = policy.compute_dtype
        return all(
            tensor.dtype == compute
            for tensor in node.input_tensors
            if layer._computes_floats or dtypes.is_float(tensor.dtype)
        )

    def joined_with(self, following: Step) -> Step | None:
        """One step for this one and `following`, which alone reads what this one makes."""
        if not (self.simple and following.simple and self.all_slots and following.all_slots):
            return None
        if following.ins != self.outs or len(following.leaves) != 1:
            return None
        if self.options or following.options:
            return None
        operation = self.operation.joined_with(following.operation)
        if operation is None:
            return None
        step = copy.copy(self)
        step.operation, step.outs, step.single = operation, following.outs, following.single
        step.frees = tuple({*self.frees, *following.frees} - set(self.outs))
        return step

    def arguments(self, values: dict[int, Any]) -> tuple[tuple, dict]:
        """The call's arguments with `values` (by `id` of the symbolic tensor) put in."""

        def put(leaf: Any) -> Any:
            return values[id(leaf)] if isinstance(leaf, KerasTensor) else leaf

        return tree.map_structure(put, self.args), tree.map_structure(put, self.kwargs)


class _Constant:
    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Plan:
    """Which steps of a graph record, and for which inputs a gradient is wanted."""

    __slots__ = ("version", "steps")

    def __init__(self, graph: Graph, wanted: Sequence[bool], version: int) -> None:
        self.version = version
        needed = [False] * graph.size
        for slot, flag in zip(graph.input_slots, wanted):
            needed[slot] = needed[slot] or bool(flag)
        self.steps: list = []
        for step in graph.joined:
            needs = [needed[slot] for slot in step.ins]
            records = any(needs) or (
                step.operation.has_trainable_variables() or _adds_losses(step.operation)
            )
            if records:
                for slot in step.outs:
                    needed[slot] = True
            inputs = (
                [leaf if type(leaf) is int and needed[leaf] else None for leaf in step.leaves]
                if step.simple
                else [slot if needed[slot] else None for slot in step.ins]
            )
            self.steps.append(
                (
                    records,
                    [slot is not None for slot in inputs],
                    inputs,
                )
            )


def join_steps(steps: list[Step], outputs: set[int]) -> list[Step]:
    """`steps`, with neighbours as one where their operations know how."""
    reads = Counter(slot for step in steps for slot in step.ins)
    joined: list[Step] = []
    for step in steps:
        before = joined[-1] if joined else None
        one = None
        if before is not None and len(before.outs) == 1:
            (slot,) = before.outs
            if reads[slot] == 1 and slot not in outputs:
                one = before.joined_with(step)
        if one is None:
            joined.append(step)
        else:
            joined[-1] = one
    return joined


def _adds_losses(operation: Any) -> bool:
    return isinstance(operation, Layer) and (
        operation.activity_regularizer is not None or operation.composite
    )


class Graph:
    """The calls between `inputs` and `outputs`, planned once.

    Args:
        inputs: Flat list of `KerasTensor`s.
        outputs: Flat list of `KerasTensor`s.

    Attributes:
        steps: The calls, in the order they can run.
        joined: What is run: the same, with some neighbours as one (`Operation.joined_with`).
    """

    def __init__(self, inputs: list[KerasTensor], outputs: list[KerasTensor]) -> None:
        self.inputs, self.outputs = list(inputs), list(outputs)
        trace = Trace(self.inputs, self.outputs)
        self.operations, self.nodes = trace.operations, trace.nodes
        self.size = 0
        self.tensors: list[KerasTensor] = []

        def new_slot(tensor: KerasTensor) -> int:
            self.tensors.append(tensor)
            self.size += 1
            return self.size - 1

        slots: dict[int, int] = {}
        self.input_slots = []
        for tensor in self.inputs:
            if id(tensor) not in slots:
                slots[id(tensor)] = new_slot(tensor)
            self.input_slots.append(slots[id(tensor)])
        self.steps: list[Step] = []
        given = set(self.input_slots)
        for node in trace.nodes:
            if node.is_input and getattr(node.operation, "_held", None) is None:
                if not all(id(tensor) in slots for tensor in node.output_tensors):
                    names = [tensor.name for tensor in node.output_tensors]
                    raise NotConnectedError(
                        f"The outputs depend on the input {names}, which is not among the inputs of"
                        " the model. Add it to `inputs`."
                    )
                continue
            if all(slots.get(id(tensor)) in given for tensor in node.output_tensors):
                continue
            self.steps.append(Step(node, slots, new_slot))
        self.output_slots = [slots[id(tensor)] for tensor in self.outputs]
        last: dict[int, int] = {}
        for index, step in enumerate(self.steps):
            for slot in (*step.ins, *step.outs):
                last[slot] = index
        keep = set(self.output_slots)
        for index, step in enumerate(self.steps):
            step.frees = tuple(
                slot for slot in {*step.ins, *step.outs} if last[slot] == index and slot not in keep
            )
        self.joined = join_steps(self.steps, keep)
        self.all_simple = all(step.simple for step in self.steps)
        self.chain = self._is_chain()
        self._inference: list = []
        self._plans: dict[tuple, Plan] = {}

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_inference": []}

    def _is_chain(self) -> bool:
        """Whether each step alone reads what the one before it made, and none occurs twice."""
        if len(self.inputs) != 1 or len(self.outputs) != 1 or not self.joined:
            return False
        slot = self.input_slots[0]
        for step in self.joined:
            if not step.simple or step.leaves != [slot] or len(step.outs) != 1:
                return False
            (slot,) = step.outs
        operations = {id(step.operation) for step in self.steps}
        return slot == self.output_slots[0] and len(operations) == len(self.steps)

    def plan(self, wanted: Sequence[bool] | None = None) -> Plan:
        """The plan for gradients to the inputs flagged in `wanted` and to trainable variables."""
        key = tuple(wanted) if wanted is not None else (False,) * len(self.inputs)
        version = trainable_version()
        plan = self._plans.get(key)
        if plan is None or plan.version != version:
            plan = self._plans[key] = Plan(self, key, version)
        return plan

    def forward(
        self,
        run: Run,
        arrays: Sequence[np.ndarray],
        plan: Plan | None = None,
        masks: Sequence[Any] | None = None,
    ) -> tuple[list, list, dict]:
        """Run all steps.

        Args:
            run: The run.
            arrays: One array per input.
            plan: What to record; None records nothing.
            masks: One mask (or None) per input.

        Returns:
            The output arrays, the calls to walk back, the masks by slot.
        """
        values: list = [None] * self.size
        mask_of: dict[int, Any] = {}
        for slot, array in zip(self.input_slots, arrays):
            values[slot] = array
        if masks is not None:
            for slot, mask in zip(self.input_slots, masks):
                if mask is not None:
                    mask_of[slot] = mask
        calls: list = []
        inputs: list
        steps = plan.steps if plan is not None else None
        for index, step in enumerate(self.joined):
            if steps is None:
                records, needs, inputs = False, (), []
            else:
                records, needs, inputs = steps[index]
            context = Context(run, records, needs)
            if step.marked and run.fuse is self:
                context.want_logits = True
            if step.simple and not mask_of:
                if step.all_slots:
                    result = step.operation.forward(
                        context,
                        *[values[slot] for slot in step.leaves],  # type: ignore[index]
                        **step.options,
                    )
                else:
                    result = step.operation.forward(
                        context,
                        *[
                            leaf.value if isinstance(leaf, _Constant) else values[leaf]
                            for leaf in step.leaves
                        ],
                        **step.options,
                    )
                backward = step.operation.backward
            else:
                result = self._general(step, context, values, mask_of, records)
                backward = _general_backward
                if records:
                    inputs = [slot if need else None for slot, need in zip(step.ins, context.needs)]
            if type(result) is tuple or type(result) is list:
                for slot, array in zip(step.outs, result):
                    values[slot] = array
            else:
                values[step.outs[0]] = result
            if context.want_logits:
                run.logits[step.outs[0]] = context.logits
            if records:
                calls.append((backward, context, inputs, step.outs))
            for slot in step.frees:
                values[slot] = None
        return [values[slot] for slot in self.output_slots], calls, mask_of

    def infer(self, run: Run, array: np.ndarray) -> np.ndarray:
        """What `forward` gives for a chain of steps, outside training, with nothing recorded."""
        for function in self._inference or self._bind_inference():
            array = function(run, array)
        return array

    def _bind_inference(self) -> list:
        self._inference = [_inference_of(step) for step in self.joined]
        return self._inference

    def _general(
        self, step: Step, context: Context, values: list, mask_of: dict, records: bool
    ) -> Any:
        """Call a composite or masked operation as a user would, recorded."""
        recording = Recording(context.run)
        needs = [True] * len(step.ins) if records else [False] * len(step.ins)
        tensors: dict[int, Any] = {}
        tracked: dict[int, Tensor] = {}
        with recording if records else _Plain(context.run):
            for tensor_slot, need in zip(step.ins, needs):
                symbolic = self.tensors[tensor_slot]
                if id(symbolic) in tensors:
                    continue
                array = values[tensor_slot]
                if array is None:  # an optional input that was not given
                    tensors[id(symbolic)] = None
                    continue
                tensor = recording.track(array) if need else Tensor(array)
                mask = mask_of.get(tensor_slot)
                if mask is not None:
                    tensor._keras_mask = mask if isinstance(mask, Tensor) else Tensor(mask)
                tensors[id(symbolic)] = tensor
                tracked[tensor_slot] = tensor
            args, kwargs = step.arguments(tensors)
            before = len(context.run.losses)
            result = step.operation(*args, **kwargs)
        outputs = [leaf for leaf in tree.flatten(result) if leaf is not None]
        arrays = []
        for slot, tensor in zip(step.outs, outputs):
            if isinstance(tensor, Tensor):
                mask = tensor._keras_mask
                if mask is not None:
                    mask_of[slot] = mask
                arrays.append(tensor.array)
            else:
                arrays.append(np.asarray(tensor))
        if records:
            terms = [
                term.slot
                for term in context.run.losses[before:]
                if isinstance(term, Tensor) and term.recording is recording
            ]
            context.force = bool(terms)
            context.needs = [
                values[slot] is not None and np.issubdtype(values[slot].dtype, np.inexact)
                for slot in step.ins
            ]
            context.saved = (
                recording,
                [tracked[slot].slot if slot in tracked else None for slot in step.ins],
                [
                    tensor.slot
                    if isinstance(tensor, Tensor) and tensor.recording is recording
                    else None
                    for tensor in outputs
                ],
                terms,
            )
        return arrays[0] if step.single else tuple(arrays)

    def backward(self, calls: list, douts: Sequence[Any], slots: Sequence[int] = ()) -> list:
        """Walk back. Gradients of variables go to the run's sink.

        Args:
            calls: What `forward` returned; emptied.
            douts: One gradient (or None) per output.

        Returns:
            One gradient (or None) per input.
        """
        gradients: list = [None] * self.size
        for slot, dout in zip(slots or self.output_slots, douts):
            if dout is not None:
                before = gradients[slot]
                gradients[slot] = dout if before is None else before + dout
        walk_back(calls, gradients)
        return [gradients[slot] for slot in self.input_slots]


def _inference_of(step: Step) -> Any:
    """A function `(run, array) -> array` of one step of a chain."""
    operation, options = step.operation, step.options
    infer = operation.infer
    if infer is not None and not options:
        return infer
    forward = operation.forward
    if options:
        return lambda run, array: forward(Context(run), array, **options)
    return lambda run, array: forward(Context(run), array)


class _Plain:
    """No recording, but the run is known."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def __enter__(self) -> None:
        from minikeras.engine.context import state

        self._outer = (state.recording, state.run)
        state.recording, state.run = None, self.run

    def __exit__(self, *_: Any) -> None:
        from minikeras.engine.context import state

        state.recording, state.run = self._outer


def _general_backward(context: Context, *douts: Any) -> list:
    recording, inputs, outputs, terms = context.saved
    seeds = [
        (slot, dout) for slot, dout in zip(outputs, douts) if slot is not None and dout is not None
    ]
    seeds += [(slot, np.ones((), "float32")) for slot in terms]
    gradients = recording.reverse(seeds)
    seen: set[int] = set()
    results = []
    for slot in inputs:
        # An input used twice in one call arrives in one slot: its gradient counts once.
        results.append(None if slot is None or slot in seen else gradients[slot])
        seen.add(slot)
    return results

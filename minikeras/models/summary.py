"""Whole models: the table of `summary`, and `clone_model`."""

from __future__ import annotations

import math
import re
import shutil
import sys
from collections.abc import Callable
from typing import Any

from minikeras.engine import dtypes, serialization, tree
from minikeras.engine.layer import Layer
from minikeras.engine.symbolic import KerasTensor
from minikeras.models.functional import Functional
from minikeras.models.model import Model
from minikeras.models.sequential import Sequential

# Corners, crossings and bars of the table: above, below and under the header, between rows, below.
_TOP, _UNDER_HEAD = ("┏", "━", "┳", "┓"), ("┡", "━", "╇", "┩")
_BETWEEN, _BOTTOM = ("├", "─", "┼", "┤"), ("└", "─", "┴", "┘")
_ASCII = {ord(bar): "|" for bar in "┃│"} | {ord(bar): "-" for bar in "━─"}
_ASCII |= {ord(corner): "+" for corner in "┏┳┓┡╇┩├┼┤└┴┘"}


def print_summary(
    model: Any,
    line_length: int | None = None,
    positions: list | None = None,
    print_fn: Callable | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Any = None,
) -> None:
    """Print a table of layers, output shapes and parameter counts.

    Args:
        model: The model.
        line_length: Characters per line. Defaults to 88 (108 where a column of connections is
            shown), or what the terminal has.
        positions: Ends of the columns, as fractions of the line.
        print_fn: Function that gets the text. Defaults to printing it.
        expand_nested: Boolean, default False. Whether nested models are listed layer by layer.
        show_trainable: Boolean, default False. Whether a column tells which layers are trainable.
        layer_range: Pair of names or patterns: the first and the last layer to list.

    Raises:
        ValueError: for a line that is too short, or a range without layers.
    """
    text = render_summary(model, line_length, positions, expand_nested, show_trainable, layer_range)
    if print_fn is not None:
        print_fn(text)
    else:
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        try:
            text.encode(encoding)
        except UnicodeEncodeError:
            text = text.translate(_ASCII)
        sys.stdout.write(text)
        sys.stdout.flush()


def render_summary(
    model: Any,
    line_length: int | None = None,
    positions: list | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Any = None,
) -> str:
    """The text of `print_summary`."""
    layers, nodes = _layers_of(model)
    sequential = nodes is None
    default = 88 if sequential else 108
    positions = list(positions or ([0.45, 0.80, 1.0] if sequential else [0.3, 0.56, 0.74, 1.0]))
    header = ["Layer (type)", "Output Shape", "Param #"]
    alignment = ["left", "left", "right"]
    if not sequential:
        header.append("Connected to")
        alignment.append("left")
    if show_trainable:
        default += 12
        positions = [position * 0.90 for position in positions] + [1.0]
        header.append("Trainable")
        alignment.append("center")
    line_length = line_length or min(default, shutil.get_terminal_size().columns - 4)
    widths = _column_widths(positions, line_length)
    first, last = _range(layers, layer_range)
    rows = []
    for layer in layers[first:last]:
        for one, prefix in _expanded(layer, expand_nested, 0):
            fields = [f"{prefix}{one.name} ({type(one).__name__})", _shape(one), _parameters(one)]
            if nodes is not None:
                fields.append(_connections(one, nodes))
            if show_trainable:
                has_weights = bool(getattr(one, "weights", ()))
                fields.append(("Y" if one.trainable else "N") if has_weights else "-")
            rows.append(fields)
    return "\n".join(
        [f'Model: "{model.name}"', *_table(header, rows, widths, alignment), *_totals(model), ""]
    )


def _layers_of(model: Any) -> tuple[list, set | None]:
    """The layers to list; and the nodes of the model, where it is not a plain stack."""
    from minikeras.models.functional import Functional

    if not isinstance(model, Functional):
        return list(model.layers), None
    operations = list(model._operations)
    inside = {id(node) for node in model.graph.nodes}
    depths: dict[int, int] = {}
    for node in model.graph.nodes:
        parents = [depths[id(parent)] for parent in node.parent_nodes if id(parent) in depths]
        depths[id(node)] = max(parents, default=-1) + 1
    levels = list(depths.values())
    branching = len(set(levels)) < len(levels) or any(
        len(node.input_tensors) > 1 for node in model.graph.nodes
    )
    shared = any(
        sum(id(node) in inside for node in layer._inbound_nodes) > 1 for layer in model.layers
    )
    return operations, inside if branching or shared else None


def _expanded(layer: Any, expand: bool, level: int) -> list[tuple[Any, str]]:
    prefix = "   " * level + "└ " if level else ""
    rows = [(layer, prefix)]
    if expand and getattr(layer, "layers", None):
        for inner in layer.layers:
            rows.extend(_expanded(inner, expand, level + 1))
    return rows


def _shape(layer: Any) -> str:
    def text(shape: Any) -> str:
        return f"({', '.join(str(size) for size in shape)})"

    nodes = layer._inbound_nodes
    shapes: Any
    if nodes:
        shapes = [text(tensor.shape) for tensor in nodes[-1].output_tensors]
    else:
        try:
            if hasattr(layer, "output_shape"):
                found = layer.output_shape
            elif layer.__dict__.get("_build_shapes"):
                found = layer.compute_output_shape(*layer._build_shapes.values())
            else:
                return "?"
        except (NotImplementedError, TypeError, ValueError, AttributeError):
            return "?"
        if isinstance(found, tuple) and all(one is None or isinstance(one, int) for one in found):
            return text(found)
        shapes = [text(one) for one in (found.values() if isinstance(found, dict) else found)]
    return shapes[0] if len(shapes) == 1 else f"[{', '.join(shapes)}]"


def _parameters(layer: Any) -> str:
    if not isinstance(layer, Layer):
        return "0"
    if not layer.built:
        return "0 (unbuilt)"
    return f"{layer.count_params():,}"


def _connections(layer: Any, nodes: set) -> str:
    found = []
    for node in layer._inbound_nodes:
        if id(node) in nodes:
            for tensor in node.input_tensors:
                history = tensor._keras_history
                found.append(
                    f"{history.operation.name}[{history.node_index}][{history.tensor_index}]"
                )
    return ", ".join(found) or "-"


def _range(layers: list, layer_range: Any) -> tuple[int, int]:
    if layer_range is None:
        return 0, len(layers)
    if len(layer_range) != 2 or not all(isinstance(one, str) for one in layer_range):
        raise ValueError(
            "Argument `layer_range` must be a pair of strings. Received:"
            f" layer_range={layer_range!r}"
        )
    found = [
        [index for index, layer in enumerate(layers) if re.match(pattern, layer.name)]
        for pattern in layer_range
    ]
    if not found[0] or not found[1]:
        raise ValueError(
            "Passed layer_names do not match the layer names in the model. Received:"
            f" layer_range={layer_range!r}"
        )
    if min(found[0]) > max(found[1]):
        found.reverse()
    return min(found[0]), max(found[1]) + 1


# Counting


def _count(variables: Any) -> int:
    return sum(math.prod(variable.shape) for variable in variables)


def _bytes(variables: Any) -> float:
    bits = 0
    for variable in variables:
        name = dtypes.standardize_dtype(variable.dtype)
        digits = re.search(r"\d+", name.removeprefix("float8"))
        size = 1 if name == "bool" else int(digits.group()) if digits else 8
        bits += math.prod(variable.shape) * size
    return bits / 8


def readable_size(size: float) -> str:
    """Bytes as text: `readable_size(2048)` is `"2.00 KB"`."""
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} PB"


def _totals(model: Any) -> list[str]:
    groups = [
        ("Trainable", list(model.trainable_weights)),
        ("Non-trainable", list(model.non_trainable_weights)),
    ]
    optimizer = model.optimizer if model.compiled else None
    if optimizer is not None and optimizer.built:
        groups.append(("Optimizer", list(optimizer.variables)))
    everything = [variable for _, variables in groups for variable in variables]
    return [
        f" {name} params: {_count(variables):,} ({readable_size(_bytes(variables))})"
        for name, variables in [("Total", everything), *groups]
    ]


# Drawing


def _column_widths(positions: list, line_length: int) -> list[int]:
    """Widths of the columns, padding included, so that the table fills the line."""
    widths = []
    start = 0
    for position in positions:
        width = int(position * line_length) - start
        if width < 4:
            raise ValueError(
                f"The line is too short for a summary. Received: line_length={line_length},"
                f" positions={positions}"
            )
        widths.append(width + 2)
        start += width
    room = line_length - len(widths) - 1
    excess = sum(widths) - room
    if excess > 0:
        left = len(widths)
        for index, width in enumerate(widths):
            cut = min(width, round(excess / left))
            widths[index] -= cut
            excess -= cut
            left -= 1
    elif excess < 0:
        missing, total = -excess, sum(widths)
        for index, width in enumerate(list(widths)):
            share = math.ceil(width * missing / total)
            widths[index] += share
            missing -= share
            total -= width
    return widths


def _wrap(text: str, width: int) -> list[str]:
    """Lines of at most `width` characters, broken at spaces; longer words are cut short."""
    breaks: list[int] = []
    offset = 0
    for match in re.finditer(r"\s*\S+\s*", text):
        word, start = match.group(), match.start()
        length = len(word.rstrip())
        if width - offset >= length:
            offset += len(word)
        elif length > width or offset:
            if start:
                breaks.append(start)
            offset = len(word)
    edges = [0, *breaks, len(text)]
    lines = [text[a:b].rstrip() for a, b in zip(edges, edges[1:])] or [""]
    return [line if len(line) <= width else line[: max(0, width - 1)] + "…" for line in lines]


def _line(parts: tuple, widths: list[int]) -> str:
    left, bar, cross, right = parts
    return left + cross.join(bar * width for width in widths) + right


def _cells(
    fields: list[str], widths: list[int], alignment: list[str], bar: str, head: bool = False
) -> list[str]:
    columns = [_wrap(field, max(1, width - 2)) for field, width in zip(fields, widths)]
    if head:  # headers stand on the rule under them
        height = max(map(len, columns))
        columns = [[""] * (height - len(column)) + column for column in columns]
    align = {"left": str.ljust, "right": str.rjust, "center": str.center}
    lines = []
    for index in range(max(len(column) for column in columns)):
        cells = []
        for column, width, how in zip(columns, widths, alignment):
            text = column[index] if index < len(column) else ""
            if how == "center":
                spare = max(0, width - 2 - len(text))
                text = " " * (spare // 2) + text + " " * (spare - spare // 2)
            cells.append(f" {align[how](text, width - 2)} ")
        lines.append(bar + bar.join(cells) + bar)
    return lines


def _table(
    header: list[str], rows: list[list[str]], widths: list[int], alignment: list[str]
) -> list[str]:
    lines = [_line(_TOP, widths), *_cells(header, widths, alignment, "┃", head=True)]
    for index, row in enumerate(rows):
        lines.append(_line(_BETWEEN if index else _UNDER_HEAD, widths))
        lines.extend(_cells(row, widths, alignment, "│"))
    if not rows:
        lines.append(_line(_UNDER_HEAD, widths))
    lines.append(_line(_BOTTOM, widths))
    return lines


def clone_model(
    model: Any,
    input_tensors: Any = None,
    clone_function: Callable | None = None,
    call_function: Callable | None = None,
    recursive: bool = False,
    **kwargs: Any,
) -> Any:
    """A model with the same layers, newly made from their configs, with fresh weights.

    Args:
        model: `Sequential`, functional model, or subclassed model with `get_config`.
        input_tensors: Symbolic inputs for the clone, or None.
        clone_function: Callable from a layer to its clone. Defaults to
            `layer.__class__.from_config(layer.get_config())`.
        call_function: Callable `(layer, *args, **kwargs)` that calls the clone, functional models
            only.
        recursive: Boolean, default False. Whether nested models are cloned layer by layer.

    Raises:
        ValueError: for arguments that do not fit the kind of model.
    """
    kwargs.pop("cache", None)
    if kwargs:
        raise ValueError(f"Unexpected keyword argument(s): {sorted(kwargs)}")
    if not isinstance(model, Model):
        raise ValueError(f"Argument `model` must be a `Model`. Received: {model!r}")
    copy = clone_function or _fresh

    def clone_layer(layer: Any) -> Any:
        if recursive and isinstance(layer, (Functional, Sequential)):
            # A Sequential model has no calls of its own to replace.
            inside = call_function if isinstance(layer, Functional) else None
            return clone_model(layer, None, clone_function, inside, True)
        return copy(layer)

    if isinstance(model, Sequential):
        if call_function is not None:
            raise ValueError("`call_function` can only be used with functional models.")
        return _compiled_as(model, _clone_sequential(model, input_tensors, clone_layer))
    if isinstance(model, Functional) and type(model).get_config is Functional.get_config:
        return _compiled_as(
            model, _clone_functional(model, input_tensors, clone_layer, call_function)
        )
    if clone_function is not None or input_tensors is not None:
        raise ValueError(
            "`clone_function` and `input_tensors` can only be used with Sequential and functional"
            f" models. Received: {type(model)}"
        )
    return type(model).from_config(model.get_config())


def _compiled_as(model: Any, clone: Any) -> Any:
    """The clone, compiled with the settings of the model if that is compiled."""
    if model.compiled:
        clone.compile_from_config(model.get_compile_config())
    return clone


def _fresh(layer: Any) -> Any:
    config = layer.get_config()
    if type(layer).__name__ == "Lambda":  # a config alone has lost what its functions refer to
        config.update(function=layer.function, mask=layer.mask, output_shape=layer._output_shape)
    # Its own lambdas are no code from elsewhere.
    with serialization.SafeMode(False):
        return type(layer).from_config(config)


def _clone_sequential(model: Sequential, input_tensors: Any, clone_layer: Callable) -> Any:
    from minikeras.layers.core import Input, InputLayer

    clone = Sequential(name=model.name, trainable=model.trainable)
    stack = list(model._stack)
    if stack and isinstance(stack[0], InputLayer):
        first = stack.pop(0)
        if input_tensors is None:
            clone.add(
                InputLayer(
                    batch_shape=first.batch_shape,  # type: ignore[attr-defined]
                    dtype=first.dtype,
                    name=first.name,
                ),
                rebuild=False,
            )
    if input_tensors is not None:
        flat = tree.flatten(input_tensors)
        if len(flat) != 1:
            raise ValueError(f"A Sequential model has one input. Received: {input_tensors}")
        tensor = flat[0]
        if not isinstance(tensor, KerasTensor):
            tensor = Input(batch_shape=tensor.shape, dtype=tensor.dtype)
        clone.add(tensor, rebuild=False)
    for layer in stack:
        clone.add(clone_layer(layer), rebuild=False)
    clone._maybe_rebuild()
    return clone


def _clone_functional(
    model: Functional, input_tensors: Any, clone_layer: Callable, call_function: Any
) -> Any:
    from minikeras.layers.core import Input

    if input_tensors is not None:
        flat = tree.flatten(input_tensors)
        named = isinstance(model._inputs_struct, dict)
        if len(flat) != len(model.graph.inputs) or named != isinstance(input_tensors, dict):
            raise ValueError(
                "`input_tensors` must have the same structure as model.input:"
                f" {model._inputs_struct}. Received: input_tensors={input_tensors}"
            )
    else:
        flat = [
            Input(
                batch_shape=tensor.shape,
                dtype=tensor.dtype,
                name=tensor._keras_history.operation.name,
            )
            for tensor in model.graph.inputs
        ]
    mapping: dict[int, Any] = {id(a): b for a, b in zip(model.graph.inputs, flat)}
    clones: dict[int, Any] = {}
    for step in model.graph.steps:
        operation = step.operation
        if id(operation) not in clones:
            clones[id(operation)] = (
                clone_layer(operation) if isinstance(operation, Layer) else operation
            )
        clone = clones[id(operation)]
        args, kwargs = step.arguments(mapping)
        results = (
            clone(*args, **kwargs)
            if call_function is None
            else call_function(clone, *args, **kwargs)
        )
        for slot, result in zip(step.outs, tree.flatten(results)):
            mapping[id(model.graph.tensors[slot])] = result
    inputs = tree.map_structure(lambda leaf: mapping[id(leaf)], model._inputs_struct)
    outputs = tree.map_structure(lambda leaf: mapping[id(leaf)], model._outputs_struct)
    return Functional(inputs, outputs, name=model.name)

"""Drawings of models: what is connected to what."""

from __future__ import annotations

import os
import sys
from typing import Any

from minikeras.engine import tree
from minikeras.engine.spelling import runs_unedited

_EXTRA = "pip install 'minikeras[plot]'"


def get_source_inputs(tensor: Any) -> Any:
    """The inputs of a model that a symbolic tensor depends on.

    Args:
        tensor: Symbolic tensor. Anything else is returned as it is.

    Returns:
        List of symbolic tensors, each once.

    Example:

    >>> import minikeras
    >>> x = minikeras.Input((3,), name="x")
    >>> [one.name for one in minikeras.utils.get_source_inputs(minikeras.layers.Dense(2)(x))]
    ['x']
    """
    if not hasattr(tensor, "_keras_history"):
        return tensor
    found: dict[int, Any] = {}
    seen: set[int] = set()

    def visit(one: Any) -> None:
        history = getattr(one, "_keras_history", None)
        if history is None or not history.operation._inbound_nodes:
            found.setdefault(id(one), one)
            return
        node = history.operation._inbound_nodes[history.node_index]
        if id(node) in seen:
            return
        seen.add(id(node))
        if node.is_input:
            for output in tree.flatten(node.output_tensors):
                found.setdefault(id(output), output)
        for source in node.input_tensors:
            visit(source)

    visit(tensor)
    return list(found.values())


def _pydot() -> Any:
    try:
        import pydot
    except ImportError:
        return None
    return pydot


def _assert_built(model: Any) -> None:
    if not model.built:
        raise ValueError(
            "This model has not yet been built. Build the model first by calling `build()` or by"
            " calling the model on a batch of data."
        )


def _no_more(kwargs: dict) -> None:
    if kwargs.pop("layer_range", None) is not None:
        raise ValueError("Argument `layer_range` is no longer supported.")
    if kwargs:
        raise ValueError(f"Unrecognized keyword arguments: {kwargs}")


def _is_sequential(model: Any) -> bool:
    from minikeras.models.sequential import Sequential

    return isinstance(model, Sequential)


def _is_functional(model: Any) -> bool:
    from minikeras.models.functional import Functional

    return isinstance(model, Functional) and not _is_sequential(model)


def _is_graph(layer: Any) -> bool:
    return _is_sequential(layer) or _is_functional(layer)


def _cell(text: str, **attributes: Any) -> str:
    """A cell of an HTML-like label of graphviz."""
    font = attributes.pop("font")
    written = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f"<td{written}><font {font}>{text}</font></td>"


def _of_tensors(layer: Any, attribute: str, part: str) -> Any:
    try:
        return tree.map_structure(lambda one: getattr(one, part), getattr(layer, attribute))
    except (ValueError, AttributeError):
        return None


def _shape_text(shape: Any) -> str:
    if shape is None:
        return "?"
    if isinstance(shape, dict):
        shape = ", ".join(f"{name}: {one}" for name, one in shape.items())
    return str(shape).replace("{", "").replace("}", "")


def _label(layer: Any, options: dict) -> str:
    """The table that stands for a layer."""
    kind = type(layer).__name__
    plain = 'point-size="14"'
    columns = []
    if options["show_shapes"]:
        for title in ("Input", "Output"):
            if title == "Input" and kind == "InputLayer":
                continue
            shape = _shape_text(_of_tensors(layer, title.lower(), "shape"))
            columns.append(_cell(f"{title} shape: <b>{shape}</b>", bgcolor="white", font=plain))
    if options["show_dtype"]:
        dtype = _of_tensors(layer, "output", "dtype") or "?"
        columns.append(_cell(f"Output dtype: <b>{dtype}</b>", bgcolor="white", font=plain))
    if options["show_trainable"] and hasattr(layer, "trainable") and layer.weights:
        text, color = (
            ("Trainable", "forestgreen") if layer.trainable else ("Non-trainable", "firebrick")
        )
        columns.append(_cell(f"<b>{text}</b>", bgcolor=color, font=f'{plain} color="white"'))
    wide = 2 * options["show_shapes"] + options["show_dtype"] + options["show_trainable"]
    wide = max(1, wide)
    title = f"<b>{layer.name}</b> ({kind})" if options["show_layer_names"] else f"<b>{kind}</b>"
    rows = [_cell(title, colspan=wide, bgcolor="black", font='point-size="16" color="white"')]
    activation = getattr(layer, "activation", None)
    if options["show_layer_activations"] and activation is not None:
        name = getattr(activation, "name", getattr(activation, "__name__", str(activation)))
        text = f"Activation: <b>{name}</b>"
        rows.append(_cell(text, bgcolor="white", colspan=wide, font=plain))
    if columns:
        rows.append("".join(columns))
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<<table border="0" cellborder="1" bgcolor="black" cellpadding="10">{body}</table>>'


def _node(pydot: Any, layer: Any, options: dict) -> Any:
    node = pydot.Node(str(id(layer)), label=_label(layer, options))
    for name, value in {"fontname": "Helvetica", "border": "0", "margin": "0"}.items():
        node.set(name, value)
    return node


def _edge(pydot: Any, dot: Any, source: Any, target: Any) -> None:
    ends = str(id(source)), str(id(target))
    if not dot.get_edge(*ends):
        edge = pydot.Edge(*ends)
        edge.set("penwidth", "2")
        dot.add_edge(edge)


def model_to_dot(
    model: Any,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **kwargs: Any,
) -> Any:
    """A model as a `pydot` graph, which needs `pip install 'minikeras[plot]'`.

    Args:
        model: Model, built.
        show_shapes: Boolean, default False. Whether to show shapes.
        show_dtype: Boolean, default False. Whether to show dtypes.
        show_layer_names: Boolean, default True. Whether to show names.
        rankdir: `"TB"` (default): downwards; `"LR"`: to the right.
        expand_nested: Boolean, default False. Whether to show the layers of models inside.
        dpi: Integer, default 200. Dots per inch.
        subgraph: Boolean, default False. Whether to return a `pydot.Cluster`.
        show_layer_activations: Boolean, default False. Whether to show activations.
        show_trainable: Boolean, default False. Whether to show what is trained.
        splines: How edges are drawn, default `"ortho"`: at right angles.

    Returns:
        A `pydot.Dot`, or a `pydot.Cluster`.

    Raises:
        ImportError: without pydot.
        ValueError: if the model is not built.
    """
    _assert_built(model)
    pydot = _pydot()
    if pydot is None:
        raise ImportError(f"You must install pydot (`{_EXTRA}`) for `model_to_dot` to work.")
    _no_more(kwargs)
    if subgraph:
        dot = pydot.Cluster(style="dashed", graph_name=model.name)
        settings: dict = {"label": model.name, "labeljust": "l"}
    else:
        dot = pydot.Dot()
        settings = {"rankdir": rankdir, "concentrate": True, "dpi": dpi, "splines": splines}
        dot.set_node_defaults(shape="record")
    for name, value in settings.items():
        dot.set(name, value)
    options = {
        "show_layer_names": show_layer_names,
        "show_layer_activations": show_layer_activations,
        "show_dtype": show_dtype,
        "show_shapes": show_shapes,
        "show_trainable": show_trainable,
    }
    if not _is_graph(model):
        dot.add_node(_node(pydot, model, options))
        return dot
    layers = model.layers if _is_sequential(model) else model._operations
    for layer in layers:
        if expand_nested and _is_graph(layer):
            inner = model_to_dot(
                layer, rankdir=rankdir, expand_nested=True, subgraph=True,
                **options,  # type: ignore[arg-type]
            )  # fmt: skip
            dot.add_subgraph(inner)
        else:
            dot.add_node(_node(pydot, layer, options))
    if _is_sequential(model):
        pairs = [(one, other) for one, other in zip(layers, layers[1:])]
        if expand_nested:
            pairs = [(_last(one, 0), _first(other, 0)) for one, other in pairs]
    else:
        pairs = list(_connections(model, layers, expand_nested))
    for source, target in pairs:
        _edge(pydot, dot, source, target)
    return dot


def _connections(model: Any, layers: list, expand: bool) -> Any:
    """Pairs (source, target) of the layers of a functional model."""
    inside = {id(node) for node in model.graph.nodes}
    for layer in layers:
        for node in layer._inbound_nodes:
            if id(node) not in inside:
                continue
            for position, tensor in enumerate(node.input_tensors):
                history = tensor._keras_history
                if history is None or history.operation is None:
                    continue
                source = history.operation
                if not expand:
                    yield source, layer
                else:
                    yield _last(source, history.tensor_index), _first(layer, position)


def _last(layer: Any, position: int) -> Any:
    """The layer inside that makes output number `position`."""
    while _is_graph(layer):
        history = layer.outputs[position]._keras_history
        layer, position = history.operation, history.tensor_index
    return layer


def _first(layer: Any, position: int) -> Any:
    """The layer inside that takes input number `position`."""
    while _is_graph(layer):
        if _is_functional(layer):
            layer = layer.inputs[position]._keras_history.operation
        else:
            layer = layer.layers[0]
    return layer


def plot_model(
    model: Any,
    to_file: Any = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **kwargs: Any,
) -> Any:
    """Draw a model into a file. This needs graphviz, and `pip install 'minikeras[plot]'`.

    Args:
        model: Model, built.
        to_file: Path, default `"model.png"`. Its ending is the format: png, svg, pdf, dot...
        show_shapes: Boolean, default False. Whether to show shapes.
        show_dtype: Boolean, default False. Whether to show dtypes.
        show_layer_names: Boolean, default False. Whether to show names.
        rankdir: `"TB"` (default): downwards; `"LR"`: to the right.
        expand_nested: Boolean, default False. Whether to show the layers of models inside.
        dpi: Integer, default 200. Dots per inch.
        show_layer_activations: Boolean, default False. Whether to show activations.
        show_trainable: Boolean, default False. Whether to show what is trained.
        splines: How edges are drawn, default `"ortho"`: at right angles.

    Returns:
        An `Image` of IPython where that is installed, else None.

    Raises:
        ImportError: without pydot or graphviz; in a notebook, a message takes its place.
        ValueError: if the model is not built.
    """
    _assert_built(model)
    _no_more(kwargs)
    path = os.fspath(to_file) if hasattr(to_file, "__fspath__") else str(to_file)
    extension = os.path.splitext(path)[1][1:] or "png"
    # The text of a graph needs no graphviz.
    problem = _missing(drawn=extension not in ("dot", "raw"))
    if problem:
        # A script that runs unedited goes on without its picture, as a notebook does.
        if runs_unedited() or "IPython.core.magics.namespace" in sys.modules:
            print(problem)
            return None
        raise ImportError(problem)
    dot = model_to_dot(
        model,
        show_shapes=show_shapes,
        show_dtype=show_dtype,
        show_layer_names=show_layer_names,
        rankdir=rankdir,
        expand_nested=expand_nested,
        dpi=dpi,
        show_layer_activations=show_layer_activations,
        show_trainable=show_trainable,
        splines=splines,
    )
    dot.write(path, format="raw" if extension == "dot" else extension)
    if extension in ("pdf", "dot", "raw"):
        return None
    try:
        from IPython import display
    except ImportError:
        return None
    return display.Image(filename=path)


def _missing(drawn: bool) -> str | None:
    """What has to be installed before a model can be drawn, or None."""
    pydot = _pydot()
    if pydot is None:
        return f"You must install pydot (`{_EXTRA}`) for `plot_model` to work."
    if not drawn:
        return None
    try:
        pydot.Dot().create()
    except (OSError, AssertionError, pydot.PydotException):
        return (
            "You must install graphviz (see instructions at https://graphviz.org/download/) for"
            " `plot_model` to work; `to_file='model.dot'` works without."
        )
    return None

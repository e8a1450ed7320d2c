"""Shapes that answer TensorFlow's questions: `x.get_shape().as_list()`, `input_shape.rank`.

Only while minikeras stands in: elsewhere a shape is a plain tuple, which costs nothing.
"""

from __future__ import annotations

from typing import Any

from minikeras.engine import layer as layers
from minikeras.engine.symbolic import KerasTensor, Tensor
from minikeras.engine.variable import Variable

_KINDS = (Tensor, KerasTensor, Variable)
_before: dict[Any, Any] = {}


def install() -> None:
    """Lets shapes of tensors, and those that layers are built with, be TensorShapes."""
    if _before:
        return
    from minikeras.standin.tf.tensors import TensorShape

    def answering(own: property) -> property:
        return property(lambda tensor: TensorShape(own.fget(tensor)), own.fset)  # type: ignore[misc]

    find = _before["find"] = layers._shape_of

    def shape_of(argument: Any) -> Any:
        shape = find(argument)
        flat = type(shape) is tuple and all(isinstance(one, (int, type(None))) for one in shape)
        return TensorShape(shape) if flat else shape

    layers._shape_of = shape_of
    for kind in _KINDS:
        _before[kind] = kind.__dict__["shape"]
        kind.shape = answering(_before[kind])  # type: ignore[attr-defined, method-assign]
        kind.get_shape = lambda tensor: tensor.shape  # type: ignore[attr-defined]


def uninstall() -> None:
    """Undoes `install`."""
    if not _before:
        return
    layers._shape_of = _before.pop("find")
    for kind in _KINDS:
        kind.shape = _before.pop(kind)  # type: ignore[attr-defined, method-assign]
        del kind.get_shape  # type: ignore[attr-defined]

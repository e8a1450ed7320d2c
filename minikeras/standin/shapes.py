"""What scripts expect of TensorFlow's tensors, where Keras itself says less.

Shapes answer its questions: `x.get_shape().as_list()`, `input_shape.rank`. Data sets from folders
and series are `tf.data.Dataset`s of tensors: `for images, labels in dataset.take(1):
images[0].numpy()`. Only while minikeras stands in: elsewhere a shape is a plain tuple, and batches
are plain arrays.
"""

from __future__ import annotations

import functools
from importlib import import_module
from typing import Any

from minikeras.engine import layer as layers
from minikeras.engine.symbolic import KerasTensor, Tensor
from minikeras.engine.variable import Variable

_KINDS: Any = (Tensor, KerasTensor, Variable)
# The modules and functions that make data sets.
_MAKERS = (("folders", "from_samples"), ("py_dataset", "Dataset"))
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
        kind.shape = answering(_before[kind])
        kind.get_shape = lambda tensor: tensor.shape
        kind.set_shape = _set_shape
    Tensor.device = property(lambda tensor: "/job:localhost/replica:0/task:0/device:CPU:0")  # type: ignore[attr-defined]
    for name, function in _MAKERS:
        module: Any = import_module(f"minikeras.utils.{name}")
        _before[name] = vars(module)[function]
        setattr(module, function, _of_tensors(_before[name]))


def _set_shape(tensor: Any, shape: Any) -> None:
    """Says what is known of a shape.

    Raises:
        ValueError: it is another one.
    """
    if shape is None:
        return
    have = tensor.shape
    if not have.is_compatible_with(shape):
        raise ValueError(f"The tensor has the shape {have}. Received: set_shape({shape})")
    if isinstance(tensor, KerasTensor):
        tensor._shape = tuple(b if a is None else a for a, b in zip(have, shape))


def _of_tensors(make: Any) -> Any:
    """A function that makes data sets of arrays, as one that makes `tf.data.Dataset`s."""

    @functools.wraps(make)
    def made(*args: Any, **kwargs: Any) -> Any:
        from minikeras.standin.tf.data import Dataset, _tensors

        plain = make(*args, **kwargs)
        if isinstance(plain, Dataset):
            return plain
        made = Dataset(lambda: map(_tensors, plain), plain._length)
        for name in ("class_names", "file_paths", "_samples", "_batch_size"):
            setattr(made, name, getattr(plain, name))
        return made

    return made


def uninstall() -> None:
    """Undoes `install`."""
    if not _before:
        return
    layers._shape_of = _before.pop("find")
    for kind in _KINDS:
        kind.shape = _before.pop(kind)
        del kind.get_shape, kind.set_shape
    del Tensor.device  # type: ignore[attr-defined]
    for name, function in _MAKERS:
        setattr(import_module(f"minikeras.utils.{name}"), function, _before.pop(name))

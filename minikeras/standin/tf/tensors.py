"""Making tensors and variables, and asking what they are."""

from __future__ import annotations

import functools
from importlib import import_module
from typing import Any

import numpy as np

from minikeras import ops
from minikeras.engine import dtypes, tree
from minikeras.engine import layer as layers
from minikeras.engine.symbolic import KerasTensor, Tensor
from minikeras.engine.variable import Variable as _Variable
from minikeras.engine.variable import plain
from minikeras.ops.base import array_of, static
from minikeras.standin.tf.dtypes import as_dtype

__all__ = [
    "IndexedSlices",
    "Tensor",
    "TensorShape",
    "TensorSpec",
    "Variable",
    "constant",
    "convert_to_tensor",
    "fill",
    "get_static_value",
    "is_tensor",
    "ones",
    "rank",
    "reshape",
    "shape",
    "size",
    "zeros",
]


class TensorShape(tuple):
    """A shape: a tuple with TensorFlow's questions.

    >>> from minikeras.standin.tf.tensors import TensorShape
    >>> TensorShape([None, 3]).as_list(), TensorShape([2, 3]).num_elements()
    ([None, 3], 6)
    """

    def __new__(cls, dims: Any = ()) -> TensorShape:
        dims = (dims,) if isinstance(dims, int) else dims
        return super().__new__(cls, (None if size is None else int(size) for size in dims))

    def as_list(self) -> list:
        """The sizes as a list."""
        return list(self)

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self)

    ndims = rank

    def num_elements(self) -> int | None:
        """The product of the sizes, or None."""
        return None if None in self else int(np.prod(self, dtype="int64"))

    def is_fully_defined(self) -> bool:
        """Whether every size is known."""
        return None not in self

    def is_compatible_with(self, other: Any) -> bool:
        """Whether both can be the shape of one tensor."""
        other = TensorShape(other)
        return len(self) == len(other) and all(
            a == b or a is None or b is None for a, b in zip(self, other)
        )

    def concatenate(self, other: Any) -> TensorShape:
        """The sizes of both."""
        return TensorShape((*self, *TensorShape(other)))

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        return TensorShape(found) if isinstance(key, slice) else found


class TensorSpec:
    """Shape and dtype of a tensor.

    Args:
        shape: Tuple of integers and None; or None: any.
        dtype: A dtype. Defaults to float32.
        name: String or None.
    """

    def __init__(self, shape: Any, dtype: Any = "float32", name: str | None = None) -> None:
        # Of None any.
        self.shape: Any = shape if shape is None else TensorShape(shape)
        self.dtype = as_dtype(dtype)
        self.name = name

    @classmethod
    def from_tensor(cls, tensor: Any, name: str | None = None) -> TensorSpec:
        """The spec of a tensor."""
        return cls(tensor.shape, tensor.dtype, name)

    def is_compatible_with(self, other: Any) -> bool:
        """Whether a tensor or spec fits."""
        fits = self.shape is None or self.shape.is_compatible_with(other.shape)
        return fits and as_dtype(other.dtype) == self.dtype

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, TensorSpec) and (self.shape, self.dtype) == (
            other.shape,
            other.dtype,
        )

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype))

    def __repr__(self) -> str:
        return f"TensorSpec(shape={tuple(self.shape)}, dtype=tf.{self.dtype}, name={self.name!r})"


def _text(array: np.ndarray) -> np.ndarray:
    """Text as TensorFlow holds it: bytes in an array of objects."""
    if array.dtype.kind not in "USO":
        return array
    made = np.empty(array.shape, object)
    for index in np.ndindex(array.shape):
        one = array[index]
        made[index] = one.encode() if isinstance(one, str) else one
    return made


def constant(value: Any, dtype: Any = None, shape: Any = None, name: Any = None) -> Any:
    """A tensor of a value. Text becomes bytes.

    Args:
        value: Number, text, array, or nested lists of them.
        dtype: A dtype. Defaults to that of the value: float32, int32, bool or string in lists.
        shape: Tuple or None. One value fills it; others are put into it.
        name: Not used.
    """
    array = _text(array_of(value))
    if dtype is not None and not (array.dtype == object and as_dtype(dtype) == "string"):
        array = array.astype(dtypes.to_numpy_dtype(as_dtype(dtype).name))
    if shape is not None:
        shape = static(shape)
        array = np.full(shape, array) if array.size == 1 else array.reshape(shape)
    return Tensor(array.copy() if array is value else array)


def convert_to_tensor(
    value: Any, dtype: Any = None, dtype_hint: Any = None, name: Any = None
) -> Any:
    """`value` as a tensor; tensors stay what they are."""
    if isinstance(value, (Tensor, KerasTensor)):
        return value if dtype is None else ops.cast(value, as_dtype(dtype).name)
    if isinstance(value, _Variable):
        return value.value
    if isinstance(value, (list, tuple)) and any(isinstance(one, Tensor) for one in value):
        made = ops.stack(list(value))
        return made if dtype is None else ops.cast(made, as_dtype(dtype).name)
    return constant(value, dtype)


class _Part(Tensor):
    """What a variable has at some places, which may be assigned to."""

    __slots__ = ("variable", "key")
    variable: Any
    key: Any

    def assign(self, value: Any, name: Any = None) -> Any:
        """Set these places alone; returns the variable."""
        array = self.variable.array.copy()
        array[tree.map_structure(plain, self.key)] = plain(value)
        return self.variable.assign(array)


class IndexedSlices:
    """Rows of a tensor.

    Args:
        values: The rows.
        indices: Which rows they are.
        dense_shape: Shape of the whole, or None.
    """

    def __init__(self, values: Any, indices: Any, dense_shape: Any = None) -> None:
        self.values, self.indices = convert_to_tensor(values), convert_to_tensor(indices)
        self.dense_shape = dense_shape


class _LikeAnyVariable(type):
    """`isinstance(layer.kernel, tf.Variable)` is true of every variable."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return (
            isinstance(instance, _Variable)
            if cls is Variable
            else super().__instancecheck__(instance)
        )


class Variable(_Variable, metaclass=_LikeAnyVariable):
    """A variable, with the arguments of TensorFlow.

    Args:
        initial_value: Array-like, or a function without arguments that returns it.
        trainable: Boolean, default True.
        name: String or None.
        dtype: A dtype. Defaults to that of the value.
        shape: Tuple or None. It must be that of the value.

    Example:

    >>> import minikeras
    >>> with minikeras.install_as_keras():
    ...     import tensorflow as tf
    >>> v = tf.Variable([1.0, 2.0])
    >>> v.assign_add([1.0, 1.0]).numpy()
    array([2., 3.], dtype=float32)
    """

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool | None = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        variable_def: Any = None,
        dtype: Any = None,
        import_scope: Any = None,
        constraint: Any = None,
        synchronization: Any = None,
        aggregation: Any = None,
        shape: Any = None,
    ) -> None:
        if initial_value is None:
            raise ValueError("tf.Variable needs an `initial_value`. Received: None")
        value = initial_value() if callable(initial_value) else initial_value
        array = _text(array_of(plain(value)))
        if array.dtype.kind == "O":
            raise ValueError("Variables of text are not available. Use a list or an array.")
        super().__init__(
            array,
            shape=shape,
            dtype=as_dtype(dtype).name if dtype is not None else array.dtype,
            trainable=trainable is not False,
            name=name and name.replace("/", "_").partition(":")[0],
        )
        self.constraint = constraint

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        if type(found) is not Tensor:
            return found
        part = _Part(found.array, found.recording, found.slot)
        part.variable, part.key = self, key
        return part

    def scatter_nd_update(self, indices: Any, updates: Any, name: Any = None) -> Any:
        """Set the values at `indices`, one row of them each."""
        return self.assign(ops.scatter_update(self, indices, updates))

    def scatter_update(self, sparse_delta: Any, use_locking: bool = False, name: Any = None) -> Any:
        """Set the rows that an `IndexedSlices` has."""
        return self[array_of(sparse_delta.indices)].assign(sparse_delta.values)

    def read_value(self) -> Any:
        """The value as a tensor."""
        return self.value

    def initialized_value(self) -> Any:
        """The value as a tensor."""
        return self.value


def is_tensor(x: Any) -> bool:
    """Whether `x` is a tensor or variable (NumPy arrays are not)."""
    return isinstance(x, (Tensor, KerasTensor, _Variable))


def shape(input: Any, out_type: Any = "int32", name: Any = None) -> Any:
    """The shape: a tensor of integers. Of a symbolic tensor it is the tuple, None where unknown."""
    if isinstance(input, KerasTensor):
        return TensorShape(input.shape)
    return Tensor(np.asarray(np.shape(plain(input)), as_dtype(out_type).name))


def size(input: Any, out_type: Any = "int32", name: Any = None) -> Any:
    """The number of values."""
    return Tensor(np.asarray(np.size(plain(input)), as_dtype(out_type).name))


def rank(input: Any, name: Any = None) -> Any:
    """The number of axes."""
    return Tensor(np.asarray(len(np.shape(plain(input))), "int32"))


def sizes(shape: Any) -> tuple:
    """A shape given in any way, as a tuple; what is not known is -1."""
    if isinstance(shape, (int, np.integer)):
        return (int(shape),)
    if isinstance(shape, (list, tuple)):
        return tuple(-1 if one is None else int(one) for one in shape)
    return tuple(int(one) for one in np.atleast_1d(array_of(shape)))


def reshape(tensor: Any, shape: Any, name: Any = None) -> Any:
    """The values in another shape; -1 (or None) for one size means what is left."""
    if isinstance(tensor, KerasTensor) and isinstance(shape, (list, tuple)):
        # The batch size of a symbolic tensor, which is not known, stays first.
        return ops.reshape(tensor, sizes(shape))
    return ops.reshape(tensor, sizes(shape))


def zeros(shape: Any, dtype: Any = "float32", name: Any = None) -> Any:
    """Zeros."""
    return Tensor(np.zeros(sizes(shape), dtypes.to_numpy_dtype(as_dtype(dtype).name)))


def ones(shape: Any, dtype: Any = "float32", name: Any = None) -> Any:
    """Ones."""
    return Tensor(np.ones(sizes(shape), dtypes.to_numpy_dtype(as_dtype(dtype).name)))


def fill(dims: Any, value: Any, name: Any = None) -> Any:
    """One value, everywhere."""
    return Tensor(np.full(sizes(dims), array_of(value)))


def get_static_value(tensor: Any, partial: bool = False) -> Any:
    """The value as a NumPy array; None for symbolic tensors."""
    return None if isinstance(tensor, KerasTensor) else np.asarray(plain(tensor))


# What scripts expect of tensors, where Keras itself says less. Shapes answer TensorFlow's
# questions: `x.get_shape().as_list()`, `input_shape.rank`. Data sets from folders and series are
# `tf.data.Dataset`s of tensors: `for images, labels in dataset.take(1): images[0].numpy()`. Only
# while minikeras stands in: elsewhere a shape is a plain tuple, and batches are plain arrays.
_KINDS: Any = (Tensor, KerasTensor, _Variable)
# The modules and functions that make data sets.
_MAKERS = (("folders", "from_samples"), ("py_dataset", "Dataset"))
_before: dict[Any, Any] = {}


def install() -> None:
    """Lets shapes of tensors, and those that layers are built with, be TensorShapes."""
    if _before:
        return

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
    Tensor.to_tensor = lambda tensor, *_, **__: tensor  # type: ignore[attr-defined]
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
    del Tensor.to_tensor, Tensor.device  # type: ignore[attr-defined]
    for name, function in _MAKERS:
        setattr(import_module(f"minikeras.utils.{name}"), function, _before.pop(name))

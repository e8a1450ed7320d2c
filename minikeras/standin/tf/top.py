"""What is in `tf` itself, besides the functions of `tf.math`: joining, indexing, loops."""

from __future__ import annotations

import builtins
import contextlib
from collections import namedtuple
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minikeras import ops as _ops
from minikeras.engine import tree
from minikeras.engine.symbolic import KerasTensor, Tensor
from minikeras.gradient_tape import GradientTape  # noqa: F401
from minikeras.ops.base import array_of
from minikeras.standin.tf import named, public
from minikeras.standin.tf.dtypes import as_dtype
from minikeras.standin.tf.tensors import convert_to_tensor, sizes

ops: Any = _ops
newaxis = None
Unique = namedtuple("Unique", "y idx")


def _ints(value: Any) -> Any:
    """Integers given in any way, as Python's."""
    return array_of(value).tolist()


def _at(axis: Any) -> int:
    return int(axis)


FUNCTIONS: dict[str, Callable] = {
    "broadcast_to": lambda input, shape, name=None: ops.broadcast_to(input, sizes(shape)),
    "clip_by_value": lambda t, clip_value_min, clip_value_max, name=None: ops.clip(
        convert_to_tensor(t), clip_value_min, clip_value_max
    ),
    "einsum": lambda equation, *inputs, **kwargs: ops.einsum(equation, *inputs),
    "expand_dims": lambda input, axis=None, name=None: ops.expand_dims(input, _at(axis)),
    "identity": lambda input, name=None: ops.copy(convert_to_tensor(input)),
    "norm": lambda tensor, ord="euclidean", axis=None, keepdims=False, name=None: ops.norm(
        convert_to_tensor(tensor), None if ord == "euclidean" else ord, axis, keepdims
    ),
    "ones_like": lambda input, dtype=None, name=None, layout=None: ops.ones_like(
        input, dtype and as_dtype(dtype).name
    ),
    "repeat": lambda input, repeats, axis=None, name=None: ops.repeat(input, _ints(repeats), axis),
    "reverse": lambda tensor, axis, name=None: ops.flip(
        tensor, tuple(np.atleast_1d(axis).tolist())
    ),
    "roll": lambda input, shift, axis, name=None: ops.roll(input, _ints(shift), _ints(axis)),
    "searchsorted": lambda sorted_sequence, values, side="left", out_type="int32", name=None: (
        ops.cast(ops.searchsorted(sorted_sequence, values, side), as_dtype(out_type).name)
    ),
    "sort": lambda values, axis=-1, direction="ASCENDING", name=None: _directed(
        ops.sort(values, axis), axis, direction
    ),
    "squeeze": lambda input, axis=None, name=None: ops.squeeze(
        convert_to_tensor(input), tuple(axis) if isinstance(axis, list) else axis
    ),
    "stop_gradient": lambda input, name=None: ops.stop_gradient(input),
    "tensordot": lambda a, b, axes, name=None: ops.tensordot(a, b, axes),
    "tile": lambda input, multiples, name=None: ops.tile(input, _ints(multiples)),
    "transpose": lambda a, perm=None, conjugate=False, name=None: ops.transpose(
        a, None if perm is None else tuple(_ints(perm))
    ),
    "zeros_like": lambda input, dtype=None, name=None, layout=None: ops.zeros_like(
        input, dtype and as_dtype(dtype).name
    ),
}


def _swapped(x: Any, transpose: bool, adjoint: bool) -> Any:
    x = convert_to_tensor(x)
    if adjoint:
        x = ops.conj(x)
    return ops.swapaxes(x, -1, -2) if transpose or adjoint else x


def _directed(x: Any, axis: int, direction: str) -> Any:
    if direction not in ("ASCENDING", "DESCENDING"):
        raise ValueError(
            f"Argument `direction` must be 'ASCENDING' or 'DESCENDING'. Received: {direction!r}"
        )
    return ops.flip(x, axis) if direction == "DESCENDING" else x


def matmul(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    transpose_b: bool = False,
    adjoint_a: bool = False,
    adjoint_b: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
    output_type: Any = None,
    name: Any = None,
) -> Any:
    """Products of matrices, transposed before if so told."""
    return ops.matmul(_swapped(a, transpose_a, adjoint_a), _swapped(b, transpose_b, adjoint_b))


def argsort(
    values: Any,
    axis: int = -1,
    direction: str = "ASCENDING",
    stable: bool = False,
    name: Any = None,
) -> Any:
    """The order of the values along an axis; equal ones stay in theirs."""
    array = array_of(values)
    if direction == "DESCENDING":
        array = -(array.astype("int64") if array.dtype.kind in "ub" else array)
    elif direction != "ASCENDING":
        _directed(values, axis, direction)
    return Tensor(np.argsort(array, axis, kind="stable").astype("int32"))


def concat(values: Any, axis: Any = 0, name: Any = None) -> Any:
    """Tensors one after the other along an axis."""
    if not isinstance(values, (list, tuple)):
        values = list(values)
    return ops.concatenate([convert_to_tensor(one) for one in values], axis=_at(axis))


def stack(values: Any, axis: Any = 0, name: Any = None) -> Any:
    """Tensors of one shape along a new axis."""
    return ops.stack([convert_to_tensor(one) for one in values], axis=_at(axis))


def unstack(value: Any, num: Any = None, axis: Any = 0, name: Any = None) -> list:
    """The slices along an axis."""
    return list(ops.unstack(convert_to_tensor(value), num, _at(axis)))


def split(
    value: Any, num_or_size_splits: Any, axis: Any = 0, num: Any = None, name: Any = None
) -> Any:
    """Equal parts along an axis, or parts of the sizes given; one size may be -1."""
    value, axis = convert_to_tensor(value), _at(axis)
    given = _ints(num_or_size_splits)
    if isinstance(given, int):
        return list(ops.split(value, given, axis))
    total = value.shape[axis]
    given = [total - sum(one for one in given if one >= 0) if one < 0 else one for one in given]
    return list(ops.split(value, np.cumsum(given)[:-1].tolist(), axis))


def slice(input_: Any, begin: Any, size: Any, name: Any = None) -> Any:
    """A block of a tensor; a size of -1 means to the end."""
    input_ = convert_to_tensor(input_)
    start, count = _ints(begin), _ints(size)
    key = tuple(
        builtins.slice(first, None if many < 0 else first + many)
        for first, many in zip(start, count)
    )
    return input_[key]


def strided_slice(input_: Any, begin: Any, end: Any, strides: Any = None, **masks: Any) -> Any:
    """A block of a tensor with steps; masks are not available.

    Raises:
        NotImplementedError: for masks. Use `tensor[...]`.
    """
    if any(masks.get(name) for name in masks if name.endswith("_mask")):
        raise NotImplementedError("tf.strided_slice has no masks here. Use `tensor[...]`.")
    begin, end = _ints(begin), _ints(end)
    steps = [1] * len(begin) if strides is None else _ints(strides)
    return convert_to_tensor(input_)[tuple(map(builtins.slice, begin, end, steps))]


def gather(
    params: Any,
    indices: Any,
    validate_indices: Any = None,
    axis: Any = None,
    batch_dims: int = 0,
    name: Any = None,
) -> Any:
    """Slices along an axis, by their numbers."""
    params = convert_to_tensor(params)
    axis = batch_dims if axis is None else _at(axis)
    if batch_dims == 0:
        return ops.take(params, indices, axis=axis)
    rank = len(params.shape)
    axis = axis % rank
    if batch_dims < 0:
        batch_dims += len(array_of(indices).shape)
    if isinstance(params, KerasTensor) or isinstance(indices, KerasTensor):
        raise NotImplementedError(
            "tf.gather with batch_dims is not available on symbolic tensors. Put it into a Layer."
        )
    shape = array_of(indices).shape
    lead = shape[:batch_dims]
    rows = [
        ops.take(params[place], array_of(indices)[place], axis=axis - batch_dims)
        for place in np.ndindex(*lead)
    ]
    joined = ops.stack(rows)
    return ops.reshape(joined, (*lead, *joined.shape[1:]))


def gather_nd(params: Any, indices: Any, batch_dims: int = 0, name: Any = None) -> Any:
    """Values or slices, by their places."""
    if batch_dims:
        raise NotImplementedError("tf.gather_nd with batch_dims is not available.")
    params, places = convert_to_tensor(params), array_of(indices)
    return params[tuple(np.moveaxis(places, -1, 0))]


def boolean_mask(tensor: Any, mask: Any, axis: Any = None, name: Any = None) -> Any:
    """The values (or slices) where the mask is true."""
    tensor, mask = convert_to_tensor(tensor), array_of(mask).astype(bool)
    axis = 0 if axis is None else _at(axis)
    if mask.ndim == 1:
        return ops.take(tensor, np.flatnonzero(mask), axis=axis)
    shape = tensor.shape
    flat = ops.reshape(tensor, (*shape[:axis], -1, *shape[axis + mask.ndim :]))
    return ops.take(flat, np.flatnonzero(mask), axis=axis)


def where(condition: Any, x: Any = None, y: Any = None, name: Any = None) -> Any:
    """`x` where the condition holds, else `y`; the places where it holds without them."""
    if x is None and y is None:
        return Tensor(np.argwhere(array_of(condition)).astype("int64"))
    return ops.where(condition, x, y)


def one_hot(
    indices: Any,
    depth: Any,
    on_value: Any = None,
    off_value: Any = None,
    axis: Any = None,
    dtype: Any = None,
    name: Any = None,
) -> Any:
    """One at the index, zeros elsewhere, along a new axis."""
    axis = -1 if axis is None else axis
    if on_value is None and off_value is None:
        return ops.one_hot(indices, int(depth), axis, as_dtype(dtype or "float32").name)
    hot = ops.one_hot(indices, int(depth), axis, "bool")
    on, off = (default if v is None else v for v, default in ((on_value, 1), (off_value, 0)))
    made = ops.where(hot, on, off)
    return made if dtype is None else ops.cast(made, as_dtype(dtype).name)


def pad(
    tensor: Any, paddings: Any, mode: str = "CONSTANT", constant_values: Any = 0, name: Any = None
) -> Any:
    """More on both sides of each axis: a constant, or what is there, mirrored."""
    kind = mode.lower()
    extra = {"constant_values": constant_values} if kind == "constant" else {}
    return ops.pad(convert_to_tensor(tensor), _ints(paddings), kind, **extra)


def range(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str = "") -> Any:
    """Numbers from `start` (0) up to `limit`, which is not among them."""
    if limit is None:
        start, limit = 0, start
    start, limit, delta = (array_of(one) for one in (start, limit, delta))
    kind = np.result_type(start, limit, delta) if dtype is None else as_dtype(dtype).name
    if (
        dtype is None
        and kind == np.float64
        and "f8" not in {a.dtype.str[1:] for a in (start, limit, delta)}
    ):
        kind = np.dtype("float32")
    return Tensor(np.arange(start, limit, delta).astype(kind))


def linspace(start: Any, stop: Any, num: Any, name: Any = None, axis: int = 0) -> Any:
    """So many numbers at equal distances, both ends among them."""
    first, last = array_of(start), array_of(stop)
    kind = np.result_type(*[one for one in (first, last) if one.dtype.kind == "f"] or [first])
    made = np.linspace(first, last, int(num), axis=axis)
    return Tensor(made.astype(kind if kind.kind == "f" else "float64"))


def eye(
    num_rows: Any,
    num_columns: Any = None,
    batch_shape: Any = None,
    dtype: Any = "float32",
    name: Any = None,
) -> Any:
    """The identity matrix."""
    columns = None if num_columns is None else int(num_columns)
    made = np.eye(int(num_rows), columns, dtype=as_dtype(dtype).name)
    if batch_shape is not None:
        made = np.broadcast_to(made, (*sizes(batch_shape), *made.shape)).copy()
    return Tensor(made)


def meshgrid(*args: Any, indexing: str = "xy", name: Any = None) -> list:
    """Coordinates of a grid."""
    return list(ops.meshgrid(*args, indexing=indexing))


def unique(x: Any, out_idx: Any = "int32", name: Any = None) -> Any:
    """The values that occur, in order of occurrence, and the place of each in them."""
    _, first, inverse = np.unique(array_of(x), return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return Unique(
        Tensor(array_of(x)[first[order]]), Tensor(place[inverse].astype(as_dtype(out_idx).name))
    )


def clip_by_norm(t: Any, clip_norm: Any, axes: Any = None, name: Any = None) -> Any:
    """A tensor whose Euclidean norm is at most `clip_norm`."""
    t = convert_to_tensor(t)
    norm = ops.sqrt(ops.sum(ops.square(t), axes, True))
    return ops.divide(ops.multiply(t, clip_norm), ops.maximum(norm, clip_norm))


def clip_by_global_norm(
    t_list: Any, clip_norm: Any, use_norm: Any = None, name: Any = None
) -> tuple[list, Any]:
    """Tensors scaled alike so that all together have a norm of at most `clip_norm`."""
    norm = linalg_global_norm(t_list) if use_norm is None else use_norm
    scale = ops.divide(clip_norm, ops.maximum(norm, clip_norm))
    return [None if one is None else ops.multiply(one, scale) for one in t_list], norm


def linalg_global_norm(t_list: Any, name: Any = None) -> Any:
    """The Euclidean norm of several tensors together."""
    total = 0.0
    for one in t_list:
        if one is not None:
            total = ops.add(total, ops.sum(ops.square(one)))
    return ops.sqrt(total)


def scatter_nd(indices: Any, updates: Any, shape: Any, name: Any = None) -> Any:
    """Zeros with values added at the places given."""
    return ops.scatter(indices, updates, sizes(shape))


def tensor_scatter_nd_update(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Any:
    """A tensor with other values at the places given."""
    return ops.scatter_update(tensor, indices, updates)


def tensor_scatter_nd_add(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Any:
    """A tensor with values added at the places given."""
    return ops.add(tensor, scatter_nd(indices, updates, tensor.shape))


def sequence_mask(lengths: Any, maxlen: Any = None, dtype: Any = "bool", name: Any = None) -> Any:
    """True at the first `length` places of each row."""
    lengths = array_of(lengths)
    longest = int(lengths.max(initial=0)) if maxlen is None else int(maxlen)
    return Tensor((np.arange(longest) < lengths[..., None]).astype(as_dtype(dtype).name))


def broadcast_static_shape(shape_x: Any, shape_y: Any) -> Any:
    """The shape that two shapes broadcast to."""
    return np.broadcast_shapes(tuple(shape_x), tuple(shape_y))


# Loops and choices: they run as Python does.


def function(func: Any = None, *_: Any, **__: Any) -> Any:
    """`func` itself: there is nothing to compile. With options alone, a decorator that does so."""
    if func is None:
        return function
    if hasattr(func, "__dict__"):
        func.python_function, func.get_concrete_function = func, lambda *_, **__: func
    return func


def custom_gradient(f: Callable) -> Callable:
    """A function with a gradient of its own: `f` returns (value, function of the gradient)."""
    return ops.custom_gradient(f)


def recompute_grad(f: Callable) -> Callable:
    """`f` itself: it would save memory, and never changes results."""
    return f


def cond(pred: Any, true_fn: Callable, false_fn: Callable, name: Any = None) -> Any:
    """What one of two functions returns."""
    return ops.cond(pred, true_fn, false_fn)


def case(
    pred_fn_pairs: Any,
    default: Any = None,
    exclusive: bool = False,
    strict: bool = False,
    name: Any = None,
) -> Any:
    """What the function beside the first true condition returns."""
    pairs = pred_fn_pairs.items() if isinstance(pred_fn_pairs, dict) else pred_fn_pairs
    for condition, one in pairs:
        if bool(condition):
            return one()
    if default is None:
        raise ValueError("tf.case: no condition holds, and there is no `default`.")
    return default()


def switch_case(branch_index: Any, branch_fns: Any, default: Any = None, name: Any = None) -> Any:
    """What the function of that number returns; the last one, if there is none."""
    table = dict(branch_fns if isinstance(branch_fns, dict) else enumerate(branch_fns))
    if not isinstance(branch_fns, dict) and branch_fns and isinstance(branch_fns[0], tuple):
        table = dict(branch_fns)
    last = default if default is not None else table[max(table)]
    return table.get(int(branch_index), last)()


def while_loop(
    cond: Callable,
    body: Callable,
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    maximum_iterations: Any = None,
    name: Any = None,
) -> Any:
    """Repeats `body` while `cond` holds."""
    values, count = list(loop_vars), 0
    while bool(cond(*values)) and (maximum_iterations is None or count < int(maximum_iterations)):
        found = body(*values)
        values = list(found) if isinstance(found, (list, tuple)) else [found]
        count += 1
    return tuple(values) if isinstance(loop_vars, tuple) else values


def map_fn(fn: Callable, elems: Any, dtype: Any = None, *_: Any, **__: Any) -> Any:
    """`fn` of each slice along the first axis, put together."""
    leaves = [convert_to_tensor(one) for one in tree.flatten(elems)]
    results = [
        fn(tree.pack_sequence_as(elems, [leaf[place] for leaf in leaves]))
        for place in builtins.range(leaves[0].shape[0])
    ]
    return tree.map_structure(lambda *parts: stack(parts), *results)


vectorized_map = map_fn


def foldl(fn: Callable, elems: Any, initializer: Any = None, *_: Any, **__: Any) -> Any:
    """Combines the slices along the first axis, from the first to the last."""
    items = list(convert_to_tensor(elems))
    value = items.pop(0) if initializer is None else initializer
    for one in items:
        value = fn(value, one)
    return value


def scan(fn: Callable, elems: Any, initializer: Any = None, *_: Any, **__: Any) -> Any:
    """All the values that `foldl` goes through."""
    items = list(convert_to_tensor(elems))
    value = items[0] if initializer is None else initializer
    values = [value] if initializer is None else []
    for one in items[1:] if initializer is None else items:
        value = fn(value, one)
        values.append(value)
    return tree.map_structure(lambda *parts: stack(parts), *values)


def py_function(func: Callable, inp: Any, Tout: Any, name: Any = None) -> Any:
    """`func` of the tensors; its results in the dtypes given."""
    return _typed(func(*[convert_to_tensor(one) for one in inp]), Tout)


def numpy_function(
    func: Callable, inp: Any, Tout: Any, stateful: bool = True, name: Any = None
) -> Any:
    """`func` of the tensors as arrays; its results in the dtypes given."""
    return _typed(func(*[np.asarray(convert_to_tensor(one)) for one in inp]), Tout)


py_func = numpy_function


def _typed(results: Any, kinds: Any) -> Any:
    if isinstance(kinds, (list, tuple)):
        results = results if isinstance(results, (list, tuple)) else [results]
        return [convert_to_tensor(one, kind) for one, kind in zip(results, kinds)]
    return convert_to_tensor(results, kinds)


def print(
    *inputs: Any,
    output_stream: Any = None,
    summarize: Any = 3,
    sep: str = " ",
    end: str = "\n",
    name: Any = None,
) -> None:
    """Prints tensors as their values."""
    import sys

    shown = [np.asarray(one) if isinstance(one, Tensor) else one for one in inputs]
    stream = {"file://": None}.get(str(output_stream)[:7], output_stream)
    builtins.print(
        *shown, sep=sep, end=end, file=stream if hasattr(stream, "write") else sys.stderr
    )


def group(*inputs: Any, **_: Any) -> None:
    """Nothing: what is grouped has run."""


def no_op(name: Any = None) -> None:
    """Nothing."""


@contextlib.contextmanager
def _scope(*_: Any, **__: Any) -> Iterator[str]:
    yield str(_[0]) if _ else ""


# Names and places do not change what is computed.
name_scope = device = control_dependencies = init_scope = _scope


def executing_eagerly() -> bool:
    """True: everything is computed at once."""
    return True


def get_logger() -> Any:
    """The logger of the name `tensorflow`."""
    import logging

    return logging.getLogger("tensorflow")


def grad_pass_through(f: Callable) -> Callable:
    """`f`, with the gradient of the identity."""
    return lambda x: ops.add(x, ops.stop_gradient(ops.subtract(f(x), x)))


def ensure_shape(x: Any, shape: Any, name: Any = None) -> Any:
    """`x`, if it has that shape.

    Raises:
        ValueError: it has another.
    """
    wanted = tuple(shape)
    if len(wanted) != len(x.shape) or any(
        a not in (None, -1) and b is not None and a != b for a, b in zip(wanted, x.shape)
    ):
        raise ValueError(f"A tensor of shape {wanted} was expected. Received shape: {x.shape}")
    return x


globals().update(named(__name__, FUNCTIONS))
__all__ = public(
    globals(),
    "GradientTape",
    "newaxis",
    "device",
    "name_scope",
    "control_dependencies",
    "init_scope",
)

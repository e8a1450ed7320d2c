"""Loops and branches. Eagerly they are Python's own; what runs in them is recorded."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from minikeras.engine import tree
from minikeras.engine.operation import Operation, any_symbolic, infer_spec
from minikeras.engine.registry import operations
from minikeras.engine.symbolic import KerasTensor, Operators, Tensor
from minikeras.ops.base import array_of, static, tensor
from minikeras.ops.indexing import get_item
from minikeras.ops.joining import concatenate, stack
from minikeras.ops.shaping import flip, reshape


class _Flow(Operation):
    """A call of a control flow function, as one node of a graph."""

    function: Callable

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        return type(self).function(*args, **kwargs)


def _flow(name: str, spec: Callable | None = None) -> Callable:
    """Decorator: one node when anything among the arguments is symbolic.

    `spec`, a function of the same arguments, gives the symbolic outputs without a run.
    """

    def decorator(function: Callable) -> Callable:
        from functools import wraps

        members: dict = {"function": staticmethod(function), "__doc__": name}
        if spec is not None:
            members["compute_output_spec"] = lambda self, *args, **kwargs: spec(*args, **kwargs)
        kind = type(name, (_Flow,), members)
        operations.register(name)(kind)

        @wraps(function)
        def public(*args: Any, **kwargs: Any) -> Any:
            if any_symbolic(args) or any_symbolic(kwargs):
                return kind()(*args, **kwargs)
            return function(*args, **kwargs)

        return public

    return decorator


def _truth(pred: Any) -> bool:
    if isinstance(pred, KerasTensor):
        raise ValueError(
            "A symbolic value has no truth yet. Use `ops.where`, or put the branch into a Layer."
        )
    return bool(np.all(array_of(pred)))


def _specs(structure: Any) -> Any:
    return tree.map_structure(lambda leaf: KerasTensor(leaf.shape, leaf.dtype), structure)


def _cond_spec(pred: Any, true_fn: Callable, false_fn: Callable) -> Any:
    one, other = (infer_spec(branch, (), {}) for branch in (true_fn, false_fn))
    found = [
        [None if leaf is None else (leaf.shape, leaf.dtype) for leaf in tree.flatten(result)]
        for result in (one, other)
    ]
    if found[0] != found[1]:
        raise ValueError(
            "`true_fn` and `false_fn` must return outputs of the same structure, shapes and"
            f" dtypes. Received: {found[0]} and {found[1]}"
        )
    return one


@_flow("Cond", _cond_spec)
def cond(pred: Any, true_fn: Callable, false_fn: Callable) -> Any:
    """`true_fn()` if `pred` holds, else `false_fn()`.

    Args:
        pred: Boolean scalar.
        true_fn: Function without arguments.
        false_fn: Function without arguments.

    Example:

    >>> import minikeras
    >>> minikeras.ops.cond(True, lambda: 1, lambda: 2)
    1
    """
    if not callable(true_fn) or not callable(false_fn):
        raise TypeError("Arguments `true_fn` and `false_fn` must be callable without arguments.")
    return true_fn() if _truth(pred) else false_fn()


@_flow("Switch")
def switch(index: Any, branches: Any, *operands: Any) -> Any:
    """`branches[index](*operands)`; an index out of range takes the first or last branch.

    >>> import minikeras
    >>> minikeras.ops.switch(1, [lambda x: x, lambda x: -x], 3)
    -3
    """
    index = min(max(int(static(array_of(index))), 0), len(branches) - 1)
    return branches[index](*operands)


def _while_spec(
    cond: Callable, body: Callable, loop_vars: Any, maximum_iterations: Any = None
) -> Any:
    # What a loop ends with is like what it starts with; how long it takes is not known.
    return _specs(tree.map_structure(tensor, loop_vars))


@_flow("WhileLoop", _while_spec)
def while_loop(
    cond: Callable, body: Callable, loop_vars: Any, maximum_iterations: Any = None
) -> Any:
    """Repeat `body` while `cond` holds.

    Args:
        cond: Function of the loop variables; returns a boolean.
        body: Function of the loop variables; returns their new values.
        loop_vars: Tuple, list or single tensor.
        maximum_iterations: Integer. Stop after so many; None (default) does not.

    Returns:
        The last values of the loop variables.

    Example:

    >>> import minikeras
    >>> (i,) = minikeras.ops.while_loop(lambda i: i < 5, lambda i: (i + 1,), (0,))
    >>> int(i)
    5
    """
    single = not isinstance(loop_vars, (list, tuple))
    values = (loop_vars,) if single else tuple(loop_vars)
    values = tuple(tree.map_structure(tensor, value) for value in values)
    count = 0
    limit = None if maximum_iterations is None else int(static(maximum_iterations))
    while (limit is None or count < limit) and _truth(cond(*values)):
        result = body(*values)
        values = (result,) if not isinstance(result, (list, tuple)) else tuple(result)
        count += 1
    if single:
        return values[0]
    return type(loop_vars)(values) if not hasattr(loop_vars, "_fields") else values


@_flow("ForiLoop")
def fori_loop(lower: Any, upper: Any, body_fun: Callable, init_val: Any) -> Any:
    """Repeat `value = body_fun(i, value)` for i from `lower` up to, not including, `upper`.

    >>> import minikeras
    >>> minikeras.ops.fori_loop(0, 4, lambda i, total: total + i, 0)
    6
    """
    value = init_val
    for i in range(int(static(array_of(lower))), int(static(array_of(upper)))):
        value = body_fun(i, value)
    return value


def _length(structure: Any, axis: int = 0) -> int:
    sizes = {tensor(leaf).shape[axis] for leaf in tree.flatten(structure)}
    if len(sizes) != 1:
        raise ValueError(
            "All arrays must have the same size in the first dimension that is walked, axis"
            f" {axis}. Received sizes: {sizes}"
        )
    return sizes.pop()


def _at(structure: Any, index: int) -> Any:
    return tree.map_structure(lambda leaf: get_item(tensor(leaf), index), structure)


def _stacked(results: list) -> Any:
    return tree.map_structure(
        lambda *leaves: None if leaves[0] is None else stack([tensor(leaf) for leaf in leaves]),
        *results,
    )


@_flow("Map")
def map(f: Callable, xs: Any) -> Any:
    """`f` of each slice along the first axis, stacked.

    Args:
        f: Function of a slice (of a structure of slices).
        xs: Tensor, or structure of tensors.

    Example:

    >>> import minikeras
    >>> minikeras.ops.map(lambda x: x * 2, [1, 2]).tolist()
    [2, 4]
    """
    if not callable(f):
        raise TypeError(f"Argument `f` must be callable. Received: {f!r}")
    xs = tensor(xs) if isinstance(xs, (list, np.ndarray)) and not _holds_tensors(xs) else xs
    return _stacked([f(_at(xs, i)) for i in range(_length(xs))])


def _holds_tensors(xs: Any) -> bool:
    return isinstance(xs, list) and any(
        isinstance(leaf, (Operators, np.ndarray)) for leaf in tree.flatten(xs)
    )


@_flow("VectorizedMap")
def vectorized_map(function: Callable, elements: Any) -> Any:
    """As `map`; nothing is vectorized here, so write `function` for whole tensors where it counts.

    >>> import minikeras
    >>> minikeras.ops.vectorized_map(lambda x: x + 1, minikeras.ops.arange(2)).tolist()
    [1, 2]
    """
    elements = (
        tensor(elements)
        if isinstance(elements, (list, np.ndarray)) and not _holds_tensors(elements)
        else elements
    )
    return _stacked([function(_at(elements, i)) for i in range(_length(elements))])


@_flow("Scan")
def scan(
    f: Callable, init: Any, xs: Any = None, length: Any = None, reverse: bool = False,
    unroll: Any = 1,
) -> Any:  # fmt: skip
    """Carry a value along the first axis.

    Args:
        f: Function of (carry, x) that returns (new carry, y).
        init: The first carry: a tensor or structure.
        xs: Tensor or structure; None gives `f` None each time.
        length: Integer. How many steps; needed where `xs` is None.
        reverse: Boolean, default False. Whether to go from the last to the first.
        unroll: Kept for Keras's signature; makes no difference.

    Returns:
        Pair: the last carry, and the ys stacked.

    Example:

    >>> import minikeras
    >>> total, sums = minikeras.ops.scan(lambda c, x: (c + x, c + x), 0, [1, 2, 3])
    >>> int(total), sums.tolist()
    (6, [1, 3, 6])
    """
    if not callable(f):
        raise TypeError(f"`f` should be a callable. Received: f={f}")
    if not isinstance(unroll, (bool, int)) or (not isinstance(unroll, bool) and unroll < 1):
        raise ValueError(
            f"`unroll` must be an positive integer or boolean. Received: unroll={unroll}"
        )
    if xs is None and length is None:
        raise ValueError("Got no `xs` to scan over and `length` not provided.")
    if isinstance(xs, (list, np.ndarray)) and not _holds_tensors(xs):
        xs = tensor(xs)
    count = int(static(length)) if xs is None else _length(xs)
    if xs is not None and length is not None and int(static(length)) != count:
        raise ValueError(f"`length` disagrees with `xs`: {length} and {count}.")
    carry = tree.map_structure(lambda leaf: leaf if leaf is None else tensor(leaf), init)
    ys: list = []
    for i in reversed(range(count)) if reverse else range(count):
        carry, y = f(carry, None if xs is None else _at(xs, i))
        ys.append(y)
    if reverse:
        ys.reverse()
    if not ys or ys[0] is None:
        return carry, None
    return carry, _stacked(ys)


@_flow("AssociativeScan")
def associative_scan(f: Callable, elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """All partial results of an associative function along an axis.

    Args:
        f: Function of two tensors (or structures), slices along `axis` of equal size.
        elems: Tensor or structure.
        reverse: Boolean, default False. Whether to start from the end.
        axis: Integer, default 0.

    Returns:
        As `elems`; at each place what `f` makes of all up to there.

    Example:

    >>> import minikeras
    >>> minikeras.ops.associative_scan(lambda a, b: a + b, minikeras.ops.arange(1, 4)).tolist()
    [1, 3, 6]
    """
    if not callable(f):
        raise TypeError(f"`f` should be a callable. Received: f={f}")
    if isinstance(elems, (list, np.ndarray)) and not _holds_tensors(elems):
        elems = tensor(elems)
    ndims = [len(tensor(leaf).shape) for leaf in tree.flatten(elems)]
    axes = [axis % ndim if ndim else 0 for ndim in ndims]
    if len(set(axes)) > 1:
        raise ValueError("A negative `axis` means different axes of the arrays. Count from 0.")
    axis = axes[0]

    def part(structure: Any, key: slice) -> Any:
        return tree.map_structure(
            lambda leaf: get_item(tensor(leaf), (slice(None),) * axis + (key,)), structure
        )

    def turned(structure: Any) -> Any:
        return tree.map_structure(lambda leaf: flip(tensor(leaf), axis), structure)

    count = _length(elems, axis)
    source = turned(elems) if reverse else elems
    results = [part(source, slice(0, 1))]
    for i in range(1, count):
        results.append(f(results[-1], part(source, slice(i, i + 1))))
    joined = tree.map_structure(lambda *leaves: concatenate(list(leaves), axis), *results)
    return turned(joined) if reverse else joined


# vectorize


def vectorize(pyfunc: Callable, excluded: Any, signature: str | None) -> Callable:
    """See `ops.vectorize`."""
    from functools import wraps

    cores = None if signature is None else _parse_signature(signature)

    @wraps(pyfunc)
    def function(*args: Any, **kwargs: Any) -> Any:
        mapped = [i for i in range(len(args)) if i not in excluded]
        names = [key for key in kwargs if key not in excluded]
        values = [tensor(args[i]) for i in mapped] + [tensor(kwargs[key]) for key in names]
        ranks = [0] * len(values) if cores is None else [len(core) for core in cores[0]]
        if len(ranks) != len(values):
            raise TypeError(
                f"The signature {signature!r} has {len(ranks)} arguments. Received: {len(values)}"
            )
        loops = [value.shape[: len(value.shape) - rank] for value, rank in zip(values, ranks)]
        shape = np.broadcast_shapes(*loops)
        results = []
        from minikeras.ops.shaping import broadcast_to

        full = [
            broadcast_to(value, shape + value.shape[len(value.shape) - rank :])
            for value, rank in zip(values, ranks)
        ]
        for index in itertools.product(*(range(size) for size in shape)):
            one = [get_item(value, index) if index else value for value in full]
            positional = list(args)
            for i, value in zip(mapped, one):
                positional[i] = value
            keywords = {**kwargs, **dict(zip(names, one[len(mapped) :]))}
            results.append(pyfunc(*positional, **keywords))
        if not shape:
            return results[0]
        return tree.map_structure(
            lambda *leaves: reshape(
                stack([tensor(leaf) for leaf in leaves]), shape + tuple(tensor(leaves[0]).shape)
            ),
            *results,
        )

    return function


def _parse_signature(signature: str) -> tuple[list, list]:
    sides = signature.replace(" ", "").split("->")
    if len(sides) != 2 or not re.fullmatch(r"\([\w,]*\)(,\([\w,]*\))*", sides[0]):
        raise ValueError(
            f"Argument `signature` must look like '(n),(n)->()'. Received: {signature!r}"
        )
    return tuple(  # type: ignore[return-value]
        [[name for name in core.split(",") if name] for core in re.findall(r"\(([\w,]*)\)", side)]
        for side in sides
    )


# Rearrangement by name


@_flow("Rearrange")
def rearrange(tensor: Any, pattern: str, **axes_lengths: int) -> Any:
    """Axes split, merged and reordered by name, as in einops.

    Args:
        tensor: Tensor.
        pattern: String such as `"b (h p) w -> b w p h"`; names in parentheses are one axis.
        **axes_lengths: The sizes of names that do not follow from the shape.

    Raises:
        ValueError: if the pattern does not fit.

    Example:

    >>> import minikeras
    >>> minikeras.ops.rearrange(minikeras.ops.ones((2, 6)), "a (b c) -> b a c", b=2).shape
    (2, 2, 3)
    """
    from minikeras.ops.base import tensor as as_tensor
    from minikeras.ops.shaping import transpose

    x = as_tensor(tensor)
    left, arrow, right = pattern.partition("->")
    if not arrow:
        raise ValueError(f"Argument `pattern` must look like 'a b -> b a'. Received: {pattern!r}")
    before, after = _groups(left), _groups(right)
    if [] in before or len(before) != len(x.shape):
        raise ValueError(f"The pattern {pattern!r} does not fit a tensor of shape {x.shape}")
    names = [name for group in before for name in group]
    target = [name for group in after for name in group]
    if sorted(names) != sorted(target) or len(set(names)) != len(names):
        raise ValueError(f"Both sides of {pattern!r} must hold the same names, each once.")
    sizes: dict[str, Any] = {}
    for group, size in zip(before, x.shape):
        unknown = [name for name in group if name not in axes_lengths]
        known = int(np.prod([axes_lengths[name] for name in group if name in axes_lengths]))
        sizes.update({name: axes_lengths[name] for name in group if name in axes_lengths})
        if len(unknown) > 1:
            raise ValueError(f"Pass the sizes of all but one of {group} in {pattern!r}.")
        if size is not None and (size % known or not unknown and size != known):
            raise ValueError(f"An axis of size {size} cannot be split into {group} ({sizes}).")
        if unknown:
            sizes[unknown[0]] = -1 if size is None else size // known
    x = reshape(x, [sizes[name] for name in names])
    x = transpose(x, [names.index(name) for name in target])
    merged = []
    for group in after:
        parts = [sizes[name] for name in group]
        merged.append(-1 if -1 in parts else int(np.prod(parts)))
    return reshape(x, merged)


def _groups(side: str) -> list:
    found = re.findall(r"\(([^)]*)\)|(\w+)", side)
    return [inner.split() if inner or not name else [name] for inner, name in found]


@_flow("JVP")
def jvp(fun: Callable, primals: Any, tangents: Any, has_aux: bool = False) -> Any:
    """The value of a function and its derivative in a direction.

    The derivative is found through the gradients: one backward pass a component of the output.

    Args:
        fun: Function of tensors.
        primals: Tuple: where.
        tangents: Tuple of the same shapes: in which direction.
        has_aux: Boolean, default False. Whether `fun` returns a pair (output, anything).

    Returns:
        Pair (output, derivative), and the other thing if `has_aux`.

    Example:

    >>> import minikeras
    >>> y, dy = minikeras.ops.jvp(lambda x: x * x, (3.0,), (1.0,))
    >>> float(y), float(dy)
    (9.0, 6.0)
    """
    from minikeras.engine.context import Run, state
    from minikeras.engine.recording import Recording

    run = Run(training=None, recording=True)
    with Recording(run) as recording:
        inputs = [
            tree.map_structure(lambda leaf: recording.track(array_of(leaf)), primal)
            for primal in primals
        ]
        result = fun(*inputs)
    outputs, aux = result if has_aux else (result, None)
    leaves = tree.flatten(outputs)
    sources = tree.flatten(inputs)
    directions = [array_of(leaf) for leaf in tree.flatten(list(tangents))]
    derivatives = []
    for leaf in leaves:
        array = tensor(leaf).array
        derivative = np.zeros(array.size, array.dtype)
        if getattr(leaf, "recording", None) is recording and not state.inferring:
            for i in range(array.size):
                seed = np.zeros(array.size, array.dtype)
                seed[i] = 1
                gradients = recording.reverse([(leaf.slot, seed.reshape(array.shape))], keep=True)
                derivative[i] = sum(
                    (gradients[source.slot] * direction).sum()
                    for source, direction in zip(sources, directions)
                    if gradients[source.slot] is not None
                )
        derivatives.append(Tensor(derivative.reshape(array.shape)))
    plain = tree.map_structure(lambda leaf: Tensor(tensor(leaf).array), outputs)
    tangent = tree.pack_sequence_as(outputs, derivatives)
    return (plain, tangent, aux) if has_aux else (plain, tangent)


operations.objects()["JVP"].differentiable = False  # type: ignore[attr-defined]  # not recorded

__all__ = [
    "associative_scan", "cond", "fori_loop", "jvp", "map", "rearrange", "scan",
    "switch", "vectorized_map", "while_loop",
]  # fmt: skip

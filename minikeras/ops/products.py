"""Products of matrices and tensors; their gradients are products too."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minikeras.engine import dtypes
from minikeras.engine.symbolic import KerasTensor
from minikeras.ops.base import (
    Kernel,
    broadcast_shapes,
    canonical_axis,
    common_dtype,
    composite,
    is_inexact,
    kind_of,
    static,
    tensor,
    unbroadcast,
)


def _promote(*xs: Any) -> list:
    dtype = common_dtype(*xs)
    return [x.astype(dtype, copy=False) for x in xs]


def _transposed(x: np.ndarray) -> np.ndarray:
    return x.swapaxes(-1, -2)


def _conj(x: np.ndarray) -> np.ndarray:
    return x.conj() if x.dtype.kind == "c" else x


class Matmul(Kernel):
    """Matrix product over the last two axes; the others broadcast."""

    def forward(self, ctx: Any, a: Any, b: Any) -> Any:
        ctx.operands = [(x.shape, x.dtype, is_inexact(x)) for x in (a, b)]
        if a.dtype == np.int8 and b.dtype == np.int8:
            a, b = a.astype("int32"), b.astype("int32")
        elif a.dtype != b.dtype:
            a, b = _promote(a, b)
        ctx.save(a, b)
        try:
            return np.asarray(np.matmul(a, b))
        except ValueError as error:
            raise ValueError(
                "Shapes do not fit for a matrix product: the last axis of `x1` must be as long as"
                f" the last but one of `x2`. Received: x1.shape={a.shape}, x2.shape={b.shape}"
            ) from error

    def backward(self, ctx: Any, dy: Any) -> Any:
        a, b = ctx.saved
        (a_shape, a_dtype, a_needs), (b_shape, b_dtype, b_needs) = ctx.operands
        if a.ndim == 1:
            dy = np.expand_dims(dy, -2 if b.ndim > 1 else -1)
        if b.ndim == 1:
            dy = np.expand_dims(dy, -1)
        left = a[None, :] if a.ndim == 1 else a
        right = b[:, None] if b.ndim == 1 else b
        da = db = None
        if ctx.needs[0] and a_needs:
            da = np.matmul(dy, _transposed(_conj(right)))
            da = unbroadcast(da, left.shape).reshape(a_shape).astype(a_dtype, copy=False)
        if ctx.needs[1] and b_needs:
            if right.ndim == 2 and left.ndim > 2:
                rows = left.reshape(-1, left.shape[-1])
                db = np.matmul(_conj(rows).T, dy.reshape(-1, dy.shape[-1]))
            else:
                db = unbroadcast(np.matmul(_transposed(_conj(left)), dy), right.shape)
            db = db.reshape(b_shape).astype(b_dtype, copy=False)
        return da, db

    def compute_output_spec(self, a: Any, b: Any) -> Any:
        m, n = tuple(a.shape), tuple(b.shape)
        if not m or not n:
            raise ValueError(f"`matmul` needs tensors of at least one axis. Received: {m}, {n}")
        inner = (m[-1], n[-2] if len(n) > 1 else n[0])
        if None not in inner and inner[0] != inner[1]:
            raise ValueError(
                "Shapes do not fit for a matrix product: the last axis of `x1` must be as long as"
                f" the last but one of `x2`. Received: x1.shape={m}, x2.shape={n}"
            )
        shape = (
            broadcast_shapes(m[:-2], n[:-2])
            + (m[-2:-1] if len(m) > 1 else ())
            + (n[-1:] if len(n) > 1 else ())
        )
        dtype = dtypes.result_type(a.dtype, b.dtype)
        if {str(a.dtype), str(b.dtype)} == {"int8"}:
            dtype = "int32"
        return KerasTensor(shape, dtype=dtype)


def matmul(x1: Any, x2: Any) -> Any:
    """Matrix product over the last two axes; the others broadcast.

    Args:
        x1: Tensor of shape (..., m, k), or (k,).
        x2: Tensor of shape (..., k, n), or (k,).

    Returns:
        Tensor of shape (..., m, n).

    Raises:
        ValueError: if the shapes do not fit.

    Example:

    >>> import minikeras
    >>> minikeras.ops.matmul([[1.0, 2.0]], [[3.0], [4.0]]).tolist()
    [[11.0]]
    """
    return Matmul()(x1, x2)


class Einsum(Kernel):
    """Einstein's summation convention."""

    subscripts: str

    def forward(self, ctx: Any, *xs: Any) -> Any:
        terms, output = einsum_terms(self.subscripts, [x.ndim for x in xs])
        ctx.operands = [(x.shape, x.dtype) for x in xs]
        dtype = _einsum_dtype([x.dtype for x in xs])
        xs = tuple(x.astype(dtype, copy=False) for x in xs)
        ctx.save(terms, output, xs)
        return _contract(terms, output, xs)

    def backward(self, ctx: Any, dy: Any) -> Any:
        terms, output, xs = ctx.saved
        sizes = {
            letter: size
            for term, x in zip(terms, xs)
            for letter, size in zip(term, x.shape)
            if size != 1
        }
        result: list = []
        for i, (term, (shape, dtype)) in enumerate(zip(terms, ctx.operands)):
            if not ctx.needs[i] or dtype.kind not in "fc":
                result.append(None)
                continue
            others = [(t, _conj(x)) for j, (t, x) in enumerate(zip(terms, xs)) if j != i]
            wanted = "".join(dict.fromkeys(term))
            have = set(output).union(*(t for t, _ in others))
            reached = "".join(letter for letter in wanted if letter in have)
            gradient = _contract(
                [output] + [t for t, _ in others], reached, [dy] + [x for _, x in others]
            )
            # Letters that were summed over in this operand alone: the same for all.
            index = tuple(slice(None) if letter in reached else None for letter in wanted)
            gradient = gradient[index]
            full = [sizes.get(letter, 1) for letter in wanted]
            gradient = np.broadcast_to(gradient, full)
            if wanted != term:
                whole = np.zeros([sizes.get(letter, 1) for letter in term], gradient.dtype)
                diagonal = np.einsum(whole, [ord(c) - 65 for c in _plain(term)],
                                     [ord(c) - 65 for c in _plain(term, wanted)])  # fmt: skip
                diagonal[...] = gradient
                gradient = whole
            result.append(unbroadcast(gradient, shape).astype(dtype, copy=False))
        return result

    def compute_output_spec(self, *xs: Any) -> Any:
        terms, output = einsum_terms(self.subscripts, [len(x.shape) for x in xs])
        sizes: dict = {}
        for term, x in zip(terms, xs):
            for letter, size in zip(term, x.shape):
                known = sizes.get(letter, 1)
                if None not in (known, size) and 1 not in (known, size) and known != size:
                    raise ValueError(
                        f"Sizes of {letter!r} differ in einsum({self.subscripts!r}). Received"
                        f" shapes: {[tuple(x.shape) for x in xs]}"
                    )
                if known == 1 or known is None and size not in (1, None):
                    sizes[letter] = size
        dtype = _einsum_dtype([dtypes.to_numpy_dtype(x.dtype) for x in xs])
        return KerasTensor([sizes[letter] for letter in output], dtype=dtype)


def _plain(term: str, letters: str | None = None) -> str:
    """The letters renamed from A on, for `np.einsum` with lists."""
    names = {letter: chr(65 + i) for i, letter in enumerate(dict.fromkeys(term))}
    return "".join(names[letter] for letter in (term if letters is None else letters))


def _einsum_dtype(found: list) -> np.dtype:
    if set(found) == {np.dtype("int8")}:
        return np.dtype("int32")
    return dtypes.to_numpy_dtype(dtypes.result_type(*found))


def einsum_terms(subscripts: str, ndims: list) -> tuple[list, str]:
    """The letters of each operand's axes and of the output's; `...` becomes letters.

    Raises:
        ValueError: if the subscripts do not describe the operands.
    """
    text = subscripts.replace(" ", "")
    left, arrow, output = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(ndims):
        raise ValueError(
            f"einsum({subscripts!r}) describes {len(terms)} operands. Received: {len(ndims)}"
        )
    free = [c for c in "ZYXWVUTSRQPONMLKJIHGFEDCBAzyxwvutsrqponmlkjihgfedcba" if c not in text]
    extra = [
        ndim - len(term.replace("...", "")) if "..." in term else 0
        for term, ndim in zip(terms, ndims)
    ]
    dots = "".join(free[: max(extra, default=0)])[::-1]
    full = []
    for term, ndim, more in zip(terms, ndims, extra):
        term = term.replace("...", dots[len(dots) - more :])
        if len(term) != ndim:
            raise ValueError(
                f"einsum({subscripts!r}) describes an operand of {len(term)} axes as {term!r}."
                f" Received one of {ndim} axes."
            )
        full.append(term)
    if arrow:
        output = output.replace("...", dots)
    else:
        letters = "".join(full)
        output = dots + "".join(
            sorted(c for c in set(letters) - set(dots) if letters.count(c) == 1)
        )
    return full, output


def _contract(terms: list, output: str, xs: Any) -> np.ndarray:
    """The sum of products; two operands go to a matrix product where that is faster."""
    spec = ",".join(terms) + "->" + output
    try:
        if len(xs) == 2 and math.prod(xs[0].shape) * math.prod(xs[1].shape) > 4096:
            return np.asarray(np.einsum(spec, *xs, optimize=True))
        return np.array(np.einsum(spec, *xs, optimize=len(xs) > 2))
    except ValueError as error:
        raise ValueError(
            f"The shapes do not fit einsum({spec!r}). Received shapes: {[x.shape for x in xs]}."
            f" {error}"
        ) from error


def einsum(subscripts: str, *operands: Any, **kwargs: Any) -> Any:
    """Sums of products, by Einstein's convention.

    Args:
        subscripts: String, such as `"ij,jk->ik"`: a letter for each axis; letters that are not in
            the output are summed over. `...` stands for any leading axes.
        *operands: Tensors.
        **kwargs: None are known.

    Raises:
        ValueError: if the subscripts or shapes do not fit.

    Example:

    >>> import minikeras
    >>> minikeras.ops.einsum("ij,j->i", [[1.0, 2.0]], [3.0, 4.0]).tolist()
    [11.0]
    """
    if kwargs:
        raise TypeError(f"`einsum` takes no keyword arguments. Received: {sorted(kwargs)}")
    if not isinstance(subscripts, str):
        raise TypeError(f"Argument `subscripts` must be a string. Received: {subscripts!r}")
    return Einsum(subscripts)(*operands)


def _summed_axes(m: tuple, n: tuple, axes: Any) -> tuple[list, list]:
    """The axes of each shape that are summed over.

    Raises:
        ValueError: if their sizes differ.
    """
    if isinstance(axes, int):
        pair = [list(range(len(m) - axes, len(m))), list(range(axes))]
    else:
        pair = [[a] if isinstance(a, int) else list(a) for a in axes]
    first, second = (
        [canonical_axis(axis, len(shape), "axes") for axis in part]
        for part, shape in zip(pair, (m, n))
    )
    if len(first) != len(second) or any(
        m[i] != n[j] and None not in (m[i], n[j]) for i, j in zip(first, second)
    ):
        raise ValueError(
            f"The axes to sum over do not match. Received: axes={axes}, x1.shape={m}, x2.shape={n}"
        )
    return first, second


def _tensordot_spec(x1: Any, x2: Any, axes: Any = 2) -> Any:
    x1, x2 = tensor(x1), tensor(x2)
    kept: list = []
    for x, summed in zip((x1, x2), _summed_axes(tuple(x1.shape), tuple(x2.shape), static(axes))):
        kept += [size for axis, size in enumerate(x.shape) if axis not in summed]
    return KerasTensor(kept, dtype=dtypes.result_type(kind_of(x1), kind_of(x2)))


def _last_axes_spec(axis: int, name: str) -> Any:
    """The symbolic result of a sum over the last axis of `x1` and `axis` of `x2`."""

    def spec(x1: Any, x2: Any) -> Any:
        x1, x2 = tensor(x1), tensor(x2)
        if x1.shape and x2.shape:
            _check_last(x1, x2, axis, name)
            return _tensordot_spec(x1, x2, [[-1], [max(axis, -len(x2.shape))]])
        return KerasTensor(
            tuple(x1.shape) + tuple(x2.shape), dtype=dtypes.result_type(kind_of(x1), kind_of(x2))
        )

    return spec


def _check_last(x1: Any, x2: Any, axis: int, name: str) -> None:
    sizes = (x1.shape[-1], x2.shape[max(axis, -len(x2.shape))])
    if None not in sizes and sizes[0] != sizes[1]:
        which = "last dimension" if axis == -1 else "last dimension but one"
        raise ValueError(
            f"`{name}` sums over the last dimension of `x1` and the {which} of `x2`: they must be"
            f" equal. Received: x1.shape={tuple(x1.shape)}, x2.shape={tuple(x2.shape)}"
        )


@composite(tensors=2, spec=_tensordot_spec)
def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Any:
    """Sum of products over axes of both tensors.

    Args:
        x1: Tensor.
        x2: Tensor.
        axes: Integer n, default 2: the last n axes of `x1` with the first n of `x2`. Or two lists
            of axes.

    Example:

    >>> import minikeras
    >>> minikeras.ops.tensordot([1.0, 2.0], [3.0, 4.0], axes=1).tolist()
    11.0
    """
    from minikeras.ops.shaping import reshape, transpose

    x1, x2 = tensor(x1), tensor(x2)
    first, second = _summed_axes(x1.shape, x2.shape, static(axes))
    rest1 = [axis for axis in range(len(x1.shape)) if axis not in first]
    rest2 = [axis for axis in range(len(x2.shape)) if axis not in second]
    inner = math.prod(x1.shape[axis] for axis in first)
    shape = [x1.shape[axis] for axis in rest1] + [x2.shape[axis] for axis in rest2]
    rows = math.prod(x1.shape[axis] for axis in rest1)
    columns = math.prod(x2.shape[axis] for axis in rest2)
    left = reshape(transpose(x1, rest1 + first), (rows, inner))
    right = reshape(transpose(x2, second + rest2), (inner, columns))
    return reshape(matmul_wide(left, right), shape)


@composite(tensors=2, spec=_last_axes_spec(-2, "dot"))
def dot(x1: Any, x2: Any) -> Any:
    """Sum of products over the last axis of `x1` and the last but one of `x2`.

    >>> import minikeras
    >>> minikeras.ops.dot([1.0, 2.0], [3.0, 4.0]).tolist()
    11.0
    """
    from minikeras.ops.elementwise import multiply

    x1, x2 = tensor(x1), tensor(x2)
    if not x1.shape or not x2.shape:
        return multiply(x1, x2)
    _check_last(x1, x2, -2, "dot")
    if len(x2.shape) <= 2:
        return matmul_wide(x1, x2)
    return tensordot(x1, x2, axes=[[-1], [-2]])


def matmul_wide(x1: Any, x2: Any) -> Any:
    """`matmul`, with int8 kept (as the other products do)."""
    from minikeras.ops.core import cast

    if str(x1.dtype) == str(x2.dtype) == "int8":
        return cast(matmul(x1, x2), "int8")
    return matmul(x1, x2)


@composite(tensors=2, spec=_last_axes_spec(-1, "inner"))
def inner(x1: Any, x2: Any) -> Any:
    """Sum of products over the last axes.

    >>> import minikeras
    >>> minikeras.ops.inner([1.0, 2.0], [3.0, 4.0]).tolist()
    11.0
    """
    from minikeras.ops.elementwise import multiply

    x1, x2 = tensor(x1), tensor(x2)
    if not x1.shape or not x2.shape:
        return multiply(x1, x2)
    _check_last(x1, x2, -1, "inner")
    return tensordot(x1, x2, axes=[[-1], [-1]])


@composite(tensors=2)
def outer(x1: Any, x2: Any) -> Any:
    """Products of each value of `x1` with each of `x2`, both flattened.

    >>> import minikeras
    >>> minikeras.ops.outer([1, 2], [3, 4]).tolist()
    [[3, 4], [6, 8]]
    """
    from minikeras.ops.elementwise import multiply
    from minikeras.ops.shaping import reshape

    return multiply(reshape(x1, (-1, 1)), reshape(x2, (1, -1)))


@composite(tensors=2)
def vdot(x1: Any, x2: Any) -> Any:
    """Sum of products of two tensors, flattened; `x1` conjugated if complex.

    >>> import minikeras
    >>> minikeras.ops.vdot([1.0, 2.0], [3.0, 4.0]).tolist()
    11.0
    """
    from minikeras.ops.elementwise import conj
    from minikeras.ops.shaping import reshape

    x1 = tensor(x1)
    if str(x1.dtype).startswith("complex"):
        x1 = conj(x1)
    return matmul_wide(reshape(x1, (-1,)), reshape(tensor(x2), (-1,)))


@composite(tensors=2)
def kron(x1: Any, x2: Any) -> Any:
    """Kronecker product: each value of `x1` times the whole of `x2`.

    >>> import minikeras
    >>> minikeras.ops.kron([1, 2], [1, 1]).tolist()
    [1, 1, 2, 2]
    """
    from minikeras.ops.elementwise import multiply
    from minikeras.ops.shaping import reshape

    x1, x2 = tensor(x1), tensor(x2)
    ndim = max(len(x1.shape), len(x2.shape))
    m = (1,) * (ndim - len(x1.shape)) + tuple(x1.shape)
    n = (1,) * (ndim - len(x2.shape)) + tuple(x2.shape)
    left = reshape(x1, [size for one in m for size in (one, 1)])
    right = reshape(x2, [size for one in n for size in (1, one)])
    return reshape(multiply(left, right), [a * b for a, b in zip(m, n)])


class Cross(Kernel):
    """Cross product of vectors."""

    axisa: int = -1
    axisb: int = -1
    axisc: int = -1
    axis: Any = None

    def forward(self, ctx: Any, a: Any, b: Any) -> Any:
        ctx.sources = [(x.shape, x.dtype) for x in (a, b)]
        axes = [self.axisa, self.axisb] if self.axis is None else [self.axis] * 2
        a, b = _promote(np.moveaxis(a, axes[0], -1), np.moveaxis(b, axes[1], -1))
        if a.shape[-1] not in (2, 3) or b.shape[-1] not in (2, 3):
            raise ValueError(
                "`cross` needs vectors of 2 or 3 components. Received shapes:"
                f" {ctx.sources[0][0]} and {ctx.sources[1][0]}"
            )
        ctx.flat = a.shape[-1] == b.shape[-1] == 2
        ctx.axes = axes
        a, b = _three(a), _three(b)
        ctx.save(a, b)
        y = np.cross(a, b)
        if ctx.flat:
            return np.ascontiguousarray(y[..., 2])
        return np.moveaxis(y, -1, self.axisc if self.axis is None else self.axis)

    def backward(self, ctx: Any, dy: Any) -> Any:
        a, b = ctx.saved
        if ctx.flat:
            dy = np.stack([np.zeros_like(dy), np.zeros_like(dy), dy], -1)
        else:
            dy = np.moveaxis(dy, self.axisc if self.axis is None else self.axis, -1)
        result: list = []
        gradients = (np.cross(b, dy), np.cross(dy, a))
        for gradient, (shape, dtype), axis in zip(gradients, ctx.sources, ctx.axes):
            if dtype.kind not in "fc":
                result.append(None)
                continue
            moved = list(shape)
            moved.append(moved.pop(axis))
            gradient = unbroadcast(gradient[..., : moved[-1]], tuple(moved))
            result.append(np.moveaxis(gradient, -1, axis).astype(dtype, copy=False))
        return result


def _three(x: np.ndarray) -> np.ndarray:
    if x.shape[-1] == 3:
        return x
    return np.concatenate([x, np.zeros_like(x[..., :1])], -1)


def cross(
    x1: Any, x2: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: Any = None
) -> Any:
    """Cross product of vectors of 2 or 3 components.

    Args:
        x1: Tensor.
        x2: Tensor.
        axisa: Integer, default -1: the axis of the components of `x1`.
        axisb: Integer, default -1: that of `x2`.
        axisc: Integer, default -1: that of the result.
        axis: Integer. All three at once.

    Example:

    >>> import minikeras
    >>> minikeras.ops.cross([1.0, 0.0, 0.0], [0.0, 1.0, 0.0]).tolist()
    [0.0, 0.0, 1.0]
    """
    return Cross(axisa, axisb, axisc, axis)(x1, x2)


__all__ = [
    "cross", "dot", "einsum", "inner", "kron", "matmul", "outer", "tensordot", "vdot",
]  # fmt: skip

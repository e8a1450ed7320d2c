"""Layers that merge several inputs into one, and their functional forms."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minikeras import ops
from minikeras.engine import registry
from minikeras.engine.layer import Layer
from minikeras.engine.symbolic import KerasTensor
from minikeras.engine.variable import plain

logical_and: Any = ops.logical_and  # type: ignore[attr-defined]
logical_or: Any = ops.logical_or  # type: ignore[attr-defined]


def _unbroadcast(gradient: np.ndarray, shape: tuple) -> np.ndarray:
    """`gradient` summed over the axes along which an operand of `shape` was repeated."""
    if gradient.shape == shape:
        return gradient
    axes = tuple(
        axis
        for axis, (size, own) in enumerate(zip(gradient.shape, shape))
        if own == 1 and size != 1
    )
    return gradient.sum(axes, keepdims=True)


class Rule(NamedTuple):
    """A binary operation: its value, and its gradients from operands, value and gradient."""

    value: Callable
    gradients: Callable


ADD = Rule(np.add, lambda a, b, y, dy: (dy, dy))
SUBTRACT = Rule(np.subtract, lambda a, b, y, dy: (dy, -dy))
MULTIPLY = Rule(np.multiply, lambda a, b, y, dy: (dy * b, dy * a))


def _first_of_equals(a: Any, b: Any, y: Any, dy: Any) -> tuple:
    # Where both are equal, the first gets the gradient, as in TensorFlow.
    first = y == a
    return dy * first, dy * ~first


MAXIMUM = Rule(np.maximum, _first_of_equals)
MINIMUM = Rule(np.minimum, _first_of_equals)


class Merge(Layer):
    """The base class of layers that merge inputs of equal or broadcastable shapes."""

    rule = ADD
    # Whether values at masked places give way to those of the other inputs.
    heeds_masks = False
    supports_masking = True
    _masks_if_any = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def build(self, input_shape: Any) -> None:
        """Check that the shapes go together."""
        if not input_shape or not isinstance(input_shape[0], (tuple, list)):
            raise ValueError(
                "A merge layer should be called on a list of at least 1 input. Received:"
                f" input_shape={input_shape} (not a list of shapes)"
            )
        batches = {shape[0] for shape in input_shape if shape} - {None}
        if len(batches) > 1:
            raise ValueError(
                "Cannot merge tensors with different batch sizes. Received tensors with shapes"
                f" {input_shape}"
            )
        self.compute_output_shape(input_shape)
        self.built = True

    def call_own_kernel(self, *args: Any, **kwargs: Any) -> Any:
        if args and not isinstance(args[0], (list, tuple)):
            raise ValueError(
                f"A merge layer should be called on a list of inputs. Received: inputs={args[0]}"
                " (not a list of tensors)"
            )
        return super().call_own_kernel(*args, **kwargs)

    def forward(self, ctx: Any, *xs: Any, mask: Any = None) -> Any:
        ctx.shapes = [x.shape for x in xs]
        most = max(x.ndim for x in xs)
        # Axes that are missing go behind the batch axis.
        xs = tuple(
            x.reshape(x.shape[:1] + (1,) * (most - x.ndim) + x.shape[1:]) if x.ndim < most else x
            for x in xs
        )
        if self.heeds_masks and mask is not None and any(one is not None for one in mask):
            return self._merge_masked(ctx, xs, mask)
        return self.merge(ctx, xs)

    def merge(self, ctx: Any, xs: tuple) -> Any:
        """The merged array."""
        steps = []
        y = xs[0]
        for x in xs[1:]:
            before, y = y, self.rule.value(y, x)
            steps.append((before, x, y))
        ctx.save(xs[0], steps)
        ctx.choices = None
        return y

    def _merge_masked(self, ctx: Any, xs: tuple, masks: Any) -> Any:
        spread = _spread(masks, xs)
        y, valid = xs[0], spread[0]
        steps, choices = [], []
        for x, own in zip(xs[1:], spread[1:]):
            choices.append((own, valid))
            if own is not None:
                x = np.where(own, x, y)
            if valid is not None:
                y = np.where(valid, y, x)
            valid = None if own is None or valid is None else own | valid
            before, y = y, self.rule.value(y, x)
            steps.append((before, x, y))
        ctx.save(xs[0], steps)
        ctx.choices = choices
        return y

    def backward(self, ctx: Any, dy: Any) -> Any:
        first, steps = ctx.saved
        gradients = []
        for index in range(len(steps) - 1, -1, -1):
            before, x, y = steps[index]
            da, db = self.rule.gradients(before, x, y, dy)
            da, db = _unbroadcast(da, before.shape), _unbroadcast(db, x.shape)
            if ctx.choices is not None:
                own, valid = ctx.choices[index]
                if valid is not None:
                    da, db = np.where(valid, da, 0), db + np.where(valid, 0, da)
                if own is not None:
                    da, db = da + np.where(own, 0, db), np.where(own, db, 0)
            gradients.append(db)
            dy = da
        gradients.append(_unbroadcast(dy, first.shape))
        return [g.reshape(shape) for g, shape in zip(gradients[::-1], ctx.shapes)]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output, from the list of the inputs' shapes."""
        output = tuple(input_shape[0][1:])
        for shape in input_shape[1:]:
            output = _broadcast_shape(output, tuple(shape[1:]))
        batches = {shape[0] for shape in input_shape} - {None}
        return (batches.pop() if len(batches) == 1 else None, *output)

    def compute_output_spec(self, inputs: Any, **kwargs: Any) -> Any:
        """The output as a `KerasTensor`."""
        if not isinstance(inputs, (list, tuple)):
            raise ValueError(
                f"A merge layer should be called on a list of inputs. Received: inputs={inputs}"
                " (not a list of tensors)"
            )
        shape = self.compute_output_shape([x.shape for x in inputs])
        return KerasTensor(shape, dtype=self.compute_dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """True where any input counts; None unless all inputs have masks."""
        if previous_mask is None or not self.supports_masking:
            return None
        _check_masks(inputs, previous_mask)
        present = [one for one in previous_mask if one is not None]
        if len(present) < (1 if self._masks_if_any else len(previous_mask)):
            return None
        # Of old files, what counts in all that have a mask.
        return functools.reduce(logical_and if self._masks_if_any else logical_or, present)

    def get_config(self) -> dict:
        """The configuration."""
        return super().get_config()


def _spread(masks: Any, xs: tuple) -> list:
    """Masks repeated over the last axis of the inputs."""
    return [
        None if one is None else np.broadcast_to(np.asarray(plain(one))[..., None], x.shape)
        for one, x in zip(masks, xs)
    ]


def _check_masks(inputs: Any, masks: Any) -> None:
    if not isinstance(masks, (tuple, list)):
        raise ValueError(f"`mask` should be a list. Received: mask={masks}")
    if not isinstance(inputs, (tuple, list)):
        raise ValueError(f"`inputs` should be a list. Received: inputs={inputs}")
    if len(masks) != len(inputs):
        raise ValueError(
            "The lists `inputs` and `mask` should have the same length. Received:"
            f" {len(inputs)} inputs and {len(masks)} masks"
        )


def _broadcast_shape(one: tuple, two: tuple) -> tuple:
    if len(one) < len(two):
        one, two = two, one
    if not two:
        return one
    output = list(one[: -len(two)])
    for i, j in zip(one[-len(two) :], two):
        if i is None or j is None:
            output.append(None)
        elif i == 1 or j == 1:
            output.append(j if i == 1 else i)
        elif i != j:
            raise ValueError(f"Inputs have incompatible shapes. Received shapes {one} and {two}")
        else:
            output.append(i)
    return tuple(output)


def _exactly_two(layer: Any, input_shape: Any) -> None:
    if len(input_shape) != 2:
        raise ValueError(
            f"A `{type(layer).__name__}` layer should be called on exactly 2 inputs. Received:"
            f" input_shape={input_shape}"
        )


@registry.layers.register("Add")
class Add(Merge):
    """Adds a list of inputs, elementwise.

    Args:
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape:
        A list of tensors of equal or broadcastable shapes.

    Raises:
        ValueError: for shapes that do not go together.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.array([[1.0, 2.0]], "float32")
    >>> minikeras.layers.Add()([x, x]).numpy().tolist()
    [[2.0, 4.0]]
    """

    def merge(self, ctx: Any, xs: tuple) -> Any:
        ctx.save(xs[0], [])
        ctx.padded = [x.shape for x in xs]
        if len(xs) == 1:
            return xs[0]
        y = np.add(xs[0], xs[1])
        for x in xs[2:]:
            fits = y.shape == np.broadcast_shapes(y.shape, x.shape)
            y = np.add(y, x, out=y if fits and y.dtype == np.result_type(y, x) else None)
        return y

    def backward(self, ctx: Any, dy: Any) -> Any:
        return [
            _unbroadcast(dy, padded).reshape(shape) for padded, shape in zip(ctx.padded, ctx.shapes)
        ]


@registry.layers.register("Average")
class Average(Add):
    """Averages a list of inputs, elementwise.

    Args:
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape:
        A list of tensors of equal or broadcastable shapes.

    Raises:
        ValueError: for shapes that do not go together.
    """

    def merge(self, ctx: Any, xs: tuple) -> Any:
        total = super().merge(ctx, xs)
        ctx.count = len(xs)
        if total.dtype.kind != "f":
            return (total / len(xs)).astype(np.float32)
        return total * total.dtype.type(1 / len(xs))

    def backward(self, ctx: Any, dy: Any) -> Any:
        return super().backward(ctx, dy * dy.dtype.type(1 / ctx.count))


@registry.layers.register("Subtract")
class Subtract(Merge):
    """Takes the second of two inputs from the first.

    Args:
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape:
        A list of two tensors of equal or broadcastable shapes.

    Raises:
        ValueError: for shapes that do not go together, or more or fewer than two inputs.
    """

    rule = SUBTRACT

    def build(self, input_shape: Any) -> None:
        """Check that the shapes go together."""
        super().build(input_shape)
        _exactly_two(self, input_shape)


@registry.layers.register("Multiply")
class Multiply(Merge):
    """Multiplies a list of inputs, elementwise.

    Masked values count as 1; where all inputs are masked the result is 0.

    Args:
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape:
        A list of tensors of equal or broadcastable shapes.

    Raises:
        ValueError: for shapes that do not go together.
    """

    rule = MULTIPLY
    heeds_masks = True

    def merge(self, ctx: Any, xs: tuple) -> Any:
        ctx.spread = None
        return super().merge(ctx, xs)

    def _merge_masked(self, ctx: Any, xs: tuple, masks: Any) -> Any:
        spread = _spread(masks, xs)
        y = self.merge(
            ctx, tuple(x if one is None else np.where(one, x, 1) for one, x in zip(spread, xs))
        )
        valid = None
        if all(one is not None for one in spread):
            valid = np.logical_or.reduce(np.broadcast_arrays(*spread))
            y = np.where(valid, y, 0)
        ctx.spread, ctx.valid = spread, valid
        return y.astype(xs[0].dtype, copy=False)

    def backward(self, ctx: Any, dy: Any) -> Any:
        if ctx.spread is None:
            return super().backward(ctx, dy)
        if ctx.valid is not None:
            dy = np.where(ctx.valid, dy, 0)
        return [
            g if one is None else np.where(one.reshape(g.shape), g, 0)
            for one, g in zip(ctx.spread, super().backward(ctx, dy))
        ]


@registry.layers.register("Maximum")
class Maximum(Merge):
    """The elementwise maximum of a list of inputs. Masked places give way to the others.

    Args:
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape:
        A list of tensors of equal or broadcastable shapes.

    Raises:
        ValueError: for shapes that do not go together.
    """

    rule = MAXIMUM
    heeds_masks = True


@registry.layers.register("Minimum")
class Minimum(Merge):
    """The elementwise minimum of a list of inputs. Masked places give way to the others.

    Args:
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape:
        A list of tensors of equal or broadcastable shapes.

    Raises:
        ValueError: for shapes that do not go together.
    """

    rule = MINIMUM
    heeds_masks = True


@registry.layers.register("Concatenate")
class Concatenate(Merge):
    """Joins a list of inputs along an axis.

    Args:
        axis: Integer, default -1.
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape:
        A list of tensors whose shapes agree, but for `axis`.

    Raises:
        ValueError: for shapes that do not go together.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.ones((2, 3), "float32")
    >>> minikeras.layers.Concatenate()([x, x]).shape
    (2, 6)
    """

    # In older files, one masked input masks the place; see `dialects.eras`.

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def build(self, input_shape: Any) -> None:
        """Check that the shapes go together."""
        if not input_shape or not isinstance(input_shape[0], (tuple, list)):
            raise ValueError(
                "A `Concatenate` layer should be called on a list of at least 1 input. Received:"
                f" input_shape={input_shape}"
            )
        rank = len(input_shape[0])
        problem = (
            "A `Concatenate` layer requires inputs with matching shapes except for the"
            f" concatenation axis. Received: input_shape={input_shape}, axis={self.axis}"
        )
        if any(len(shape) != rank for shape in input_shape) or not -rank <= self.axis < rank:
            raise ValueError(problem)
        for axis in range(rank):
            sizes = {shape[axis] for shape in input_shape} - {None}
            if axis != self.axis % rank and len(sizes) > 1:
                raise ValueError(problem)
        self.built = True

    def forward(self, ctx: Any, *xs: Any, mask: Any = None) -> Any:
        ctx.axis = self.axis % xs[0].ndim
        ctx.sizes = [x.shape[ctx.axis] for x in xs]
        return np.concatenate(xs, axis=ctx.axis)

    def backward(self, ctx: Any, dy: Any) -> Any:
        gradients, start = [], 0
        before = (slice(None),) * ctx.axis
        for size in ctx.sizes:
            part = (*before, slice(start, start + size))
            gradients.append(dy[part])
            start += size
        return gradients

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output, from the list of the inputs' shapes."""
        if not isinstance(input_shape, (tuple, list)) or not isinstance(
            input_shape[0], (tuple, list)
        ):
            raise ValueError(
                "A `Concatenate` layer should be called on a list of inputs. Received:"
                f" input_shape={input_shape}"
            )
        output = list(input_shape[0])
        sizes = [shape[self.axis] for shape in input_shape]
        output[self.axis] = None if None in sizes else sum(sizes)
        return tuple(output)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The masks joined alike; inputs without one count in full."""
        if previous_mask is None or not self.supports_masking:
            return None
        _check_masks(inputs, previous_mask)
        if all(one is None for one in previous_mask):
            return None
        masks = []
        for x, mask in zip(inputs, previous_mask):
            if mask is None:
                mask = ops.ones_like(x, dtype="bool")
            elif len(mask.shape) < len(x.shape):
                mask = logical_or(ops.expand_dims(mask, axis=-1), ops.zeros_like(x, dtype="bool"))
            masks.append(mask)
        joined = ops.concatenate(masks, axis=self.axis)
        return ops.all(joined, axis=-1) if self._masks_if_any else ops.any(joined, axis=-1)

    def get_config(self) -> dict:
        """The configuration."""
        return {**super().get_config(), "axis": self.axis}


@registry.layers.register("Dot")
class Dot(Merge):
    """The products of two inputs, summed over an axis of each, sample by sample.

    Args:
        axes: Integer, or a pair of them. The axis of each input; not the batch axis.
        normalize: Boolean, default False. Whether inputs are scaled to a norm of 1 along the axes,
            which makes the result their cosine.
        **kwargs: `name`, `dtype`, `trainable`.

    Raises:
        TypeError: if `axes` is no integer or list.
        ValueError: if there are not two inputs, or the sizes along the axes differ.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> x = np.array([[1.0, 2.0]], "float32")
    >>> minikeras.layers.Dot(axes=1)([x, x]).numpy().tolist()
    [[5.0]]
    """

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axes, int):
            if not isinstance(axes, (list, tuple)):
                raise TypeError(
                    "Invalid type for argument `axes`: it should be a list or an int. Received:"
                    f" axes={axes}"
                )
            if len(axes) != 2 or not all(isinstance(one, int) for one in axes):
                raise ValueError(
                    "Invalid format for argument `axes`: it should contain two integers. Received:"
                    f" axes={axes}"
                )
        self.axes = axes
        self.normalize = normalize

    def _axes_of(self, first: int, second: int) -> list[int]:
        """The axes, counted from the front, for inputs of so many axes."""
        axes = [self.axes] * 2 if isinstance(self.axes, int) else self.axes
        found = [axis % rank if axis < 0 else axis for axis, rank in zip(axes, (first, second))]
        if 0 in found:
            raise ValueError(
                f"A `Dot` layer cannot multiply over the batch axis. Received: axes={self.axes}"
            )
        for axis, rank in zip(found, (first, second)):
            if axis >= rank:
                raise ValueError(
                    f"Axis {axis} is out of bounds for an input with {rank} axes. Received:"
                    f" axes={self.axes}"
                )
        return found

    def build(self, input_shape: Any) -> None:
        """Check that the shapes go together."""
        if (
            not input_shape
            or not isinstance(input_shape[0], (tuple, list))
            or (len(input_shape) != 2)
        ):
            raise ValueError(
                "A `Dot` layer should be called on a list of 2 inputs. Received:"
                f" input_shape={input_shape}"
            )
        one, two = input_shape
        axes = self._axes_of(len(one), len(two))
        sizes = one[axes[0]], two[axes[1]]
        if None not in sizes and sizes[0] != sizes[1]:
            raise ValueError(
                f"Incompatible input shapes: axis values {sizes[0]} (at axis {axes[0]}) !="
                f" {sizes[1]} (at axis {axes[1]}). Full input shapes: {one}, {two}"
            )
        self.built = True

    def forward(self, ctx: Any, *xs: Any, mask: Any = None) -> Any:
        axes = self._axes_of(xs[0].ndim, xs[1].ndim)
        ctx.sizes = None
        if self.normalize:
            ctx.sizes = [
                np.maximum(np.sqrt(np.square(x).sum(axis, keepdims=True)), 1e-12)
                for x, axis in zip(xs, axes)
            ]
            xs = tuple(x / size for x, size in zip(xs, ctx.sizes))
        # (batch, rest of the first, n) times (batch, n, rest of the second)
        left, right = np.moveaxis(xs[0], axes[0], -1), np.moveaxis(xs[1], axes[1], 1)
        a = left.reshape(len(left), -1, left.shape[-1])
        b = right.reshape(len(right), right.shape[1], -1)
        ctx.save(a, b, xs)
        ctx.axes, ctx.moved = axes, (left.shape, right.shape)
        rest = left.shape[1:-1] + right.shape[2:]
        return (a @ b).reshape(len(a), *(rest or (1,)))

    def backward(self, ctx: Any, dy: Any) -> Any:
        a, b, xs = ctx.saved
        dy = dy.reshape(len(a), a.shape[1], b.shape[2])
        da = (dy @ b.swapaxes(1, 2)).reshape(ctx.moved[0])
        db = (a.swapaxes(1, 2) @ dy).reshape(ctx.moved[1])
        gradients = [np.moveaxis(da, -1, ctx.axes[0]), np.moveaxis(db, 1, ctx.axes[1])]
        if ctx.sizes is not None:
            # From the unit vectors to the vectors.
            gradients = [
                (g - x * (g * x).sum(axis, keepdims=True)) / size
                for g, x, axis, size in zip(gradients, xs, ctx.axes, ctx.sizes)
            ]
        return gradients

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output, from the two inputs' shapes."""
        if not isinstance(input_shape, (tuple, list)) or len(input_shape) != 2:
            raise ValueError(
                "A `Dot` layer should be called on a list of 2 inputs. Received:"
                f" input_shape={input_shape}"
            )
        one, two = (list(shape) for shape in input_shape)
        axes = self._axes_of(len(one), len(two))
        one.pop(axes[0])
        two.pop(axes[1])
        output = one + two[1:]
        return tuple(output) if len(output) > 1 else (output[0], 1)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """None: products of two sequences have no mask."""
        return None

    def get_config(self) -> dict:
        """The configuration."""
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


def add(inputs: Any, **kwargs: Any) -> Any:
    """The sum of a list of tensors: `Add(**kwargs)(inputs)`."""
    return Add(**kwargs)(inputs)


def average(inputs: Any, **kwargs: Any) -> Any:
    """The mean of a list of tensors: `Average(**kwargs)(inputs)`."""
    return Average(**kwargs)(inputs)


def subtract(inputs: Any, **kwargs: Any) -> Any:
    """The difference of two tensors: `Subtract(**kwargs)(inputs)`."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Any, **kwargs: Any) -> Any:
    """The product of a list of tensors: `Multiply(**kwargs)(inputs)`."""
    return Multiply(**kwargs)(inputs)


def maximum(inputs: Any, **kwargs: Any) -> Any:
    """The elementwise maximum of a list of tensors: `Maximum(**kwargs)(inputs)`."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Any, **kwargs: Any) -> Any:
    """The elementwise minimum of a list of tensors: `Minimum(**kwargs)(inputs)`."""
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """Tensors joined along an axis: `Concatenate(axis, **kwargs)(inputs)`."""
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs: Any, axes: Any = -1, **kwargs: Any) -> Any:
    """Products of two tensors summed over axes: `Dot(axes, **kwargs)(inputs)`."""
    return Dot(axes=axes, **kwargs)(inputs)

"""Images moved, turned, bent and scaled."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from minikeras.config import standardize_data_format
from minikeras.engine import dtypes
from minikeras.engine.symbolic import KerasTensor
from minikeras.kernels.windows import FILTERS
from minikeras.ops.base import Kernel, array_of, composite, static, tensor
from minikeras.ops.products import einsum
from minikeras.ops.resampling import check_rank

INTERPOLATIONS = ("nearest", "bilinear")
FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")
_AFFINE_FILL_MODES = ("constant", "nearest", "wrap", "reflect")


def _choice(name: str, value: Any, allowed: tuple) -> None:
    if value not in allowed:
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected one of {allowed}. Received:"
            f" {name}={value!r}"
        )


def _affine_place(x: np.ndarray, size: int, mode: str) -> np.ndarray:
    """Where a coordinate outside of the image is read."""
    if mode == "constant":
        return x
    if mode == "nearest" or size <= 1:
        return np.clip(x, 0, size - 1)
    if mode == "reflect":
        double = 2 * size
        below = np.where(x < double, double * np.trunc(-x / double) + x, x)
        below = np.where(below < -size, below + double, -below - 1)
        above = x - double * np.trunc(x / double)
        above = np.where(above >= size, double - above - 1, above)
    else:
        below = x + size * (np.trunc(-x / (size - 1)) + 1)
        above = x - size * np.trunc(x / (size - 1))
    x = np.where(x < 0, below, np.where(x > size - 1, above, x))
    return np.clip(x, 0, size - 1)


class _Projective(Kernel):
    """Read images at projected places. Batches of images, channels last."""

    interpolation: str = "bilinear"
    fill_mode: str = "constant"
    fill_value: Any = 0
    data_format: Any = None

    def places(self, images: np.ndarray, matrix: np.ndarray) -> list:
        """Pairs of indices and weights to read; the weight is 0 outside."""
        height, width = images.shape[1:3]
        y, x = np.mgrid[:height, :width].astype("float32")
        a = [matrix[:, i, None, None] for i in range(8)]
        scale = a[6] * x + a[7] * y + np.float32(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            column = (a[0] * x + a[1] * y + a[2]) / scale
            row = (a[3] * x + a[4] * y + a[5]) / scale
        lost = scale == 0
        row = np.where(lost, -1e6, _affine_place(row, height, self.fill_mode))
        column = np.where(lost, -1e6, _affine_place(column, width, self.fill_mode))
        if self.interpolation == "nearest":
            nodes = [(_round_away(row), _round_away(column), np.ones_like(row))]
        else:
            top, left = np.floor(row), np.floor(column)
            down, right = row - top, column - left
            nodes = [
                (top, left, (1 - down) * (1 - right)),
                (top, left + 1, (1 - down) * right),
                (top + 1, left, down * (1 - right)),
                (top + 1, left + 1, down * right),
            ]
        result = []
        for r, c, weight in nodes:
            inside = (r >= 0) & (r < height) & (c >= 0) & (c < width)
            r = np.clip(r, 0, height - 1).astype(int)
            c = np.clip(c, 0, width - 1).astype(int)
            result.append((r, c, weight, inside))
        return result

    def layout(self, x: np.ndarray, back: bool = False) -> np.ndarray:
        if standardize_data_format(self.data_format) == "channels_last":
            return x
        return np.moveaxis(x, -1, 1) if back else np.moveaxis(x, 1, -1)

    def matrix(self, batch: int, *arguments: Any) -> np.ndarray:
        """Eight coefficients for each image."""
        (transform,) = arguments
        transform = np.atleast_2d(np.asarray(transform, "float32"))
        if transform.ndim != 2 or transform.shape[-1] != 8 or len(transform) not in (1, batch):
            raise ValueError(
                "Argument `transform` must have shape (8,) or (batch, 8). Received shape:"
                f" {np.shape(arguments[0])}"
            )
        return np.broadcast_to(transform, (batch, 8))

    def forward(self, ctx: Any, images: Any, *arguments: Any) -> Any:
        ctx.single = images.ndim == 3
        ctx.dtype = images.dtype
        x = self.layout(images[None] if ctx.single else images)
        exact = x.dtype if x.dtype == np.float64 else np.dtype("float32")
        nodes = self.places(x, self.matrix(len(x), *arguments))
        batch = np.arange(len(x))[:, None, None]
        y = np.zeros(x.shape, exact)
        for row, column, weight, inside in nodes:
            value = np.where(inside[..., None], x[batch, row, column], self.fill_value)
            y += (weight[..., None] * value).astype(exact)
        ctx.save(nodes, x.shape)
        y = self.layout(y.astype(images.dtype), back=True)
        return y[0] if ctx.single else y

    def backward(self, ctx: Any, dy: Any) -> Any:
        if ctx.dtype.kind != "f":
            return None
        nodes, shape = ctx.saved
        dy = self.layout(dy[None] if ctx.single else dy)
        dx = np.zeros(shape, dy.dtype)
        batch = np.arange(len(dy))[:, None, None]
        for row, column, weight, inside in nodes:
            np.add.at(dx, (batch, row, column), dy * (weight * inside)[..., None].astype(dy.dtype))
        dx = self.layout(dx, back=True)
        return dx[0] if ctx.single else dx

    def compute_output_spec(self, images: Any, *_: Any) -> Any:
        return KerasTensor(images.shape, dtype=images.dtype)


def _round_away(x: np.ndarray) -> np.ndarray:
    """Round halves away from zero."""
    return np.trunc(x + np.copysign(0.5, x))


class AffineTransform(_Projective):
    """Images read at transformed places."""


class PerspectiveTransform(_Projective):
    """Images with four points moved to four others."""

    interpolation: str = "bilinear"
    fill_value: Any = 0
    data_format: Any = None

    def matrix(self, batch: int, *arguments: Any) -> np.ndarray:
        start, end = (
            np.broadcast_to(np.asarray(points, "float32").reshape(-1, 4, 2), (batch, 4, 2))
            for points in arguments
        )
        rows = np.zeros((batch, 8, 8), "float32")
        target = start.reshape(batch, 8, 1)
        for axis in (0, 1):
            part = rows[:, axis::2]
            part[:, :, 3 * axis : 3 * axis + 2] = end
            part[:, :, 3 * axis + 2] = 1
            part[:, :, 6:] = -start[:, :, axis, None] * end
        try:
            return np.linalg.solve(rows, target)[..., 0]
        except np.linalg.LinAlgError as error:
            raise ValueError(
                "Arguments `start_points` and `end_points` must be corners of quadrilaterals: no"
                " three of them on a line."
            ) from error


PerspectiveTransform.fields = {"interpolation": "bilinear", "fill_value": 0, "data_format": None}


def affine_transform(
    images: Any,
    transform: Any,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: Any = 0,
    data_format: Any = None,
) -> Any:
    """Images read at transformed places.

    The pixel at (x, y) of the result is read at ((a x + b y + c) / k, (d x + e y + f) / k) with
    k = g x + h y + 1.

    Args:
        images: Tensor of 3 or 4 axes.
        transform: Tensor of shape (8,) or (batch, 8): a to h.
        interpolation: `"bilinear"` (default) or `"nearest"`.
        fill_mode: What is outside: `"constant"` (default), `"nearest"`, `"reflect"`, `"wrap"`.
        fill_value: Number, default 0.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to `image_data_format()`.

    Raises:
        ValueError: for another choice or rank.

    Example:

    >>> import minikeras
    >>> image = minikeras.ops.reshape(minikeras.ops.arange(4.0), (2, 2, 1))
    >>> moved = minikeras.ops.image.affine_transform(image, [1, 0, 1, 0, 1, 0, 0, 0])
    >>> moved[..., 0].tolist()
    [[1.0, 0.0], [3.0, 0.0]]
    """
    images, transform = tensor(images), tensor(transform)
    _choice("interpolation", interpolation, INTERPOLATIONS)
    _choice("fill_mode", fill_mode, _AFFINE_FILL_MODES)
    check_rank(images)
    if len(transform.shape) not in (1, 2):
        raise ValueError(
            "Invalid transform rank: expected rank 1 (single transform) or rank 2 (batch of"
            f" transforms). Received input with shape: transform.shape={tuple(transform.shape)}"
        )
    return AffineTransform(interpolation, fill_mode, fill_value, data_format)(images, transform)


def perspective_transform(
    images: Any,
    start_points: Any,
    end_points: Any,
    interpolation: str = "bilinear",
    fill_value: Any = 0,
    data_format: Any = None,
) -> Any:
    """Images with four points moved to four others.

    Args:
        images: Tensor of 3 or 4 axes.
        start_points: Tensor of shape (4, 2) or (batch, 4, 2): (x, y) before.
        end_points: Tensor of the same shape: (x, y) after.
        interpolation: `"bilinear"` (default) or `"nearest"`.
        fill_value: Number, default 0: what is outside.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to `image_data_format()`.

    Raises:
        ValueError: for shapes that do not fit.

    Example:

    >>> import minikeras
    >>> points = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    >>> image = minikeras.ops.ones((2, 2, 1))
    >>> minikeras.ops.image.perspective_transform(image, points, points).shape
    (2, 2, 1)
    """
    images, start, end = tensor(images), tensor(start_points), tensor(end_points)
    _choice("interpolation", interpolation, INTERPOLATIONS)
    check_rank(images)
    for name, points in (("start_points", start), ("end_points", end)):
        if len(points.shape) not in (2, 3) or tuple(points.shape[-2:]) != (4, 2):
            raise ValueError(
                f"Invalid {name} shape: expected (4,2) for a single image or (N,4,2) for a batch."
                f" Received shape: {tuple(points.shape)}"
            )
    if tuple(start.shape) != tuple(end.shape):
        raise ValueError(
            "start_points and end_points must have the same shape. Received start_points.shape="
            f"{tuple(start.shape)}, end_points.shape={tuple(end.shape)}"
        )
    return PerspectiveTransform(interpolation, fill_value, data_format)(images, start, end)


# Reading at coordinates


def _place(index: np.ndarray, size: int, mode: str) -> np.ndarray:
    """The index that is read for one outside."""
    if mode == "wrap":
        return index % size
    if mode == "reflect":
        index = index % (2 * size)
        return np.where(index < size, index, 2 * size - 1 - index)
    if mode == "mirror" and size > 1:
        period = 2 * size - 2
        index = index % period
        return np.where(index < size, index, period - index)
    return np.clip(index, 0, size - 1)


class MapCoordinates(Kernel):
    """A tensor read at fractional coordinates."""

    order: int
    fill_mode: str = "constant"
    fill_value: Any = 0

    def forward(self, ctx: Any, inputs: Any, coordinates: Any) -> Any:
        exact = coordinates.dtype if coordinates.dtype.kind == "f" else np.dtype("float32")
        per_axis = []
        for place, size in zip(coordinates.astype(exact), inputs.shape):
            if self.order == 0:
                nodes = [(np.rint(place).astype(int), np.ones_like(place), 0.0)]
            else:
                lower = np.floor(place)
                index = lower.astype(int)
                nodes = [(index, 1 - (place - lower), -1.0), (index + 1, place - lower, 1.0)]
            per_axis.append(
                [
                    (_place(index, size, self.fill_mode), (index >= 0) & (index < size), w, slope)
                    for index, w, slope in nodes
                ]
            )
        terms = []
        y = np.zeros(coordinates.shape[1:], exact)
        for items in itertools.product(*per_axis):
            key = tuple(item[0] for item in items)
            value = inputs[key].astype(exact)
            inside = np.ones(y.shape, bool)
            if self.fill_mode == "constant":
                inside = np.logical_and.reduce([item[1] for item in items])
                value = np.where(inside, value, np.asarray(self.fill_value, exact))
            weights = [item[2] for item in items]
            y += np.multiply.reduce(weights) * value
            if ctx.recording:
                terms.append((key, inside, weights, [item[3] for item in items], value))
        ctx.save(terms)
        ctx.sources = (inputs.shape, inputs.dtype, coordinates.dtype)
        if inputs.dtype.kind in "iu":
            y = np.rint(y)
        return y.astype(inputs.dtype)

    def backward(self, ctx: Any, dy: Any) -> Any:
        (terms,) = ctx.saved
        shape, dtype, place_dtype = ctx.sources
        if dtype.kind != "f":
            return None
        dx = np.zeros(shape, dy.dtype) if ctx.needs[0] else None
        dc = np.zeros((len(shape), *dy.shape), dy.dtype)
        for key, inside, weights, slopes, value in terms:
            if dx is not None:
                np.add.at(dx, key, dy * inside * np.multiply.reduce(weights))
            for axis, slope in enumerate(slopes):
                if slope:
                    others = [w for i, w in enumerate(weights) if i != axis]
                    factor = np.multiply.reduce(others) if others else 1.0
                    dc[axis] += dy * slope * factor * value
        return dx, dc.astype(place_dtype) if place_dtype.kind == "f" else None

    def compute_output_spec(self, inputs: Any, coordinates: Any) -> Any:
        return KerasTensor(coordinates.shape[1:], dtype=inputs.dtype)


def map_coordinates(
    inputs: Any, coordinates: Any, order: int, fill_mode: str = "constant", fill_value: Any = 0
) -> Any:
    """A tensor read at fractional coordinates.

    Args:
        inputs: Tensor.
        coordinates: Tensor whose first axis has one entry for each axis of `inputs`.
        order: 0: the nearest value. 1: linear interpolation.
        fill_mode: What is outside: `"constant"` (default); `"nearest"`: the edge; `"wrap"`: the
            other end; `"reflect"`: mirrored at the edge, `"mirror"`: at the last value.
        fill_value: Number, default 0.

    Raises:
        ValueError: for coordinates that do not fit or another `fill_mode`.
        NotImplementedError: for another `order`.

    Example:

    >>> import minikeras
    >>> minikeras.ops.image.map_coordinates([0.0, 10.0], [[0.5]], order=1).tolist()
    [5.0]
    """
    inputs, coordinates = tensor(inputs), tensor(coordinates)
    if coordinates.shape[0] != len(inputs.shape):
        raise ValueError(
            "First dim of `coordinates` must be the same as the rank of `inputs`. Received inputs"
            f" with shape: {tuple(inputs.shape)} and coordinate leading dim of"
            f" {coordinates.shape[0]}"
        )
    if len(coordinates.shape) < 2:
        raise ValueError(
            "Invalid coordinates rank: expected at least rank 2. Received input with shape:"
            f" {tuple(coordinates.shape)}"
        )
    _choice("fill_mode", fill_mode, FILL_MODES)
    if order not in (0, 1):
        raise NotImplementedError(f"map_coordinates requires order 0 or 1. Received: order={order}")
    return MapCoordinates(order, fill_mode, fill_value)(inputs, coordinates)


@composite
def elastic_transform(
    images: Any,
    alpha: float = 20.0,
    sigma: float = 5.0,
    interpolation: str = "bilinear",
    fill_mode: str = "reflect",
    fill_value: float = 0.0,
    seed: Any = None,
    data_format: Any = None,
) -> Any:
    """Images bent at random: each pixel is moved by smoothed noise (Simard et al. 2003).

    Args:
        images: Tensor of floats of 3 or 4 axes.
        alpha: Number, default 20: how far.
        sigma: Number, default 5: how smooth.
        interpolation: `"bilinear"` (default) or `"nearest"`.
        fill_mode: What is outside: `"reflect"` (default), `"constant"`, `"nearest"`, `"wrap"`.
        fill_value: Number, default 0.
        seed: Integer, `SeedGenerator` or None.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to `image_data_format()`.

    Raises:
        ValueError: for another choice or rank.

    Example:

    >>> import minikeras
    >>> minikeras.ops.image.elastic_transform(minikeras.ops.ones((8, 8, 1)), seed=1).shape
    (8, 8, 1)
    """
    from minikeras.engine.rng import draw_generator
    from minikeras.ops.filters import gaussian_blur
    from minikeras.ops.joining import stack
    from minikeras.ops.shaping import expand_dims, squeeze

    images = tensor(images)
    _choice("interpolation", interpolation, INTERPOLATIONS)
    _choice("fill_mode", fill_mode, _AFFINE_FILL_MODES)
    check_rank(images)
    first = standardize_data_format(data_format) == "channels_first"
    single = len(images.shape) == 3
    if single:
        images = expand_dims(images, 0)
    batch = images.shape[0]
    height, width = images.shape[2:] if first else images.shape[1:3]
    dtype = dtypes.to_numpy_dtype(images.dtype)
    generator = draw_generator(seed)
    size = 6 * int(sigma) | 1
    noise = sigma * generator.standard_normal((2 * batch, height, width, 1))
    moved = gaussian_blur(
        noise.astype(dtype), (size, size), (sigma, sigma), data_format="channels_last"
    )
    moved = alpha * array_of(moved)[..., 0].reshape(2, batch, height, width)
    grid = np.mgrid[:height, :width].astype(dtype)
    order = INTERPOLATIONS.index(interpolation)
    outputs = []
    for b in range(batch):
        # The same displacement for all channels.
        places = (grid + moved[:, b]).astype(dtype)
        planes = [
            images[b, i] if first else images[b, ..., i]
            for i in range(images.shape[1 if first else -1])
        ]
        outputs.append(
            stack(
                [map_coordinates(plane, places, order, fill_mode, fill_value) for plane in planes],
                axis=0 if first else -1,
            )
        )
    result = stack(outputs, axis=0)
    return squeeze(result, 0) if single else result


_METHODS = {
    "linear": "bilinear",
    "bilinear": "bilinear",
    "trilinear": "bilinear",
    "triangle": "bilinear",
    "cubic": "bicubic",
    "bicubic": "bicubic",
    "tricubic": "bicubic",
    "lanczos3": "lanczos3",
    "lanczos5": "lanczos5",
}


def _weights(size: int, out: int, scale: float, shift: float, kernel: Any, antialias: bool) -> Any:
    """Matrix (size, out) that resamples one axis."""
    inverse = 1.0 / scale
    stretch = max(inverse, 1.0) if antialias else 1.0
    places = (np.arange(out) + 0.5) * inverse - shift * inverse - 0.5
    matrix = kernel((places[None] - np.arange(size)[:, None]) / stretch)
    total = matrix.sum(0)
    keep = np.abs(total) > 1000 * np.finfo("float32").eps
    matrix = np.where(keep, matrix / np.where(total != 0, total, 1), 0)
    return np.where((places >= -0.5) & (places <= size - 0.5), matrix, 0)


@composite(tensors=4)
def scale_and_translate(
    images: Any,
    output_shape: Any,
    scale: Any,
    translation: Any,
    spatial_dims: Any,
    method: str,
    antialias: bool = True,
) -> Any:
    """Images scaled and moved, resampled along some axes.

    Args:
        images: Tensor.
        output_shape: Tuple: the shape of the result.
        scale: Vector: one factor for each of `spatial_dims`.
        translation: Vector: one distance for each, in pixels of the result.
        spatial_dims: The axes.
        method: `"linear"`, `"bilinear"`, `"trilinear"`, `"triangle"`, `"cubic"`, `"bicubic"`,
            `"tricubic"`, `"lanczos3"` or `"lanczos5"`.
        antialias: Boolean, default True. Whether to smooth when making smaller.

    Raises:
        ValueError: for another `method`.

    Example:

    >>> import minikeras
    >>> images = minikeras.ops.ones((1, 4, 4, 3))
    >>> minikeras.ops.image.scale_and_translate(
    ...     images, (1, 8, 8, 3), [2.0, 2.0], [0.0, 0.0], (1, 2), "linear").shape
    (1, 8, 8, 3)
    """
    _choice("method", method, tuple(_METHODS))
    images = tensor(images)
    kernel = FILTERS[_METHODS[method]]
    scale, translation = (np.asarray(array_of(one), float) for one in (scale, translation))
    exact = images.dtype if dtypes.to_numpy_dtype(images.dtype).kind == "f" else "float32"
    ndim = len(images.shape)
    letters = "abcdefghijklm"[:ndim]
    result = images
    for i, axis in enumerate(static(spatial_dims)):
        axis %= ndim
        matrix = _weights(
            images.shape[axis], int(static(output_shape)[axis]), scale[i], translation[i], kernel,
            antialias,
        ).astype(dtypes.to_numpy_dtype(exact))  # fmt: skip
        target = letters[:axis] + "z" + letters[axis + 1 :]
        result = einsum(f"{letters},{letters[axis]}z->{target}", result, matrix)
    return result

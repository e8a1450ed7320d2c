"""Convolution kernels against loops that follow the definition."""

import itertools

import numpy as np
import pytest

from minikeras.kernels import (
    convolution,
    depthwise,
    parallel,
    pooling,
    windows,
)

CASES = [
    # spatial, kernel_size, strides, dilation, channels, filters, groups
    ((7,), (3,), (1,), (1,), 2, 4, 1),
    ((9,), (4,), (2,), (1,), 3, 4, 1),
    ((9,), (3,), (1,), (2,), 2, 2, 2),
    ((11,), (5,), (3,), (1,), 1, 3, 1),
    ((6, 7), (3, 3), (1, 1), (1, 1), 3, 4, 1),
    ((7, 6), (3, 2), (2, 2), (1, 1), 2, 3, 1),
    ((7, 9), (2, 3), (1, 1), (2, 3), 2, 4, 2),
    ((8, 8), (5, 4), (2, 3), (1, 1), 4, 6, 2),
    ((9, 9), (3, 3), (2, 2), (2, 2), 2, 2, 1),
    ((5, 5), (1, 1), (1, 1), (1, 1), 3, 4, 1),
    ((5, 5), (1, 1), (2, 2), (1, 1), 3, 4, 1),
    ((5, 6), (1, 3), (1, 1), (1, 1), 3, 4, 1),
    ((5, 6), (2, 2), (3, 3), (1, 1), 3, 4, 1),
    ((5, 5), (5, 5), (1, 1), (1, 1), 3, 4, 1),
    ((6, 6), (3, 3), (1, 1), (1, 1), 17, 3, 1),
    ((4, 5, 6), (2, 3, 3), (1, 1, 1), (1, 1, 1), 2, 3, 1),
    ((5, 5, 6), (3, 2, 3), (2, 1, 2), (1, 1, 1), 2, 4, 2),
    ((5, 5, 6), (2, 2, 2), (1, 1, 1), (2, 1, 2), 2, 3, 1),
]


def taps(kernel_size, outputs, strides, before, dilation, sizes):
    """Every (output position, tap, input position) whose input exists."""
    for o in itertools.product(*map(range, outputs)):
        for k in itertools.product(*map(range, kernel_size)):
            i = tuple(a * s + b * d - p for a, b, s, d, p in zip(o, k, strides, dilation, before))
            if all(0 <= a < n for a, n in zip(i, sizes)):
                yield o, k, i


def naive(x, kernel, strides, before, outputs, dilation, groups, dy=None):
    y = np.zeros((len(x), *outputs, kernel.shape[-1]))
    dx, dkernel = np.zeros(x.shape), np.zeros(kernel.shape)
    for o, k, i in taps(kernel.shape[:-2], outputs, strides, before, dilation, x.shape[1:-1]):
        for g in range(groups):
            c, f = kernel.shape[-2], kernel.shape[-1] // groups
            ins, outs = slice(g * c, (g + 1) * c), slice(g * f, (g + 1) * f)
            at = (slice(None), *i, ins)
            to = (slice(None), *o, outs)
            y[to] += x[at] @ kernel[k][:, outs]
            if dy is not None:
                dx[at] += dy[to] @ kernel[k][:, outs].T
                dkernel[k][:, outs] += x[at].T @ dy[to]
    return y, dx, dkernel


def draw(rng, *shape, dtype="float64"):
    return rng.standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("tile", [1, 3000, 4 << 20])
def test_convolution_follows_its_definition(case, padding, tile, monkeypatch):
    spatial, kernel_size, strides, dilation, channels, filters, groups = case
    monkeypatch.setattr(windows, "TILE_BYTES", tile)
    rng = np.random.default_rng(0)
    x = draw(rng, 3, *spatial, channels)
    kernel = draw(rng, *kernel_size, channels // groups, filters)
    outputs, before = windows.geometry(spatial, kernel_size, strides, padding, dilation)
    if min(outputs) <= 0:
        pytest.skip("the dilated kernel is larger than the input")
    dy = draw(rng, 3, *outputs, filters)
    y, dx, dkernel = naive(x, kernel, strides, before, outputs, dilation, groups, dy)

    where = (strides, before)
    np.testing.assert_allclose(
        convolution.convolve(x, kernel, *where, outputs, dilation, groups), y, atol=1e-12
    )
    np.testing.assert_allclose(
        convolution.kernel_gradient(x, dy, kernel.shape, *where, dilation, groups),
        dkernel,
        atol=1e-12,
    )
    np.testing.assert_allclose(
        convolution.input_gradient(dy, kernel, spatial, *where, dilation, groups), dx, atol=1e-12
    )


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("multiplier", [1, 3])
@pytest.mark.parametrize("case", [c for c in CASES if c[-1] == 1], ids=str)
@pytest.mark.parametrize("tile", [1, 1 << 18])
def test_depthwise_convolution_is_a_convolution_per_channel(
    case, padding, multiplier, tile, monkeypatch
):
    spatial, kernel_size, strides, dilation, channels, _, _ = case
    monkeypatch.setattr(depthwise, "DEPTHWISE_TILE", tile)
    rng = np.random.default_rng(0)
    x = draw(rng, 2, *spatial, channels)
    kernel = draw(rng, *kernel_size, channels, multiplier)
    outputs, before = windows.geometry(spatial, kernel_size, strides, padding, dilation)
    if min(outputs) <= 0:
        pytest.skip("the dilated kernel is larger than the input")
    dy = draw(rng, 2, *outputs, channels * multiplier)
    as_groups = kernel.reshape(*kernel_size, 1, channels * multiplier)
    y, dx, dkernel = naive(x, as_groups, strides, before, outputs, dilation, channels, dy)

    where = (strides, before)
    np.testing.assert_allclose(
        depthwise.depthwise(x, kernel, *where, outputs, dilation), y, atol=1e-12
    )
    np.testing.assert_allclose(
        depthwise.depthwise_kernel_gradient(x, dy, kernel.shape, *where, dilation),
        dkernel.reshape(kernel.shape),
        atol=1e-12,
    )
    np.testing.assert_allclose(
        depthwise.depthwise_input_gradient(dy, kernel, spatial, *where, dilation),
        dx,
        atol=1e-12,
    )


def test_destinations_epilogue_and_float32():
    rng = np.random.default_rng(0)
    x, kernel = draw(rng, 5, 6, 6, 2, dtype="float32"), draw(rng, 3, 3, 2, 4, dtype="float32")
    args = ((1, 1), (1, 1), (6, 6), (1, 1))
    out = np.empty((5, 6, 6, 4), "float32")
    plain = convolution.convolve(x, kernel, *args)
    bias = draw(rng, 4, dtype="float32")
    y = convolution.convolve(x, kernel, *args, out=out, epilogue=lambda rows: rows.__iadd__(bias))
    assert y is out and plain.dtype == "float32"
    np.testing.assert_array_equal(out, plain + bias)

    dkernel = np.ones_like(kernel)
    once = convolution.kernel_gradient(x, y, kernel.shape, (1, 1), (1, 1), (1, 1))
    convolution.kernel_gradient(
        x, y, kernel.shape, (1, 1), (1, 1), (1, 1), out=dkernel, accumulate=True
    )
    np.testing.assert_allclose(dkernel, once + 1, rtol=1e-6)
    dx = np.empty_like(x)
    assert convolution.input_gradient(y, kernel, (6, 6), (1, 1), (1, 1), (1, 1), out=dx) is dx
    for result in (
        depthwise.depthwise(x, kernel[..., :1], *args),
        depthwise.depthwise_kernel_gradient(x, x, (3, 3, 2, 1), (1, 1), (1, 1), (1, 1)),
        depthwise.depthwise_input_gradient(x, kernel[..., :1], (6, 6), (1, 1), (1, 1), (1, 1)),
    ):
        assert result.dtype == "float32"


def test_any_memory_layout_is_read():
    rng = np.random.default_rng(0)
    x, kernel = draw(rng, 2, 3, 6, 7), draw(rng, 3, 3, 3, 4)
    args = ((1, 1), (1, 1), (6, 7), (1, 1))
    moved = np.moveaxis(x, 1, -1)
    expected = convolution.convolve(np.ascontiguousarray(moved), kernel, *args)
    np.testing.assert_allclose(convolution.convolve(moved, kernel, *args), expected, atol=1e-12)


def test_patches_of_a_large_image_stay_small(monkeypatch):
    monkeypatch.setattr(windows, "TILE_BYTES", 1 << 16)
    x = np.zeros((2, 64, 64, 3), "float32")
    seen = [
        patches.nbytes
        for patches, _, _ in convolution._patches(x, (7, 7), (1, 1), (3, 3), (64, 64), (1, 1))
    ]
    assert len(seen) > 2 and max(seen) <= 1 << 16


@pytest.mark.parametrize("batch", [0, 1])
def test_an_empty_batch_passes(batch):
    x, kernel = np.zeros((batch, 4, 4, 2)), np.ones((3, 3, 2, 3))
    y = convolution.convolve(x, kernel, (1, 1), (0, 0), (2, 2), (1, 1))
    assert y.shape == (batch, 2, 2, 3)
    dkernel = convolution.kernel_gradient(x, y, kernel.shape, (1, 1), (0, 0), (1, 1))
    np.testing.assert_array_equal(dkernel, 0)


@pytest.mark.parametrize("output_padding", [None, 0, 1])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("size, kernel, stride", [(4, 3, 1), (4, 3, 2), (5, 4, 2), (4, 2, 3)])
def test_transposed_geometry_reverses_the_forward_one(
    size, kernel, stride, padding, output_padding
):
    if output_padding is not None and output_padding >= stride:
        pytest.skip("Keras asks for output_padding < strides")
    extra = None if output_padding is None else (output_padding,)
    (big,), (before,) = windows.transposed_geometry((size,), (kernel,), (stride,), padding, extra)
    if padding == "same" and kernel % 2 == 0 and output_padding == 0:
        pytest.skip("no convolution has this output")
    assert windows.output_size(big, kernel, stride, padding) == size
    assert before == windows.padding_before(big, kernel, stride, padding)


@pytest.mark.parametrize("tile", [1, 3000, 4 << 20])
@pytest.mark.parametrize(
    "spatial, kernel_size, strides, dilation, channels, pool_size, padding",
    [
        ((11, 9), (3, 3), (1, 1), (1, 1), 1, (2, 2), "valid"),
        ((11, 9), (3, 2), (1, 1), (1, 2), 8, (2, 3), "same"),
        ((12, 9), (3, 3), (2, 1), (1, 1), 2, (1, 2), "same"),
        ((11,), (3,), (1,), (1,), 2, (3,), "valid"),
        ((5, 5, 6), (2, 2, 2), (1, 1, 1), (1, 1, 1), 2, (2, 2, 2), "valid"),
        ((5, 5), (1, 1), (1, 1), (1, 1), 3, (2, 2), "valid"),
    ],
)
def test_convolution_and_pooling_in_one(
    spatial, kernel_size, strides, dilation, channels, pool_size, padding, tile, monkeypatch
):
    monkeypatch.setattr(windows, "TILE_BYTES", tile)
    monkeypatch.setattr(pooling, "UNPOOL_TILE", tile)
    rng = np.random.default_rng(0)
    # Small integers, so that windows have ties.
    x = rng.integers(-1, 2, (3, *spatial, channels)).astype(float)
    kernel = rng.integers(-1, 2, (*kernel_size, channels, 4)).astype(float)
    outputs, before = windows.geometry(spatial, kernel_size, strides, padding, dilation)
    plain = convolution.convolve(x, kernel, strides, before, outputs, dilation)
    pooled, none = windows.geometry(outputs, pool_size, pool_size, "valid")
    expected = pooling.max_pool(plain, pool_size, pool_size, none, pooled)
    where = (strides, before, pooled, dilation, pool_size)
    y, hits = pooling.convolve_max_pool(x, kernel, *where, keep=True)
    np.testing.assert_array_equal(y, expected)
    dy = rng.standard_normal(y.shape)
    d_plain = pooling.max_pool_gradient(dy, plain, expected, pool_size, pool_size, none)
    dz = pooling.unpool(dy, hits, pool_size)
    inside = tuple(slice(n) for n in dz.shape[:-1])
    np.testing.assert_array_equal(dz, d_plain[inside])
    assert d_plain.sum() == pytest.approx(dz.sum())
    np.testing.assert_allclose(
        convolution.kernel_gradient(x, dz, kernel.shape, strides, before, dilation),
        convolution.kernel_gradient(x, d_plain, kernel.shape, strides, before, dilation),
        atol=1e-12,
    )
    np.testing.assert_allclose(
        pooling.pooled_kernel_gradient(
            x, dy, hits, kernel.shape, strides, before, dilation, pool_size
        ),
        convolution.kernel_gradient(x, dz, kernel.shape, strides, before, dilation),
        atol=1e-12,
    )
    twice, nothing = pooling.convolve_max_pool(
        x, kernel, *where, epilogue=lambda rows: rows.__imul__(2)
    )
    assert nothing is None
    np.testing.assert_array_equal(twice, 2 * expected)


def test_threads_change_nothing(monkeypatch):
    monkeypatch.setattr(parallel, "SMALLEST", 1)
    rng = np.random.default_rng(0)
    x, kernel, dy = draw(rng, 5, 6, 6, 2), draw(rng, 3, 3, 2, 4), draw(rng, 5, 6, 6, 4)
    where = ((1, 1), (1, 1))

    def everything():
        y = pooling.max_pool(dy, (2, 2), (2, 2), (0, 0), (3, 3))
        best, hits = pooling.convolve_max_pool(x, kernel, *where, (3, 3), (1, 1), (2, 2), keep=True)
        return [
            convolution.convolve(x, kernel, *where, (6, 6), (1, 1)),
            convolution.kernel_gradient(x, dy, kernel.shape, *where, (1, 1)),
            convolution.input_gradient(dy, kernel, (6, 6), *where, (1, 1)),
            depthwise.depthwise(x, kernel, *where, (6, 6), (1, 1)),
            depthwise.depthwise_input_gradient(
                draw(np.random.default_rng(1), 5, 6, 6, 8), kernel, (6, 6), *where, (1, 1)
            ),
            pooling.max_pool_gradient(y, dy, y, (2, 2), (2, 2), (0, 0)),
            best,
            pooling.unpool(best, hits, (2, 2)),
            pooling.pooled_kernel_gradient(x, best, hits, kernel.shape, *where, (1, 1), (2, 2)),
        ]

    monkeypatch.setattr(parallel, "_chosen", 1)  # and what it was comes back
    expected = everything()
    parallel.set_threads(3)
    assert parallel.threads() == 3
    found = everything()
    with pytest.raises(ZeroDivisionError):
        parallel.over_batch(lambda part: 1 // (part.start - part.start), 5, 1 << 20)
    for a, b in zip(found, expected):
        np.testing.assert_allclose(a, b, atol=1e-12)
    with pytest.raises(ValueError, match="positive integer"):
        parallel.set_threads(0)

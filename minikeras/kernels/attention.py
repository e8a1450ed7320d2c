"""Scaled dot-product attention and its derivatives.

Arrays keep the layout of Keras, `(batch, time, heads, size)`: the heads are reached through
strides, which BLAS takes as they are; only keys and values are transposed, tile by tile, because
that makes the products of short rows twice as fast. Keys and values may have fewer heads than
queries (grouped queries); consecutive query heads then share one.

The exponentials of the scores are kept as they are. What the softmax divides by is applied to the
outputs, and in the backward pass to their gradients, which are much smaller than the weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minikeras.kernels.parallel import over_batch
from minikeras.kernels.rows import empty, operand, row_sum

Array = np.ndarray

# Scores are made, turned to weights and used for a part of the batch that fits in the cache.
_TILE = 2**17
# Sums of exponentials up to this power of the largest number (4e9 in float32) leave room for
# products; if no sum is larger, or smaller than the inverse, the scores need no shift.
_MODERATE = 0.25


class AttentionGradients(NamedTuple):
    """Gradients of `attention`; `bias` is `None` unless asked for."""

    query: Array
    key: Array
    value: Array
    bias: Array | None


class _Saved(NamedTuple):
    query: Array  # already scaled
    key: Array
    value: Array
    powers: Array  # exp(scores), (batch, key heads, group, target, source), before dropout
    inverse: Array  # 1 / their sums over the source
    output: Array
    masked: tuple[Array, ...]  # True where a score was replaced, broadcastable to `weights`
    dropout: Array | None
    scale: float
    bias_shape: tuple[int, ...] | None


def _by_group(x: Array, key_heads: int) -> Array:
    """`(batch, heads, target, source)`, heads maybe 1, to `(batch, key heads, group, ...)`."""
    heads = x.shape[1]
    if heads == 1:
        return x[:, :, None]
    return x.reshape(x.shape[0], key_heads, heads // key_heads, *x.shape[2:])


def _query_view(x: Array, key_heads: int) -> Array:
    batch, time, heads, size = x.shape
    return x.reshape(batch, time, key_heads, heads // key_heads, size).transpose(0, 2, 3, 1, 4)


def _key_view(x: Array) -> Array:
    return x.transpose(0, 2, 1, 3)[:, :, None]


def _over_tiles(function: Callable[[slice], None], shape: tuple[int, ...]) -> None:
    """Call `function` with parts of the batch, of scores of `shape`."""
    size = max(1, _TILE // max(1, math.prod(shape[1:])))

    def part(batch: slice) -> None:
        for start in range(batch.start, batch.stop, size):
            function(slice(start, min(start + size, batch.stop)))

    over_batch(part, shape[0], math.prod(shape))


def _spread(inverse: Array, shape: tuple[int, ...]) -> Array:
    """Factors of rows of scores as factors of the elements of `(batch, time, heads, size)`."""
    rows = inverse.transpose(0, 3, 1, 2).reshape(-1, 1)
    # A loop over rows of `size` elements costs twice as much.
    return np.repeat(rows, shape[-1], axis=1).reshape(shape)


def _part(x: Array, tile: slice) -> Array:
    return x if x.shape[0] == 1 else x[tile]


def attention(
    query: Array,
    key: Array,
    value: Array,
    *,
    scale: float = 1.0,
    bias: Array | None = None,
    mask: Array | None = None,
    causal: bool = False,
    dropout: Array | None = None,
    zero_masked_rows: bool = False,
    keep: bool = True,
    need_weights: bool = True,
) -> tuple[Array, Array | None, Any]:
    """`softmax(scale * query key' + bias) value` (Vaswani et al. 2017).

    Args:
        query: of shape `(batch, target, heads, size)`.
        key: of shape `(batch, source, key heads, size)`; `key heads` divides `heads`.
        value: of shape `(batch, source, key heads, value size)`.
        scale: factor of the scores.
        bias: added to the scores, broadcastable to `(batch, heads, target, source)`.
        mask: boolean, broadcastable to `(batch, heads, target, source)`; no attention where
            it is false.
        causal: whether a target position sees only source positions up to its own.
        dropout: multiplier of the weights, of shape `(batch, heads, target, source)`.
        zero_masked_rows: whether a target position that may attend to nothing gets zeros; it
            gets the mean of all values otherwise.
        keep: whether to save what `attention_backward` reads.
        need_weights: whether the weights are wanted.

    Returns:
        The output of shape `(batch, target, heads, value size)`, the weights before dropout of
        shape `(batch, heads, target, source)` or None, and what was saved.
    """
    batch, target, heads, _ = query.shape
    source, key_heads = key.shape[1:3]
    dtype = np.result_type(query, key, value)
    scaled = np.multiply(query, dtype.type(scale), out=empty(query.shape, dtype))
    q, k, v = _query_view(scaled, key_heads), _key_view(key), _key_view(value)
    powers = np.empty((batch, key_heads, heads // key_heads, target, source), dtype)
    sums = np.empty(powers.shape[:-1], dtype)
    output = np.empty((batch, target, heads, value.shape[-1]), dtype)
    out = _query_view(output, key_heads)
    bias_shape = None if bias is None else bias.shape
    if bias is not None:
        bias = _by_group(bias.reshape((1,) * (4 - bias.ndim) + bias.shape), key_heads)
    masked = []
    if mask is not None:
        mask = np.asarray(mask, dtype=bool)
        masked.append(_by_group(~mask.reshape((1,) * (4 - mask.ndim) + mask.shape), key_heads))
    if causal:
        masked.append(~np.tri(target, source, dtype=bool)[None, None, None])
    if dropout is not None:
        dropout = _by_group(dropout, key_heads)
    # Far below every score, yet finite, so that a row without any live position is no NaN.
    largest = float(np.finfo(dtype).max)
    fill, most = dtype.type(-0.7 * largest), largest**_MODERATE

    def score(tile: slice, keys: Array, scores: Array) -> None:
        np.matmul(q[tile], keys, out=scores)
        if bias is not None:
            np.add(scores, _part(bias, tile), out=scores)
        for where in masked:
            np.copyto(scores, fill, where=_part(where, tile))

    def attend(tile: slice) -> None:
        scores, keys = powers[tile], operand(k[tile].swapaxes(-1, -2))
        score(tile, keys, scores)
        with np.errstate(over="ignore"):
            np.exp(scores, out=scores)
        total = row_sum(scores)
        if not (total.max(initial=1) < most and total.min(initial=1) > 1 / most):
            # Only far-off scores and rows that are masked as a whole come here.
            score(tile, keys, scores)
            scores -= scores.max(axis=-1, keepdims=True)
            np.exp(scores, out=scores)
            total = row_sum(scores)
        sums[tile] = total
        if zero_masked_rows:
            for where in masked:
                np.copyto(scores, 0, where=_part(where, tile))
        used = scores if dropout is None else scores * _part(dropout, tile)
        np.matmul(used, v[tile], out=out[tile])

    _over_tiles(attend, powers.shape)
    inverse = np.divide(1, sums, out=sums)
    output *= _spread(inverse, output.shape)
    weights, saved = None, None
    if need_weights:
        weights = np.multiply(powers, inverse[..., None], out=None if keep else powers)
        weights = weights.reshape(batch, heads, target, source)
    if keep:
        saved = _Saved(
            scaled, key, value, powers, inverse, output, tuple(masked), dropout, float(scale),
            bias_shape,
        )  # fmt: skip
    return output, weights, saved


def attention_backward(
    saved: Any,
    d_output: Array,
    d_weights: Array | None = None,
    *,
    need_bias: bool = False,
) -> AttentionGradients:
    """Derivatives of `attention`.

    Args:
        saved: of the forward pass.
        d_output: gradient of the output.
        d_weights: gradient of the weights, if they were used.
        need_bias: whether the gradient of the bias is wanted.

    Returns:
        `AttentionGradients`.
    """
    query, key, value, powers, inverse, output, masked, dropout, scale, bias_shape = saved
    batch, target, heads, _ = query.shape
    key_heads, group = powers.shape[1:3]
    q, k, v = _query_view(query, key_heads), _key_view(key), _key_view(value)
    dtype = powers.dtype
    g = _spread(inverse, output.shape)
    g = np.multiply(d_output, g, out=empty(output.shape, dtype))
    # The mean gradient of a row of weights, over its sum.
    means = row_sum(g * output).reshape(batch, target, key_heads, group).transpose(0, 2, 3, 1)
    g = _query_view(g, key_heads)
    d_query = np.empty(query.shape, dtype)
    d_key, d_value = np.empty(key.shape, dtype), np.empty(value.shape, dtype)
    dq, dk, dv = _query_view(d_query, key_heads), _key_view(d_key), _key_view(d_value)
    d_scores = np.empty(powers.shape, dtype) if need_bias else None
    if d_weights is not None:
        d_weights = _by_group(d_weights, key_heads)

    def product(a: Array, b: Array, out: Array) -> None:
        if group == 1:
            np.matmul(a, b, out=out)
        else:
            np.matmul(a, b).sum(axis=2, keepdims=True, out=out)

    def attend(tile: slice) -> None:
        e, mean = powers[tile], means[tile]
        drop = None if dropout is None else _part(dropout, tile)
        ds = np.matmul(g[tile], operand(v[tile].swapaxes(-1, -2)))
        used = e if drop is None else e * drop
        product(used.swapaxes(-1, -2), g[tile], dv[tile])
        if drop is not None:
            ds *= drop
        if d_weights is not None:
            dw = _part(d_weights, tile) * inverse[tile][..., None]
            ds += dw
            mean = mean + np.vecdot(dw, e) * inverse[tile]
        ds -= mean[..., None]
        ds *= e
        for where in masked:
            np.copyto(ds, 0, where=_part(where, tile))
        np.matmul(ds, k[tile], out=dq[tile])
        product(ds.swapaxes(-1, -2), q[tile], dk[tile])
        if d_scores is not None:
            d_scores[tile] = ds

    _over_tiles(attend, powers.shape)
    d_query *= dtype.type(scale)
    d_bias = None
    if d_scores is not None and bias_shape is not None:
        d_bias = _sum_to(d_scores.reshape(batch, heads, target, -1), bias_shape)
    return AttentionGradients(d_query, d_key, d_value, d_bias)


def _sum_to(x: Array, shape: tuple[int, ...]) -> Array:
    """Sums over the axes along which an array of `shape` was broadcast to that of `x`."""
    x = x.sum(axis=tuple(range(x.ndim - len(shape))))
    axes = tuple(n for n, size in enumerate(shape) if size == 1 and x.shape[n] != 1)
    return x.sum(axis=axes, keepdims=True) if axes else x

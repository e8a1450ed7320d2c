"""The attention kernel against a loop over heads and against finite differences, in float64."""

import numpy as np
import pytest

from minikeras.kernels import attention as kernels
from minikeras.kernels.attention import attention, attention_backward

BATCH, TARGET, SOURCE, SIZE, VALUE_SIZE = 3, 4, 5, 3, 2


def naive(query, key, value, scale=1.0, bias=None, mask=None, causal=False, dropout=None,
          zero_masked_rows=False):  # fmt: skip
    batch, target, heads, _ = query.shape
    source, key_heads = key.shape[1:3]
    shape = (batch, heads, target, source)
    live = np.ones(shape, bool) if mask is None else np.broadcast_to(mask, shape).copy()
    if causal:
        live &= np.arange(target)[:, None] >= np.arange(source)
    bias = np.broadcast_to(0.0 if bias is None else bias, shape)
    output, weights = np.zeros((batch, target, heads, value.shape[-1])), np.zeros(shape)
    for b in range(batch):
        for n in range(heads):
            shared = n // (heads // key_heads)
            for t in range(target):
                scores = scale * key[b, :, shared] @ query[b, t, n] + bias[b, n, t]
                alive = live[b, n, t]
                if alive.any():
                    e = np.where(alive, np.exp(scores - scores[alive].max()), 0)
                    row = e / e.sum()
                else:
                    row = np.full(source, 0.0 if zero_masked_rows else 1 / source)
                weights[b, n, t] = row
                used = row if dropout is None else row * dropout[b, n, t]
                output[b, t, n] = used @ value[b, :, shared]
    return output, weights


RNG = np.random.default_rng(3)
MASK = RNG.random((BATCH, 1, TARGET, SOURCE)) > 0.4
MASK[1, 0, 2] = False
HEAD_MASK = RNG.random((BATCH, 4, TARGET, SOURCE)) > 0.3
CASES = {
    "plain": {},
    "scale": {"scale": 0.3},
    "mask": {"mask": MASK},
    "mask, zero rows": {"mask": MASK, "zero_masked_rows": True},
    "mask by head": {"mask": HEAD_MASK, "causal": True},
    "mask of one row": {"mask": MASK[0, 0]},
    "causal": {"causal": True},
    "bias": {"bias": RNG.standard_normal((1, 4, TARGET, SOURCE)), "scale": 2.0},
    "bias of rank 2": {"bias": RNG.standard_normal((TARGET, 1)), "causal": True},
    "dropout": {"dropout": RNG.integers(0, 2, (BATCH, 4, TARGET, SOURCE)) * 2.0},
}


def inputs(key_heads):
    rng = np.random.default_rng(1)
    return (
        rng.standard_normal((BATCH, TARGET, 4, SIZE)),
        rng.standard_normal((BATCH, SOURCE, key_heads, SIZE)),
        rng.standard_normal((BATCH, SOURCE, key_heads, VALUE_SIZE)),
    )


@pytest.fixture(params=[(2**17, 0.25), (1, 0.25), (1, 0.0)], ids=["one tile", "tiles", "shifted"])
def tile(request, monkeypatch):
    monkeypatch.setattr(kernels, "_TILE", request.param[0])
    monkeypatch.setattr(kernels, "_MODERATE", request.param[1])


@pytest.mark.parametrize("key_heads", [4, 2, 1])
@pytest.mark.parametrize("name", CASES)
def test_forward_equals_the_naive_loop(name, key_heads, tile):
    arrays = inputs(key_heads)
    output, weights, saved = attention(*arrays, **CASES[name])
    expected = naive(*arrays, **CASES[name])
    np.testing.assert_allclose(output, expected[0], atol=1e-13)
    np.testing.assert_allclose(weights, expected[1], atol=1e-13)
    assert saved is not None
    rest = attention(*arrays, **CASES[name], keep=False)
    np.testing.assert_array_equal(rest[1], weights)
    assert rest[2] is None
    assert attention(*arrays, **CASES[name], need_weights=False)[1] is None


@pytest.mark.parametrize("key_heads", [4, 2, 1])
@pytest.mark.parametrize("with_weights", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_backward_equals_finite_differences(name, with_weights, key_heads, tile):
    arrays = dict(zip(("query", "key", "value"), inputs(key_heads)))
    options = dict(CASES[name])
    values = dict(arrays)
    if "bias" in options:
        values["bias"] = options.pop("bias")
    rng = np.random.default_rng(2)
    output, weights, saved = attention(**values, **options)
    d_output = rng.standard_normal(output.shape)
    d_weights = rng.standard_normal(weights.shape) if with_weights else None

    def loss(values):
        output, weights = naive(**values, **options)
        return (output * d_output).sum() + ((weights * d_weights).sum() if with_weights else 0)

    before = [v.copy() for v in values.values()]
    gradients = attention_backward(saved, d_output, d_weights, need_bias="bias" in values)
    again = attention_backward(saved, d_output, d_weights)
    np.testing.assert_array_equal(gradients.key, again.key)
    assert again.bias is None
    for a, b in zip(values.values(), before):
        np.testing.assert_array_equal(a, b)
    for key, value in values.items():
        direction = rng.standard_normal(value.shape)
        up, down = (loss({**values, key: value + s * 1e-6 * direction}) for s in (1, -1))
        gradient = getattr(gradients, key)
        assert gradient.shape == value.shape
        # Rounding of the loss over the step: about 1e-9.
        np.testing.assert_allclose(
            (gradient * direction).sum(), (up - down) / 2e-6, rtol=1e-6, atol=1e-7, err_msg=key
        )


@pytest.mark.parametrize("name", CASES)
def test_float32_stays_float32(name):
    def single(x):
        return x.astype("float32") if getattr(x, "dtype", None) == "float64" else x

    arrays = [single(a) for a in inputs(2)]
    output, weights, saved = attention(*arrays, **{k: single(v) for k, v in CASES[name].items()})
    gradients = attention_backward(saved, output, need_bias="bias" in CASES[name])
    used = [output, weights, *(g for g in gradients if g is not None)]
    assert {a.dtype for a in used} == {np.dtype("float32")}


def test_large_scores_do_not_overflow():
    query, key, value = inputs(4)
    with np.errstate(all="raise", under="ignore"):
        for mask in (MASK, None):
            output, _, saved = attention(query * 1e5, key, value, mask=mask)
            gradients = attention_backward(saved, np.ones_like(output))
    assert np.isfinite(output).all() and all(np.isfinite(g).all() for g in gradients[:3])

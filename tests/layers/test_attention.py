"""Attention layers: the contract, masks, gates, windows, dropout, errors."""

import numpy as np
import pytest

import minikeras
from minikeras import layers
from tests.gradcheck import check_gradients
from tests.layer_contract import check_layer

RNG = np.random.default_rng(0)
QUERY = RNG.normal(size=(2, 4, 6)).astype("float32")
VALUE = RNG.normal(size=(2, 5, 6)).astype("float32")
KEY = RNG.normal(size=(2, 5, 6)).astype("float32")
QUERY_MASK = np.array([[1, 1, 0, 1], [1, 0, 0, 0]], bool)
VALUE_MASK = np.array([[1, 0, 1, 1, 0], [0, 1, 1, 0, 0]], bool)
PAIR_MASK = RNG.random((2, 4, 5)) > 0.4


@pytest.mark.parametrize("name", ["Attention", "AdditiveAttention"])
@pytest.mark.parametrize("use_scale", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"mask": [QUERY_MASK, VALUE_MASK]},
        {"use_causal_mask": True, "return_attention_scores": True},
    ],
    ids=["", "mask", "causal"],
)
@pytest.mark.parametrize("inputs", [[QUERY, VALUE], [QUERY, VALUE, KEY]], ids=["qv", "qvk"])
def test_contract_of_one_head(name, use_scale, options, inputs):
    kind = getattr(layers, name)
    check_layer(lambda **kw: kind(use_scale=use_scale, **kw), inputs, **options)


def test_contract_of_the_concat_score():
    check_layer(
        lambda **kw: layers.Attention(use_scale=True, score_mode="concat", **kw),
        [QUERY, VALUE, KEY],
    )


def test_masks_of_attention():
    layer = layers.Attention()
    output, weights = layer(
        [QUERY, VALUE], mask=[QUERY_MASK, VALUE_MASK], return_attention_scores=True
    )
    assert not np.asarray(output)[~QUERY_MASK].any()
    hidden = np.broadcast_to(~VALUE_MASK[:, None], weights.shape)
    assert not np.asarray(weights)[hidden].any()
    np.testing.assert_allclose(np.asarray(weights).sum(-1), 1, rtol=1e-6)
    _, causal = layer([QUERY, VALUE], use_causal_mask=True, return_attention_scores=True)
    assert not np.triu(np.asarray(causal)[0], 1).any()


HEADS = [
    {},
    {"value_dim": 2, "use_bias": False},
    {"output_shape": 3},
    {"output_shape": (2, 3), "use_gate": True},
    {"sliding_window": 2},
    {"attention_axes": 1, "kernel_regularizer": "l2"},
]
OPTIONS = [
    {},
    {"attention_mask": PAIR_MASK, "return_attention_scores": True},
    {"use_causal_mask": True},
    {"query_mask": QUERY_MASK, "value_mask": VALUE_MASK},
]


@pytest.mark.parametrize("arguments", HEADS, ids=str)
@pytest.mark.parametrize("options", OPTIONS, ids=["", "pairs", "causal", "masks"])
def test_contract_of_heads(arguments, options):
    check_layer(
        lambda **kw: layers.MultiHeadAttention(2, 3, **arguments, **kw),
        QUERY,
        VALUE,
        KEY,
        tolerance=1e-6,
        **options,
    )


@pytest.mark.parametrize(
    "arguments", [{}, {"use_bias": False, "use_gate": True}, {"sliding_window": 2}], ids=str
)
@pytest.mark.parametrize("options", OPTIONS, ids=["", "pairs", "causal", "masks"])
def test_contract_of_grouped_queries(arguments, options):
    check_layer(
        lambda **kw: layers.GroupQueryAttention(3, 4, 2, **arguments, **kw),
        QUERY,
        VALUE,
        KEY,
        tolerance=1e-6,
        **options,
    )


@pytest.mark.parametrize("axes", [None, (1,), (2,), (1, 2), (-2,)])
def test_heads_over_several_axes(axes):
    x = RNG.normal(size=(2, 3, 4, 5)).astype("float32")
    check_layer(lambda **kw: layers.MultiHeadAttention(2, 3, attention_axes=axes, **kw), x, x)


def test_attention_over_one_of_two_axes_is_row_by_row():
    x = RNG.normal(size=(2, 3, 4, 5)).astype("float32")
    layer = layers.MultiHeadAttention(2, 3, attention_axes=2)
    whole, weights = layer(x, x, return_attention_scores=True)
    assert weights.shape == (2, 3, 2, 4, 4)
    flat = layers.MultiHeadAttention(2, 3)
    rows = x.reshape(6, 4, 5)
    flat(rows, rows)
    flat.set_weights(layer.get_weights())
    np.testing.assert_allclose(
        np.asarray(whole).reshape(6, 4, 5), np.asarray(flat(rows, rows)), atol=1e-6
    )


def test_equal_head_counts_make_grouped_queries_multi_head():
    grouped, heads = layers.GroupQueryAttention(3, 2, 2), layers.MultiHeadAttention(2, 3)
    grouped(QUERY, VALUE)
    heads(QUERY, VALUE)
    heads.set_weights(grouped.get_weights())
    np.testing.assert_allclose(
        np.asarray(heads(QUERY, VALUE)), np.asarray(grouped(QUERY, VALUE)), atol=1e-6
    )


def test_masks_travel_from_the_query():
    masking = layers.Masking()
    x = QUERY.copy()
    x[0, 2:] = 0
    layer = layers.MultiHeadAttention(2, 3)
    masked = masking(x)
    output, weights = layer(masked, masked, return_attention_scores=True)
    mask = np.asarray(masked._keras_mask)
    np.testing.assert_array_equal(np.asarray(output._keras_mask), mask)
    assert not np.asarray(weights)[0][:, :, 2:].any()
    assert np.asarray(weights)[1].all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.MultiHeadAttention(2, 3, dropout=0.5, seed=1),
        lambda: layers.GroupQueryAttention(3, 2, 1, dropout=0.5, seed=1),
        lambda: layers.Attention(dropout=0.5, seed=1),
    ],
)
def test_dropout(make):
    layer = make()
    inputs = ([QUERY, VALUE],) if isinstance(layer, layers.Attention) else (QUERY, VALUE)
    calm = np.asarray(layer(*inputs))
    np.testing.assert_array_equal(np.asarray(layer(*inputs)), calm)
    first, second = (np.asarray(layer(*inputs, training=True)) for _ in range(2))
    assert not np.allclose(first, calm) and not np.allclose(first, second)


def test_gradients_under_dropout(monkeypatch):
    layer = layers.MultiHeadAttention(2, 3, dropout=0.5, dtype="float64")
    multiplier = np.random.default_rng(1).integers(0, 2, (2, 2, 4, 5)) * 2.0
    monkeypatch.setattr(layer, "_dropout_mask", lambda *_: multiplier)
    check_gradients(layer, QUERY, VALUE, training=True)
    check_gradients(layer, QUERY, VALUE, training=True, return_attention_scores=True)


def test_weights_and_paths():
    layer = layers.MultiHeadAttention(2, 3, value_dim=4, use_gate=True, name="heads")
    layer(QUERY, VALUE)
    assert [w.path.split("/", 1)[1] for w in layer.weights] == [
        f"{part}/{kind}"
        for part in ("query", "key", "gate", "value", "attention_output")
        for kind in ("kernel", "bias")
    ]
    assert layer.query_dense.kernel.shape == (6, 2, 3)
    assert layer.output_dense.kernel.shape == (2, 4, 6)


def test_symbolic_arguments_by_name():
    query, value = minikeras.Input((4, 6)), minikeras.Input((5, 6))
    output, weights = layers.MultiHeadAttention(2, 3)(
        key=value, value=value, query=query, return_attention_scores=True
    )
    assert output.shape == (None, 4, 6) and weights.shape == (None, 2, 4, 5)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: layers.MultiHeadAttention(0, 3), "num_heads=0"),
        (lambda: layers.MultiHeadAttention(2, 2.5), "key_dim=2.5"),
        (lambda: layers.MultiHeadAttention(2, 3, value_dim=-1), "value_dim=-1"),
        (lambda: layers.MultiHeadAttention(2, 3, attention_axes="1"), "attention_axes='1'"),
        (
            lambda: layers.MultiHeadAttention(2, 3, attention_axes=-1)(QUERY, VALUE),
            r"attention_axes=\(2,\)",
        ),
        (lambda: layers.MultiHeadAttention(2, 3, output_shape=2.5), "output_shape=2.5"),
        (lambda: layers.MultiHeadAttention(2, 3, sliding_window=0), "sliding_window=0"),
        (lambda: layers.MultiHeadAttention(2, 3, dropout=0.1, flash_attention=True), "dropout"),
        (
            lambda: layers.MultiHeadAttention(2, 3, flash_attention=True)(
                QUERY, VALUE, return_attention_scores=True
            ),
            "flash_attention",
        ),
        (lambda: layers.MultiHeadAttention(2, 3)(QUERY, VALUE, QUERY), "`value` and `key`"),
        (lambda: layers.GroupQueryAttention(3, 4, 3), "divisible"),
        (lambda: layers.GroupQueryAttention(3, 0, 3), "num_query_heads=0"),
        (lambda: layers.Attention(score_mode="sum"), "score_mode='sum'"),
        (lambda: layers.Attention()(QUERY), "called on a list"),
        (lambda: layers.Attention()([QUERY]), "length 2 or 3"),
        (lambda: layers.Attention()([QUERY, VALUE], mask=VALUE_MASK), "mask must be a list"),
    ],
)
def test_errors(action, message):
    with pytest.raises(ValueError, match=message):
        action()

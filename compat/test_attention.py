"""Attention layers against Keras 3.15.1, over drawn shapes and arguments."""

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layer_pairs import compare, compare_training, pair, same_config

import minikeras

FEW = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)

# Not 1: Keras's addition of a bias goes wrong then (see DIFFERENCES.md).
WIDTHS = st.integers(2, 4)


@st.composite
def inputs(draw, same_size=False):
    batch, target, source = (draw(st.integers(1, 4)) for _ in range(3))
    size = draw(st.integers(1, 5))
    value_size = size if same_size else draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))

    def normal(*shape):
        return rng.normal(size=shape).astype("float32")

    arrays = [normal(batch, target, size), normal(batch, source, value_size)]
    if draw(st.booleans()) or (not same_size and size != value_size):
        arrays.append(normal(batch, source, size))
    return arrays, rng


@st.composite
def one_head(draw):
    arrays, rng = draw(inputs())
    (batch, target, _), source = arrays[0].shape, arrays[1].shape[1]
    options = {
        "use_causal_mask": draw(st.booleans()),
        "return_attention_scores": draw(st.booleans()),
    }
    if draw(st.booleans()):
        value_mask = rng.random((batch, source)) > 0.3
        # Without anything to attend to, the result hangs on rounding in Keras.
        value_mask[:, 0] = True
        query_mask = rng.random((batch, target)) > 0.3 if draw(st.booleans()) else None
        options["mask"] = [query_mask, value_mask]
    return arrays, options


def check_one_head(name, case, **kwargs):
    arrays, options = case
    layers = pair(name, **kwargs)
    compare(*layers, [arrays], options)
    same_config(*layers)


@FEW
@given(one_head(), st.booleans(), st.sampled_from(["dot", "concat"]))
def test_attention(case, use_scale, score_mode):
    check_one_head("Attention", case, use_scale=use_scale, score_mode=score_mode)


@FEW
@given(one_head(), st.booleans())
def test_additive_attention(case, use_scale):
    check_one_head("AdditiveAttention", case, use_scale=use_scale)


@st.composite
def masks(draw, arrays, rng, heads):
    (batch, target, _), source = arrays[0].shape, arrays[1].shape[1]
    options = {
        "use_causal_mask": draw(st.booleans()),
        "return_attention_scores": draw(st.booleans()),
    }
    if draw(st.booleans()):
        shape = draw(st.sampled_from([(batch, target, source), (batch, heads, target, source)]))
        options["attention_mask"] = rng.random(shape) > draw(st.sampled_from([0.3, 0.7]))
    if draw(st.booleans()) and options.get("attention_mask", np.ones((1, 1, 1))).ndim == 3:
        options["value_mask"] = rng.random((batch, source)) > 0.3
    return options


@FEW
@given(
    st.data(),
    inputs(),
    st.fixed_dictionaries(
        {"num_heads": st.integers(1, 3), "key_dim": WIDTHS},
        optional={
            "value_dim": WIDTHS,
            "use_bias": st.booleans(),
            "output_shape": st.sampled_from([None, 3, (2, 2)]),
            "sliding_window": st.integers(1, 3),
            "use_gate": st.booleans(),
        },
    ),
)
def test_multi_head_attention(data, drawn, kwargs):
    arrays, rng = drawn
    options = data.draw(masks(arrays, rng, kwargs["num_heads"]))
    layers = pair("MultiHeadAttention", **kwargs)
    compare(*layers, arrays, options)
    same_config(*layers)


@FEW
@given(
    st.data(),
    inputs(same_size=True),
    st.sampled_from([(1, 1), (2, 1), (2, 2), (4, 2)]),
    st.fixed_dictionaries(
        {"head_dim": WIDTHS},
        optional={
            "use_bias": st.booleans(),
            "sliding_window": st.integers(1, 3),
            "use_gate": st.booleans(),
        },
    ),
)
def test_group_query_attention(data, drawn, heads, kwargs):
    arrays, rng = drawn
    options = data.draw(masks(arrays, rng, heads[0]))
    layers = pair("GroupQueryAttention", num_query_heads=heads[0], num_key_value_heads=heads[1],
                  **kwargs)  # fmt: skip
    compare(*layers, arrays, options)
    same_config(*layers)


@pytest.mark.parametrize("axes", [None, 1, 2, (1, 2)])
@pytest.mark.parametrize("masked", [False, True])
def test_multi_head_attention_over_several_axes(axes, masked):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3, 4, 5)).astype("float32")
    y = rng.normal(size=(2, 3, 4, 2)).astype("float32")
    shape = {None: (2, 3, 4, 3, 4), 1: (2, 4, 3, 3), 2: (2, 3, 4, 4), (1, 2): (2, 3, 4, 3, 4)}[axes]
    options = {"attention_mask": rng.random(shape) > 0.3} if masked else {}
    layers = pair("MultiHeadAttention", 2, 3, attention_axes=axes)
    compare(*layers, [x, y], options)
    same_config(*layers)
    options["return_attention_scores"] = True
    compare(*layers, [x, y], options)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_three_steps_of_a_transformer_block(grouped, masked):
    def build(package):
        layers = package.layers
        tokens = package.Input((6,), dtype="int32")
        x = layers.Embedding(20, 8, mask_zero=masked)(tokens)
        attention = (
            layers.GroupQueryAttention(3, 4, 2) if grouped else layers.MultiHeadAttention(2, 4)
        )
        x = layers.LayerNormalization()(x + attention(x, x, use_causal_mask=True))
        hidden = layers.Dense(8)(layers.Dense(16, activation="relu")(x))
        x = layers.LayerNormalization()(x + hidden)
        return package.Model(tokens, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)))

    rng = np.random.default_rng(0)
    x = rng.integers(1, 20, (8, 6)).astype("int32")
    x[:4, 4:] = 0
    # Weights behind a normalization have gradients near zero, so Adam's steps are noisy: use SGD.
    compare_training(build, x, rng.normal(size=(8, 2)).astype("float32"), optimizer="sgd")


def test_dropout_drops_weights_alike():
    x = np.random.default_rng(0).normal(size=(64, 4, 5)).astype("float32")
    shares = []
    for package in (keras, minikeras):
        layer = package.layers.Attention(dropout=0.3, seed=1)
        _, weights = layer([x, x], return_attention_scores=True, training=True)
        weights = np.asarray(weights)
        shares.append((weights == 0).mean())
        # What is kept is scaled up, so the weights of a row still add up to one on average.
        np.testing.assert_allclose(weights.sum(-1).mean(), 1, atol=0.15)
    # 1024 draws at a rate of 0.3: five standard deviations are 0.07.
    np.testing.assert_allclose(shares, 0.3, atol=0.07)


ERRORS = {
    "num_heads": lambda layers: layers.MultiHeadAttention(0, 2),
    "key_dim": lambda layers: layers.MultiHeadAttention(2, -1),
    "value_dim": lambda layers: layers.MultiHeadAttention(2, 2, value_dim=-1),
    "attention_axes": lambda layers: layers.MultiHeadAttention(2, 2, attention_axes="ab"),
    "output_shape": lambda layers: layers.MultiHeadAttention(2, 2, output_shape=2.5),
    "sliding_window": lambda layers: layers.MultiHeadAttention(2, 2, sliding_window=0),
    "flash and dropout": lambda layers: layers.MultiHeadAttention(
        2, 2, dropout=0.5, flash_attention=True
    ),
    "lengths": lambda layers: layers.MultiHeadAttention(2, 2)(
        np.ones((1, 2, 3)), np.ones((1, 4, 3)), np.ones((1, 5, 3))
    ),
    "groups": lambda layers: layers.GroupQueryAttention(2, 3, 2),
    "score_mode": lambda layers: layers.Attention(score_mode="scaled_dot"),
    "no list": lambda layers: layers.Attention()(np.ones((1, 2, 3))),
    "one input": lambda layers: layers.Attention()([np.ones((1, 2, 3))]),
    "mask": lambda layers: layers.Attention()([np.ones((1, 2, 3))] * 2, mask=np.ones((1, 2), bool)),
}


@pytest.mark.parametrize("name", ERRORS)
def test_both_refuse(name):
    with pytest.raises(ValueError):
        ERRORS[name](keras.layers)
    with pytest.raises(ValueError, match="eceived|flash"):
        ERRORS[name](minikeras.layers)

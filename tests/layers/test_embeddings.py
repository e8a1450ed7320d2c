"""Embedding and ReversibleEmbedding."""

import numpy as np
import pytest

from minikeras import layers
from minikeras.kernels.rows import row_sums
from tests.gradcheck import check_gradients
from tests.layer_contract import check_layer

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("mask_zero", [False, True])
@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_embedding(mask_zero, dtype):
    x = RNG.integers(0, 6, (3, 4)).astype(dtype)
    layer = check_layer(lambda **kw: layers.Embedding(6, 5, mask_zero=mask_zero, **kw), x)
    y = layer(x)
    np.testing.assert_array_equal(y.numpy(), layer.embeddings.array[x])
    if mask_zero:
        np.testing.assert_array_equal(y._keras_mask.numpy(), x != 0)
    else:
        assert y._keras_mask is None


def test_embedding_takes_floats_as_indices():
    layer = layers.Embedding(6, 5)
    x = np.array([[1.0, 2.0]], "float32")
    np.testing.assert_array_equal(layer(x).numpy(), layer(x.astype("int32")).numpy())


def test_embedding_starts_from_weights():
    table = RNG.normal(size=(6, 5)).astype("float32")
    for weights in (table, [table]):
        layer = layers.Embedding(6, 5, weights=weights)
        np.testing.assert_array_equal(layer.embeddings.numpy(), table)


@pytest.mark.parametrize("wrong", [-1, 6, 100])
def test_embedding_names_a_wrong_index(wrong):
    with pytest.raises(ValueError, match=rf"index {wrong}.*input_dim=6"):
        layers.Embedding(6, 5)(np.array([[0, wrong]]))


@pytest.mark.parametrize("size", [0, -3, 2.0, "4", True])
def test_embedding_refuses_sizes(size):
    with pytest.raises(ValueError, match="input_dim"):
        layers.Embedding(size, 5)
    with pytest.raises(ValueError, match="output_dim"):
        layers.Embedding(5, size)


def test_low_rank_change():
    layer = layers.Embedding(6, 4, dtype="float64")
    x = RNG.integers(0, 6, (3, 5))
    before = layer(x).numpy()
    layer.enable_lora(2)
    np.testing.assert_allclose(layer(x).numpy(), before)
    for variable in (layer.lora_embeddings_a, layer.lora_embeddings_b):
        variable.array = RNG.normal(size=variable.shape)
    assert len(layer.trainable_variables) == 2
    check_gradients(layer, x)
    store = {}
    layer.save_own_variables(store)
    assert list(store) == ["0"]
    np.testing.assert_allclose(store["0"][x], layer(x).numpy())


@pytest.mark.parametrize("tie_weights", [True, False])
@pytest.mark.parametrize("cap", [None, 2.0])
def test_reversible_embedding(tie_weights, cap):
    def make(**kw):
        return layers.ReversibleEmbedding(
            6, 4, tie_weights=tie_weights, logit_soft_cap=cap, embeddings_initializer="normal", **kw
        )

    x = RNG.integers(0, 6, (2, 3))
    check_layer(make, x)
    layer = make(dtype="float64")
    vectors = layer(x).numpy()
    scores = layer(vectors, reverse=True)
    assert scores.shape == (2, 3, 6)
    check_gradients(layer, vectors, reverse=True)

    def both_ways(indices):
        return layer(layer(indices), reverse=True)

    check_gradients(both_ways, x, variables=layer.trainable_variables)


def test_row_sums_adds_up_repeated_indices():
    indices = np.array([[3, 1], [3, 0]])
    rows = RNG.normal(size=(2, 2, 4))
    found, sums = row_sums(indices, rows)
    table = np.zeros((5, 4))
    np.add.at(table, indices, rows)
    np.testing.assert_array_equal(found, [0, 1, 3])
    np.testing.assert_allclose(sums, table[found])
    assert row_sums(indices[:0], rows[:0])[0].size == 0

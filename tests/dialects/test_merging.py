"""`Merge` of whole models, as the first layer of a Sequential model of Keras 1."""

import numpy as np
import pytest

import minikeras
from minikeras import dialects, layers
from minikeras.layers import Merge

A = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
B = np.random.default_rng(1).normal(size=(8, 3)).astype("float32")
Y = (A.sum(1, keepdims=True) > 0).astype("float32")


@pytest.fixture(autouse=True)
def quiet():
    dialects.silence()
    yield
    dialects.silence(False)


def branch(units=4):
    model = minikeras.models.Sequential()
    model.add(layers.Dense(units, input_dim=3, activation="tanh"))
    return model


def merged(mode="concat", **options):
    model = minikeras.models.Sequential()
    model.add(Merge([branch(), branch()], mode=mode, **options))
    model.add(layers.Dense(1, activation="sigmoid"))
    return model


@pytest.mark.parametrize("mode", ["sum", "mul", "ave", "max", "concat", "dot", "cos"])
def test_it_computes_what_a_functional_model_does(mode):
    model = merged(mode)
    left, right = (layers.Dense(4, activation="tanh") for _ in range(2))
    inputs = [minikeras.Input((3,)), minikeras.Input((3,))]
    branches = [left(inputs[0]), right(inputs[1])]
    today = minikeras.Model(
        inputs, layers.Dense(1, activation="sigmoid")(layers.merge(branches, mode=mode))
    )
    today.set_weights(model.get_weights())
    assert model.input_shape == [(None, 3), (None, 3)] and len(model.inputs) == 2
    expected = today.predict([A, B], verbose=0)
    np.testing.assert_allclose(model.predict([A, B], verbose=0), expected, rtol=1e-6)
    for one in (model, today):
        one.compile("sgd", "binary_crossentropy")
    losses = [
        one.fit([A, B], Y, epochs=3, shuffle=False, verbose=0).history["loss"]
        for one in (model, today)
    ]
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_a_function_as_mode():
    model = merged(lambda tensors: tensors[0] - tensors[1], output_shape=(4,))
    assert model.output_shape == (None, 1)
    first, second = model.layers[0].output, model.predict([A, A], verbose=0)
    assert first.shape == (None, 4) and second.shape == (8, 1)


def test_it_is_saved_and_copied(tmp_path):
    model = merged()
    model.compile("sgd", "mse")
    model.fit([A, B], Y, epochs=1, verbose=0)
    expected = model.predict([A, B], verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = minikeras.models.load_model(tmp_path / "m.keras")
    copied = minikeras.models.Sequential.from_config(model.get_config())
    copied.set_weights(model.get_weights())
    for one in (loaded, copied):
        assert np.array_equal(one.predict([A, B], verbose=0), expected)
    shown = []
    model.summary(print_fn=lambda line, **_: shown.append(line))
    assert "dense" in "".join(shown)


def test_a_shared_branch_has_one_input():
    both = branch()
    model = minikeras.models.Sequential([Merge([both, both], mode="sum"), layers.Dense(1)])
    assert model.input_shape == (None, 3)


def test_bad_arguments():
    with pytest.raises(ValueError, match="two or more"):
        Merge([branch()], mode="sum")
    with pytest.raises(ValueError, match="`input_shape`"):
        Merge([minikeras.Sequential([layers.Dense(2)]), branch()], mode="sum")
    with pytest.raises(ValueError, match="node_indices"):
        Merge([branch(), branch()], node_indices=[1, 0])


def test_one_branch_in_two_merges_is_one_input():
    """As the memory network of the examples of Keras 1 has its question."""
    story, question = branch(), branch()
    match = minikeras.models.Sequential([Merge([story, question], mode="mul")])
    answer = minikeras.models.Sequential()
    answer.add(Merge([match, branch(), question], mode="concat"))
    answer.add(layers.Dense(1))
    assert len(answer.inputs) == 3
    answer.compile("sgd", "mse")
    history = answer.fit([A, B, A], Y, nb_epoch=3, verbose=0).history["loss"]
    assert history[-1] < history[0]
    expected = story.predict(A, verbose=0) * question.predict(B, verbose=0)
    np.testing.assert_allclose(match.predict([A, B], verbose=0), expected, rtol=1e-5)


def test_the_axis_of_the_batch_means_the_next_one_in_a_dot_product():
    """As scripts for word2vec have it, which Keras 1 took."""
    model = merged("dot", dot_axes=0)
    assert model.output_shape == (None, 1)
    assert model.predict([A, B]).shape == (8, 1)

"""Core layers beside Keras's: outputs, gradients, configs, weights, errors."""

import json

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_pairs import compare, pair, same_config

import minikeras

RNG = np.random.default_rng(0)
SETTINGS = settings(max_examples=15, deadline=None)
ACTIVATIONS = ["linear", "relu", "tanh", "sigmoid", "softmax", "gelu", "silu", "elu", "mish", None]


def floats(*shape):
    return RNG.normal(size=shape).astype("float32")


@SETTINGS
@given(
    units=st.integers(1, 6),
    activation=st.sampled_from(ACTIVATIONS),
    use_bias=st.booleans(),
    shape=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    regularizer=st.sampled_from([None, "l1", "l2", "l1l2"]),
    constraint=st.sampled_from([None, "max_norm", "non_neg", "unit_norm"]),
    initializer=st.sampled_from(["he_normal", "zeros", "orthogonal", "lecun_uniform"]),
)
def test_dense(units, activation, use_bias, shape, regularizer, constraint, initializer):
    options = {
        "activation": activation,
        "use_bias": use_bias,
        "kernel_regularizer": regularizer,
        "kernel_constraint": constraint,
        "kernel_initializer": initializer,
    }
    theirs, ours = pair("Dense", units, **options)
    compare(theirs, ours, [floats(*shape)])
    if regularizer not in ("l1", "l1l2"):
        same_config(theirs, ours)


@SETTINGS
@given(
    case=st.sampled_from(
        [
            ("ab,bc->ac", 6, "c", (3, 4)),
            ("abc,cd->abd", (None, 6), "d", (2, 3, 4)),
            ("abc,cd->abd", (3, 6), "bd", (2, 3, 4)),
            ("...x,xy->...y", 6, "y", (2, 3, 4)),
            ("ab...,bc->ac...", 6, "c", (2, 4, 3)),
            ("abc,cde->abde", (None, 2, 5), "de", (2, 3, 4)),
            ("abde,dec->abc", (None, 6), "c", (2, 3, 4, 5)),
            ("abc,bcd->abd", (3, 6), None, (2, 3, 4)),
        ]
    ),
    activation=st.sampled_from(ACTIVATIONS),
)
def test_einsum_dense(case, activation):
    equation, output_shape, bias_axes, shape = case
    theirs, ours = pair(
        "EinsumDense", equation, output_shape, activation=activation, bias_axes=bias_axes
    )
    compare(theirs, ours, [floats(*shape)])
    same_config(theirs, ours)
    # Where the arguments leave a size open, the inputs tell it here (DIFFERENCES.md).
    known = zip(theirs.compute_output_shape(shape), ours.compute_output_shape(shape), strict=True)
    assert all(its in (None, size) and size is not None for its, size in known)


@pytest.mark.parametrize("name", ["Dense", "EinsumDense", "Embedding"])
def test_low_rank(name):
    arguments = {
        "Dense": (5,),
        "EinsumDense": ("abc,cd->abd", (None, 5)),
        "Embedding": (7, 5),
    }[name]
    theirs, ours = pair(name, *arguments, lora_rank=2)
    x = RNG.integers(0, 7, (2, 3)) if name == "Embedding" else floats(2, 3, 4)
    compare(theirs, ours, [x], gradients=name != "Embedding")
    same_config(theirs, ours)


@pytest.mark.parametrize("activation", ACTIVATIONS[:-1])
def test_activation(activation):
    theirs, ours = pair("Activation", activation)
    compare(theirs, ours, [floats(3, 4)])
    same_config(theirs, ours)


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("Identity", (), (3, 4)),
        ("Flatten", (), (2, 3, 4)),
        ("Flatten", (), (3,)),
        ("Flatten", ("channels_first",), (2, 3, 4, 5)),
        ("Reshape", ((2, -1),), (3, 12)),
        ("Reshape", ((12,),), (2, 3, 4)),
        ("Permute", ((2, 1),), (2, 3, 4)),
        ("Permute", ((3, 1, 2),), (2, 3, 4, 5)),
        ("RepeatVector", (3,), (2, 5)),
        ("Masking", (0.25,), (2, 3, 4)),
    ],
)
def test_reshaping(name, arguments, shape):
    theirs, ours = pair(name, *arguments)
    compare(theirs, ours, [floats(*shape)])
    same_config(theirs, ours)
    expected = theirs(keras.KerasTensor((None, *shape[1:])))
    found = ours(minikeras.KerasTensor((None, *shape[1:])))
    assert (found.shape, found.dtype) == (tuple(expected.shape), expected.dtype)


def test_masking_masks():
    x = floats(2, 4, 3)
    x[:, 2:] = 0
    theirs, ours = pair("Masking")
    expected, found = theirs(x), ours(x)
    np.testing.assert_array_equal(found.numpy(), expected.numpy())
    np.testing.assert_array_equal(found._keras_mask.numpy(), expected._keras_mask.numpy())


@pytest.mark.parametrize("mask_zero", [False, True])
def test_embedding(mask_zero):
    options = {"mask_zero": mask_zero, "embeddings_initializer": "normal"}
    theirs, ours = pair("Embedding", 7, 5, **options)
    x = RNG.integers(0, 7, (3, 4)).astype("int32")
    compare(theirs, ours, [x], gradients=False)
    same_config(theirs, ours)
    if mask_zero:
        np.testing.assert_array_equal(ours(x)._keras_mask.numpy(), theirs(x)._keras_mask.numpy())


def test_embedding_gradient():
    import tensorflow as tf

    from minikeras.engine.context import Run
    from minikeras.engine.recording import Recording

    theirs, ours = pair("Embedding", 7, 5)
    x = RNG.integers(0, 7, (3, 4)).astype("int32")
    dy = floats(3, 4, 5)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(theirs(x) * dy)
    expected = tf.convert_to_tensor(tape.gradient(loss, theirs.embeddings.value)).numpy()
    ours(x)
    with Recording(Run(training=True, recording=True)) as recording:
        y = ours(x)
    recording.reverse([(y.slot, dy)])
    np.testing.assert_allclose(recording.run.sink.get(ours.embeddings), expected, rtol=1e-5)


@pytest.mark.parametrize("tie_weights", [True, False])
@pytest.mark.parametrize("cap", [None, 1.5])
def test_reversible_embedding(tie_weights, cap):
    theirs, ours = pair("ReversibleEmbedding", 7, 5, tie_weights=tie_weights, logit_soft_cap=cap)
    x = RNG.integers(0, 7, (3, 4)).astype("int32")
    compare(theirs, ours, [x], gradients=False)
    compare(theirs, ours, [floats(3, 4, 5)], {"reverse": True}, gradients=False)
    same_config(theirs, ours)


def double(x):
    return x * 2


def test_lambda():
    theirs, ours = pair("Lambda", lambda package: double, output_shape=(4,), arguments={})
    compare(theirs, ours, [floats(2, 4)])
    expected, found = theirs.get_config(), ours.get_config()
    expected.pop("name"), found.pop("name")
    assert found.keys() == expected.keys()
    assert found["function"] == expected["function"]


def test_input():
    for options in (
        {"shape": (3, None)},
        {"shape": (3,), "batch_size": 4, "dtype": "int32", "name": "tokens"},
        {"batch_shape": (None, 3), "optional": True},
    ):
        expected, found = keras.Input(**options), minikeras.Input(**options)
        assert (found.shape, found.dtype) == (tuple(expected.shape), expected.dtype)
        configs = [
            json.loads(json.dumps(one._keras_history.operation.get_config()))
            for one in (expected, found)
        ]
        if "name" not in options:
            for config in configs:
                config.pop("name")
        assert configs[1] == configs[0]


WRONG = [
    ("Dense", (0,), None),
    ("Dense", (2.5,), None),
    ("Dense", (3, "no_such_activation"), None),
    ("Dense", (3,), (4,)),
    ("EinsumDense", ("abc", 3), (2, 4)),
    ("EinsumDense", ("ab,bc->ad", 3), (2, 4)),
    ("EinsumDense", ("ab,cd->ad", 3), (2, 4)),
    ("EinsumDense", ("ab,bc->ab", 3), (2, 4)),
    ("Embedding", (0, 3), None),
    ("Embedding", (3, -1), None),
    ("Reshape", ((5,),), (2, 4)),
    ("Reshape", ((-1, -1),), (2, 4)),
    ("Permute", ((1, 3),), None),
    ("Permute", ((2, 1),), (2, 4)),
    ("RepeatVector", (0,), None),
    ("RepeatVector", (1.5,), None),
    ("RepeatVector", (2,), (2, 3, 4)),
]


@pytest.mark.parametrize(("name", "arguments", "shape"), WRONG)
def test_both_refuse(name, arguments, shape):
    for package in (keras, minikeras):
        with pytest.raises((ValueError, TypeError)):
            layer = getattr(package.layers, name)(*arguments)
            layer(np.zeros(shape, "float32"))

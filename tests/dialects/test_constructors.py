"""Constructors in the spelling of Keras 1 and 2 make what today's spelling makes."""

import copy
import warnings

import numpy as np
import pytest

import minikeras
from minikeras import dialects, layers
from minikeras.engine import spelling


@pytest.fixture(autouse=True)
def quiet():
    dialects.silence()
    yield
    dialects.silence(False)


def config_of(layer):
    config = layer.get_config()
    config.pop("name")
    return config


OLD_AND_NEW = [
    ("Dense", {"output_dim": 3, "init": "uniform"}, {"units": 3, "kernel_initializer": "uniform"}),
    ("Dense", {"units": 2, "init": "normal"}, {"units": 2, "kernel_initializer": "normal"}),
    ("Dense", {"units": 2, "init": "zero"}, {"units": 2, "kernel_initializer": "zeros"}),
    ("Dense", {"units": 2, "W_regularizer": "l2"}, {"units": 2, "kernel_regularizer": "l2"}),
    ("Dense", {"units": 2, "b_regularizer": "l1"}, {"units": 2, "bias_regularizer": "l1"}),
    ("Dense", {"units": 2, "W_constraint": "nonneg"}, {"units": 2, "kernel_constraint": "nonneg"}),
    ("Dense", {"units": 2, "bias": False}, {"units": 2, "use_bias": False}),
    (
        "Conv1D",
        {"nb_filter": 3, "filter_length": 2, "border_mode": "same", "subsample_length": 2},
        {"filters": 3, "kernel_size": 2, "padding": "same", "strides": 2},
    ),
    (
        "Conv2D",
        {"nb_filter": 3, "nb_row": 2, "nb_col": 5, "subsample": (2, 1), "dim_ordering": "th"},
        {"filters": 3, "kernel_size": (2, 5), "strides": (2, 1), "data_format": "channels_first"},
    ),
    ("MaxPooling1D", {"pool_length": 3, "stride": 2}, {"pool_size": 3, "strides": 2}),
    (
        "MaxPooling2D",
        {"border_mode": "same", "dim_ordering": "tf"},
        {"padding": "same", "data_format": "channels_last"},
    ),
    ("Dropout", {"p": 0.25}, {"rate": 0.25}),
    ("GaussianNoise", {"sigma": 0.1}, {"stddev": 0.1}),
    ("UpSampling1D", {"length": 3}, {"size": 3}),
    (
        "LSTM",
        {"output_dim": 4, "dropout_W": 0.1, "dropout_U": 0.2, "inner_init": "glorot_uniform"},
        {
            "units": 4,
            "dropout": 0.1,
            "recurrent_dropout": 0.2,
            "recurrent_initializer": "glorot_uniform",
        },
    ),
    ("GRU", {"units": 4, "reset_after": True, "consume_less": "gpu"}, {"units": 4}),
    ("LSTM", {"units": 4, "forget_bias_init": "zero"}, {"units": 4, "unit_forget_bias": False}),
    (
        "Embedding",
        {"input_dim": 5, "output_dim": 2, "init": "normal"},
        {"input_dim": 5, "output_dim": 2, "embeddings_initializer": "normal"},
    ),
    ("BatchNormalization", {"mode": 0, "gamma_init": "one"}, {"gamma_initializer": "ones"}),
    ("BatchNormalization", {"fused": True, "renorm": False}, {}),
    ("Reshape", {"dims": (2, 3)}, {"target_shape": (2, 3)}),
]


@pytest.mark.parametrize(("name", "old", "new"), OLD_AND_NEW, ids=str)
def test_old_keywords_make_the_same_layer(name, old, new):
    cls = getattr(layers, name)
    made = cls(**old)
    assert type(made) is cls
    assert config_of(made) == config_of(cls(**new))


def test_input_shapes():
    assert layers.Dense(2, batch_input_shape=(5, 3))._batch_input_shape == (5, 3)
    made = layers.LSTM(output_dim=2, input_dim=3, input_length=7)
    assert made._batch_input_shape == (None, 7, 3)
    assert layers.Dense(output_dim=2, input_dim=3)._batch_input_shape == (None, 3)


def test_weights_of_the_constructor_are_set_when_it_builds():
    matrix = np.arange(8.0, dtype="float32").reshape(4, 2)
    layer = layers.Embedding(4, 2, weights=[matrix], trainable=False)
    for one in (copy.deepcopy(layer), layer):
        assert np.array_equal(one(np.array([[1, 3]])), matrix[[1, 3]][None])
        assert not one.trainable_weights and "_post_build" not in one.__dict__


def test_weights_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="shape"):
        layers.Embedding(4, 2, weights=[np.ones((3, 2))])(np.array([[1]]))


def test_convolution_of_keras_1_in_order():
    made = layers.Conv2D(8, 2, 3, border_mode="same")
    today = layers.Conv2D(8, (2, 3), padding="same")
    assert config_of(made) == config_of(today)


def test_positional_arguments_that_are_alike_in_all_generations():
    for old in (
        layers.Dense(3, "relu", init="one"),
        layers.Dense(3, "one", activation="relu", bias=True),
    ):
        today = layers.Dense(3, "relu", kernel_initializer="ones")
        assert config_of(old) == config_of(today)
    assert layers.LSTM(3, "relu", inner_activation="sigmoid").activation.__name__ == "relu"
    with pytest.raises(TypeError, match="by position"):
        layers.Dense(3, "one", init="zero")


def test_functional_model_by_input_and_output():
    x = minikeras.Input((3,))
    model = minikeras.Model(input=x, output=layers.Dense(2)(x), name="m")
    assert model.output_shape == (None, 2) and model.name == "m"
    assert type(model) is type(minikeras.Model(inputs=x, outputs=model.output))


def test_each_spelling_warns_once_with_todays():
    dialects.silence(False)
    with pytest.warns(dialects.KerasDeprecationWarning, match=r"Dense\(units=\.\.\.\)") as seen:
        layers.Dense(output_dim=2)
        layers.Dense(output_dim=3)
    assert len(seen) == 1 and seen[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layers.Dense(2, kernel_initializer="zeros", input_shape=(3,))


def test_both_spellings_at_once_are_refused():
    with pytest.raises(ValueError, match="both `units` and `output_dim`"):
        layers.Dense(units=2, output_dim=3)


def test_what_changed_results_is_refused():
    with pytest.raises(ValueError, match="mode"):
        layers.BatchNormalization(mode=3)


@pytest.mark.parametrize("name", ["Dense", "LSTM", "Conv2D", "Embedding"])
def test_unknown_keywords_stay_unknown(name):
    arguments = {"Dense": (2,), "LSTM": (2,), "Conv2D": (2, 2), "Embedding": (2, 2)}[name]
    with pytest.raises(ValueError, match="Unrecognized keyword arguments passed to " + name):
        getattr(layers, name)(*arguments, nonsense=1)


def test_todays_spelling_is_never_translated(monkeypatch):
    monkeypatch.setattr(spelling, "understood", lambda *_: pytest.fail("translated"))
    layers.LSTM(2, implementation=1, input_shape=(3, 2), name="a", dtype="float32")
    layers.LeakyReLU(negative_slope=0.1)
    layers.Conv2D(2, 3, strides=2, padding="same", activation="relu", trainable=False)
    layers.Bidirectional(layers.GRU(2, return_sequences=True), merge_mode="sum")
    x = minikeras.Input(shape=(3,), name="x")
    minikeras.Model(inputs=x, outputs=layers.Dense(2, activation="relu")(x), name="m")
    minikeras.Sequential([layers.Dense(2, input_dim=3)], name="s")


def test_layers_of_users_keep_their_own_keywords():
    class Mine(layers.Layer):
        def __init__(self, **kwargs):
            self.weights_given = kwargs.pop("weights", None)
            super().__init__(**kwargs)

    assert Mine(weights=[1]).weights_given == [1]


@pytest.mark.parametrize(
    "border, stride, size, output",
    [
        ("valid", 2, 2, 28),
        ("valid", 2, 2, 29),
        ("valid", 2, 3, 30),
        ("same", 2, 3, 27),
        ("same", 2, 3, 28),
        ("same", 1, 2, 14),
    ],
)
def test_deconvolutions_were_told_what_they_give(border, stride, size, output):
    layer = layers.Deconvolution2D(
        3, size, size, (None, output, output, 3), border_mode=border, subsample=(stride, stride)
    )
    assert layer(minikeras.Input((14, 14, 2))).shape == (None, output, output, 3)
    # In a file too.
    config = {"nb_filter": 3, "nb_row": size, "nb_col": size, "border_mode": border}
    config |= {"output_shape": [None, 3, output, output], "subsample": [stride, stride]}
    name, config = dialects.configs.translate_layer(
        "Deconvolution2D", {**config, "dim_ordering": "th"}, 1
    )
    loaded = getattr(layers, name).from_config(config)
    assert loaded.compute_output_shape((None, 2, 14, 14)) == (None, 3, output, output)


def test_one_size_and_a_regularizer_of_keras_1():
    with pytest.raises(ValueError, match="SeparableConv2D: .'kernel_regularizer'"):
        layers.SeparableConv2D(3, 2, W_regularizer="l2")
    layer = layers.Conv2D(3, 2, W_regularizer="l2")
    assert layer.kernel_size == (2, 2) and layer.kernel_regularizer is not None

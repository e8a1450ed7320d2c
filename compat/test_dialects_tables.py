"""Every entry of the tables of old spellings, against the Keras that spoke it.

Keras 2 is tf-keras, live. Keras 1 cannot run any more: its names are held to those that Keras 2
itself documented as their translation, by building the layer there under today's names. The cases
are checked against the tables, so that an entry without one fails.
"""

import importlib
import inspect

import numpy as np
import pytest
import tf_keras

import minikeras
from minikeras import dialects, layers
from minikeras.dialects import calls, configs, constructors, names
from minikeras.engine import spelling


@pytest.fixture(autouse=True)
def quiet():
    dialects.silence()
    yield
    dialects.silence(False)


# What each class needs at least, in the names of Keras 2.
MINIMUM = {
    "Dense": {"units": 3},
    "TimeDistributedDense": {"units": 3},
    **{f"AveragePooling{rank}D": {"pool_size": 2} for rank in (1, 2, 3)},
    "Conv1DTranspose": {"filters": 3, "kernel_size": 2},
    "DepthwiseConv1D": {"kernel_size": 2},
    "Discretization": {"num_bins": 3},
    "MultiHeadAttention": {"num_heads": 2, "key_dim": 2},
    "MaxoutDense": {"units": 3},
    "Highway": {},
    "Conv1D": {"filters": 3, "kernel_size": 2},
    "Conv2D": {"filters": 3, "kernel_size": 2},
    "Conv3D": {"filters": 3, "kernel_size": 2},
    "SeparableConv1D": {"filters": 3, "kernel_size": 2},
    "SeparableConv2D": {"filters": 3, "kernel_size": 2},
    "DepthwiseConv2D": {"kernel_size": 2},
    "Conv2DTranspose": {"filters": 3, "kernel_size": 2},
    "Conv3DTranspose": {"filters": 3, "kernel_size": 2},
    "LocallyConnected1D": {"filters": 3, "kernel_size": 2},
    "LocallyConnected2D": {"filters": 3, "kernel_size": 2},
    "ConvLSTM2D": {"filters": 3, "kernel_size": 2},
    "Embedding": {"input_dim": 7, "output_dim": 3},
    "Dropout": {"rate": 0.5},
    "SpatialDropout1D": {"rate": 0.5},
    "SpatialDropout2D": {"rate": 0.5},
    "SpatialDropout3D": {"rate": 0.5},
    "GaussianDropout": {"rate": 0.5},
    "GaussianNoise": {"stddev": 0.5},
    "AlphaDropout": {"rate": 0.5},
    **{name: {"units": 3} for name in ("SimpleRNN", "LSTM", "GRU")},
    "InputLayer": {"batch_shape": (None, 3)},
}
# A value for each name of today, other than its default.
VALUES = {
    "units": 5,
    "filters": 5,
    "rate": 0.25,
    "stddev": 0.25,
    "padding": "same",
    "data_format": "channels_last",
    "strides": 2,
    "pool_size": 3,
    "kernel_size": 3,
    "dilation_rate": 2,
    "size": 3,
    "use_bias": False,
    "dropout": 0.25,
    "recurrent_dropout": 0.25,
    "nb_feature": 2,
    "negative_slope": 0.2,
    "recurrent_activation": "relu",
    "batch_shape": (None, 4),
}
ENDINGS = {"initializer": "ones", "regularizer": "l2", "constraint": "non_neg"}
# Keras 2 still called these so.
IN_KERAS_2 = {"negative_slope": "alpha", "batch_shape": "batch_input_shape"}
# Of Keras 1 alone.
NOT_IN_KERAS_2 = ("MaxoutDense", "Highway", "TimeDistributedDense")
# Of other layers that share a table.
SHARED = [
    (name, old, today)
    for name, table in configs.RENAMED_ARGUMENTS.items()
    for old, today in table.items()
    if old != today
]


def value_of(today):
    if today in VALUES:
        return VALUES[today]
    return ENDINGS[today.rpartition("_")[2]]


def plain(config):
    """What decides about values: no names of modules, no dtypes, tuples as lists."""
    if isinstance(config, dict):
        if "class_name" in config:
            return plain_name(config["class_name"]), plain(config["config"])
        return {key: plain(one) for key, one in config.items() if one is not None}
    if isinstance(config, (list, tuple)):
        return [plain(one) for one in config]
    return config if not isinstance(config, float) else round(config, 6)


def plain_name(name):
    return name.replace("_", "").lower()


@pytest.mark.parametrize(("name", "old", "today"), SHARED)
def test_renamed_arguments(name, old, today):
    """The layer made with the old name is the layer of Keras 2 with its name."""
    cls = getattr(layers, name)
    if name.startswith("Separable") and old == "init":  # one for both kernels, in Keras 1
        config = cls(**MINIMUM[name], init="one").get_config()
        for key in ("depthwise_initializer", "pointwise_initializer"):
            assert config[key]["class_name"] == "Ones"
        return
    known = spelling.known_keywords(cls)
    if today not in known:
        # The table is shared by a family; this member never had the argument.
        with pytest.raises((ValueError, TypeError)):
            cls(**{**MINIMUM.get(name, {}), old: value_of(today)})
        return
    value = value_of(today)
    given = {"tf": "channels_last"}.get(value, value)
    minimum = {key: one for key, one in MINIMUM.get(name, {}).items() if key != today}
    if name.startswith("LocallyConnected"):
        minimum["implementation"] = 2  # the one with all kinds of padding
    made = cls(**minimum, **{old: "tf" if old == "dim_ordering" else value})
    config = made.get_config()
    assert plain(config[today]) == plain(cls(**minimum, **{today: given}).get_config()[today])
    if name in NOT_IN_KERAS_2 or name == "InputLayer":
        return
    key = IN_KERAS_2.get(today, today)
    theirs = getattr(tf_keras.layers, name)
    parameters = inspect.signature(theirs.__init__).parameters
    if key not in parameters and "kwargs" not in parameters:
        return
    try:
        expected = theirs(**minimum, **{key: given}).get_config()
    except TypeError:  # not an argument of this member of the family in Keras 2
        return
    if key in expected:
        mine, its = plain(config[today]), plain(expected[key])
        if isinstance(mine, tuple):  # an object: the same kind with the same numbers
            assert mine[0] == its[0]
            same = {one: v for one, v in its[1].items() if one in mine[1]}
            assert same == mine[1]
        else:
            assert mine == its or np.all(np.isclose(mine, its))


@pytest.mark.parametrize("old", sorted(configs.RENAMED_CLASSES))
def test_renamed_classes(old):
    """A class with the new name is in Keras 2, or was made of one there."""
    today = configs.RENAMED_CLASSES[old]
    assert hasattr(tf_keras.layers, today) and hasattr(layers, today)


# In the order of Keras 1: arguments, and what Keras 2 calls them (its documented translation).
FAMILY = {"kernel_initializer": "ones", "activation": "relu"}
POSITIONAL = {
    "Dense": ((3, "one", "relu"), {"units": 3, **FAMILY}),
    "MaxoutDense": ((3, 2, "one"), {"units": 3, "nb_feature": 2, "kernel_initializer": "ones"}),
    "Highway": (
        ("one", -1, "relu"),
        {"kernel_initializer": "ones", "transform_bias": -1, "activation": "relu"},
    ),
    "Conv1D": (
        (3, 2, "one", "relu", None, "same", 2),
        {"filters": 3, "kernel_size": 2, **FAMILY, "padding": "same", "strides": 2},
    ),
    "LocallyConnected1D": (
        (3, 2, "one", "relu", None, "valid", 2),
        {"filters": 3, "kernel_size": 2, **FAMILY, "strides": 2},
    ),
    "Conv2D": (
        (3, 2, 1, "one", "relu", None, "same", (2, 1), "tf"),
        {"filters": 3, "kernel_size": (2, 1), **FAMILY, "padding": "same", "strides": (2, 1)},
    ),
    "LocallyConnected2D": (
        (3, 2, 1, "one", "relu", None, "valid", (2, 1)),
        {"filters": 3, "kernel_size": (2, 1), **FAMILY, "strides": (2, 1)},
    ),
    "SeparableConv2D": (
        (3, 2, 1, "one", "relu", None, "same", (2, 2), 2),
        {
            "filters": 3,
            "kernel_size": (2, 1),
            "depthwise_initializer": "ones",
            "pointwise_initializer": "ones",
            "activation": "relu",
            "padding": "same",
            "strides": (2, 2),
            "depth_multiplier": 2,
        },
    ),
    "Conv2DTranspose": (
        (3, 2, 1, (None, 8, 8, 3), "one", "relu", None, "same", (2, 1)),
        {"filters": 3, "kernel_size": (2, 1), **FAMILY, "padding": "same", "strides": (2, 1)},
    ),
    "Conv3D": (
        (3, 2, 1, 2, "one", "relu", None, "same", (2, 1, 1)),
        {"filters": 3, "kernel_size": (2, 1, 2), **FAMILY, "padding": "same", "strides": (2, 1, 1)},
    ),
    "ConvLSTM2D": (
        (3, 2, 1, "one", "zero", "zero", "relu", "sigmoid", "tf", "same"),
        {
            "filters": 3,
            "kernel_size": (2, 1),
            **FAMILY,
            "recurrent_initializer": "zeros",
            "unit_forget_bias": False,
            "recurrent_activation": "sigmoid",
            "padding": "same",
        },
    ),
    "SimpleRNN": (
        (3, "one", "zero", "relu", "l2"),
        {"units": 3, **FAMILY, "recurrent_initializer": "zeros", "kernel_regularizer": "l2"},
    ),
    "LSTM": (
        (3, "one", "zero", "zero", "relu", "sigmoid", None, None, None, 0.1, 0.2),
        {
            "units": 3,
            **FAMILY,
            "recurrent_initializer": "zeros",
            "unit_forget_bias": False,
            "recurrent_activation": "sigmoid",
            "dropout": 0.1,
            "recurrent_dropout": 0.2,
        },
    ),
    "GRU": (
        (3, "one", "zero", "relu", "sigmoid"),
        {
            "units": 3,
            **FAMILY,
            "recurrent_initializer": "zeros",
            "recurrent_activation": "sigmoid",
            "reset_after": False,
        },
    ),
    "Embedding": (
        (7, 3, "one", 5, "l2", None, "nonneg", True),
        {
            "input_dim": 7,
            "output_dim": 3,
            "embeddings_initializer": "ones",
            "embeddings_regularizer": "l2",
            "embeddings_constraint": "non_neg",
            "mask_zero": True,
        },
    ),
    "BatchNormalization": (
        (1e-5, 0, 1, 0.9, None, "one", "zero"),
        {
            "epsilon": 1e-5,
            "axis": 1,
            "momentum": 0.9,
            "beta_initializer": "ones",
            "gamma_initializer": "zeros",
        },
    ),
    "PReLU": (("one", None, [1]), {"alpha_initializer": "ones", "shared_axes": [1]}),
    "ZeroPadding2D": (((1, 2, 3, 4), "tf"), {"padding": ((1, 2), (3, 4))}),
    "ZeroPadding3D": (((1, 2, 3), "tf"), {"padding": (1, 2, 3)}),
    "Cropping2D": ((((1, 2), (3, 4)), "tf"), {"cropping": ((1, 2), (3, 4))}),
    "Cropping3D": ((((1, 2), (3, 4), (1, 1)), "tf"), {"cropping": ((1, 2), (3, 4), (1, 1))}),
    "UpSampling2D": (((2, 3), "th"), {"size": (2, 3), "data_format": "channels_first"}),
    "UpSampling3D": (((2, 3, 1), "tf"), {"size": (2, 3, 1)}),
    "SpatialDropout2D": ((0.3, "tf"), {"rate": 0.3}),
    "SpatialDropout3D": ((0.3, "tf"), {"rate": 0.3}),
    **{
        f"{kind}Pooling{rank}D": (
            ((2,) * rank, (1,) * rank, "same", "th"),
            {
                "pool_size": (2,) * rank,
                "strides": (1,) * rank,
                "padding": "same",
                "data_format": "channels_first",
            },
        )
        for kind in ("Max", "Average")
        for rank in (2, 3)
    },
    **{
        f"Global{kind}Pooling{rank}D": (("th",), {"data_format": "channels_first"})
        for kind in ("Max", "Average")
        for rank in (2, 3)
    },
}


def test_all_orders_are_here():
    assert set(POSITIONAL) == set(constructors.POSITIONAL)
    assert set(spelling.OLD_ORDERS) == set(constructors.POSITIONAL)


@pytest.mark.parametrize("name", sorted(POSITIONAL))
def test_positional_arguments(name):
    args, today = POSITIONAL[name]
    cls = getattr(layers, name)
    old = {"Conv2D": "Convolution2D", "Conv3D": "Convolution3D"}.get(name, name)
    made = getattr(layers, old)(*args)
    config, expected = made.get_config(), cls(**today).get_config()
    for each in (config, expected):
        each.pop("name")
    assert plain(config) == plain(expected)
    if name in NOT_IN_KERAS_2:
        return
    theirs = getattr(tf_keras.layers, name)(**today).get_config()
    for key in today:
        assert key in theirs, key
        if not isinstance(theirs[key], dict):
            mine, its = plain(config[key]), plain(theirs[key])
            assert mine == its or its == [mine] or np.all(np.isclose(mine, its))


# The values with which something that is gone made no difference.
@pytest.mark.parametrize(
    ("name", "key"), [(name, key) for name, table in configs._GONE_OF.items() for key in table]
)
def test_settings_without_effect(name, key):
    if key in (spelling.known_keywords(getattr(layers, name)) or ()):
        return  # it is an argument of today
    harmless = configs._GONE_OF[name][key]
    minimum = MINIMUM.get(name, {})
    if not harmless or key in ("input_dim", "output_shape", "filters"):
        return  # for files only
    cls = getattr(layers, name)
    for value in harmless:
        value = None if value is configs.any_value else value
        made = cls(**minimum, **{key: value}).get_config()
        expected = cls(**minimum).get_config()
        assert {**made, "name": ""} == {**expected, "name": ""}


X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
Y = (X.sum(1, keepdims=True) > 0).astype("float32")


def model(keras, **options):
    made = keras.Sequential(
        [keras.layers.Dense(1, activation="sigmoid", input_dim=4, kernel_initializer="ones")]
    )
    made.compile("sgd", "mse", **options)
    return made


def batches():
    while True:
        for start in (0, 4):
            yield X[start : start + 4], Y[start : start + 4]


# Old name of an argument -> a call that has it, and the call of Keras 2 that it stands for.
CALLS = {
    "nb_epoch": (
        lambda k: model(k).fit(X, Y, nb_epoch=2, shuffle=False, verbose=0).history["loss"],
        lambda k: model(k).fit(X, Y, epochs=2, shuffle=False, verbose=0).history["loss"],
    ),
    "nb_classes": (
        lambda k: k.utils.to_categorical([0, 2], nb_classes=4),
        lambda k: k.utils.to_categorical([0, 2], num_classes=4),
    ),
    "nb_val_samples": (
        lambda k: (
            model(k)
            .fit_generator(
                batches(), 8, nb_epoch=1, validation_data=batches(), nb_val_samples=8, verbose=0
            )
            .history["val_loss"]
        ),
        lambda k: (
            model(k)
            .fit_generator(
                batches(), 2, epochs=1, validation_data=batches(), validation_steps=2, verbose=0
            )
            .history["val_loss"]
        ),
    ),
    "samples_per_epoch": (
        lambda k: (
            model(k)
            .fit_generator(batches(), samples_per_epoch=8, nb_epoch=2, verbose=0)
            .history["loss"]
        ),
        lambda k: (
            model(k)
            .fit_generator(batches(), steps_per_epoch=2, epochs=2, verbose=0)
            .history["loss"]
        ),
    ),
    "val_samples": (
        lambda k: model(k).evaluate_generator(batches(), val_samples=8),
        lambda k: model(k).evaluate_generator(batches(), steps=2),
    ),
    "max_q_size": (
        lambda k: model(k).predict_generator(batches(), 2, max_q_size=3),
        lambda k: model(k).predict_generator(batches(), 2, max_queue_size=3),
    ),
    "nb_worker": (
        lambda k: model(k).predict_generator(batches(), 2, nb_worker=1),
        lambda k: model(k).predict_generator(batches(), 2, workers=1),
    ),
    "pickle_safe": (
        lambda k: model(k).predict_generator(batches(), 2, pickle_safe=False),
        lambda k: model(k).predict_generator(batches(), 2, use_multiprocessing=False),
    ),
    "l": (
        lambda k: float(k.regularizers.l2(l=0.1)(k.backend.ones((2, 2)))),
        lambda k: float(k.regularizers.l2(0.1)(k.backend.ones((2, 2)))),
    ),
    "m": (
        lambda k: np.asarray(k.constraints.maxnorm(m=1.0)(k.backend.constant(X))),
        lambda k: np.asarray(k.constraints.max_norm(1.0)(k.backend.constant(X))),
    ),
    "dtype": (
        lambda k: k.utils.to_categorical([1], 2, dtype="int32").dtype.itemsize,
        lambda k: k.utils.to_categorical([1], 2, dtype="int32").dtype.itemsize,
    ),
    "y": (
        lambda k: k.utils.to_categorical(y=[1], num_classes=2),
        lambda k: k.utils.to_categorical(y=[1], num_classes=2),
    ),
}
# Tested with what they belong to, in tests/utils and tests/datasets.
ELSEWHERE = {"nb_words", "dim_ordering", "text"}


def test_all_renamed_arguments_of_calls_are_here():
    table = {*calls.RENAMED, *(old for one in calls.RENAMED_OF.values() for old in one)}
    table |= {old for one in calls.FINISHED_BY.values() for old in one}
    assert table <= set(CALLS) | ELSEWHERE


@pytest.mark.parametrize("old", sorted(CALLS))
@pytest.mark.filterwarnings("ignore:`Model.")
def test_renamed_arguments_of_calls(old):
    mine, its = CALLS[old]
    # One step of float32 against another's sums.
    np.testing.assert_allclose(mine(minikeras), its(tf_keras), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", sorted(calls.METHODS))
@pytest.mark.filterwarnings("ignore:`Model.")
def test_methods_of_models(name):
    """They are in Keras 2 too, or were until its last versions."""
    one = model(minikeras)
    found = getattr(one, name)
    if name == "to_yaml":
        with pytest.raises(RuntimeError, match="to_json"):
            found()
    elif name == "reset_states":
        found()
    elif name.startswith("predict_") and name != "predict_generator":
        y = model(tf_keras).predict(X, verbose=0)
        expected = y > 0.5 if name == "predict_classes" else y
        np.testing.assert_allclose(found(X), expected, rtol=1e-5)
    else:
        theirs = getattr(model(tf_keras), name)
        options = {"steps_per_epoch" if name == "fit_generator" else "steps": 2, "verbose": 0}
        mine, its = found(batches(), **options), theirs(batches(), **options)
        if name == "fit_generator":
            mine, its = mine.history["loss"], its.history["loss"]
        np.testing.assert_allclose(mine, its, rtol=1e-4)


# Attributes


def graph(keras):
    """A model of each kind of layer that the old attributes are of."""
    image = keras.layers.Input((6, 6, 2), name="image")
    x = keras.layers.Conv2D(3, 2, strides=2, padding="same", name="c", kernel_regularizer="l2")(
        image
    )
    x = keras.layers.MaxPooling2D(2, name="pool")(x)
    x = keras.layers.Reshape((1, 3), name="reshape")(x)
    x = keras.layers.LSTM(4, name="r")(x)
    x = keras.layers.Dropout(0.5, name="drop")(x)
    x = keras.layers.GaussianNoise(0.5, name="noise")(x)
    return keras.Model(image, keras.layers.Dense(2, name="d", bias_regularizer="l2")(x))


@pytest.mark.parametrize("name", sorted(calls.RENAMED_ATTRIBUTES))
def test_renamed_attributes(name):
    """What the old name reads is what Keras 2 has under its own."""
    today = calls.RENAMED_ATTRIBUTES[name]
    if name in ("reset_states", "batch_input_shape"):
        layer = layers.LSTM(2, batch_input_shape=(2, 3, 4), stateful=True)
        layer.build((2, 3, 4))
        found = getattr(layer, name)
        assert found == (2, 3, 4) if name == "batch_input_shape" else found() is None
        return
    mine, its = graph(minikeras), graph(tf_keras)
    mine.set_weights(its.get_weights())
    met = 0
    for layer in mine.layers:
        theirs = its.get_layer(layer.name)
        for key in today:
            # The weights of a recurrent layer of Keras 2 are in its cell.
            holder = theirs if hasattr(theirs, key) else getattr(theirs, "cell", theirs)
            if not (hasattr(layer, name) and hasattr(holder, key)):
                continue
            found, expected = getattr(layer, name), getattr(holder, key)
            met += 1
            if hasattr(expected, "numpy"):
                np.testing.assert_array_equal(np.asarray(found), expected.numpy())
            elif callable(expected) or not isinstance(expected, (int, float, str, tuple)):
                assert type(found).__name__.lower() == type(expected).__name__.lower() or callable(
                    found
                )
            else:
                assert found == expected
    assert met or name in (
        "inbound_nodes",
        "outbound_nodes",
        "U_regularizer",
        "get_output_shape_for",
    )


@pytest.mark.parametrize("name", sorted(calls._PARTS))
def test_attributes_that_are_part_of_another(name):
    key, index = calls._PARTS[name]
    mine, its = graph(minikeras), graph(tf_keras)
    found = [
        (getattr(layer, name), getattr(its.get_layer(layer.name), key)[index])
        for layer in mine.layers
        if hasattr(layer, key) and isinstance(getattr(layer, key), tuple)
    ]
    assert found and all(one == other for one, other in found)


@pytest.mark.parametrize("name", sorted(calls._READ))
def test_attributes_of_calls(name):
    mine, its = graph(minikeras), graph(tf_keras)
    for layer in mine.layers[1:]:
        theirs = its.get_layer(layer.name)
        if name.startswith("get_") and name.endswith("_at"):
            found, expected = getattr(layer, name)(0), getattr(theirs, name)(0)
            if "shape" in name or "mask" in name:
                assert found == expected
            else:
                assert found.shape == tuple(expected.shape)
        elif name in ("input_shape", "output_shape", "input_mask", "output_mask", "updates"):
            assert getattr(layer, name) == getattr(theirs, name)
        elif name == "get_losses_for":
            assert len(layer.get_losses_for(None)) == len(theirs.losses)
        elif name == "dim_ordering":
            assert getattr(layer, name, "tf") == "tf"
        elif name == "uses_learning_phase":
            assert getattr(layer, name) == (layer.name in ("drop", "noise"))
        elif name == "regularizers":
            assert len(layer.regularizers) == len(theirs.losses)
        elif name == "get_updates_for":
            assert layer.get_updates_for(None) == []
        elif name == "add_metric":
            assert callable(layer.add_metric) and callable(theirs.add_metric)
        else:
            assert name == "add_update" and layer.add_update([]) is None


@pytest.mark.parametrize("name", sorted(calls.GONE_ATTRIBUTES))
def test_attributes_that_are_gone_say_what_to_use(name):
    with pytest.raises(AttributeError, match="is gone. Use "):
        getattr(layers.Dense(2), name)


@pytest.mark.parametrize("name", sorted(calls.MODEL_NAMES))
def test_attributes_of_models(name):
    one = graph(minikeras)
    if name in calls._MODELS:
        found = getattr(one, name)
        if name == "model":
            assert found is one
        elif name == "compiled_metrics":
            assert callable(found.update_state)
        elif name == "compiled_loss" or name.startswith("_make_"):
            assert callable(found) and callable(getattr(tf_keras.Model, name, found))
        else:
            assert isinstance(found, list)
    else:
        with pytest.raises(AttributeError, match="is gone. Use "):
            getattr(one, name)


def test_lists_of_attributes_are_those_of_the_tables():
    from minikeras.models import model as home

    assert calls.NAMES == spelling.OLD_ATTRIBUTES
    assert calls.MODEL_NAMES == home._OLD_ATTRIBUTES


# Names


@pytest.mark.parametrize(
    ("module", "name"), [(m, n) for m, table in names.NAMES.items() for n in table]
)
def test_old_names(module, name):
    """Where Keras 2 has the name too, a class or function of the same kind is behind it."""
    found = getattr(importlib.import_module(f"minikeras.{module}"), name)
    assert callable(found)
    try:
        theirs = getattr(importlib.import_module(f"tf_keras.{module}"), name)
    except (ImportError, AttributeError):
        return
    if inspect.isclass(theirs) and inspect.isclass(found):
        assert plain_name(found.__name__) in (
            plain_name(theirs.__name__),
            plain_name(names.NAMES[module][name].rpartition(":")[2]),
        )


@pytest.mark.parametrize("name", sorted(names.NAMES["metrics"]))
def test_metrics_of_keras_1(name):
    """By their definitions in Keras 1, written down with NumPy."""
    y, p = Y[:, 0], 1 / (1 + np.exp(-X[:, 0]))
    guess = p.round()
    tp, fp = (y * guess).sum(), ((1 - y) * guess).sum()
    fn, tn = (y * (1 - guess)).sum(), ((1 - y) * (1 - guess)).sum()
    precision, recall = tp / (tp + fp), tp / (tp + fn)
    f = 2 * precision * recall / (precision + recall)
    expected = {
        "precision": precision,
        "recall": recall,
        "fmeasure": f,
        "fbeta_score": f,
        "matthews_correlation": (tp * tn - fp * fn)
        / np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)),
    }
    function = getattr(minikeras.metrics, name)
    if hasattr(tf_keras.losses, name):  # a loss, by its short name
        theirs = getattr(tf_keras.losses, name)(Y, X[:, :1])
        np.testing.assert_allclose(function(Y, X[:, :1]), theirs, rtol=1e-5)
    elif name in expected:
        found = function(Y, p[:, None].astype("float32"))
        np.testing.assert_allclose(np.mean(found), expected[name], rtol=1e-5)
    else:  # the name in Keras 2 of the cosine; its sign is that of the loss
        theirs = tf_keras.losses.cosine_similarity(X, X[::-1].copy())
        np.testing.assert_allclose(function(X, X[::-1].copy()), theirs, rtol=1e-4, atol=1e-6)

"""Files that minikeras and real Keras write for each other."""

import json

import keras
import numpy as np
import pytest
import tensorflow
from hypothesis import given, settings
from hypothesis import strategies as st

import minikeras

pytestmark = pytest.mark.filterwarnings("ignore")
# float32 sums in another order; three optimizer steps on top of it.
PREDICT = {"rtol": 1e-5, "atol": 1e-5}
TRAINED = {"rtol": 1e-4, "atol": 1e-4}

ACTIVATIONS = st.sampled_from(["relu", "tanh", "linear", "gelu", "hard_sigmoid"])
UNITS = st.integers(1, 5)
OPTIMIZERS = st.sampled_from(
    [
        ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
        ("Adam", {"learning_rate": 0.01, "amsgrad": True}),
        ("RMSprop", {"centered": True, "momentum": 0.5}),
        ("AdamW", {"weight_decay": 0.01}),
        ("Nadam", {}),
        ("Adagrad", {"learning_rate": 0.1}),
        ("Lion", {"learning_rate": 0.01}),
    ]
)
LOSSES = st.sampled_from(["mse", "mae", "huber", "mean_squared_logarithmic_error"])


@pytest.fixture(autouse=True, scope="module")
def eager():
    # Compiling a graph for every example would take most of the time.
    tensorflow.config.run_functions_eagerly(True)
    yield
    tensorflow.config.run_functions_eagerly(False)


@st.composite
def stacks(draw):
    """(input shape, list of (layer name, arguments)) for a small Sequential model."""
    kind = draw(st.sampled_from(["dense", "convolution", "sequence", "tokens"]))
    body = []
    if kind == "dense":
        shape = (draw(st.integers(1, 6)),)
    elif kind == "convolution":
        shape = (6, 5, draw(st.integers(1, 3)))
        padding = draw(st.sampled_from(["same", "valid"]))
        body = [
            # No bias: before a normalization its gradient is rounding noise, which Adam scales up.
            (
                "Conv2D",
                {"filters": draw(UNITS), "kernel_size": 2, "padding": padding, "use_bias": False},
            ),
            ("BatchNormalization", {}),
            (draw(st.sampled_from(["MaxPooling2D", "AveragePooling2D"])), {"pool_size": 2}),
            ("Flatten", {}),
        ]
    else:
        shape = (5, 3)
        if kind == "tokens":
            shape = (5,)
            body = [("Embedding", {"input_dim": 7, "output_dim": 3, "mask_zero": True})]
        name = draw(st.sampled_from(["LSTM", "GRU", "SimpleRNN"]))
        body += [(name, {"units": draw(UNITS), "go_backwards": draw(st.booleans())})]
    for _ in range(draw(st.integers(0, 2))):
        body.append(("Dense", {"units": draw(UNITS), "activation": draw(ACTIVATIONS)}))
        if draw(st.booleans()):
            body.append((draw(st.sampled_from(["LayerNormalization", "LeakyReLU", "Dropout"])), {}))
            if body[-1][0] == "Dropout":
                # Random numbers differ; what counts is that its state is saved.
                body[-1] = ("Dropout", {"rate": 0.0})
    body.append(("Dense", {"units": draw(st.integers(1, 3)), "kernel_regularizer": "l2"}))
    return shape, body


def build(package, stack, optimizer, loss, metrics=("mae",)):
    shape, body = stack
    layers = [package.Input(shape)]
    layers += [getattr(package.layers, name)(**arguments) for name, arguments in body]
    model = package.Sequential(layers, name="model")
    name, arguments = optimizer
    if body[0][0] == "Embedding":
        # On TensorFlow, Keras's adaptive optimizers square each part of a repeated token's gradient
        # on its own (compat/DIFFERENCES.md).
        name, arguments = "SGD", {"learning_rate": 0.1, "momentum": 0.9}
    model.compile(getattr(package.optimizers, name)(**arguments), loss, metrics=list(metrics))
    return model


def data(stack, model):
    rng = np.random.default_rng(0)
    shape = stack[0]
    tokens = stack[1][0][0] == "Embedding"
    x = rng.integers(1, 7, (8, *shape)) if tokens else rng.normal(size=(8, *shape))
    return x.astype("float32"), rng.random((8, model.output_shape[-1])).astype("float32")


def train(model, x, y, steps):
    for _ in range(steps):
        model.train_on_batch(x, y)


@pytest.mark.parametrize("extension", ["keras", "h5", "weights.h5"])
@settings(max_examples=6, deadline=None, derandomize=True)
@given(stack=stacks(), optimizer=OPTIMIZERS, loss=LOSSES)
def test_keras_opens_what_minikeras_writes(tmp_path_factory, extension, stack, optimizer, loss):
    path = tmp_path_factory.mktemp("files") / f"m.{extension}"
    model = build(minikeras, stack, optimizer, loss)
    x, y = data(stack, model)
    train(model, x, y, 2)
    if extension == "weights.h5":
        model.save_weights(path)
        theirs = build(keras, stack, optimizer, loss)
        theirs.load_weights(path)
    else:
        model.save(path)
        theirs = keras.saving.load_model(path)
    np.testing.assert_allclose(theirs.predict(x, verbose=0), model.predict(x, verbose=0), **PREDICT)
    if extension == "keras":
        train(model, x, y, 3)
        train(theirs, x, y, 3)
        for a, b in zip(model.get_weights(), theirs.get_weights()):
            np.testing.assert_allclose(a, b, **TRAINED)


@pytest.mark.parametrize("extension", ["keras", "h5", "weights.h5"])
@settings(max_examples=6, deadline=None, derandomize=True)
@given(stack=stacks(), optimizer=OPTIMIZERS, loss=LOSSES)
def test_minikeras_opens_what_keras_writes(tmp_path_factory, extension, stack, optimizer, loss):
    path = tmp_path_factory.mktemp("files") / f"m.{extension}"
    theirs = build(keras, stack, optimizer, loss)
    x, y = data(stack, theirs)
    train(theirs, x, y, 2)
    if extension == "weights.h5":
        theirs.save_weights(path)
        model = build(minikeras, stack, optimizer, loss)
        model.load_weights(path)
    else:
        theirs.save(path)
        model = minikeras.saving.load_model(path)
    np.testing.assert_allclose(model.predict(x, verbose=0), theirs.predict(x, verbose=0), **PREDICT)
    if extension != "weights.h5":
        # After `save("x.h5")` Keras itself goes on with the optimizer it has.
        train(model, x, y, 3)
        train(theirs, x, y, 3)
        for a, b in zip(model.get_weights(), theirs.get_weights()):
            np.testing.assert_allclose(a, b, **TRAINED)


def strip(config):
    """A config without what differs from process to process."""
    if isinstance(config, dict):
        return {k: strip(v) for k, v in config.items() if k != "shared_object_id"}
    if isinstance(config, (list, tuple)):
        return [strip(one) for one in config]
    return config


@settings(max_examples=15, deadline=None)
@given(stack=stacks(), optimizer=OPTIMIZERS, loss=LOSSES)
def test_configs_are_those_of_keras(stack, optimizer, loss):
    ours, theirs = (build(package, stack, optimizer, loss) for package in (minikeras, keras))
    renamed = []
    for model in (ours, theirs):
        config = strip(json.loads(model.to_json()))
        for index, layer in enumerate(config["config"]["layers"]):
            # Automatic names count up from test to test, apart in each package.
            layer["config"]["name"] = f"layer_{index}"
        optimizer_config = config.get("compile_config", {}).get("optimizer", {})
        optimizer_config.get("config", {}).pop("name", None)
        renamed.append(config)
    assert renamed[0] == renamed[1]


@settings(max_examples=10, deadline=None)
@given(stack=stacks(), optimizer=OPTIMIZERS, loss=LOSSES)
def test_configs_are_stable(tmp_path_factory, stack, optimizer, loss):
    path = tmp_path_factory.mktemp("files") / "m.keras"
    model = build(minikeras, stack, optimizer, loss)
    first = model.to_json()
    model.save(path)
    assert minikeras.saving.load_model(path).to_json() == first


@pytest.mark.parametrize("extension", [".keras", ".h5"])
@pytest.mark.parametrize("kind", ["implicit", "given", "bidirectional"])
def test_masks_beside_states_count_as_in_the_keras_that_wrote_them(kind, extension, tmp_path):
    layers = keras.layers
    tokens, state = keras.Input((4,), dtype="int32"), keras.Input((2,))
    mask = keras.Input((4,), dtype="bool")
    embedded = layers.Embedding(5, 3, mask_zero=kind != "given")(tokens)
    rnn, inputs = layers.SimpleRNN(2), [tokens, state]
    if kind == "given":
        outputs, inputs = rnn(embedded, initial_state=state, mask=mask), [*inputs, mask]
    elif kind == "bidirectional":
        outputs = layers.Bidirectional(rnn)(embedded, initial_state=[state, state])
    else:
        outputs = rnn(embedded, initial_state=state)
    theirs = keras.Model(inputs, outputs)
    x = [np.array([[1, 2, 0, 0]]), np.ones((1, 2), "float32"), np.array([[1, 1, 0, 0]], bool)]
    x = x[: len(inputs)]
    path = tmp_path / f"m{extension}"
    theirs.save(path)
    ours = minikeras.saving.load_model(path)
    np.testing.assert_allclose(ours.predict(x, verbose=0), theirs.predict(x, verbose=0), **PREDICT)

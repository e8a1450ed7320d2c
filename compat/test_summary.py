"""The text of `summary()`: what Keras prints, character by character."""

import keras
import numpy as np
import pytest

import minikeras


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch):
    """rich, which draws Keras's table, cuts what is wider than the terminal."""
    monkeypatch.setenv("COLUMNS", "240")
    keras.utils.clear_session()
    minikeras.utils.clear_session()


def stack(k):
    return k.Sequential(
        [k.Input((8,)), k.layers.Dense(16, activation="relu"), k.layers.Dense(1)], name="stack"
    )


def normalized(k):
    return k.Sequential(
        [k.Input((8,)), k.layers.Dense(300), k.layers.BatchNormalization(), k.layers.Dropout(0.5)]
    )


def long_names(k):
    return k.Sequential(
        [
            k.Input((8,)),
            k.layers.Dense(3, name="a_layer_whose_name_is_too_long_for_its_column_of_the_table"),
            k.layers.Dense(123456, name="wide"),
        ]
    )


def unbuilt(k):
    return k.Sequential([k.layers.Dense(4), k.layers.Dense(1)])


def branches(k):
    a, b = k.Input((3,), name="a"), k.Input((5,), name="b")
    left, right = k.layers.Dense(4)(a), k.layers.Dense(4)(b)
    merged = k.layers.Concatenate()([left, right, a])
    return k.Model([a, b], [k.layers.Dense(1)(merged), k.layers.Add()([left, right])])


def shared(k):
    a, b = k.Input((3,), name="a"), k.Input((3,), name="b")
    tower = k.layers.Dense(4, name="tower")
    return k.Model([a, b], k.layers.Subtract()([tower(a), tower(b)]))


def twice(k):
    x = k.Input((4,))
    layer = k.layers.Dense(4)
    return k.Model(x, layer(layer(x)))


def chain(k):
    x = k.Input((4,), name="x")
    return k.Model(x, k.layers.Dense(2)(k.layers.ReLU()(k.layers.Dense(3)(x))))


def nested(k):
    x = k.Input((8,), name="x")
    inner = stack(k)
    y = k.layers.Dense(1)(inner(x))
    return k.Model(x, y, name="outer")


def nested_twice(k):
    inner = k.Sequential([k.Input((8,)), stack(k), k.layers.Dense(2)], name="inner")
    return k.Sequential([k.Input((8,)), inner, k.layers.Dense(1)])


def nested_branches(k):
    inner = branches(k)
    a, b = k.Input((3,), name="c"), k.Input((5,), name="d")
    one, other = inner([a, b])
    return k.Model([a, b], k.layers.Concatenate()([one, other]), name="outer")


def operators(k):
    x = k.Input((4,), name="x")
    return k.Model(x, k.ops.relu(k.layers.Dense(4)(x) * 2.0 + x))


def several_shapes(k):
    x = k.Input((4, 3), name="x")
    return k.Model(x, k.layers.Flatten()(k.layers.Reshape((3, 4))(x)))


def states(k):
    x = k.Input((4, 3), name="x")
    y, h, c = k.layers.LSTM(5, return_sequences=True, return_state=True)(x)
    return k.Model(x, [y, h, c])


def convolution(k):
    return k.Sequential(
        [
            k.Input((28, 28, 1)),
            k.layers.Conv2D(32, 3, activation="relu"),
            k.layers.MaxPooling2D(),
            k.layers.Flatten(),
            k.layers.Dense(10),
        ]
    )


def text(k):
    return k.Sequential(
        [
            k.Input((None,), dtype="int32"),
            k.layers.Embedding(1000, 16, mask_zero=True),
            k.layers.Bidirectional(k.layers.GRU(8)),
            k.layers.Dense(1, activation="sigmoid"),
        ]
    )


def partly_frozen(k):
    model = stack(k)
    model.layers[0].trainable = False
    return model


def subclassed(k):
    class Subclassed(k.Model):
        def __init__(self):
            super().__init__(name="mine")
            self.one = k.layers.Dense(4)
            self.two = k.layers.Dense(1)

        def call(self, x):
            return self.two(self.one(x))

    model = Subclassed()
    model(np.ones((2, 3), "float32"))
    return model


MODELS = [
    stack,
    normalized,
    long_names,
    unbuilt,
    branches,
    shared,
    twice,
    chain,
    nested,
    nested_twice,
    nested_branches,
    operators,
    several_shapes,
    states,
    convolution,
    text,
    partly_frozen,
    subclassed,
]


def summary_of(model, **options):
    parts = []
    model.summary(print_fn=lambda text, **_: parts.append(text), **options)
    return "\n".join(parts)


def compare(make, prepare=lambda k, model: None, **options):
    ours, theirs = (make(k) for k in (minikeras, keras))
    for k, model in ((minikeras, ours), (keras, theirs)):
        prepare(k, model)
    assert summary_of(ours, **options) == summary_of(theirs, **options)


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"line_length": 60},
        {"line_length": 117},
        {"line_length": 200},
        {"expand_nested": True},
        {"show_trainable": True},
        {"show_trainable": True, "expand_nested": True, "line_length": 75},
    ],
    ids=str,
)
def test_text(make, options):
    compare(make, **options)


@pytest.mark.parametrize("make", [stack, normalized, partly_frozen, convolution])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
def test_compiled(make, optimizer):
    compare(make, lambda k, model: model.compile(optimizer, "mse"))


@pytest.mark.parametrize("make", [stack, normalized, partly_frozen])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adadelta"])
def test_fitted(make, optimizer):
    def fit(k, model):
        model.compile(optimizer, "mse")
        model.fit(np.ones((4, 8)), np.ones((4, model.output_shape[-1])), verbose=0)

    compare(make, fit)


@pytest.mark.parametrize("names", [["dense", "dense"], ["dense", "dense_1"], ["dense_1", "den.*"]])
def test_layer_range(names):
    compare(stack, layer_range=names)


@pytest.mark.parametrize("positions", [[0.2, 0.5, 1.0], [0.6, 0.7, 1.0]])
def test_positions(positions):
    compare(stack, positions=positions)


@pytest.mark.parametrize("length", [5, 10, 12, 16, 20, 30])
def test_short_lines(length):
    results = []
    for k in (minikeras, keras):
        try:
            results.append(summary_of(stack(k), line_length=length))
        except ValueError:
            results.append(ValueError)
    assert results[0] == results[1]

"""Whole trainings from equal weights: history, weights and predictions against Keras.

Everything runs with shuffling off, so that both see the same batches. Keras runs eagerly: tracing
a graph for each of many small models would take most of the time.
"""

import contextlib

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import minikeras

QUICK = settings(
    max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
# Twenty updates carry the rounding of float32 sums along, some (division by the root of a tiny
# second moment) enlarge it: one step agrees to 1e-5, a training to about 1e-4.
TRAINING = {"rtol": 1e-4, "atol": 2e-5}

ACTIVATIONS = [None, "relu", "tanh", "sigmoid", "elu", "selu", "softplus", "gelu", "swish"]
OPTIMIZERS = [
    ("SGD", {"learning_rate": 0.05}),
    ("SGD", {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True}),
    ("RMSprop", {"learning_rate": 0.005}),
    ("Adam", {"learning_rate": 0.01}),
    ("Adam", {"learning_rate": 0.01, "amsgrad": True, "clipnorm": 0.5}),
    ("AdamW", {"learning_rate": 0.01, "weight_decay": 0.01}),
    ("Adagrad", {"learning_rate": 0.05}),
    ("Nadam", {"learning_rate": 0.01, "global_clipnorm": 1.0}),
]


def spread_weights(models, seed):
    theirs, ours = models
    rng = np.random.default_rng(seed)
    values = [
        rng.normal(scale=0.4, size=weight.shape).astype(str(weight.dtype))
        for weight in theirs.weights
    ]
    theirs.set_weights(values)
    ours.set_weights(values)


def same_history(theirs, ours, **tolerance):
    assert list(ours.history) == list(theirs.history)
    for name, values in theirs.history.items():
        np.testing.assert_allclose(
            ours.history[name], values, err_msg=name, **(tolerance or TRAINING)
        )


def same_state(models, x, **tolerance):
    theirs, ours = models
    for a, b in zip(ours.get_weights(), theirs.get_weights()):
        np.testing.assert_allclose(a, b, **(tolerance or TRAINING))
    expected, found = theirs.predict(x, verbose=0), ours.predict(x, verbose=0)
    for a, b in zip(keras.tree.flatten(found), keras.tree.flatten(expected)):
        np.testing.assert_allclose(a, b, **(tolerance or TRAINING))


def train(make, x, y, compile_options, fit_options, seed=0, **tolerance):
    """Build, compile and fit on both sides; compare what came of it."""
    models = []
    for package in (keras, minikeras):
        model = make(package)
        options = {
            key: value(package) if callable(value) else value
            for key, value in compile_options.items()
        }
        model.compile(**options, **({"run_eagerly": True} if package is keras else {}))
        models.append(model)
    spread_weights(models, seed)
    histories = [model.fit(x, y, shuffle=False, verbose=0, **fit_options) for model in models]
    same_history(*histories, **tolerance)
    same_state(models, x, **tolerance)
    results = [model.evaluate(x, y, verbose=0, return_dict=True) for model in models]
    assert list(results[1]) == list(results[0])
    for name in results[0]:
        np.testing.assert_allclose(
            results[1][name], results[0][name], err_msg=name, **(tolerance or TRAINING)
        )
    return models


@st.composite
def problems(draw):
    """A stack of dense layers, data that fit it, a loss, an optimizer and arguments of `fit`."""
    rows, columns = draw(st.integers(5, 24)), draw(st.integers(1, 6))
    seed = draw(st.integers(0, 1000))
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns)).astype("float32")
    hidden = draw(st.lists(st.tuples(st.integers(1, 8), st.sampled_from(ACTIVATIONS)), max_size=3))
    task = draw(
        st.sampled_from(
            ["mse", "mae", "huber", "log_cosh", "binary", "categorical", "sparse", "hinge"]
        )
    )
    units = draw(st.integers(1, 4))
    last, loss, metrics = None, task, ["mae"]
    y = rng.normal(size=(rows, units)).astype("float32")
    if task == "binary":
        last, loss, metrics = "sigmoid", "binary_crossentropy", ["accuracy"]
        y = rng.integers(0, 2, size=(rows, units)).astype("float32")
    elif task == "hinge":
        last, metrics = "tanh", ["accuracy"]
        y = rng.integers(0, 2, size=(rows, units)).astype("float32") * 2 - 1
    elif task in ("categorical", "sparse"):
        units = max(units, 2)
        last, loss, metrics = "softmax", f"{task}_crossentropy", ["accuracy"]
        if task == "sparse":
            loss = "sparse_categorical_crossentropy"
            y = rng.integers(0, units, size=(rows,))
        else:
            y = np.eye(units, dtype="float32")[rng.integers(0, units, size=rows)]
    optimizer, options = draw(st.sampled_from(OPTIMIZERS))
    fit = {"epochs": draw(st.integers(1, 3)), "batch_size": draw(st.integers(2, 10))}
    if draw(st.booleans()):
        fit["validation_split"] = 0.25
    if draw(st.booleans()):
        fit["sample_weight"] = rng.uniform(0.1, 2.0, size=rows).astype("float32")
    if task == "sparse" and "sample_weight" not in fit and draw(st.booleans()):
        fit["class_weight"] = {k: 0.5 + k for k in range(units)}
    regularizer = draw(st.sampled_from([None, "l2", "l1"]))

    def make(package):
        layers = [package.Input((columns,))]
        for size, activation in hidden:
            layers.append(
                package.layers.Dense(size, activation=activation, kernel_regularizer=regularizer)
            )
        layers.append(package.layers.Dense(units, activation=last))
        return package.Sequential(layers)

    compile_options = {
        "optimizer": lambda package: getattr(package.optimizers, optimizer)(**options),
        "loss": loss,
        "metrics": metrics,
        "weighted_metrics": metrics if "sample_weight" in fit else None,
    }
    return make, x, y, compile_options, fit, seed


@QUICK
@given(problems())
def test_dense_stacks_train_alike(problem):
    train(*problem)


@contextlib.contextmanager
def floatx(name):
    before = keras.config.floatx()
    for package in (keras, minikeras):
        package.config.set_floatx(name)
        package.config.set_dtype_policy(name)
    try:
        yield
    finally:
        for package in (keras, minikeras):
            package.config.set_floatx(before)
            package.config.set_dtype_policy(before)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
def test_in_float64_they_agree_to_the_last_digits(optimizer):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 4)), rng.integers(0, 3, size=20)

    def make(package):
        return package.Sequential(
            [
                package.Input((4,)),
                package.layers.Dense(8, activation="tanh"),
                package.layers.Dense(3, activation="softmax"),
            ]
        )

    with floatx("float64"):
        train(
            make,
            x,
            y,
            {"optimizer": optimizer, "loss": "sparse_categorical_crossentropy"},
            {"epochs": 5, "batch_size": 5},
            rtol=1e-10,
            atol=1e-10,
        )


def two_headed(package):
    a = package.Input((3,), name="a")
    b = package.Input((2,), name="b")
    shared = package.layers.Dense(4, activation="tanh", name="shared")
    narrow = package.layers.Dense(3, name="narrow")(b)
    merged = package.layers.Concatenate()([shared(a), shared(narrow)])
    p = package.layers.Dense(1, name="p")(merged)
    q = package.layers.Dense(3, activation="softmax", name="q")(merged)
    return package.Model([a, b], [p, q])


RNG = np.random.default_rng(3)
PAIR = [RNG.normal(size=(12, 3)).astype("float32"), RNG.normal(size=(12, 2)).astype("float32")]
TARGETS = [RNG.normal(size=(12, 1)).astype("float32"), RNG.integers(0, 3, size=(12,))]
SPARSE = "sparse_categorical_crossentropy"


@pytest.mark.parametrize(
    "options",
    [
        {"loss": ["mse", SPARSE]},
        {"loss": {"p": "mse", "q": SPARSE}, "loss_weights": {"p": 0.2, "q": 1.5}},
        {"loss": ["mse", SPARSE], "loss_weights": [0.3, 0.7], "metrics": [["mae"], ["accuracy"]]},
        {"loss": ["mae", SPARSE], "metrics": {"q": ["accuracy", SPARSE]}},
        {"loss": {"p": "huber", "q": SPARSE}, "weighted_metrics": {"p": ["mse"]}},
    ],
)
@pytest.mark.parametrize("by_name", [False, True])
def test_several_inputs_and_outputs(options, by_name):
    x = dict(zip("ab", PAIR)) if by_name else PAIR
    train(
        two_headed,
        x,
        TARGETS,
        {"optimizer": lambda package: package.optimizers.Adam(0.01), **options},
        {"epochs": 3, "batch_size": 4},
    )


def nested_heads(package):
    x = package.Input((3,))
    a, b, c = (package.layers.Dense(1, name=name)(x) for name in "abc")
    return package.Model(x, {"pair": (a, b), "one": c})


@pytest.mark.parametrize("weights", [None, {"pair": [0.5, (2.0, 0.1)], "one": 3.0}])
def test_losses_of_parts_of_nested_outputs(weights):
    y = RNG.normal(size=(3, 12, 1)).astype("float32")

    def options(package):
        def apart(y_true, y_pred):
            ops = package.ops
            difference = y_pred[0] - y_pred[1] - ops.cast(y_true[0] - y_true[1], "float32")
            return ops.mean(ops.square(difference), axis=-1)

        loss = {"pair": [apart, (None, "mae")], "one": "mse"}
        return {"optimizer": package.optimizers.Adam(0.01), "loss": loss, "loss_weights": weights}

    models = nested_heads(keras), nested_heads(minikeras)
    spread_weights(models, 4)
    history = []
    for model, package in zip(models, (keras, minikeras)):
        model.compile(**options(package))
        targets = {"pair": (y[0], y[1]), "one": y[2]}
        fit = model.fit(PAIR[0], targets, epochs=3, batch_size=4, verbose=0, shuffle=False)
        history.append(fit)
    assert sorted(history[1].history) == sorted(history[0].history)
    for name, values in history[0].history.items():
        np.testing.assert_allclose(history[1].history[name], values, err_msg=name, **TRAINING)
    for theirs, ours in zip(*(model.get_weights() for model in models)):
        np.testing.assert_allclose(ours, theirs, **TRAINING)


def test_a_frozen_base_stays_and_the_head_learns():
    def make(package):
        base = package.Sequential(
            [package.Input((3,)), package.layers.Dense(4, activation="relu")], name="base"
        )
        base.trainable = False
        inputs = package.Input((3,))
        return package.Model(inputs, package.layers.Dense(1)(base(inputs)))

    theirs, ours = train(
        make, PAIR[0], TARGETS[0], {"optimizer": "adam", "loss": "mse"}, {"epochs": 2}
    )
    assert len(ours.trainable_weights) == len(theirs.trainable_weights) == 2


def test_penalties_and_constraints():
    def make(package):
        return package.Sequential(
            [
                package.Input((3,)),
                package.layers.Dense(
                    5,
                    activation="relu",
                    kernel_regularizer=package.regularizers.L1L2(0.01, 0.02),
                    bias_regularizer="l2",
                    activity_regularizer="l1",
                    kernel_constraint=package.constraints.MaxNorm(0.5),
                ),
                package.layers.Dense(1, kernel_constraint="non_neg"),
            ]
        )

    train(
        make,
        PAIR[0],
        TARGETS[0],
        {"optimizer": lambda package: package.optimizers.SGD(0.1), "loss": "mse"},
        {"epochs": 4, "batch_size": 4},
    )


@pytest.mark.parametrize("loss", ["mse", "binary_crossentropy"])
def test_single_steps_return_what_keras_returns(loss):
    models = []
    for package in (keras, minikeras):
        model = package.Sequential(
            [package.Input((3,)), package.layers.Dense(1, activation="sigmoid")]
        )
        model.compile("sgd", loss, metrics=["accuracy"])
        models.append(model)
    spread_weights(models, 0)
    x, y = PAIR[0], (TARGETS[0] > 0).astype("float32")
    for _ in range(3):
        steps = [model.train_on_batch(x, y) for model in models]
        np.testing.assert_allclose(steps[1], steps[0], rtol=1e-5)
    tests = [model.test_on_batch(x, y, return_dict=True) for model in models]
    assert list(tests[0]) == list(tests[1])
    np.testing.assert_allclose(list(tests[1].values()), list(tests[0].values()), rtol=1e-5)
    np.testing.assert_allclose(
        models[1].predict_on_batch(x), models[0].predict_on_batch(x), rtol=1e-5
    )


RNG = np.random.default_rng(5)
# Layers, the data that the model is built with, and data of other sizes.
UNBUILT = {
    "images": (
        [("Conv2D", 3, 3), ("MaxPooling2D", 2), ("GlobalAveragePooling2D",), ("Dense", 2)],
        RNG.integers(0, 9, (2, 12, 12, 2)).astype("uint8"),
        RNG.integers(0, 9, (3, 9, 14, 2)).astype("uint8"),
    ),
    "sequences": (
        [("Embedding", 9, 4), ("LSTM", 3), ("Dense", 2)],
        RNG.integers(0, 9, (2, 8)),
        RNG.integers(0, 9, (3, 5)),
    ),
    "steps": (
        [("SimpleRNN", 3), ("Softmax",)],
        RNG.integers(0, 3, (2, 8, 2)),
        RNG.integers(0, 3, (3, 5, 2)),
    ),
}


@pytest.mark.parametrize("name", sorted(UNBUILT))
def test_sequential_models_take_whole_numbers_and_other_sizes(name):
    stack, first, other = UNBUILT[name]
    models = []
    for module in (keras, minikeras):
        layers = [getattr(module.layers, kind)(*arguments) for kind, *arguments in stack]
        model = module.Sequential(layers)
        model(first)
        model.compile("sgd", "mse", run_eagerly=True)
        models.append(model)
    theirs, ours = models
    assert [str(one.dtype) for one in ours.inputs] == [str(one.dtype) for one in theirs.inputs]
    spread_weights(models, 3)
    for x in (first, other, first):
        same_state(models, x)
        y = np.ones((len(x), theirs.output_shape[-1]), "float32")
        histories = [model.fit(x, y, shuffle=False, verbose=0) for model in models]
        same_history(*histories)
    same_state(models, other)

"""The step bound to one batch shape gives what the general step gives, and notices changes."""

import numpy as np
import pytest

import minikeras as keras
from minikeras.training import step as steps

L = keras.layers


@pytest.fixture
def general(monkeypatch):
    """A function that trains a model with and without binding."""

    def both(build, x, y, epochs=3, **options):
        results = []
        for bind in (True, False):
            with monkeypatch.context() as patch:
                if not bind:
                    patch.setattr(steps, "bind_step", lambda *_: None)
                keras.utils.set_random_seed(3)
                model = build()
                history = model.fit(x, y, epochs=epochs, verbose=0, **options).history
                results.append((model, history))
        (bound, first), (free, second) = results
        assert bound._stepper.bound is not None and free._stepper.bound is None
        for name, values in first.items():
            np.testing.assert_allclose(values, second[name], rtol=1e-6, err_msg=name)
        for one, other in zip(bound.get_weights(), free.get_weights()):
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)
        return bound

    return both


def data(kind, rows=150):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 6)).astype("float32")
    labels = rng.integers(0, 3, rows)
    return x, {
        "binary": (labels[:, None] > 0).astype("float32"),
        "labels": labels,
        "one-hot": np.eye(3, dtype="float32")[labels],
        "number": x[:, :1] * 2,
    }[kind]


def model_of(*layers, loss, optimizer="adam", metrics=None):
    def build():
        model = keras.Sequential([keras.Input((6,)), *(layer() for layer in layers)])
        model.compile(optimizer, loss, metrics=metrics)
        return model

    return build


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "elu", "softsign", None])
@pytest.mark.parametrize("width", [4, 300])
def test_activations(general, activation, width):
    general(
        model_of(
            lambda: L.Dense(width, activation),
            lambda: L.Dense(5, activation, use_bias=False),
            lambda: L.Dense(1),
            loss="mse",
        ),
        *data("number"),
        batch_size=20,
    )


@pytest.mark.parametrize(
    ("kind", "units", "end", "loss"),
    [
        ("binary", 1, "sigmoid", "binary_crossentropy"),
        ("labels", 3, "softmax", "sparse_categorical_crossentropy"),
        ("one-hot", 3, "softmax", "categorical_crossentropy"),
        ("one-hot", 3, "sigmoid", "binary_crossentropy"),
        ("one-hot", 3, "softmax", keras.losses.CategoricalCrossentropy(label_smoothing=0.1)),
        ("one-hot", 3, "softmax", keras.losses.CategoricalCrossentropy(reduction="sum")),
        ("number", 1, None, "mae"),
        ("number", 1, None, keras.losses.MeanSquaredError(reduction="sum")),
        ("binary", 1, "sigmoid", "mse"),
    ],
)
@pytest.mark.parametrize("separate", [False, True])
def test_losses(general, kind, units, end, loss, separate):
    ends = (
        [lambda: L.Dense(units), lambda: L.Activation(end)]
        if separate
        else [lambda: L.Dense(units, end)]
    )
    metrics = None if kind == "number" else ["accuracy"]
    general(
        model_of(lambda: L.Dense(7, "relu"), *ends, loss=loss, metrics=metrics),
        *data(kind),
        batch_size=16,
    )


def test_layers_that_do_not_bind_take_part(general):
    general(
        model_of(
            lambda: L.Reshape((3, 2)),
            lambda: L.Flatten(),
            lambda: L.Dense(7, "relu"),
            lambda: L.BatchNormalization(),
            lambda: L.Dropout(0.3),
            lambda: L.Dense(5, trainable=False),
            lambda: L.Dense(3, "softmax"),
            loss="categorical_crossentropy",
            optimizer="rmsprop",
        ),
        *data("one-hot"),
        batch_size=16,
    )


@pytest.mark.parametrize(
    "options",
    [
        {"clipnorm": 0.1},
        {"global_clipnorm": 0.1},
        {"use_ema": True},
        {"gradient_accumulation_steps": 3},
        {"weight_decay": 0.1},
    ],
)
def test_optimizer_options(general, options):
    general(
        lambda: model_of(
            lambda: L.Dense(4, "relu", kernel_constraint="max_norm"),
            lambda: L.Dense(1),
            loss="mse",
            optimizer=keras.optimizers.Adam(0.05, **options),
        )(),
        *data("number"),
        batch_size=10,
    )


class At(keras.callbacks.Callback):
    def __init__(self, batch, act):
        super().__init__()
        self.batch, self.act = batch, act

    def on_train_batch_end(self, batch, logs=None):
        if batch == self.batch:
            self.act(self.model)


def freeze(model):
    model.layers[0].trainable = False


def new_rate(model):
    model.optimizer.learning_rate = 0.5


def new_clipping(model):
    model.optimizer.clipvalue = 1e-3


def new_weights(model):
    model.set_weights([weight * 0.5 for weight in model.get_weights()])


@pytest.mark.parametrize("act", [freeze, new_rate, new_clipping, new_weights])
def test_changes_on_the_way_count(general, act):
    x, y = data("number")
    before = []

    def change(model):
        act(model)
        before.append(model.layers[0].get_weights()[0].copy())

    bound = general(
        model_of(lambda: L.Dense(4, "tanh"), lambda: L.Dense(1), loss="mse"),
        x,
        y,
        epochs=1,
        batch_size=10,
        callbacks=[At(5, change)],
    )
    assert (act is freeze) == np.array_equal(before[0], bound.layers[0].get_weights()[0])


def test_another_batch_size_and_another_compile():
    x, y = data("number")
    model = model_of(lambda: L.Dense(4, "tanh"), lambda: L.Dense(1), loss="mse")()
    model.fit(x, y, batch_size=10, verbose=0)
    first = model._stepper.bound
    assert first.x_shape == (10, 6)
    model.fit(x, y, batch_size=25, verbose=0)
    assert model._stepper.bound.x_shape == (25, 6)
    model.compile("sgd", "mae")
    model.fit(x, y, batch_size=25, verbose=0)
    assert model._stepper.bound is not first
    before = model.get_weights()
    model.fit(x, y, sample_weight=np.zeros(len(x)), batch_size=25, verbose=0)
    for one, other in zip(before, model.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_labels_out_of_range_are_found_in_a_bound_step():
    x, y = data("labels")
    y = y.copy()
    y[-5] = 3
    model = model_of(
        lambda: L.Dense(3, "softmax"), loss="sparse_categorical_crossentropy", optimizer="sgd"
    )()
    with pytest.raises(ValueError, match="label"):
        model.fit(x, y, batch_size=10, shuffle=False, verbose=0)


def test_a_metric_may_keep_what_it_saw():
    x, y = data("number")
    seen = []

    def keep(y_true, y_pred):
        seen.append(y_pred.numpy())
        return y_pred[:, 0]

    model = model_of(lambda: L.Dense(1), loss="mse", metrics=[keep])()
    model.fit(x, y, batch_size=10, shuffle=False, epochs=1, verbose=0)
    assert len({one.tobytes() for one in seen}) == len(seen)
    assert not any(np.shares_memory(seen[-1], one) for one in seen[:-1])


def test_a_layer_that_occurs_twice_trains_by_the_general_step():
    shared = L.Dense(6, "tanh")
    inputs = keras.Input((6,))
    model = keras.Model(inputs, L.Dense(1)(shared(shared(inputs))))
    model.compile("sgd", "mse")
    model.fit(*data("number"), batch_size=10, verbose=0)
    assert model._stepper.bound is None


def test_a_trained_model_can_be_copied_and_pickled():
    import copy
    import pickle

    x, y = data("number")
    model = model_of(lambda: L.Dense(4, "tanh"), lambda: L.Dense(1), loss="mse")()
    model.fit(x, y, batch_size=10, verbose=0)
    expected = model.predict(x, verbose=0)
    assert model._stepper.bound is not None
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.predict(x, verbose=0), expected)
        other.fit(x, y, batch_size=10, verbose=0)
    np.testing.assert_array_equal(model.predict(x, verbose=0), expected)

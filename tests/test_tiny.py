"""A smoke test of seconds, to run before each commit."""

import numpy as np

import minikeras as keras


def test_worked_example_comes_out_to_the_digit():
    model = keras.Sequential([keras.layers.Dense(1, use_bias=False, input_shape=(1,))])
    model.set_weights([np.array([[2.0]])])
    model.compile(optimizer=keras.optimizers.SGD(0.01), loss="mse")
    loss = model.train_on_batch(np.array([[3.0]]), np.array([[10.0]]))
    assert loss == 16.0
    # The slope is 2 * 3 * (3 * 2 - 10) = -24, so the weight becomes 2 + 0.01 * 24.
    kernel = model.layers[0].kernel
    assert model.optimizer.sink.get(kernel).item() == -24.0
    assert kernel.numpy().item() == np.float32(2.24)


def test_a_classifier_learns_saves_and_loads(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 4)).astype("float32")
    y = (x[:, 0] > x[:, 1]).astype("int64")
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, epochs=30, verbose=0, validation_split=0.2)
    assert history.history["val_accuracy"][-1] > 0.9
    path = tmp_path / "model.hf"
    model.save(path)
    again = keras.models.load_model(path)
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert again.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)


def test_functional_models_share_layers():
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    shared = keras.layers.Dense(4)
    outputs = keras.layers.Dense(1)(shared(a) - shared(b))
    model = keras.Model([a, b], outputs)
    model.compile("sgd", "mse")
    x = np.ones((8, 3), "float32")
    before = model.predict({"a": x, "b": x})
    np.testing.assert_allclose(before, 0.0, atol=1e-6)
    model.fit([x, 2 * x], np.ones((8, 1)), epochs=2, verbose=0)
    assert model.count_params() == 16 + 5

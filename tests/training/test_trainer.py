"""`fit`, `evaluate`, `predict` and single batches; and the steps that users write themselves."""

import numpy as np
import pytest

import minikeras as keras
from minikeras import layers, ops

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 3)).astype("float32")
Y = (X @ [[1.0], [-2.0], [0.5]]).astype("float32")
KERNEL = np.float32([[0.1], [0.2], [-0.3]])


def line(**options):
    """One unit with known weights."""
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, name="out")])
    model.set_weights([KERNEL, np.zeros(1)])
    if options is not None:
        model.compile(**{"optimizer": keras.optimizers.SGD(0.1), "loss": "mse", **options})
    return model


def two_heads(**options):
    x = keras.Input((3,))
    model = keras.Model(
        x,
        {
            "a": layers.Dense(1, name="a", kernel_initializer="ones")(x),
            "b": layers.Dense(1, name="b", kernel_initializer="zeros")(x),
        },
    )
    model.compile(keras.optimizers.SGD(0.1), **{"loss": {"a": "mse", "b": "mae"}, **options})
    return model


def mse(model, x=X, y=Y):
    return float(np.mean((x @ model.get_weights()[0] + model.get_weights()[1] - y) ** 2))


class TestLosses:
    def test_several_outputs_and_their_weights(self):
        model = two_heads(loss_weights={"a": 0.5, "b": 3.0}, metrics={"a": ["mae"], "b": ["mse"]})
        logs = model.evaluate(X, {"a": Y, "b": Y}, return_dict=True, verbose=0)
        ones = X.sum(1, keepdims=True)
        expected = {
            "a_loss": np.mean((ones - Y) ** 2),
            "b_loss": np.mean(np.abs(Y)),
            "a_mae": np.mean(np.abs(ones - Y)),
            "b_mse": np.mean(Y**2),
        }
        expected["loss"] = 0.5 * expected["a_loss"] + 3.0 * expected["b_loss"]
        assert set(logs) == set(expected)
        for name, value in expected.items():
            np.testing.assert_allclose(logs[name], value, rtol=1e-5, err_msg=name)

    def test_targets_in_a_list(self):
        in_dict, in_list = two_heads(), two_heads(loss=["mse", "mae"])
        expected = in_dict.fit(X, {"a": Y, "b": 2 * Y}, shuffle=False, verbose=0).history
        assert in_list.fit(X, [Y, 2 * Y], shuffle=False, verbose=0).history == expected

    def test_an_output_without_loss_learns_nothing(self):
        model = two_heads(loss={"a": "mse", "b": None})
        before = model.get_layer("b").get_weights()
        with pytest.warns(UserWarning, match=r"Gradients do not exist for variables \['b/kernel'"):
            history = model.fit(X, {"a": Y}, verbose=0).history
        assert list(history) == ["loss"]
        for one, other in zip(before, model.get_layer("b").get_weights()):
            np.testing.assert_array_equal(one, other)

    def test_class_weights_are_sample_weights(self):
        labels = np.arange(20) % 2
        results = []
        for options in (
            {"class_weight": {0: 1.0, 1: 3.0}},
            {"sample_weight": np.where(labels == 1, 3.0, 1.0)},
        ):
            model = line(loss="binary_crossentropy")
            model.fit(X, labels, shuffle=False, verbose=0, **options)
            results.append(model.get_weights())
        for one, other in zip(*results):
            np.testing.assert_array_equal(one, other)

    def test_rows_of_weight_zero_count_for_nothing(self):
        weights = np.zeros(20)
        weights[:10] = 2
        model, half = line(), line()
        model.fit(X, Y, sample_weight=weights, batch_size=20, shuffle=False, verbose=0)
        # The mean is over all 20 rows, ten of which count twice.
        half.fit(X[:10], Y[:10], batch_size=10, shuffle=False, verbose=0)
        for one, other in zip(model.get_weights(), half.get_weights()):
            np.testing.assert_allclose(one, other, rtol=1e-5)

    def test_weighted_metrics(self):
        weights = np.linspace(0, 1, 20)
        model = line(metrics=["mae"], weighted_metrics=["mse"])
        logs = model.evaluate(X, Y, sample_weight=weights, return_dict=True, verbose=0)
        error = (X @ KERNEL - Y)[:, 0]
        np.testing.assert_allclose(logs["mae"], np.mean(np.abs(error)), rtol=1e-5)
        np.testing.assert_allclose(logs["mse"], np.average(error**2, weights=weights), rtol=1e-5)

    def test_regularizers_and_activity_count(self):
        dense = layers.Dense(1, kernel_regularizer=keras.regularizers.L2(0.5), name="out")
        model = keras.Sequential([keras.Input((3,)), dense, layers.ActivityRegularization(l1=0.25)])
        model.set_weights([KERNEL, np.zeros(1)])
        model.compile("sgd", "mse")
        y = X @ KERNEL
        expected = np.mean((y - Y) ** 2) + 0.5 * np.sum(KERNEL**2) + 0.25 * np.sum(np.abs(y)) / 20
        np.testing.assert_allclose(
            model.evaluate(X, Y, batch_size=20, verbose=0), expected, rtol=1e-5
        )

    def test_add_loss_in_a_layer_trains(self):
        class Shrink(layers.Layer):
            def call(self, x):
                self.add_loss(ops.mean(ops.square(x)))
                return x

        model = keras.Sequential([keras.Input((3,)), layers.Dense(1), Shrink()])
        model.compile(keras.optimizers.SGD(0.1))  # no other loss
        history = model.fit(X, epochs=20, verbose=0).history["loss"]
        assert history[-1] < 0.1 * history[0]

    def test_the_loss_of_an_epoch_is_the_mean_of_its_rows(self):
        model = line(optimizer=keras.optimizers.SGD(0.0))
        for batch_size in (1, 7, 20):
            loss = model.fit(X, Y, batch_size=batch_size, verbose=0).history["loss"][0]
            np.testing.assert_allclose(loss, mse(model), rtol=1e-5)


class TestFit:
    def test_training_reaches_the_solution(self):
        model = line()
        model.fit(X, Y, epochs=200, batch_size=5, verbose=0)
        np.testing.assert_allclose(model.get_weights()[0], [[1], [-2], [0.5]], atol=1e-4)

    def test_validation_frequency(self):
        options = {"validation_data": (X, Y), "epochs": 5, "verbose": 0}
        assert len(line().fit(X, Y, validation_freq=2, **options).history["val_loss"]) == 2
        assert len(line().fit(X, Y, validation_freq=[1, 2, 5], **options).history["val_loss"]) == 3

    def test_initial_epoch(self):
        seen = []
        callback = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: seen.append(epoch)
        )
        history = line().fit(X, Y, epochs=5, initial_epoch=3, callbacks=[callback], verbose=0)
        assert seen == history.epoch == [3, 4]
        assert len(history.history["loss"]) == 2

    def test_validation_split_is_not_trained_on(self):
        model, alone = line(), line()
        y = Y.copy()
        y[15:] = 1e6  # only the first 15 rows are for training
        model.fit(X, y, validation_split=0.25, shuffle=False, verbose=0)
        alone.fit(X[:15], Y[:15], shuffle=False, verbose=0)
        np.testing.assert_array_equal(model.get_weights()[0], alone.get_weights()[0])

    def test_history_goes_on_where_a_second_fit_starts_anew(self):
        model = line(metrics=["mae"])
        first = model.fit(X, Y, epochs=2, verbose=0)
        second = model.fit(X, Y, epochs=1, verbose=0)
        assert first is not second and model.history is second
        assert [len(values) for values in second.history.values()] == [1, 1]
        assert second.history["loss"][0] < first.history["loss"][0]

    def test_batches_of_a_generator(self):
        def batches():
            while True:
                yield X[:10], Y[:10]
                yield X[10:], Y[10:]

        one, other = line(), line()
        one.fit(batches(), steps_per_epoch=2, epochs=3, verbose=0)
        other.fit(X, Y, batch_size=10, epochs=3, shuffle=False, verbose=0)
        np.testing.assert_array_equal(one.get_weights()[0], other.get_weights()[0])
        loss = one.evaluate(batches(), steps=2, verbose=0)
        np.testing.assert_allclose(loss, other.evaluate(X, Y, verbose=0), rtol=1e-6)
        rows = (X[i : i + 4] for i in range(0, 20, 4))
        np.testing.assert_allclose(one.predict(rows, verbose=0), other.predict(X), rtol=1e-6)

    def test_batches_of_a_data_set(self):
        class Batches(keras.utils.PyDataset):
            def __len__(self):
                return 4

            def __getitem__(self, index):
                return X[index * 5 : index * 5 + 5], Y[index * 5 : index * 5 + 5]

        one, other = line(), line()
        one.fit(Batches(), shuffle=False, epochs=2, validation_data=Batches(), verbose=0)
        other.fit(X, Y, batch_size=5, epochs=2, shuffle=False, verbose=0)
        np.testing.assert_array_equal(one.get_weights()[0], other.get_weights()[0])

    @pytest.mark.parametrize("shuffle", [True, "batch"])
    def test_a_seed_repeats_a_run_bit_by_bit(self, shuffle):
        def run():
            keras.utils.set_random_seed(7)
            model = keras.Sequential(
                [
                    layers.Dense(16, activation="relu"),
                    layers.Dropout(0.5),
                    layers.GaussianNoise(0.1),
                    layers.Dense(1),
                ]
            )
            model.compile("adam", "mse")
            history = model.fit(X, Y, epochs=3, batch_size=6, shuffle=shuffle, verbose=0).history
            return [np.array(history["loss"]), model.predict(X), *model.get_weights()]

        first = run()
        np.random.default_rng(1).normal(size=10)
        for one, other in zip(first, run()):
            np.testing.assert_array_equal(one, other)

    def test_frozen_layers_stay(self):
        model = keras.Sequential([keras.Input((3,)), layers.Dense(4), layers.Dense(1)])
        model.layers[0].trainable = False
        model.compile("sgd", "mse")
        before = model.get_weights()
        model.fit(X, Y, verbose=0)
        changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights())]
        assert changed == [False, False, True, True]

    def test_ctrl_c_leaves_a_usable_model(self, tmp_path):
        class Interrupt(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                if batch == 2:
                    raise KeyboardInterrupt

        model = line(optimizer="adam", metrics=["mae"])
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, Y, batch_size=2, epochs=5, callbacks=[Interrupt()], verbose=0)
        assert int(model.optimizer.iterations) == 3
        model.save(tmp_path / "interrupted.h5")
        again = keras.models.load_model(tmp_path / "interrupted.h5")
        np.testing.assert_array_equal(again.predict(X), model.predict(X))
        histories = [
            m.fit(X, Y, epochs=2, shuffle=False, verbose=0).history for m in (model, again)
        ]
        assert histories[0]["loss"] == histories[1]["loss"]

    def test_stop_training(self):
        class Stop(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                self.model.stop_training = True

        model = line()
        assert len(model.fit(X, Y, epochs=5, callbacks=[Stop()], verbose=0).history["loss"]) == 1
        assert len(model.fit(X, Y, epochs=5, verbose=0).history["loss"]) == 5

    def test_compiling_again_begins_a_new_optimizer_and_keeps_the_weights(self):
        model = line(optimizer="adam")
        model.fit(X, Y, verbose=0)
        weights = model.get_weights()
        model.compile("adam", "mae")
        assert not model.optimizer.built
        for one, other in zip(weights, model.get_weights()):
            np.testing.assert_array_equal(one, other)


class TestSingleBatches:
    def test_what_they_return(self):
        model = line(optimizer=keras.optimizers.SGD(0.0), metrics=["mae"])
        mae = np.mean(np.abs(X @ KERNEL - Y))
        for method in (model.train_on_batch, model.test_on_batch):
            np.testing.assert_allclose(method(X, Y), [mse(model), mae], rtol=1e-5)
            logs = method(X, Y, return_dict=True)
            assert list(logs) == ["loss", "mae"]
        np.testing.assert_allclose(model.predict_on_batch(X), X @ KERNEL, rtol=1e-5)

    def test_a_batch_is_an_epoch_of_one_batch(self):
        one, other = line(optimizer="adam"), line(optimizer="adam")
        for _ in range(3):
            one.train_on_batch(X, Y)
        other.fit(X, Y, batch_size=20, epochs=3, shuffle=False, verbose=0)
        for a, b in zip(one.get_weights(), other.get_weights()):
            np.testing.assert_array_equal(a, b)

    def test_evaluate_gives_numbers_a_list_or_a_dict(self):
        assert isinstance(line().evaluate(X, Y, verbose=0), float)
        model = line(metrics=["mae"])
        found = model.evaluate(X, Y, verbose=0)
        assert model.evaluate(X, Y, verbose=0, return_dict=True) == dict(
            zip(["loss", "mae"], found)
        )


class TestPredict:
    @pytest.mark.parametrize("batch_size", [None, 1, 7, 100])
    def test_the_batch_size_does_not_matter(self, batch_size):
        found = line().predict(X, batch_size=batch_size, verbose=0)
        np.testing.assert_allclose(found, X @ KERNEL, rtol=1e-5)

    def test_results_are_the_callers_own(self):
        model = keras.Sequential([keras.Input((3,)), layers.Identity()])
        data = X.copy()
        found = model.predict(data)
        found[:] = 0
        np.testing.assert_array_equal(data, X)
        first = line().predict(X)
        kept = first.copy()
        line().predict(2 * X)
        np.testing.assert_array_equal(first, kept)

    def test_noise_is_for_training_only(self):
        model = keras.Sequential([keras.Input((3,)), layers.Dropout(0.5)])
        np.testing.assert_array_equal(model.predict(X), X)
        np.testing.assert_array_equal(model(X), X)
        assert np.any(np.asarray(model(X, training=True)) == 0)


def custom(**methods):
    """A line whose class has these methods."""
    model = type("Custom", (keras.Model,), methods)
    inputs = keras.Input((3,))
    made = model(inputs, layers.Dense(1, name="out")(inputs))
    made.set_weights([KERNEL, np.zeros(1)])
    made.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    return made


class TestOwnSteps:
    def same_as_built_in(self, model):
        plain = line(metrics=["mae"])
        found = model.fit(X, Y, epochs=3, batch_size=8, shuffle=False, verbose=0).history
        expected = plain.fit(X, Y, epochs=3, batch_size=8, shuffle=False, verbose=0).history
        assert list(found) == list(expected)
        for name in expected:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, err_msg=name)
        for one, other in zip(model.get_weights(), plain.get_weights()):
            np.testing.assert_allclose(one, other, rtol=1e-5)

    def test_train_step(self):
        def train_step(self, data):
            x, y = data
            with keras.GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = self.compute_loss(y=y, y_pred=y_pred)
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                else:
                    metric.update_state(y, y_pred)
            return {metric.name: metric.result() for metric in self.metrics}

        model = custom(train_step=train_step)
        history = model.fit(X, Y, epochs=30, verbose=0).history
        assert set(history) == {"loss", "mae"}
        assert history["loss"][-1] < 0.1 * history["loss"][0]

    def test_train_step_that_calls_super(self):
        seen = []

        def train_step(self, data):
            seen.append(len(data))
            return keras.Model.train_step(self, data)

        self.same_as_built_in(custom(train_step=train_step))
        assert seen == [2] * 9

    def test_train_step_with_logs_of_its_own(self):
        def train_step(self, data):
            logs = keras.Model.train_step(self, data)
            return {"twice": 2 * float(logs["loss"])}

        model = custom(train_step=train_step)
        assert list(model.fit(X, Y, verbose=0).history) == ["twice"]
        assert list(model.train_on_batch(X, Y, return_dict=True)) == ["twice"]

    def test_test_step(self):
        def test_step(self, data):
            x, y = data
            return {"largest": ops.max(ops.abs(self(x, training=False) - y))}

        model = custom(test_step=test_step)
        expected = np.abs(X @ KERNEL - Y).max()
        logs = model.evaluate(X, Y, batch_size=20, return_dict=True, verbose=0)
        np.testing.assert_allclose(logs["largest"], expected, rtol=1e-5)
        history = model.fit(X, Y, validation_data=(X, Y), verbose=0).history
        assert list(history) == ["loss", "mae", "val_largest"]

    def test_predict_step(self):
        def predict_step(self, data):
            return 2 * self(data, training=False)

        found = custom(predict_step=predict_step).predict(X, batch_size=6, verbose=0)
        np.testing.assert_allclose(found, 2 * X @ KERNEL, rtol=1e-5)

    def test_compute_loss(self):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return ops.mean(ops.square(y - y_pred))

        self.same_as_built_in(custom(compute_loss=compute_loss))

    def test_compute_loss_that_adds_a_term(self):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            loss = keras.Model.compute_loss(self, x, y, y_pred, sample_weight, training)
            return loss + ops.sum(ops.square(self.get_layer("out").kernel))

        model = custom(compute_loss=compute_loss)
        model.fit(X, Y, epochs=50, verbose=0)
        assert 0.5 < np.abs(model.get_weights()[0]).max() < 1.5  # shrunk from 2

    def test_compute_metrics(self):
        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            logs = keras.Model.compute_metrics(self, x, y, y_pred, sample_weight)
            return {**logs, "answer": 42.0}

        model = custom(compute_metrics=compute_metrics)
        history = model.fit(X, Y, validation_data=(X, Y), verbose=0).history
        assert history["answer"] == history["val_answer"] == [42.0]
        assert set(history) == {f"{v}{n}" for v in ("", "val_") for n in ("loss", "mae", "answer")}

    def test_metrics_of_ones_own(self):
        class Model(keras.Model):
            def __init__(self):
                super().__init__()
                self.dense = layers.Dense(1)
                self.size = keras.metrics.Mean(name="size")

            def call(self, x):
                y = self.dense(x)
                self.size.update_state(ops.mean(ops.abs(y)))
                return y

        model = Model()
        model.compile("sgd", "mse")
        history = model.fit(X, Y, epochs=2, verbose=0).history
        assert list(history) == ["loss", "size"]
        assert all(size > 0 for size in history["size"])

    def test_a_loop_of_ones_own(self):
        model, fitted = line(), line()
        optimizer, loss = keras.optimizers.SGD(0.1), keras.losses.MeanSquaredError()
        for _ in range(3):
            with keras.GradientTape() as tape:
                value = loss(Y, model(X, training=True))
            gradients = tape.gradient(value, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        fitted.fit(X, Y, batch_size=20, epochs=3, shuffle=False, verbose=0)
        for one, other in zip(model.get_weights(), fitted.get_weights()):
            np.testing.assert_allclose(one, other, rtol=1e-5)

    def test_functions_as_loss_and_metric(self):
        def squared(y_true, y_pred):
            return ops.mean(ops.square(y_true - y_pred), axis=-1)

        def largest(y_true, y_pred):
            return ops.max(ops.abs(y_true - y_pred))

        own, built_in = line(loss=squared, metrics=[largest]), line()
        history = own.fit(X, Y, epochs=2, shuffle=False, verbose=0).history
        assert set(history) == {"loss", "largest"}
        expected = built_in.fit(X, Y, epochs=2, shuffle=False, verbose=0).history["loss"]
        np.testing.assert_allclose(history["loss"], expected, rtol=1e-5)


def test_training_that_diverges_gives_nan_and_no_warning():
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2, activation="relu"), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.SGD(1e20), "mse")
    history = model.fit(np.ones((8, 3)), np.ones((8, 1)), epochs=4, verbose=0)
    assert not np.isfinite(history.history["loss"][-1])
    stopped = model.fit(
        np.ones((8, 3)),
        np.ones((8, 1)),
        epochs=4,
        verbose=0,
        callbacks=[keras.callbacks.TerminateOnNaN()],
    )
    assert len(stopped.history["loss"]) == 1


def test_evaluate_lists_the_losses_of_outputs_before_their_metrics():
    inputs = keras.Input((2,))
    outputs = {"z": keras.layers.Dense(1)(inputs), "a": keras.layers.Dense(1)(inputs)}
    model = keras.Model(inputs, outputs)
    model.compile("sgd", {"z": "mse", "a": "mae"}, metrics={"z": ["mae"], "a": ["mse"]})
    x, y = np.ones((4, 2)), {"z": np.zeros((4, 1)), "a": np.zeros((4, 1))}
    logs = model.evaluate(x, y, verbose=0, return_dict=True)
    names = ["loss", "z_loss", "a_loss", "a_mse", "z_mae"]
    assert model.evaluate(x, y, verbose=0) == [logs[name] for name in names]
    assert model.metrics_names == names


def test_names_of_metrics_before_training():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["accuracy", keras.metrics.MeanAbsoluteError(name="far")])
    assert model.metrics_names == ["loss", "accuracy", "far"]
    model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
    assert model.metrics_names == ["loss", "accuracy", "far"]


def test_metrics_of_outputs_without_names_keep_their_own():
    class Two(keras.Model):
        def __init__(self):
            super().__init__()
            self.one, self.other = layers.Dense(1), layers.Dense(1)

        def call(self, x):
            return self.one(x), self.other(x)

    model = Two()
    model.compile("sgd", "mse", metrics=[["mae"], ["mse"]])
    history = model.fit(np.ones((4, 2)), [np.ones((4, 1))] * 2, verbose=0).history
    assert {"mae", "mse"} <= set(history)


def test_a_loss_of_the_models_own_stays_when_compile_names_none():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1)
            self.loss = keras.losses.MeanAbsoluteError()

        def call(self, x):
            return self.dense(x)

    model = Own()
    model.compile("sgd")
    assert isinstance(model.loss, keras.losses.MeanAbsoluteError)

"""Students that learn from teachers."""

import numpy as np
import pytest

import minikeras as keras
from minikeras import layers, ops
from minikeras.distillation import (
    DistillationLoss,
    Distiller,
    FeatureDistillation,
    LogitsDistillation,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 3)).astype("float32")
Y = RNG.integers(0, 2, size=12)


def model(units, outputs=2):
    hidden = layers.Dense(units, name="hidden", activation="tanh")
    return keras.Sequential([layers.Input((3,)), hidden, layers.Dense(outputs, name="out")])


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def test_logits_are_compared_at_a_temperature():
    teacher, student = RNG.normal(size=(2, 5, 4)).astype("float32")
    p, q = softmax(teacher / 2), softmax(student / 2)
    expected = 4 * np.mean(np.sum(p * np.log(p / q), -1))
    loss = LogitsDistillation(2.0).compute_loss(ops.array(teacher), ops.array(student))
    np.testing.assert_allclose(float(loss), expected, rtol=1e-5)


def test_none_leaves_an_output_out():
    loss = FeatureDistillation(["mse", None])
    ones, zeros = ops.ones((2, 3)), ops.zeros((2, 3))
    assert float(loss.compute_loss([ones, ones], [zeros, zeros])) == 1.0
    with pytest.raises(ValueError, match="at least one loss"):
        LogitsDistillation(loss=[None, None])


def test_the_total_is_the_weighted_sum_of_what_was_asked_for():
    teacher, student = model(6), model(6)
    parts = [LogitsDistillation(3.0), FeatureDistillation("mse", "hidden", "hidden")]
    distiller = Distiller(teacher, student, parts, [0.5, 2.0], student_loss_weight=0.25)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    distiller.compile("sgd", loss, metrics=["accuracy"])
    weights = np.linspace(0, 1, 12)
    logs = distiller.evaluate(X, Y, sample_weight=weights, return_dict=True, verbose=0)
    said, heard = teacher(X), student(X)
    features = [keras.Model(m.inputs, m.get_layer("hidden").output)(X) for m in (teacher, student)]
    distilled = 0.5 * parts[0].compute_loss(said, heard) + 2 * parts[1].compute_loss(*features)
    expected = {
        "student_loss": float(loss(Y, heard, weights)),
        "distillation_loss": float(distilled),
    }
    expected["total_loss"] = 0.25 * expected["student_loss"] + 0.75 * float(distilled)
    expected["loss"] = expected["total_loss"]
    for name, value in expected.items():
        np.testing.assert_allclose(logs[name], value, rtol=1e-5, err_msg=name)
    assert "accuracy" in logs


def test_the_student_learns_and_the_teacher_stays():
    teacher, student = model(8), model(4)
    before = teacher.get_weights()
    distiller = Distiller(teacher, student, LogitsDistillation(2.0), student_loss_weight=0.0)
    distiller.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy")
    losses = distiller.fit(X, Y, epochs=20, verbose=0).history["distillation_loss"]
    assert losses[-1] < losses[0] / 2
    for one, other in zip(teacher.get_weights(), before):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(distiller.predict(X, verbose=0), student.predict(X, verbose=0))


def test_a_distiller_is_saved_whole_and_trains_on(tmp_path):
    feature = FeatureDistillation("mse", "hidden", "hidden")
    distiller = Distiller(model(4), model(4), [feature, LogitsDistillation(2.0)])
    distiller.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    distiller.fit(X, Y, verbose=0)
    distiller.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert loaded.compiled and not loaded.teacher.trainable
    expected = distiller.evaluate(X, Y, return_dict=True, verbose=0)
    assert loaded.evaluate(X, Y, return_dict=True, verbose=0) == pytest.approx(expected)
    loaded.fit(X, Y, verbose=0)


class Wrong(DistillationLoss):
    def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
        return ops.square(teacher_outputs - student_outputs)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"teacher": "me"}, "`teacher` must be a model"),
        ({"student": model(4, 3)}, "the same outputs"),
        ({"distillation_losses": None}, "`distillation_losses` must be"),
        ({"distillation_loss_weights": [1.0, 2.0]}, "one entry a distillation loss"),
        ({"student_loss_weight": 2}, "between 0 and 1"),
        ({"distillation_losses": FeatureDistillation("mse", "nowhere")}, "In the teacher"),
    ],
)
def test_what_does_not_fit(arguments, match):
    with pytest.raises(ValueError, match=match):
        Distiller(
            **{
                "teacher": model(4),
                "student": model(4),
                "distillation_losses": LogitsDistillation(),
                **arguments,
            }
        )


def test_a_loss_that_is_no_scalar_and_a_model_without_a_graph():
    distiller = Distiller(model(4), model(4), Wrong())
    distiller.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="must return a scalar"):
        distiller.fit(X, Y, verbose=0)
    with pytest.raises(ValueError, match="at least one loss"):
        distiller.compile("sgd")

    class Subclassed(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match="needs a functional or built Sequential"):
        Distiller(Subclassed(), model(4), FeatureDistillation("mse", "hidden"))

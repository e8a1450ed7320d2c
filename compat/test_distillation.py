"""Distillation against Keras: the parts of the loss, and the student after training."""

import keras
import numpy as np
import pytest

import minikeras

RNG = np.random.default_rng(5)
X = RNG.normal(size=(12, 3)).astype("float32")
Y = RNG.integers(0, 2, size=12)


def distiller(package, weight):
    def model(units, name):
        hidden = package.layers.Dense(4, activation="tanh", name="hidden")
        layers = [hidden, package.layers.Dense(units), package.layers.Dense(2, name="out")]
        return package.Sequential([package.layers.Input((3,)), *layers], name=name)

    parts = [
        package.distillation.LogitsDistillation(2.5, loss=package.losses.KLDivergence()),
        package.distillation.FeatureDistillation("mae", "hidden", "hidden"),
        package.distillation.LogitsDistillation(2.0, loss="mean_squared_error"),
    ]
    return package.distillation.Distiller(
        model(6, "teacher"),
        model(3, "student"),
        parts,
        distillation_loss_weights=[1.0, 0.3, 0.1],
        student_loss_weight=weight,
    )


@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_students_learn_alike(weight):
    theirs, ours = distiller(keras, weight), distiller(minikeras, weight)
    history = []
    for one, package in ((theirs, keras), (ours, minikeras)):
        for part in (one.teacher, one.student):
            rng = np.random.default_rng(len(part.layers[1].get_weights()[1]))
            part.set_weights([rng.normal(size=w.shape) for w in part.get_weights()])
        loss = package.losses.SparseCategoricalCrossentropy(from_logits=True)
        one.compile(package.optimizers.SGD(0.05), loss, metrics=["accuracy"], run_eagerly=True)
        fit = one.fit(X, Y, batch_size=4, epochs=3, shuffle=False, verbose=0)
        history.append(fit.history)
    assert sorted(history[1]) == sorted(history[0])
    for name, values in history[0].items():
        np.testing.assert_allclose(history[1][name], values, rtol=1e-4, atol=1e-5, err_msg=name)
    for a, b in zip(ours.student.get_weights(), theirs.student.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)

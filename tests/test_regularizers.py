"""Regularizers and constraints."""

import numpy as np
import pytest

import minikeras
from minikeras import constraints, ops, regularizers
from minikeras.constraints import project
from minikeras.regularizers import value_and_gradient
from tests.gradcheck import check_gradients

RNG = np.random.default_rng(0)
REGULARIZERS = [
    regularizers.L1(0.1),
    regularizers.L2(0.2),
    regularizers.L1L2(0.1, 0.2),
    regularizers.L1L2(),
    regularizers.OrthogonalRegularizer(0.3),
    regularizers.OrthogonalRegularizer(0.3, mode="columns"),
]


@pytest.mark.parametrize("regularizer", REGULARIZERS, ids=lambda one: type(one).__name__)
def test_gradient(regularizer):
    x = RNG.normal(size=(4, 3))
    check_gradients(regularizer, x)
    value, gradient = regularizer.value_and_gradient(x)
    assert isinstance(value, float)
    assert value == pytest.approx(float(regularizer(x)), rel=1e-14)
    assert gradient.shape == x.shape
    narrow = x.astype("float32")
    assert regularizer(narrow).dtype == np.float32
    assert regularizer.value_and_gradient(narrow)[1].dtype == np.float32


def test_values():
    x = np.array([[1.0, -2.0], [0.0, 3.0]])
    assert float(regularizers.L1(0.5)(x)) == 3.0
    assert float(regularizers.L2(0.5)(x)) == 7.0
    assert float(regularizers.L1L2(0.5, 0.5)(x)) == 10.0
    assert float(regularizers.OrthogonalRegularizer(1.0)(np.eye(3))) == 0.0
    assert float(regularizers.OrthogonalRegularizer(1.0)(np.ones((3, 2)))) == pytest.approx(1.0)
    assert float(regularizers.OrthogonalRegularizer(1.0)(np.ones((1, 2)))) == 0.0


def test_a_regularizer_of_the_user():
    class Cubes(regularizers.L1):
        def __call__(self, x):
            return self.l1 * ops.sum(ops.absolute(x) ** 3)

    x = RNG.normal(size=(3, 2))
    for one in (Cubes(0.1), lambda x: 0.1 * ops.sum(ops.absolute(x) ** 3)):
        value, gradient = value_and_gradient(one, x)
        assert value == pytest.approx(0.1 * (np.abs(x) ** 3).sum())
        np.testing.assert_allclose(gradient, 0.3 * x * np.abs(x))
    assert value_and_gradient(lambda x: 2.0, x) == (2.0, None)


@pytest.mark.parametrize("value", [-1.0, float("inf"), float("nan"), "a", True])
def test_factors_are_checked(value):
    for kind, name in (("L1", "l1"), ("L2", "l2"), ("OrthogonalRegularizer", "factor")):
        with pytest.raises(ValueError, match=f"Argument `{name}`"):
            getattr(regularizers, kind)(value)
    with pytest.raises(ValueError, match="mode"):
        regularizers.OrthogonalRegularizer(mode="diagonals")
    with pytest.raises(ValueError, match="rank 2"):
        regularizers.OrthogonalRegularizer()(np.zeros(3))


def test_names_and_configs():
    for one in REGULARIZERS:
        twin = regularizers.deserialize(regularizers.serialize(one))
        assert type(twin) is type(one)
        assert twin.get_config() == one.get_config()
    for name, kind in {"l1": "L1", "l2": "L2", "l1_l2": "L1L2", "L1L2": "L1L2"}.items():
        assert type(regularizers.get(name)).__name__ == kind
    assert regularizers.get(None) is None
    assert regularizers.L1(None).get_config() == {"l1": 0.01}
    with pytest.raises(ValueError, match="Unknown regularizer: 'l3'"):
        regularizers.get("l3")


CONSTRAINTS = [
    constraints.MaxNorm(0.5),
    constraints.MaxNorm(0.5, axis=[0, 1]),
    constraints.NonNeg(),
    constraints.UnitNorm(axis=1),
    constraints.MinMaxNorm(0.2, 0.4, rate=0.5),
]


@pytest.mark.parametrize("constraint", CONSTRAINTS, ids=lambda one: type(one).__name__)
def test_constraints_project_in_place(constraint):
    w = RNG.normal(size=(4, 3)).astype("float32")
    kept = w.copy()
    projected = constraint(w)
    np.testing.assert_array_equal(w, kept)
    assert projected.dtype == np.float32
    constraint.project(w)
    np.testing.assert_array_equal(w, projected.numpy())
    twin = constraints.deserialize(constraints.serialize(constraint))
    assert type(twin) is type(constraint)
    assert twin.get_config() == constraint.get_config()


def test_norms():
    w = RNG.normal(size=(5, 4)) * 3

    def norms(x, axis=0):
        return np.linalg.norm(x, axis=axis)

    # The fuzz factor of 1e-7 in the divisor shows here.
    np.testing.assert_allclose(norms(constraints.UnitNorm()(w)), 1, rtol=1e-6)
    np.testing.assert_allclose(norms(constraints.UnitNorm(axis=1)(w), 1), 1, rtol=1e-6)
    assert norms(constraints.MaxNorm(2.0)(w)).max() <= 2
    bounded = norms(constraints.MinMaxNorm(1.0, 2.0)(w))
    assert bounded.min() >= 1 - 1e-6
    assert bounded.max() <= 2
    half = norms(constraints.MinMaxNorm(1.0, 2.0, rate=0.5)(w))
    np.testing.assert_allclose(half, 0.5 * (norms(w) + np.clip(norms(w), 1, 2)), rtol=1e-6)
    assert (constraints.NonNeg()(w).numpy() == np.maximum(w, 0)).all()


def test_a_constraint_of_the_user():
    class AtMostOne(constraints.NonNeg):
        def __call__(self, w):
            return ops.minimum(super().__call__(w), 1.0)

    for one in (AtMostOne(), lambda w: ops.clip(w, 0, 1)):
        w = np.array([-1.0, 0.5, 3.0])
        project(one, w)
        np.testing.assert_array_equal(w, [0, 0.5, 1])


def test_constraint_names():
    for name, kind in {
        "max_norm": "MaxNorm",
        "non_neg": "NonNeg",
        "unit_norm": "UnitNorm",
        "min_max_norm": "MinMaxNorm",
        "MaxNorm": "MaxNorm",
        "maxnorm": "MaxNorm",
    }.items():
        assert type(constraints.get(name)).__name__ == kind
    assert constraints.get(None) is None
    with pytest.raises(ValueError, match="Unknown constraint"):
        constraints.get("no_norm")


def test_they_act_in_training():
    layer = minikeras.layers.Dense(
        2, kernel_regularizer="l2", kernel_constraint="unit_norm", activity_regularizer="l1"
    )
    model = minikeras.Sequential([minikeras.Input((3,)), layer])
    model.compile("sgd", "mse")
    x = RNG.normal(size=(8, 3)).astype("float32")
    model.fit(x, np.zeros((8, 2), "float32"), verbose=0)
    np.testing.assert_allclose(np.linalg.norm(layer.kernel.numpy(), axis=0), 1, rtol=1e-5)

"""Learning rate schedules beside Keras: values, configs, errors, and inside an optimizer."""

import keras
import numpy as np
import pytest

from minikeras import optimizers as ours
from minikeras.engine.variable import Variable

theirs = keras.optimizers

CASES = [
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.9}),
    (
        "ExponentialDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.9, "staircase": True},
    ),
    ("ExponentialDecay", {"initial_learning_rate": 1.0, "decay_steps": 1, "decay_rate": 0.9999}),
    ("PiecewiseConstantDecay", {"boundaries": [5, 20, 100], "values": [1.0, 0.5, 0.1, 0.01]}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 30}),
    (
        "PolynomialDecay",
        {
            "initial_learning_rate": 0.1,
            "decay_steps": 13,
            "end_learning_rate": 0.01,
            "power": 0.5,
            "cycle": True,
        },
    ),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5}),
    (
        "InverseTimeDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5, "staircase": True},
    ),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 40}),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 40, "alpha": 0.2}),
    (
        "CosineDecay",
        {
            "initial_learning_rate": 0.0,
            "decay_steps": 40,
            "warmup_target": 0.1,
            "warmup_steps": 10,
            "alpha": 0.1,
        },
    ),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 10}),
    (
        "CosineDecayRestarts",
        {
            "initial_learning_rate": 0.1,
            "first_decay_steps": 7,
            "t_mul": 1.5,
            "m_mul": 0.8,
            "alpha": 0.1,
        },
    ),
    (
        "CosineDecayRestarts",
        {"initial_learning_rate": 0.1, "first_decay_steps": 7, "t_mul": 1.0, "m_mul": 0.9},
    ),
]

STEPS = [*range(0, 45), 99, 100, 101, 1000, 20_000]


def pair(name, options):
    return [getattr(module.schedules, name)(**options) for module in (theirs, ours)]


@pytest.mark.parametrize("name, options", CASES, ids=str)
def test_values(name, options):
    one, two = pair(name, options)
    for step in STEPS:
        expected = float(one(step))
        # The exact end of a period is a restart; float32 logarithms fall on either side of it.
        if name == "CosineDecayRestarts" and abs(expected - float(two(step))) > 1e-3:
            assert float(two(step + 0.01)) == pytest.approx(float(two(step)), rel=1e-2)
            continue
        # A few roundings of float32, which a power of 20,000 multiplies.
        assert float(two(step)) == pytest.approx(expected, rel=2e-3 if step > 1000 else 2e-5)


@pytest.mark.parametrize("name, options", CASES, ids=str)
def test_configs(name, options):
    one, two = pair(name, options)
    assert two.get_config() == one.get_config()
    config = theirs.schedules.serialize(one)
    assert ours.schedules.serialize(two) == config
    again = ours.schedules.deserialize(config)
    assert type(again) is type(two) and again.get_config() == config["config"]
    assert theirs.schedules.deserialize(config).get_config() == one.get_config()
    optimizer = ours.SGD(two)
    assert theirs.deserialize(ours.serialize(optimizer)).get_config() == optimizer.get_config()
    assert ours.deserialize(ours.serialize(optimizer)).get_config() == optimizer.get_config()


@pytest.mark.parametrize("name, options", CASES[::2], ids=str)
@pytest.mark.parametrize("accumulation", [None, 3])
def test_inside_an_optimizer(name, options, accumulation):
    one, two = (
        module.SGD(schedule, gradient_accumulation_steps=accumulation)
        for module, schedule in zip((theirs, ours), pair(name, options))
    )
    x, y = keras.Variable(np.ones(3, "float32")), Variable(np.ones(3, "float32"))
    for _ in range(25):
        one.apply([keras.ops.ones(3)], [x])
        two.apply([np.ones(3)], [y])
    np.testing.assert_allclose(y.numpy(), x.numpy(), rtol=1e-5, atol=1e-5)
    assert float(two.learning_rate) == pytest.approx(float(one.learning_rate), rel=2e-5)


@pytest.mark.parametrize(
    "name, options",
    [
        ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 0, "decay_rate": 0.9}),
        ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": -1}),
        ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 0, "decay_rate": 1.0}),
        ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 0}),
        ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 0}),
        ("PiecewiseConstantDecay", {"boundaries": [1, 2], "values": [1.0, 2.0]}),
    ],
    ids=str,
)
def test_errors(name, options):
    for module in (theirs, ours):
        with pytest.raises(ValueError):
            getattr(module.schedules, name)(**options)


def test_signatures():
    import inspect

    for name in sorted({name for name, _ in CASES}):
        one, two = (
            [
                (p.name, p.kind, p.default)
                for p in inspect.signature(getattr(module.schedules, name)).parameters.values()
            ]
            for module in (theirs, ours)
        )
        assert two == one

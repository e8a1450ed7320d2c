"""Moments of weights whose gradient stays 0 do not end in slow, subnormal numbers."""

import numpy as np
import pytest

import minikeras
from minikeras.optimizers.plan import SWEEP


@pytest.mark.parametrize("name", ["Adam", "AdamW", "RMSprop", "Nadam", "Adamax", "SGD"])
def test_slots_that_fade_become_zero(name):
    options = {"momentum": 0.9} if name == "SGD" else {}
    optimizer = getattr(minikeras.optimizers, name)(**options)
    variable = minikeras.Variable(np.ones(8, "float32"))
    gradient = np.full(8, 1e-3, "float32")
    optimizer.apply_gradients([(gradient, variable)])
    gradient[:4] = 0
    smallest = np.finfo("float32").tiny
    for _ in range(8 * SWEEP):
        optimizer.apply_gradients([(gradient, variable)])
        for slot in (one for one in optimizer.variables if one.shape == (8,)):
            values = np.abs(slot.numpy())
            assert not ((values > 0) & (values < smallest)).any()
    assert np.isfinite(variable.numpy()).all()

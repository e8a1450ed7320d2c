"""Sums of rows by index against `np.add.at`."""

import numpy as np
import pytest

from minikeras.kernels.rows import row_sums


@pytest.mark.parametrize("largest", [1, 2, 5, 40, 1000])
@pytest.mark.parametrize("shape", [(0,), (1,), (7,), (4, 9), (3, 2, 50)])
def test_row_sums(shape, largest):
    rng = np.random.default_rng(largest)
    indices = rng.integers(0, largest, shape)
    rows = rng.normal(size=(*shape, 3))
    before = rows.copy()
    expected = np.zeros((largest, 3))
    np.add.at(expected, indices, rows)
    found, sums = row_sums(indices, rows)
    np.testing.assert_array_equal(found, np.unique(indices))
    np.testing.assert_allclose(sums, expected[found], atol=1e-12)
    np.testing.assert_array_equal(rows, before)

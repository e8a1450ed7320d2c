"""Sums and maxima along the last axis, against NumPy's."""

import numpy as np
import pytest

from minikeras.kernels.rows import row_max, row_sum


@pytest.mark.parametrize(
    "shape",
    [(5,), (1,), (3, 4), (3, 1), (0, 4), (2, 3, 4), (2, 0, 4), (3, 64), (3, 65), (2, 3, 100)],
)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_rows(shape, dtype):
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)
    for layout in (x, np.asfortranarray(x), np.stack([x, x], -1)[..., 0]):
        sums, largest = row_sum(layout), row_max(layout)
        assert (sums.dtype, sums.shape) == (x.dtype, shape[:-1])
        # A sum of up to 100 terms of order one, in another order.
        np.testing.assert_allclose(sums, x.sum(-1), atol=100 * np.finfo(dtype).eps)
        np.testing.assert_array_equal(largest, x.max(-1))
        assert largest.dtype == x.dtype


def test_not_a_number_is_kept():
    x = np.array([[1.0, np.nan], [2.0, 3.0]])
    np.testing.assert_array_equal(np.isnan(row_max(x)), [True, False])
    np.testing.assert_array_equal(np.isnan(row_sum(x)), [True, False])

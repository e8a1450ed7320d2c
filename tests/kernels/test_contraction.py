"""Contractions against `np.einsum`."""

import numpy as np
import pytest

from minikeras.kernels.rows import contract, contract_backward

SIZES = {"a": 2, "b": 3, "c": 4, "d": 5, "e": 1, "f": 2}


@pytest.mark.parametrize(
    "equation",
    [
        "ab,bc->ac", "abc,cd->abd", "abc,bcd->abd", "abc,bcd->bad", "abc,cd->dba", "abc,ad->abd",
        "abcd,cdf->abf", "abc,c->ab", "a,b->ab", "ab,ab->ab", "ab,ab->a", "abc,cd->ad",
        "abe,ed->abd", "ab,bcd->ad", "abc,abc->c", "acf,bcf->acbf", "abcd,aecd->acbe",
    ],
)  # fmt: skip
def test_contract(equation):
    rng = np.random.default_rng(0)
    a, b, out = equation.replace("->", ",").split(",")
    x, w = (rng.normal(size=[SIZES[label] for label in term]) for term in (a, b))
    y = contract(a, b, out, x, w)
    np.testing.assert_allclose(y, np.einsum(equation, x, w), rtol=1e-12, atol=1e-12)
    dy = rng.normal(size=y.shape)
    dx, dw = contract_backward(a, b, out, x, w, dy, True, True)
    # The contraction is linear in each operand: the gradient in any direction is exact.
    for operand, gradient, move in (
        (x, dx, lambda v: np.einsum(equation, v, w)),
        (w, dw, lambda v: np.einsum(equation, x, v)),
    ):
        direction = rng.normal(size=operand.shape)
        np.testing.assert_allclose((gradient * direction).sum(), (dy * move(direction)).sum())
    assert contract_backward(a, b, out, x, w, dy, False, False) == (None, None)

"""Rows picked from a table, and the gradient back to it."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def row_sums(indices: Array, rows: Array) -> tuple[Array, Array]:
    """The different `indices` in order, and for each the sum of its `rows`.

    Args:
        indices: Integers, of any shape.
        rows: Array of the shape of `indices` and one axis more.
    """
    flat = indices.reshape(-1)
    rows = rows.reshape(-1, rows.shape[-1])
    if not flat.size:
        return flat, rows
    # A sort brings equal indices together; reduceat then adds up runs, much faster than add.at.
    order = np.argsort(flat, kind="stable")
    ordered = flat[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    return ordered[starts], np.add.reduceat(rows[order], starts, axis=0)

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
    # A sort brings equal indices together; then neighbours are added up in pairs, pairs of pairs,
    # and so on. Where most indices are different, that is several times faster than reduceat.
    order = np.argsort(flat, kind="stable")
    ordered = flat[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    sizes = np.diff(starts, append=len(ordered))
    place = np.arange(len(ordered)) - np.repeat(starts, sizes)
    rest = np.repeat(sizes, sizes) - place
    rows = rows[order]
    picked = np.flatnonzero(rest > 1)
    step, largest = 1, sizes.max()
    while step < largest:
        picked = picked[(place[picked] % (2 * step) == 0) & (rest[picked] > step)]
        rows[picked] += rows[picked + step]
        step *= 2
    return ordered[starts], rows[starts]

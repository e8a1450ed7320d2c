"""Numbers to the numbers of the bins that they fall into."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras.engine import registry
from minikeras.layers.preprocessing.category_encoding import (
    CategoryLayer,
    as_values,
    batches_of,
    encode,
    encoded_shape,
    one_of,
    refuse_sparse,
)

_MODES = ("int", "one_hot", "multi_hot", "count")


@registry.layers.register("Discretization")
class Discretization(CategoryLayer):
    """Puts numbers into bins, with boundaries that are given or taken from data by `adapt`.

    Args:
        bin_boundaries: List of rising floats, or None (default). Bin `i` holds
            `boundaries[i - 1] <= x < boundaries[i]`.
        num_bins: Integer or None (default). How many bins `adapt` makes, of equal counts.
        epsilon: Float, default 0.01. How exactly `adapt` finds the quantiles.
        output_mode: `"int"` (default), `"one_hot"`, `"multi_hot"` or `"count"`.
        sparse: Must be False (default).
        dtype: Dtype of encoded outputs. Defaults to the global policy.
        name: String. Defaults to an automatic name.

    Input shape:
        Any.

    Output shape:
        That of the input for `"int"` (dtype int32), else with an axis of bins.

    Raises:
        ValueError: unless exactly one of `bin_boundaries` and `num_bins` is given.

    Example:

    >>> import minikeras
    >>> layer = minikeras.layers.Discretization(bin_boundaries=[0.0, 1.0, 2.0])
    >>> layer([[-1.5, 1.0, 3.4, 0.5]]).tolist()
    [[0, 2, 3, 1]]
    """

    def __init__(
        self,
        bin_boundaries: Any = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: Any = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        refuse_sparse(sparse, self)
        one_of("output_mode", output_mode, _MODES, self)
        if num_bins is not None and num_bins < 0:
            raise ValueError(
                f"Argument `num_bins` must not be negative. Received: num_bins={num_bins}"
            )
        if (num_bins is None) == (bin_boundaries is None):
            both = "Both `num_bins` and `bin_boundaries` were given. " if num_bins else ""
            raise ValueError(
                f"{both}Give either `num_bins` or `bin_boundaries`; with `num_bins`, call `adapt`."
                f" Received: num_bins={num_bins}, bin_boundaries={bin_boundaries}"
            )
        self.bin_boundaries = bin_boundaries
        self.num_bins = num_bins
        self.epsilon = epsilon
        self.output_mode = output_mode
        self.sparse = sparse
        self.summary = np.zeros((2, 0), "float32")

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Choose the boundaries so that the bins hold equally many of `data`.

        Args:
            data: Array, or an iterable of batches.
            steps: Integer or None (default). How many batches to take at most.
        """
        if self.num_bins is None:
            raise ValueError(
                "A Discretization layer that was made with `bin_boundaries` cannot adapt. Use"
                " `num_bins` instead."
            )
        self.reset_state()
        for batch in batches_of(data, steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Add a batch to the summary of the data."""
        values = np.sort(as_values(data).astype("float32").ravel())
        step = max(values.size * self.epsilon, 1)
        chosen = values[int(step - 1) :: int(step)]
        summary = np.stack([chosen, np.full_like(chosen, step)])
        merged = np.concatenate([summary, self.summary], axis=1)
        self.summary = _compress(merged[:, np.argsort(merged[0])], self.epsilon)

    def finalize_state(self) -> None:
        """Take the boundaries from the summary."""
        if self.num_bins is not None:
            self.bin_boundaries = _compress(self.summary, 1.0 / self.num_bins)[0, :-1].tolist()

    def reset_state(self) -> None:
        """Forget the data."""
        self.summary = np.zeros((2, 0), "float32")

    def load_own_variables(self, store: Any) -> None:
        """Take the summary that older files hold; the boundaries are in the config."""
        if len(store.keys()) == 1:
            self.summary = np.asarray(store["0"])

    def _depth(self) -> int | None:
        return self.num_bins if self.bin_boundaries is None else len(self.bin_boundaries) + 1

    def _output_dtype(self) -> str:
        return self.output_dtype

    @property
    def output_dtype(self) -> str:
        """The dtype of the output."""
        return "int32" if self.output_mode == "int" else self.compute_dtype

    def forward(self, ctx: Any, inputs: np.ndarray) -> np.ndarray:  # type: ignore[override]
        if self.bin_boundaries is None:
            raise ValueError(
                "The Discretization layer has no boundaries yet. You need to either call"
                " `adapt(data)` first or pass `bin_boundaries`."
            )
        boundaries = np.asarray(self.bin_boundaries, "float32")
        indices = np.digitize(inputs, boundaries)
        return encode(indices, self.output_mode, len(boundaries) + 1, self.output_dtype)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """The input's, with an axis of bins unless numbers are returned."""
        return encoded_shape(input_shape, self.output_mode, self._depth())

    def get_config(self) -> dict:
        """The constructor's arguments, and the boundaries found."""
        return {
            "bin_boundaries": self.bin_boundaries,
            "num_bins": self.num_bins,
            "epsilon": self.epsilon,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
            "name": self.name,
            "dtype": self.dtype,
        }

    @classmethod
    def from_config(cls, config: dict) -> Any:
        """The layer that `config` describes; boundaries that were found are kept."""
        config = dict(config)
        found = config.pop("bin_boundaries", None)
        if config.get("num_bins") is None:
            return cls(bin_boundaries=found, **config)
        layer = cls(**config)
        layer.bin_boundaries = found
        return layer


def _compress(summary: np.ndarray, epsilon: float) -> np.ndarray:
    """A summary (values and their weights) of at most some `1 / epsilon` points.

    The points are at equal steps of the cumulated weight.
    """
    if summary.shape[1] * epsilon < 1:
        return summary
    percents = epsilon + np.arange(0.0, 1.0, epsilon)
    cumulated = summary[1].cumsum()
    shares = cumulated / cumulated[-1]
    values = np.interp(percents, shares, summary[0])
    weights = np.diff(np.interp(percents, shares, cumulated), prepend=0)
    return np.stack([values, weights]).astype("float32")

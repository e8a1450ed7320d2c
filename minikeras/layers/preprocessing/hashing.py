"""Categories to bins by their hash, alone or crossed."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras import config as settings
from minikeras.engine import registry
from minikeras.engine.symbolic import Tensor
from minikeras.kernels.fingerprint import fingerprint64, fingerprint_cat, siphash
from minikeras.layers.preprocessing.category_encoding import (
    CategoryLayer,
    as_values,
    encode,
    encoded_shape,
    one_of,
    refuse_sparse,
)

# What crossed features start from, so that other crosses may start from another.
_CROSS_KEY = 0xDECAFCAFFE


def parse_salt(salt: Any, layer: Any) -> list | None:
    """A salt as a pair of integers, or None."""
    if salt is None:
        return None
    if isinstance(salt, (tuple, list)) and len(salt) == 2:
        return list(salt)
    if isinstance(salt, int):
        return [salt, salt]
    raise ValueError(
        f"{type(layer).__name__}: argument `salt` must be an integer or can only be a tuple of"
        f" size 2. Received: salt={salt!r}"
    )


def hash_bins(values: np.ndarray, bins: int, salt: list | None) -> np.ndarray:
    """The bin of each value, by FarmHash or, with a salt, SipHash of its text."""
    if values.dtype.kind == "f":
        values = values.astype(np.int64)
    flat = values.ravel().tolist()
    known: dict = {}
    for value in flat:
        if value not in known:
            data = str(value).encode()
            known[value] = (fingerprint64(data) if salt is None else siphash(data, salt)) % bins
    return np.array([known[value] for value in flat], np.int64).reshape(values.shape)


@registry.layers.register("Hashing")
class Hashing(CategoryLayer):
    """Puts strings or integers into bins by their hash.

    Args:
        num_bins: Integer. The number of bins, that of the mask included.
        mask_value: Value that gets bin 0 for itself, or None (default).
        salt: Integer, pair of integers or None (default). With a salt the hash is SipHash with
            that key, else FarmHash.
        output_mode: `"int"` (default), `"one_hot"`, `"multi_hot"` or `"count"`.
        sparse: Must be False (default).
        **kwargs: `name`, `dtype`. The dtype defaults to int64 for `"int"`, else to `floatx()`.

    Input shape:
        Any, of strings or integers.

    Output shape:
        That of the input for `"int"`, else with an axis of bins.

    Raises:
        ValueError: if an argument is out of range.

    Example:

    >>> import minikeras
    >>> layer = minikeras.layers.Hashing(num_bins=3)
    >>> layer([["A"], ["B"], ["C"], ["D"], ["E"]]).tolist()
    [[1], [0], [1], [1], [2]]
    """

    def __init__(
        self,
        num_bins: int,
        mask_value: Any = None,
        salt: Any = None,
        output_mode: str = "int",
        sparse: bool = False,
        **kwargs: Any,
    ) -> None:
        if kwargs.get("dtype") is None:
            kwargs["dtype"] = "int64" if output_mode == "int" else settings.floatx()
        super().__init__(autocast=False, **kwargs)
        refuse_sparse(sparse, self, output_mode)
        one_of("output_mode", output_mode, ("int", "one_hot", "multi_hot", "count"), self)
        if num_bins is None or num_bins <= 0:
            raise ValueError(
                f"The `num_bins` for `{type(self).__name__}` cannot be `None` or non-positive."
                f" Received: num_bins={num_bins}"
            )
        if output_mode == "int" and self.dtype_policy.name not in ("int32", "int64"):
            raise ValueError(
                "When `output_mode=\"int\"`, `dtype` should be an integer type, 'int32' or 'int64'."
                f" Received: dtype={kwargs['dtype']}"
            )
        self.num_bins = num_bins
        self.mask_value = mask_value
        self.strong_hash = salt is not None
        self.output_mode = output_mode
        self.sparse = sparse
        self.salt = parse_salt(salt, self)

    def forward(self, ctx: Any, inputs: np.ndarray) -> np.ndarray:  # type: ignore[override]
        inputs = as_values(inputs)
        if self.output_mode == "one_hot" and inputs.ndim and inputs.shape[-1] == 1:
            inputs = inputs[..., 0]
        bins = self.num_bins
        masked = self.mask_value is not None and bins > 1
        indices = hash_bins(inputs, bins - masked, self.salt)
        if masked:
            indices = np.where(inputs == self.mask_value, 0, indices + 1)
        return encode(indices, self.output_mode, bins, self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """The input's, with an axis of bins unless numbers are returned."""
        return encoded_shape(input_shape, self.output_mode, self.num_bins)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "num_bins": self.num_bins,
            "salt": self.salt,
            "mask_value": self.mask_value,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
        }


@registry.layers.register("HashedCrossing")
class HashedCrossing(CategoryLayer):
    """Crosses two or more categorical features, and puts the pairs into bins by their hash.

    Args:
        num_bins: Integer. The number of bins.
        output_mode: `"int"` (default) or `"one_hot"`.
        sparse: Must be False (default).
        name: String. Defaults to an automatic name.
        dtype: Dtype of the output. Defaults to int64 for `"int"`, else to the global policy.

    Input shape:
        A list of arrays of strings or integers, each of shape `()`, `(batch,)` or `(batch, 1)`.

    Output shape:
        That of one input for `"int"`, else `(batch, num_bins)`.

    Raises:
        ValueError: for fewer than two inputs, or inputs of other shapes or of floats.

    Example:

    >>> import minikeras
    >>> layer = minikeras.layers.HashedCrossing(num_bins=5)
    >>> layer((["A", "B", "A", "B", "A"], [101, 101, 101, 102, 102])).tolist()
    [1, 4, 1, 1, 3]
    """

    def __init__(
        self,
        num_bins: int,
        output_mode: str = "int",
        sparse: bool = False,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        if output_mode == "int" and dtype is None:
            dtype = "int64"
        super().__init__(name=name, dtype=dtype, autocast=False, **kwargs)
        refuse_sparse(sparse, self, output_mode)
        one_of("output_mode", output_mode, ("int", "one_hot"), self)
        self.num_bins = num_bins
        self.output_mode = output_mode
        self.sparse = sparse

    def _convert(self, inputs: Any) -> Any:
        if not isinstance(inputs, (list, tuple)) or len(inputs) < 2:
            raise ValueError(
                "HashedCrossing should be called on a list or tuple of at least two inputs."
                f" Received: {inputs!r}"
            )
        return [Tensor(as_values(value)) for value in inputs]

    def forward(self, ctx: Any, *inputs: np.ndarray) -> np.ndarray:  # type: ignore[override]
        inputs = tuple(as_values(value) for value in inputs)
        shape = inputs[0].shape
        if len(shape) > 2 or (len(shape) == 2 and shape[-1] != 1):
            raise ValueError(
                "All HashedCrossing inputs should have shape (), (batch,) or (batch, 1)."
                f" Received: {[value.shape for value in inputs]}"
            )
        if any(value.shape != shape for value in inputs):
            raise ValueError(
                "The inputs of HashedCrossing must be of one shape. Received:"
                f" {[value.shape for value in inputs]}"
            )
        if any(value.dtype.kind not in "iuO" for value in inputs):
            raise ValueError(
                "All HashedCrossing inputs should have an integer or string dtype. Received dtypes:"
                f" {[value.dtype.name for value in inputs]}"
            )
        crossed = []
        for row in zip(*(value.ravel().tolist() for value in inputs)):
            key = _CROSS_KEY
            for value in row:
                number = fingerprint64(value.encode()) if isinstance(value, str) else value
                key = fingerprint_cat(key, number & (1 << 64) - 1)
            crossed.append(key % self.num_bins)
        indices = np.array(crossed, np.int64).reshape(shape)
        return encode(indices, self.output_mode, self.num_bins, self.compute_dtype)

    def backward(self, ctx: Any, dy: Any) -> Any:  # type: ignore[override]
        """Categories have no gradient."""
        return [None] * len(ctx.needs)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """That of one input, with an axis of bins unless numbers are returned."""
        shapes = list(input_shape)
        if len(shapes) < 2 or not all(isinstance(one, (list, tuple)) for one in shapes):
            raise ValueError(
                f"HashedCrossing takes the shapes of two inputs or more. Received: {input_shape}"
            )
        if any(tuple(one) != tuple(shapes[0]) for one in shapes):
            raise ValueError(
                f"The inputs of HashedCrossing must be of one shape. Received: {input_shape}"
            )
        return encoded_shape(shapes[0], self.output_mode, self.num_bins)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            "num_bins": self.num_bins,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
            "name": self.name,
            "dtype": self.dtype,
        }

"""Categories to bins by their hash, alone or crossed.

Hashes of strings that are the same everywhere and for ever: FarmHash and SipHash.

The numbers are those of TensorFlow, so that models keep their buckets. Both work on Python integers
of 64 bits; strings are short.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minikeras import config as settings
from minikeras.engine import registry
from minikeras.engine.symbolic import Tensor
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


_MASK = (1 << 64) - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F
_CAT = 0xC6A4A7935BD1E995


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _rotate(x: int, by: int) -> int:
    x &= _MASK
    return (x >> by | x << (64 - by)) & _MASK


def _shift_mix(x: int) -> int:
    x &= _MASK
    return x ^ x >> 47


def _combine(u: int, v: int, factor: int) -> int:
    a = _shift_mix((u ^ v) * factor)
    b = _shift_mix((v ^ a) * factor)
    return b * factor & _MASK


def fingerprint64(data: bytes) -> int:
    """FarmHash's Fingerprint64 of bytes (Pike and Alakuijala, 2014, farmhash "na")."""
    length = len(data)
    if length <= 16:
        return _up_to_16(data, length)
    if length <= 64:
        return _up_to_64(data, length)
    return _long(data, length)


def _up_to_16(data: bytes, length: int) -> int:
    factor = _K2 + 2 * length
    if length >= 8:
        a, b = _word(data, 0) + _K2, _word(data, length - 8)
        c = _rotate(b, 37) * factor + a
        d = (_rotate(a, 25) + b) * factor
        return _combine(c & _MASK, d & _MASK, factor)
    if length >= 4:
        first = int.from_bytes(data[:4], "little")
        return _combine(length + (first << 3), int.from_bytes(data[-4:], "little"), factor)
    if length:
        y = data[0] + (data[length >> 1] << 8)
        z = length + (data[-1] << 2)
        return _shift_mix(y * _K2 ^ z * _K0) * _K2 & _MASK
    return _K2


def _up_to_64(data: bytes, length: int) -> int:
    factor = _K2 + 2 * length
    short = length <= 32
    a, b = _word(data, 0) * (_K1 if short else _K2) & _MASK, _word(data, 8)
    c, d = _word(data, length - 8) * factor, _word(data, length - 16) * _K2
    y = _rotate(a + b, 43) + _rotate(c, 30) + d & _MASK
    z = _combine(y, a + _rotate(b + _K2, 18) + c & _MASK, factor)
    if short:
        return z
    e, f = _word(data, 16) * factor & _MASK, _word(data, 24)
    g = (y + _word(data, length - 32)) * factor
    h = (z + _word(data, length - 24)) * factor
    return _combine(
        _rotate(e + f, 43) + _rotate(g, 30) + h & _MASK, e + _rotate(f + a, 18) + g & _MASK, factor
    )


def _weak(data: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = (_word(data, at + offset) for offset in (0, 8, 16, 24))
    a = a + w & _MASK
    b = _rotate(b + a + z, 21)
    c = a
    a = a + x + y & _MASK
    b += _rotate(a, 44)
    return a + z & _MASK, b + c & _MASK


def _long(data: bytes, length: int) -> int:
    x = 81
    y = x * _K1 + 113 & _MASK
    z = _shift_mix(y * _K2 + 113) * _K2 & _MASK
    v, w = (0, 0), (0, 0)
    x = x * _K2 + _word(data, 0) & _MASK
    end = (length - 1) // 64 * 64
    for at in range(0, end, 64):
        x, y, z, v, w = _round(data, at, x, y, z, v, w, _K1, 1)
    factor = _K1 + ((z & 0xFF) << 1)
    w = (w[0] + (length - 1 & 63) & _MASK, w[1])
    v = (v[0] + w[0] & _MASK, v[1])
    w = (w[0] + v[0] & _MASK, w[1])
    x, y, z, v, w = _round(data, length - 64, x, y, z, v, w, factor, 9)
    return _combine(
        _combine(v[0], w[0], factor) + _shift_mix(y) * _K0 + z & _MASK,
        _combine(v[1], w[1], factor) + x & _MASK,
        factor,
    )


def _round(
    data: bytes, at: int, x: int, y: int, z: int, v: tuple, w: tuple, factor: int, times: int
) -> tuple:
    x = _rotate(x + y + v[0] + _word(data, at + 8), 37) * factor
    y = _rotate(y + v[1] + _word(data, at + 48), 42) * factor
    x = (x ^ w[1] * times) & _MASK
    y = y + v[0] * times + _word(data, at + 40) & _MASK
    z = _rotate(z + w[0], 33) * factor & _MASK
    v = _weak(data, at, v[1] * factor, x + w[0])
    w = _weak(data, at + 32, z + w[1], y + _word(data, at + 16))
    return z, y, x, v, w


def fingerprint_cat(first: int, second: int) -> int:
    """One fingerprint of two, where their order counts."""
    result = first ^ _CAT
    result ^= _shift_mix(second * _CAT) * _CAT & _MASK
    result = result * _CAT & _MASK
    result = _shift_mix(result) * _CAT & _MASK
    return _shift_mix(result)


def siphash(data: bytes, key: Sequence[int]) -> int:
    """SipHash-2-4 of bytes (Aumasson and Bernstein, 2012), with a key of two integers."""
    k0, k1 = (part & _MASK for part in key)
    state = [
        k0 ^ 0x736F6D6570736575,
        k1 ^ 0x646F72616E646F6D,
        k0 ^ 0x6C7967656E657261,
        k1 ^ 0x7465646279746573,
    ]
    whole = len(data) // 8 * 8
    words = [_word(data, at) for at in range(0, whole, 8)]
    words.append(int.from_bytes(data[whole:], "little") | (len(data) & 0xFF) << 56)
    for word in words:
        state[3] ^= word
        _sip_rounds(state, 2)
        state[0] ^= word
    state[2] ^= 0xFF
    _sip_rounds(state, 4)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def _sip_rounds(state: list[int], count: int) -> None:
    a, b, c, d = state
    for _ in range(count):
        a, c = a + b & _MASK, c + d & _MASK
        b, d = _rotate(b, 51) ^ a, _rotate(d, 48) ^ c
        a = _rotate(a, 32)
        a, c = a + d & _MASK, c + b & _MASK
        d, b = _rotate(d, 43) ^ a, _rotate(b, 47) ^ c
        c = _rotate(c, 32)
    state[:] = a, b, c, d

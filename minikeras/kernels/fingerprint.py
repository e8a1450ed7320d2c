"""Hashes of strings that are the same everywhere and for ever: FarmHash and SipHash.

The numbers are those of TensorFlow, so that models keep their buckets. Both work on Python integers
of 64 bits; strings are short.
"""

from __future__ import annotations

from collections.abc import Sequence

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

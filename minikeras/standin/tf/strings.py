"""`tf.strings`, on arrays of text. Tensors hold text as bytes; arrays of `str` stay so."""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from minikeras.engine.symbolic import Tensor
from minikeras.ops.base import array_of
from minikeras.standin.tf import public
from minikeras.standin.tf.dtypes import as_dtype
from minikeras.standin.tf.tensors import constant


def _text(one: Any) -> str:
    return one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one)


def _each(function: Callable, *values: Any, kind: Any = None) -> Any:
    """`function` of each text; the results as text, or of a dtype of NumPy."""
    arrays = np.broadcast_arrays(*(array_of(one) for one in values))
    made = np.empty(arrays[0].shape, object)
    for index in np.ndindex(made.shape):
        made[index] = function(*(_text(one[index]) for one in arrays))
    if kind is not None:
        return Tensor(made.astype(kind))
    plain = isinstance(values[0], np.ndarray) and any(
        isinstance(one, str) for one in values[0].ravel()[:1]
    )
    return made if plain else constant(made)


def _scalar(value: Any) -> str:
    return _text(array_of(value)[()])


def lower(input: Any, encoding: str = "", name: Any = None) -> Any:
    """In small letters."""
    return _each(_lower if encoding == "" else str.lower, input)


def upper(input: Any, encoding: str = "", name: Any = None) -> Any:
    """In capitals."""
    return _each(_upper if encoding == "" else str.upper, input)


# Without an encoding only ASCII letters change, as in TensorFlow.
def _lower(text: str) -> str:
    return re.sub("[A-Z]+", lambda found: found.group().lower(), text)


def _upper(text: str) -> str:
    return re.sub("[a-z]+", lambda found: found.group().upper(), text)


def strip(input: Any, name: Any = None) -> Any:
    """Without white space at both ends."""
    return _each(lambda text: text.strip(" \t\n\r\v\f"), input)


def regex_replace(
    input: Any, pattern: Any, rewrite: Any, replace_global: bool = True, name: Any = None
) -> Any:
    """What fits a pattern replaced. Patterns are those of `re`, near to TensorFlow's RE2."""
    compiled, new = re.compile(_pattern(pattern)), _scalar(rewrite)
    new = re.sub(r"\\0", r"\\g<0>", new)
    return _each(lambda text: compiled.sub(new, text, 0 if replace_global else 1), input)


def regex_full_match(input: Any, pattern: Any, name: Any = None) -> Any:
    """Whether the whole text fits a pattern."""
    compiled = re.compile(_pattern(pattern))
    return _each(lambda text: compiled.fullmatch(text) is not None, input, kind=bool)


_CLASSES = {
    "[:punct:]": re.escape("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
    "[:alpha:]": "a-zA-Z",
    "[:digit:]": "0-9",
    "[:alnum:]": "a-zA-Z0-9",
    "[:space:]": r"\s",
    "[:upper:]": "A-Z",
    "[:lower:]": "a-z",
}


def _pattern(pattern: Any) -> str:
    text = _scalar(pattern)
    for name, characters in _CLASSES.items():
        text = text.replace(name, characters)
    return text


def length(input: Any, unit: str = "BYTE", name: Any = None) -> Any:
    """How many bytes or characters."""
    if unit == "BYTE":
        return _each(lambda text: len(text.encode()), input, kind="int32")
    return _each(len, input, kind="int32")


def join(inputs: Any, separator: str = "", name: Any = None) -> Any:
    """Texts put together, one of each input."""
    return _each(lambda *texts: separator.join(texts), *inputs)


def reduce_join(
    inputs: Any, axis: Any = None, keepdims: bool = False, separator: str = "", name: Any = None
) -> Any:
    """The texts along axes (all) put together."""
    array = array_of(inputs)
    if axis is None:
        made = np.empty((1,) * array.ndim if keepdims else (), object)
        made[...] = separator.join(map(_text, array.ravel()))
        return constant(made)
    made = np.apply_along_axis(
        lambda row: np.array([separator.join(map(_text, row))], object), int(axis), array
    )
    return constant(made if keepdims else made.squeeze(int(axis)))


def substr(input: Any, pos: Any, len: Any, unit: str = "BYTE", name: Any = None) -> Any:
    """A part: so many bytes or characters from a place on."""
    first, many = int(pos), int(len)

    def cut(text: str) -> Any:
        whole: Any = text.encode() if unit == "BYTE" else text
        start = first if first >= 0 else first + whole.__len__()
        part = whole[start : start + many]
        return part.decode("utf-8", "replace") if unit == "BYTE" else part

    return _each(cut, input)


def to_number(input: Any, out_type: Any = "float32", name: Any = None) -> Any:
    """The numbers that texts say."""
    kind = as_dtype(out_type)
    return _each(int if kind.is_integer else float, input, kind=kind.name)


def as_string(
    input: Any,
    precision: int = -1,
    scientific: bool = False,
    shortest: bool = False,
    *_: Any,
    **__: Any,
) -> Any:
    """Numbers as text."""
    array = array_of(input)
    made = np.empty(array.shape, object)
    for index in np.ndindex(array.shape):
        one = array[index]
        if array.dtype.kind == "f" and not shortest:
            form = f".{precision if precision >= 0 else 6}{'e' if scientific else 'f'}"
            made[index] = builtins.format(float(one), form)
        elif array.dtype.kind == "b":
            made[index] = "true" if one else "false"
        else:
            made[index] = str(one)
    return constant(made)


def _ragged(parts: Any, input: Any, name: str) -> Any:
    array = array_of(input)
    if array.ndim == 0:
        return constant(np.array([*parts(_text(array[()])), None], object)[:-1])
    if array.ndim == 1:
        rows = [parts(_text(one)) for one in array]
        if len({len(row) for row in rows}) == 1:
            return constant(np.array(rows, object))
    raise NotImplementedError(
        f"tf.strings.{name} of several texts makes rows of different lengths (a RaggedTensor), and"
        " minikeras has no ragged tensors. Take one text at a time, for example in"
        " `Dataset.map`."
    )


def split(input: Any, sep: Any = None, maxsplit: int = -1, name: Any = None) -> Any:
    """The parts of a text between separators (white space).

    Raises:
        NotImplementedError: several texts with different numbers of parts.
    """
    mark = None if sep is None else _scalar(sep) or None
    return _ragged(lambda text: text.split(mark, maxsplit), input, "split")


def unicode_split(
    input: Any, input_encoding: str = "UTF-8", errors: Any = "replace", *_: Any, **__: Any
) -> Any:
    """The characters of a text."""
    return _ragged(list, input, "unicode_split")


def bytes_split(input: Any, name: Any = None) -> Any:
    """The bytes of a text."""
    return _ragged(
        lambda text: [text.encode()[i : i + 1] for i in range(len(text.encode()))],
        input,
        "bytes_split",
    )


def unicode_decode(
    input: Any, input_encoding: str = "UTF-8", errors: Any = "replace", *_: Any, **__: Any
) -> Any:
    """The numbers of the characters of one text."""
    return Tensor(np.asarray([ord(one) for one in _scalar(input)], "int32"))


def unicode_encode(
    input: Any, output_encoding: str = "UTF-8", errors: Any = "replace", *_: Any, **__: Any
) -> Any:
    """The text of the numbers of characters."""
    array = array_of(input)
    rows = array.reshape(-1, array.shape[-1])
    made = np.empty(len(rows), object)
    made[:] = ["".join(map(chr, row)) for row in rows]
    return constant(made.reshape(array.shape[:-1]))


def format(template: str, inputs: Any, placeholder: str = "{}", *_: Any, **__: Any) -> Any:
    """A text with values in it."""
    values = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    for one in values:
        shown = (
            np.array2string(array_of(one), separator=" ")
            if array_of(one).ndim
            else str(array_of(one)[()])
        )
        template = template.replace(placeholder, shown, 1)
    return constant(template)


def to_hash_bucket_fast(input: Any, num_buckets: Any, name: Any = None) -> Any:
    """A number below `num_buckets` for each text: a hash, though not TensorFlow's.

    Raises:
        NotImplementedError: always. Use the layer `Hashing`.
    """
    raise NotImplementedError(
        "tf.strings.to_hash_bucket_fast is not available. Use `keras.layers.Hashing`, which hashes"
        " as Keras does."
    )


to_hash_bucket = to_hash_bucket_strong = to_hash_bucket_fast
__all__ = public(globals())

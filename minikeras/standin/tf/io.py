"""`tf.io`: files, and images in them (with Pillow)."""

from __future__ import annotations

import io as _io
from typing import Any

import numpy as np

from minikeras.engine.symbolic import Tensor
from minikeras.ops.base import array_of
from minikeras.standin.tf import public
from minikeras.standin.tf.csv import decode_csv  # noqa: F401 - one of the names here
from minikeras.standin.tf.dtypes import as_dtype
from minikeras.standin.tf.tensors import constant


def _bytes(value: Any) -> bytes:
    one = value if isinstance(value, (bytes, str)) else array_of(value)[()]
    return one.encode() if isinstance(one, str) else bytes(one)


def _name(value: Any) -> str:
    if hasattr(value, "__fspath__"):
        return str(value.__fspath__())
    return _bytes(value).decode()


def read_file(filename: Any, name: Any = None) -> Any:
    """The content of a file, as bytes."""
    with open(_name(filename), "rb") as file:
        return constant(file.read())


def write_file(filename: Any, contents: Any, name: Any = None) -> None:
    """Writes a file."""
    with open(_name(filename), "wb") as file:
        file.write(_bytes(contents))


def matching_files(pattern: Any, name: Any = None) -> Any:
    """The names of the files that fit a pattern."""
    from minikeras.standin.tf.small import glob

    return constant(np.array([*glob(_name(pattern)), None], object)[:-1])


_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def _image(contents: Any, channels: int, dtype: Any, frames: bool = False) -> Any:
    from minikeras.utils.image_utils import _pillow

    image = _pillow().open(_io.BytesIO(_bytes(contents)))
    if channels:
        mode = _MODES.get(int(channels))
    else:
        mode = image.mode if image.mode in ("L", "LA", "RGB", "RGBA") else "RGB"
    if mode is None:
        raise ValueError(f"`channels` must be 0, 1, 3 or 4. Received: {channels}")

    def values() -> np.ndarray:
        array = np.asarray(image.convert(mode))
        return array[..., None] if array.ndim == 2 else array

    if frames:
        made = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            made.append(values())
        array = np.stack(made)
    else:
        array = values()
    if as_dtype(dtype) == "uint8":
        return Tensor(array)
    from minikeras.standin.tf.image import convert_image_dtype

    return convert_image_dtype(Tensor(array), dtype)


def decode_image(
    contents: Any,
    channels: Any = None,
    dtype: Any = "uint8",
    name: Any = None,
    expand_animations: bool = True,
) -> Any:
    """An image of any format, of shape (height, width, channels); a GIF has frames first."""
    moving = expand_animations and _bytes(contents)[:3] == b"GIF"
    return _image(contents, channels or 0, dtype, moving)


def decode_jpeg(contents: Any, channels: int = 0, *_: Any, **__: Any) -> Any:
    """An image of shape (height, width, channels), as Pillow rounds it."""
    return _image(contents, channels, "uint8")


def decode_png(contents: Any, channels: int = 0, dtype: Any = "uint8", name: Any = None) -> Any:
    """An image of shape (height, width, channels)."""
    return _image(contents, channels, dtype)


def decode_bmp(contents: Any, channels: int = 0, name: Any = None) -> Any:
    """An image of shape (height, width, channels)."""
    return _image(contents, channels, "uint8")


def decode_gif(contents: Any, name: Any = None) -> Any:
    """Images of shape (frames, height, width, 3)."""
    return _image(contents, 3, "uint8", True)


def _encoded(image: Any, kind: str, **options: Any) -> Any:
    from minikeras.utils.image_utils import _pillow

    array = array_of(image)
    stream = _io.BytesIO()
    made = _pillow().fromarray(array[..., 0] if array.shape[-1] == 1 else array)
    made.save(stream, kind, **options)
    return constant(stream.getvalue())


def encode_png(image: Any, compression: int = -1, name: Any = None) -> Any:
    """An image as the content of a PNG file."""
    return _encoded(image, "PNG")


def encode_jpeg(image: Any, format: str = "", quality: int = 95, *_: Any, **__: Any) -> Any:
    """An image as the content of a JPEG file."""
    return _encoded(image, "JPEG", quality=int(quality))


def decode_raw(input_bytes: Any, out_type: Any, *_: Any, **__: Any) -> Any:
    """Bytes as numbers."""
    return Tensor(np.frombuffer(_bytes(input_bytes), as_dtype(out_type).name).copy())


def is_jpeg(contents: Any, name: Any = None) -> Any:
    """Whether bytes begin as a JPEG file does."""
    return Tensor(np.asarray(_bytes(contents)[:3] == b"\xff\xd8\xff"))


def write_graph(*_: Any, **__: Any) -> None:
    """Not available.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError("tf.io.write_graph: there are no graphs. Use `model.to_json()`.")


__all__ = public(globals(), "decode_csv")

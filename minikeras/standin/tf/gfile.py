"""`tf.io.gfile`: files, by the standard library."""

from __future__ import annotations

import glob as _glob
import os
import shutil
from typing import Any


def GFile(name: Any, mode: str = "r") -> Any:
    """An open file."""
    return open(name, mode, encoding=None if "b" in mode else "utf-8")


FastGFile = Open = GFile
exists, isdir, listdir, remove = os.path.exists, os.path.isdir, os.listdir, os.remove
rmtree, rename, mkdir, join = shutil.rmtree, os.replace, os.mkdir, os.path.join


def makedirs(path: Any) -> None:
    """Makes a folder, and those above it, where there is none."""
    os.makedirs(path, exist_ok=True)


def glob(pattern: Any) -> list:
    """The files that fit a pattern, or several."""
    patterns: Any = [pattern] if isinstance(pattern, (str, bytes, os.PathLike)) else pattern
    return sorted(found for one in patterns for found in _glob.glob(os.fsdecode(one)))


def copy(src: Any, dst: Any, overwrite: bool = False) -> None:
    """Copies a file.

    Raises:
        FileExistsError: there is one, and it is not to be overwritten.
    """
    if os.path.exists(dst) and not overwrite:
        raise FileExistsError(f"{dst} exists. Pass overwrite=True.")
    shutil.copyfile(src, dst)


Exists, IsDirectory, ListDirectory, Remove, MakeDirs = exists, isdir, listdir, remove, makedirs
walk, stat = os.walk, os.stat
__all__ = [
    name
    for name in globals()
    if name[0] != "_" and name not in ("annotations", "Any", "os", "shutil")
]

"""Files that are whole or not there: written beside the target, synced, renamed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


@contextmanager
def atomic_path(target: Any) -> Iterator[str]:
    """The path of a temporary file beside `target`, which takes its place if all goes well.

    If anything fails, `target` is as it was and the temporary file is gone.
    """
    target = os.fspath(target)
    folder = os.path.dirname(os.path.abspath(target))
    os.makedirs(folder, exist_ok=True)
    if os.path.isdir(target):
        raise IsADirectoryError(f"Cannot write {target!r}: it is a folder.")
    handle, temporary = tempfile.mkstemp(
        prefix=f".{os.path.basename(target)[:60]}.", suffix=".tmp", dir=folder
    )
    os.close(handle)
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        _keep_mode(target, temporary)
        os.replace(temporary, target)
    except BaseException:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        raise
    _sync_folder(folder)


@contextmanager
def atomic_hdf5(target: Any) -> Iterator[Any]:
    """An open HDF5 file for writing, which takes the place of `target` if all goes well.

    Raises:
        OSError: where the disk is full; HDF5 may find that out as late as on closing.
    """
    import h5py

    with atomic_path(target) as temporary:
        file = h5py.File(temporary, "w")
        try:
            yield file
        except BaseException:
            with suppress(RuntimeError, OSError):
                file.close()
            raise
        try:
            file.close()
        except RuntimeError as error:
            raise OSError(f"Could not write {os.fspath(target)!r}: {error}") from error


def _keep_mode(target: str, temporary: str) -> None:
    try:
        mode = os.stat(target).st_mode & 0o7777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        mode = 0o666 & ~mask
    os.chmod(temporary, mode)


def _sync_folder(folder: str) -> None:
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)

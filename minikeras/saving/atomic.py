"""Files that are whole or not there: written beside the target, synced, renamed."""

from __future__ import annotations

import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

from minikeras.saving.window import Output


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
    prefix = f".{os.path.basename(target)[:60]}.{_machine()}-"
    _remove_left_over(folder, prefix)
    handle, temporary = tempfile.mkstemp(
        prefix=f"{prefix}{os.getpid()}-", suffix=".tmp", dir=folder
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
        OSError: where the disk is full; that may be found out as late as on closing.
    """
    import h5py

    with atomic_path(target) as temporary, closing(Output(temporary)) as output:
        try:
            file = h5py.File(output, "w")
            try:
                yield file
            finally:
                file.close()
        finally:
            # On a full disk, this is why the rest failed too.
            output.finish()


def _machine() -> str:
    """A short name of this machine: process numbers of others mean nothing here."""
    import platform

    return f"{zlib.crc32(platform.node().encode()):08x}"


def _remove_left_over(folder: str, prefix: str) -> None:
    """Remove temporary files of processes that were killed while they wrote the same target."""
    for name in os.listdir(folder):
        if name.startswith(prefix) and name.endswith(".tmp"):
            number = name[len(prefix) :].split("-")[0]
            if number.isdigit() and not _is_running(int(number)):
                with suppress(OSError):
                    os.unlink(os.path.join(folder, name))


def _is_running(process: int) -> bool:
    if os.name != "posix":
        # There, asking is ending it.
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


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

"""Part of a file as a file of its own, which h5py reads and writes through.

Weights inside a zip are read where they are, without a copy. And what HDF5 itself trusts is looked
at on its way in: it walks the heap in which texts are kept by sizes that the heap states, for ever
if one of them is zero.

HDF5 written into a zip archive where it will stay, its checksum computed meanwhile.

A zip wants a checksum of each member. HDF5 writes arrays once, in large pieces, and its own tables
in small ones, several times. So each large piece is summed in another thread while it is written;
the rest is read again at the end, and the sums of the pieces are joined.
"""

from __future__ import annotations

import functools
import io
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

_HEAP = b"GCOL"
# Texts are in small pieces; what is read in larger ones are numbers.
_LARGEST_HEAP = 2**22
_OBJECT_HEADER = 16


class _Part(io.RawIOBase):
    """Part of a file, with a position in it."""

    position = size = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position."""
        self.position = (0, self.position, self.size)[whence] + offset
        return self.position

    def tell(self) -> int:
        """The position."""
        return self.position


class Window(_Part):
    """Bytes `start` to `start + size` of an open file, for reading.

    Args:
        source: A file descriptor, which is closed with the window; or an `io.BytesIO`.
        start: Where the part begins.
        size: How long it is. Defaults to the rest of the file.
    """

    def __init__(self, source: Any, start: int = 0, size: int | None = None) -> None:
        super().__init__()
        self.start = start
        self.handle: Any = None
        self.memory: memoryview | None = None
        if isinstance(source, io.BytesIO):
            self.memory = source.getbuffer()
            whole = len(self.memory)
        else:
            self.handle = source
            whole = os.fstat(source).st_size
        self.size = whole - start if size is None else min(size, max(0, whole - start))
        # No file needs every byte read this often; a damaged one may lead in circles.
        self.reads_left = 100_000 + self.size // 16

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, as far as the part goes."""
        view = memoryview(buffer)[: max(0, self.size - self.position)]
        self.reads_left -= 1
        if self.reads_left < 0:
            raise OSError("The HDF5 file leads in circles.")
        done = 0
        while done < len(view):
            at = self.start + self.position + done
            count = self._read_at(view[done:], at)
            if count == 0:
                break
            done += count
        if len(view) <= _LARGEST_HEAP:
            self._check_heaps(bytes(view[:done]))
        self.position += done
        return done

    def _check_heaps(self, data: bytes) -> None:
        """Walk the heaps of texts that begin in `data`, at the position, as HDF5 will.

        Raises:
            OSError: for an object that is empty or larger than its heap.
        """
        at = data.find(_HEAP)
        while at >= 0:
            end = at + int.from_bytes(data[at + 8 : at + 16], "little")
            place = at + _OBJECT_HEADER
            # Version 1; anything else is refused by HDF5, or no heap.
            while data[at + 4 : at + 5] == b"\x01" and place + _OBJECT_HEADER <= end:
                header = data[place : place + _OBJECT_HEADER]
                if len(header) < _OBJECT_HEADER:
                    # HDF5 reads a large heap in two parts.
                    header = self._bytes_at(self.position + place)
                index = int.from_bytes(header[:2], "little")
                length = int.from_bytes(header[8:], "little")
                need = _OBJECT_HEADER + -(-length // 8) * 8 if index else length
                if need == 0 or place + need > end:
                    raise OSError("The HDF5 file is damaged: its texts lead in circles.")
                place += need
            at = data.find(_HEAP, at + 4)

    def _bytes_at(self, position: int) -> bytes:
        header = bytearray(_OBJECT_HEADER)
        self.reads_left -= 1
        if self.reads_left < 0 or self._read_at(memoryview(header), self.start + position) < 16:
            raise OSError("The HDF5 file is damaged: its texts lead in circles.")
        return bytes(header)

    def _read_at(self, view: memoryview, offset: int) -> int:
        if self.memory is not None:
            part = self.memory[offset : offset + len(view)]
            view[: len(part)] = part
            return len(part)
        if hasattr(os, "preadv"):
            return os.preadv(self.handle, [view], offset)
        os.lseek(self.handle, offset, os.SEEK_SET)
        data = os.read(self.handle, len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            if self.memory is not None:
                self.memory.release()
            else:
                os.close(self.handle)
        super().close()


class Output(_Part):
    """A file that HDF5 writes to, and that fails only when it is asked.

    HDF5 does not survive a full disk: objects that it could not write bring the process down when
    they are freed. So it is told that all went well, and whoever writes asks `finish()`.

    Args:
        path: Path of an existing file.
        start: Where in it to begin. Defaults to 0.
    """

    def __init__(self, path: Any, start: int = 0) -> None:
        super().__init__()
        self.handle = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
        self.start = start
        self.error: OSError | None = None

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: Any) -> int:
        """Write, unless that failed before."""
        view = memoryview(data)
        done = 0
        try:
            while done < len(view) and self.error is None:
                os.lseek(self.handle, self.start + self.position + done, os.SEEK_SET)
                done += os.write(self.handle, view[done:])
        except OSError as error:
            self.error = error
        self.position += len(view)
        self.size = max(self.size, self.position)
        return len(view)

    def readinto(self, buffer: Any) -> int:
        """Read what was written; zeros where nothing was."""
        view = memoryview(buffer)
        os.lseek(self.handle, self.start + self.position, os.SEEK_SET)
        data = os.read(self.handle, len(view))
        view[: len(data)] = data
        self.position += len(view)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Set the size."""
        self.size = self.position if size is None else size
        try:
            if self.error is None:
                os.ftruncate(self.handle, self.start + self.size)
        except OSError as error:
            self.error = error
        return self.size

    def finish(self) -> None:
        """Raise what went wrong, if anything did."""
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            os.close(self.handle)
        super().close()


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
        if os.path.exists(target):
            # What is replaced must not be lost with the power. A new file has nothing to lose.
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


# Smaller pieces are not worth a thread.
_LARGE = 2**18
_POLYNOMIAL = 0xEDB88320


@contextmanager
def written_member(archive: zipfile.ZipFile, path: Any, name: str) -> Iterator[Any]:
    """An open HDF5 file that becomes the next member of an archive, which is not compressed.

    Args:
        archive: Archive, open for writing at `path`.
        path: Path of it.
        name: Name of the member.

    Raises:
        OSError: where the disk is full; that may be found out as late as on closing.
    """
    import time

    import h5py

    info = zipfile.ZipInfo(name, time.localtime()[:6])
    info.external_attr, info.CRC = 0o600 << 16, 0
    info.header_offset = archive.start_dir
    # The fields for large sizes are there from the beginning: the size shows at the end.
    header = len(info.FileHeader(zip64=True))
    assert archive.fp is not None
    archive.fp.flush()
    with Summed(path, info.header_offset + header) as output:
        try:
            file = h5py.File(output, "w")
            try:
                yield file
            finally:
                file.close()
        finally:
            # On a full disk, this is why the rest failed too.
            output.finish()
        info.file_size = info.compress_size = output.size
        info.CRC = output.checksum()
    archive.fp.seek(info.header_offset)
    archive.fp.write(info.FileHeader(zip64=True))
    archive.start_dir = info.header_offset + header + info.file_size
    archive.filelist.append(info)
    archive.NameToInfo[name] = info


class Summed(Output):
    """A file that HDF5 writes to, beginning somewhere in another, and its CRC-32.

    Args:
        path: Path of an existing file.
        start: Where to begin in it.
    """

    def __init__(self, path: Any, start: int) -> None:
        from concurrent.futures import ThreadPoolExecutor

        super().__init__(path, start)
        self.other = ThreadPoolExecutor(1)
        # Position: (length, sum).
        self.pieces: dict[int, tuple[int, int]] = {}

    def write(self, data: Any) -> int:
        """Write, and sum what is large."""
        view = memoryview(data).cast("B")
        start, end = self.position, self.position + len(view)
        for position, (length, _) in list(self.pieces.items()):
            if position < end and start < position + length:
                del self.pieces[position]
        if len(view) < _LARGE:
            return super().write(view)
        summed = self.other.submit(zlib.crc32, view)
        try:
            return super().write(view)
        finally:
            # HDF5 takes the memory back when this returns.
            self.pieces[start] = (len(view), summed.result())

    def checksum(self) -> int:
        """The CRC-32 of all that was written."""
        total = place = 0
        for position, (length, piece) in sorted(self.pieces.items()):
            total = self._read_sum(place, position, total)
            total = _joined(total, piece, length)
            place = position + length
        return self._read_sum(place, self.size, total)

    def _read_sum(self, start: int, end: int, total: int) -> int:
        os.lseek(self.handle, self.start + start, os.SEEK_SET)
        while start < end:
            data = os.read(self.handle, min(end - start, 2**20))
            if not data:
                raise OSError("The file became shorter while it was written.")
            total = zlib.crc32(data, total)
            start += len(data)
        return total

    def close(self) -> None:
        """Close the file and end the thread."""
        self.other.shutdown()
        super().close()


# CRC-32 is a remainder of polynomials whose coefficients are bits, the highest power lowest. To
# append n bytes multiplies by x to the 8n.


def _joined(first: int, second: int, length: int) -> int:
    """The sum of two pieces, the second of `length` bytes, by their sums."""
    return _product(first, _power(8 * length)) ^ second


@functools.lru_cache(maxsize=1024)
def _power(exponent: int) -> int:
    """x to the `exponent`."""
    found, square = 1 << 31, 1 << 30
    while exponent:
        if exponent & 1:
            found = _product(found, square)
        square = _product(square, square)
        exponent >>= 1
    return found


def _product(a: int, b: int) -> int:
    found = 0
    for bit in range(31, -1, -1):
        if a >> bit & 1:
            found ^= b
        b = b >> 1 ^ (_POLYNOMIAL if b & 1 else 0)
    return found

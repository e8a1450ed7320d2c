"""HDF5 written into a zip archive where it will stay, its checksum computed meanwhile.

A zip wants a checksum of each member. HDF5 writes arrays once, in large pieces, and its own tables
in small ones, several times. So each large piece is summed in another thread while it is written;
the rest is read again at the end, and the sums of the pieces are joined.
"""

from __future__ import annotations

import functools
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from minikeras.saving.window import Output

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

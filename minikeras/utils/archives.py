"""Extraction of archives that may come from strangers.

The whole list of members is judged before anything is written, an archive with one hostile member
is refused as a whole, and no file is ever written through a link:

- names stay below the target folder (no absolute path, no drive, no `..`);
- hard links are copied from the archive itself, never from the disk;
- symbolic links are made last, and only stay if each of them resolves inside the target folder;
- devices and pipes are refused.
"""

import os
import re
import secrets
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import IO, Any, NamedTuple


class _Member(NamedTuple):
    name: str
    kind: str  # 'file', 'folder' or 'link'
    open: Callable[[], IO[bytes] | None]
    link_target: str = ""
    executable: bool = False


def extract_archive(
    file_path: str | os.PathLike,
    path: str | os.PathLike = ".",
    archive_format: str | list[str] | tuple[str, ...] | None = "auto",
) -> bool:
    """Extracts a tar or zip archive into a folder.

    Args:
        file_path: The archive.
        path: The folder to extract into; made if it is not there. Defaults to `"."`.
        archive_format: `"tar"` (plain or compressed by gzip, bzip2, xz), `"zip"`, `"auto"` for
            either, a list of these, or `None` for none. Defaults to `"auto"`.

    Returns:
        Whether the file was such an archive. If not, nothing was done.

    Raises:
        ValueError: The format is unknown, or the archive is damaged or has a member that would be
            written or would point outside `path`. Then nothing was written outside `path`.
    """
    if archive_format is None:
        formats: list[str] = []
    elif archive_format == "auto":
        formats = ["tar", "zip"]
    else:
        formats = [archive_format] if isinstance(archive_format, str) else list(archive_format)
    if unknown := [name for name in formats if name not in _READERS]:
        raise ValueError(
            "`archive_format` must be 'auto', 'tar', 'zip', a list of these or None. "
            f"Received: {unknown[0]!r}"
        )
    for name in formats:
        is_archive, open_archive, read_members = _READERS[name]
        if not is_archive(file_path):
            continue
        try:
            with open_archive(file_path) as archive:
                _extract(list(read_members(archive)), os.fspath(path), os.fspath(file_path))
        except (tarfile.TarError, zipfile.BadZipFile, EOFError, RuntimeError) as error:
            raise ValueError(f"The archive {file_path} cannot be extracted: {error}") from error
        return True
    return False


def _tar_members(archive: tarfile.TarFile) -> Iterator[_Member]:
    for info in archive:
        if info.isdir():
            kind = "folder"
        elif info.issym():
            kind = "link"
        elif info.isfile() or info.islnk():
            kind = "file"
        else:
            raise ValueError(
                f"The archive holds {info.name!r}, which is a device or a pipe. "
                "An archive of data has none: nothing was extracted."
            )
        opener = _tar_opener(archive, info)
        yield _Member(info.name, kind, opener, info.linkname, bool(info.mode & stat.S_IXUSR))


def _tar_opener(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[], IO[bytes] | None]:
    def open_member() -> IO[bytes] | None:
        try:
            return archive.extractfile(info)
        except KeyError:
            raise ValueError(
                f"The archive member {info.name!r} is a link to {info.linkname!r}, "
                "which the archive does not hold."
            ) from None

    return open_member


def _zip_members(archive: zipfile.ZipFile) -> Iterator[_Member]:
    for info in archive.infolist():
        kind = "folder" if info.is_dir() else "file"
        executable = bool(info.external_attr >> 16 & stat.S_IXUSR)
        yield _Member(info.filename, kind, _zip_opener(archive, info), executable=executable)


def _zip_opener(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    return lambda: archive.open(info)


_READERS: dict[str, tuple[Any, Any, Callable[[Any], Iterator[_Member]]]] = {
    "tar": (tarfile.is_tarfile, tarfile.open, _tar_members),
    "zip": (zipfile.is_zipfile, zipfile.ZipFile, _zip_members),
}


def _parts(name: str) -> tuple[str, ...]:
    """Splits a member's name and refuses one that could lead out of the target folder."""
    # Backslashes separate too on some systems, so they must not hide a '..' on any.
    pieces = [piece for piece in re.split(r"[/\\]", name) if piece not in ("", ".")]
    if name[:1] in ("/", "\\") or re.match(r"[A-Za-z]:", name) or ".." in pieces or "\0" in name:
        raise ValueError(
            f"The archive holds the path {name!r}, which leads out of the folder it is extracted "
            "to. Do not trust it: nothing was extracted."
        )
    return tuple(piece for piece in PurePosixPath(name).parts if piece != ".")


def _extract(members: list[_Member], target: str, source: str) -> None:
    placed = [(_parts(member.name), member) for member in members]
    if os.path.lexists(target) and not os.path.isdir(target):
        raise ValueError(
            f"{source} is to be extracted to the folder {target}, but that is a file. "
            "Move it away or choose another name."
        )
    if os.path.isdir(target):
        _write(placed, target)
        return
    # A folder appears whole or not at all, also if the machine stops half way.
    parent = os.path.dirname(os.path.abspath(target))
    os.makedirs(parent, exist_ok=True)
    work = temporary_name(parent)
    os.mkdir(work)
    try:
        _write(placed, work)
        os.rename(work, target)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


def _write(placed: list[tuple[tuple[str, ...], _Member]], root: str) -> None:
    root = os.path.realpath(root)
    links = []
    for parts, member in placed:
        if not parts:
            continue
        if member.kind == "folder":
            _folder(root, parts)
        elif member.kind == "file":
            _write_file(_folder(root, parts[:-1]), parts[-1], member)
        else:
            links.append((parts, member))
    made = []
    try:
        for parts, member in links:
            link = os.path.join(_folder(root, parts[:-1]), parts[-1])
            if os.path.isdir(link) and not os.path.islink(link):
                raise ValueError(f"The archive holds {member.name!r} as a folder and as a link.")
            if os.path.lexists(link):
                os.remove(link)
            os.symlink(member.link_target, link)
            made.append((link, member))
        for link, member in made:
            _check_link(link, member, root)
    except BaseException:
        for link, _ in made:
            os.remove(link)
        raise


def _folder(root: str, parts: tuple[str, ...]) -> str:
    """Makes a folder below `root`, without passing through any link."""
    folder = root
    for part in parts:
        folder = os.path.join(folder, part)
        try:
            os.mkdir(folder)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(folder).st_mode):
                raise ValueError(
                    f"The archive would write below {folder}, which is a link or a file. "
                    "Move it away, or do not trust the archive."
                ) from None
    return folder


def _write_file(folder: str, name: str, member: _Member) -> None:
    handle, temporary = create_file(folder, 0o777 if member.executable else 0o666)
    try:
        with os.fdopen(handle, "wb") as out:
            stream = member.open()
            if stream is None:
                raise ValueError(f"The archive member {member.name!r} has no content.")
            with stream:
                shutil.copyfileobj(stream, out, 1 << 20)
        # Replaces a link of that name instead of writing through it.
        os.replace(temporary, os.path.join(folder, name))
    except BaseException:
        os.remove(temporary)
        raise


def _check_link(link: str, member: _Member, root: str) -> None:
    try:
        resolved = os.path.realpath(link, strict=True)
    except OSError as error:
        raise ValueError(
            f"The archive holds the link {member.name!r} to {member.link_target!r}, "
            f"which leads nowhere ({error.strerror}). Links were not extracted."
        ) from None
    if os.path.isabs(member.link_target) or os.path.commonpath([resolved, root]) != root:
        raise ValueError(
            f"The archive holds the link {member.name!r} to {member.link_target!r}, which leads "
            "out of the folder it is extracted to. Do not trust it: links were not extracted."
        )


def temporary_name(folder: str) -> str:
    """Returns a path in `folder` that nobody can guess."""
    return os.path.join(folder, f".minikeras-{secrets.token_hex(8)}.tmp")


def create_file(folder: str, mode: int = 0o666) -> tuple[int, str]:
    """Creates a file in `folder`: returns its descriptor and its path.

    Unlike the files of `tempfile` it has the permissions of any new file.
    """
    path = temporary_name(folder)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return os.open(path, flags, mode), path

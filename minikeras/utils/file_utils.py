"""Downloads into Keras's cache folder, and archives from strangers."""

import hashlib
import os
import re
import secrets
import shutil
import stat
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import IO, Any, NamedTuple

from minikeras import config
from minikeras.utils.progbar import print_msg

_CHUNK = 1 << 16


def get_file(
    fname: str | os.PathLike | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | list[str] | tuple[str, ...] | None = "auto",
    cache_dir: str | os.PathLike | None = None,
    force_download: bool = False,
) -> str:
    """Downloads a file, unless it is in the cache already.

    The file appears in the cache only when it is complete and its hash is right. The folder is the
    one Keras uses, `~/.keras/datasets`, so what Keras downloaded is found.

    Args:
        fname: The file's name in the cache. With `extract`, a name without a dot is the name of
            the folder. Defaults to the last part of `origin`.
        origin: The URL to download from.
        untar: Old name for `extract=True, archive_format="tar"`.
        md5_hash: Old name for `file_hash` with `hash_algorithm="md5"`.
        file_hash: The hash the file must have, as hexadecimal digits.
        cache_subdir: The folder below the cache folder, or an absolute path.
            Defaults to `"datasets"`.
        hash_algorithm: `"md5"`, `"sha256"` or `"auto"`, which tells them apart by their length.
        extract: Whether the file is an archive to be extracted. Defaults to `False`.
        archive_format: `"tar"`, `"zip"`, `"auto"` for either, a list of these, or `None`.
        cache_dir: The cache folder. Defaults to `$KERAS_HOME`, or else `~/.keras`.
        force_download: Whether to download even what is in the cache. Defaults to `False`.

    Returns:
        The path of the file, or with `extract` the path of the folder it was extracted to.

    Raises:
        ValueError: `origin` is missing, `fname` is no plain name, the hash does not match, or the
            archive has a member that would be written outside its folder.
        OSError: The download failed.

    Example:

    >>> import minikeras, pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "data.txt").write_text("1 2 3")
    >>> path = minikeras.utils.get_file(
    ...     "data.txt", origin="https://example.com/data.txt", cache_dir=folder, cache_subdir="."
    ... )
    >>> pathlib.Path(path).read_text()
    '1 2 3'
    """
    if origin is None:
        raise ValueError("`origin` is missing: pass the URL of the file to download.")
    if md5_hash is not None and file_hash is None:
        file_hash, hash_algorithm = md5_hash, "md5"
    if file_hash is not None:
        _hasher(hash_algorithm, file_hash)  # an unknown algorithm is told before the download
    name = _file_name(fname, origin)
    extract = extract or untar
    folder_name = archive_name = name
    if extract:
        archive_name = f"{name}_archive"
        if fname and "." in name:
            archive_name, folder_name = name, f"{name[: name.find('.')]}_extracted"
    folder = _cache_folder(cache_dir, cache_subdir, archive_name)
    target = os.path.join(folder, archive_name)

    if force_download or not os.path.exists(target):
        _download(origin, target, file_hash, hash_algorithm)
    elif file_hash is not None and not validate_file(target, file_hash, hash_algorithm):
        print_msg(
            f"The file {target} is there, but its hash is not {file_hash}: "
            "it is incomplete or outdated and is downloaded again."
        )
        _download(origin, target, file_hash, hash_algorithm)
    if not extract:
        return target

    extracted = os.path.join(folder, folder_name)
    formats = "tar" if untar else archive_format
    if not extract_archive(target, extracted, formats):
        warnings.warn(
            f"Could not extract archive. {target} is no archive of the format {formats!r}.",
            stacklevel=2,
        )
    return extracted


def _file_name(fname: str | os.PathLike | None, origin: str) -> str:
    import urllib.parse

    name = os.fspath(fname) if fname else os.path.basename(urllib.parse.urlsplit(origin).path)
    if not name:
        raise ValueError(
            f"The URL has no file name to go by. Pass `fname`. Received: origin={origin!r}"
        )
    separators = [sep for sep in ("/", os.sep, os.altsep) if sep]
    if name in (".", "..") or "\0" in name or any(sep in name for sep in separators):
        raise ValueError(
            "`fname` must be a plain file name. Use `cache_dir` and `cache_subdir` for the folder. "
            f"Received: fname={name!r}"
        )
    return name


def _cache_folder(cache_dir: str | os.PathLike | None, cache_subdir: str, name: str) -> str:
    base = os.path.expanduser(os.fspath(config.keras_home() if cache_dir is None else cache_dir))
    folder = os.path.join(base, cache_subdir)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError:
        pass
    if os.access(folder, os.W_OK) or os.path.exists(os.path.join(folder, name)):
        return folder
    fallback = os.path.join("/tmp" if os.path.isdir("/tmp") else tempfile.gettempdir(), ".keras")
    folder = os.path.join(fallback, cache_subdir)
    os.makedirs(folder, exist_ok=True)
    return folder


def _download(origin: str, target: str, file_hash: str | None, hash_algorithm: str) -> None:
    import http.client
    import urllib.error
    import urllib.request

    print_msg(f"Downloading data from {origin}")
    handle, temporary = create_file(os.path.dirname(target))
    try:
        try:
            with os.fdopen(handle, "wb") as out, urllib.request.urlopen(origin) as response:
                _copy(response, out)
                out.flush()
                os.fsync(out.fileno())
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError) as error:
            reason = getattr(error, "reason", error)
            code = getattr(error, "code", None)
            raise OSError(
                f"URL fetch failure on {origin}: {code} -- {reason}. "
                f"Without a network, put the file at {target} yourself."
            ) from error
        if file_hash is not None and not validate_file(temporary, file_hash, hash_algorithm):
            raise ValueError(
                f"Incomplete or corrupted file detected: what {origin} sent has not the hash "
                f"{file_hash} ({hash_algorithm}). It was not kept."
            )
        os.replace(temporary, target)
    except BaseException:
        os.remove(temporary)
        raise


def _copy(response: Any, out: Any) -> None:
    """Copies the response with a progress bar, and notices if it ends too soon."""
    from minikeras.utils import Progbar

    length = response.headers.get("Content-Length")
    total = int(length) if length and length.isdigit() else None
    bar = Progbar(total or None)
    done = 0
    while chunk := response.read(_CHUNK):
        out.write(chunk)
        done += len(chunk)
        if total is None or done <= total:
            bar.update(done)
    if total is not None and done != total:
        raise ConnectionError(f"{done} of {total} bytes came before the connection ended")


def hash_file(fpath: str | os.PathLike, algorithm: Any = "sha256", chunk_size: int = 65535) -> str:
    """Returns a file's hash as hexadecimal digits.

    Args:
        fpath: The file.
        algorithm: `"sha256"`, `"md5"` or `"auto"` (md5), or a `hashlib` object.
        chunk_size: Bytes to read at a time.
    """
    hasher = _hasher(algorithm) if isinstance(algorithm, str) else algorithm
    with open(fpath, "rb") as file:
        while chunk := file.read(chunk_size):
            hasher.update(chunk)
    return hasher.hexdigest()


def validate_file(
    fpath: str | os.PathLike, file_hash: str, algorithm: str = "auto", chunk_size: int = 65535
) -> bool:
    """Tells whether a file has the hash it should have.

    Args:
        fpath: The file.
        file_hash: The hash as hexadecimal digits.
        algorithm: `"sha256"`, `"md5"`, or `"auto"`, which goes by the length of `file_hash`.
        chunk_size: Bytes to read at a time.
    """
    found = hash_file(fpath, _hasher(algorithm, file_hash), chunk_size)
    return found == str(file_hash).lower()


def _hasher(algorithm: str, file_hash: str | None = None) -> Any:
    if algorithm not in ("auto", "md5", "sha256"):
        raise ValueError(
            "`hash_algorithm` must be 'auto', 'md5' or 'sha256'. "
            f"Received: hash_algorithm={algorithm!r}"
        )
    if algorithm == "sha256" or (algorithm == "auto" and len(file_hash or "") == 64):
        return hashlib.sha256()
    return hashlib.md5(usedforsecurity=False)


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

"""Downloads into Keras's cache folder."""

import hashlib
import os
import tempfile
import warnings
from typing import Any

from minikeras import config
from minikeras.utils.archives import create_file, extract_archive
from minikeras.utils.io_utils import print_msg

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

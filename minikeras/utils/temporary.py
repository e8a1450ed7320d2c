"""Names for what is not complete yet, beside where it will be moved."""

import os
import secrets


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

"""Installed sizes, told by the interpreter that has the packages: `footprint.py NAME ROOT...`."""

from __future__ import annotations

import json
import re
import sys
from importlib import metadata
from pathlib import Path


def closure(names: list[str]) -> set[str]:
    """Distributions and all that they require, without extras."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            requirements = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        found.add(name)
        for requirement in requirements:
            specifier, _, marker = requirement.partition(";")
            if "extra" in marker or 'sys_platform == "win32"' in marker:
                continue
            waiting.append(re.match(r"[A-Za-z0-9._-]+", specifier.strip()).group())
    return found


def size(name: str) -> int:
    """Bytes of the files of one distribution, byte-compiled ones excepted."""
    total = 0
    for file in metadata.files(name) or []:
        path = Path(file.locate())
        if path.suffix != ".pyc" and path.is_file():
            total += path.stat().st_size
    return total


def folder_size(folder: str) -> int:
    """Bytes of the files under a folder, byte-compiled ones excepted."""
    return sum(
        p.stat().st_size for p in Path(folder).rglob("*") if p.is_file() and p.suffix != ".pyc"
    )


if __name__ == "__main__":
    folders = [name for name in sys.argv[1:] if "/" in name]
    names = closure([name for name in sys.argv[1:] if "/" not in name])
    total = sum(size(name) for name in names) + sum(folder_size(folder) for folder in folders)
    print(json.dumps({"mb": total / 1e6, "distributions": sorted(names)}))

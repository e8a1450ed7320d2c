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


def files_of(names: set[str], folders: list[str]) -> set[Path]:
    """The files of distributions and of folders, byte-compiled ones excepted."""
    paths = {Path(str(file.locate())) for name in names for file in metadata.files(name) or []}
    paths |= {path for folder in folders for path in Path(folder).rglob("*")}
    return {path for path in paths if path.suffix != ".pyc" and path.is_file()}


if __name__ == "__main__":
    folders = [name for name in sys.argv[1:] if "/" in name]
    names = closure([name for name in sys.argv[1:] if "/" not in name])
    total = sum(path.stat().st_size for path in files_of(names, folders))
    print(json.dumps({"mb": total / 1e6, "distributions": sorted(names)}))

"""Jupyter notebooks: their code cells as Python, without Jupyter."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minikeras.cli import CommandError

# Magics that say how to show or load things: nothing to do here.
_IGNORED = frozenset(
    "alias_magic autoreload autosave colors config load_ext matplotlib precision pylab reload_ext"
    " tensorflow_version watermark xmode".split()
)
# What installs packages or only prints: left out, with a note.
_SKIPPED_MAGICS = frozenset(
    "cat conda dirs history hist ls lsmagic mamba pip pwd tensorboard who whos".split()
)
_SKIPPED_COMMANDS = frozenset(
    "apt apt-get cat conda date df echo free head ls lscpu mamba nvcc nvidia-smi pip pip3 pwd tail"
    " tree uname uv wc which".split()
)
# Cell magics whose cell is Python that runs as it is.
_TRANSPARENT = frozenset("capture prun time timeit".split())
_SKIPPED_CELLS = frozenset("html javascript js latex markdown svg".split())


@dataclass
class Cell:
    """A code cell.

    Attributes:
        number: Its place among the code cells, from 1.
        source: Its Python.
        notes: What was left out, as (line, text).
        quiet: Whether it ends in a semicolon, which means that its value is not shown.
    """

    number: int
    source: str
    notes: list[tuple[int, str]]
    quiet: bool = False


def read_notebook(path: Path) -> list[Cell]:
    """The code cells of a notebook of format 3 or 4.

    Raises:
        CommandError: it is no notebook, or a magic or shell command is none that can be done or
            left out.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        cells: Any = content.get("cells")
        if cells is None:
            cells = [cell for sheet in content["worksheets"] for cell in sheet["cells"]]
        sources = [
            cell.get("source", cell.get("input", ""))
            for cell in cells
            if cell["cell_type"] == "code"
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CommandError(f"{path} is not a Jupyter notebook: {error!r}") from None
    found = []
    for number, source in enumerate(sources, 1):
        text = source if isinstance(source, str) else "".join(source)
        found.append(_python(text, number, path))
    return found


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def _python(source: str, number: int, path: Path) -> Cell:
    """A cell as Python; lines keep their numbers."""
    if _parses(source):
        return Cell(number, source, [], source.rstrip().endswith(";"))
    notes: list[tuple[int, str]] = []
    lines = source.split("\n")
    first = next((place for place, line in enumerate(lines) if line.strip()), 0)
    if lines[first].startswith("%%"):
        magic, _, rest = lines[first][2:].partition(" ")
        if magic.strip() in _SKIPPED_CELLS:
            return Cell(number, "", [(first + 1, f"left out: a cell of {magic.strip()}")])
        if magic.strip() not in _TRANSPARENT:
            raise _unknown(path, number, first + 1, lines[first])
        lines[first] = rest.strip() if magic == "timeit" and not rest.startswith("-") else ""
    result: list[str] = []
    for place, logical in _logical_lines(lines):
        text, indent = logical[0].lstrip(), logical[0][: -len(logical[0].lstrip()) or None]
        made = _line(" ".join(part.rstrip("\\").strip() for part in logical), notes, place + 1)
        if made is None:
            result.extend(logical)
        elif made is False:
            raise _unknown(path, number, place + 1, text)
        else:
            result.append((indent if text != logical[0] else "") + str(made))
            result.extend([""] * (len(logical) - 1))
    text = "\n".join(result)
    return Cell(number, text, notes, text.rstrip().endswith(";"))


def _logical_lines(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Lines; those of magics and commands with what their backslashes continue."""
    place = 0
    while place < len(lines):
        end = place + 1
        if lines[place].lstrip()[:1] in ("%", "!"):
            while lines[end - 1].rstrip().endswith("\\") and end < len(lines):
                end += 1
        yield place, lines[place:end]
        place = end


def _line(text: str, notes: list, place: int) -> Any:
    """Python in place of a line; None: it is Python; False: it is a magic that is not known."""
    text = text.strip()
    if text.startswith("!"):
        command = text.lstrip("!").split()
        name = command[0] if command else ""
        if name in ("python", "python3") and command[1:3] == ["-m", "pip"]:
            name = "pip"
        if name not in _SKIPPED_COMMANDS:
            return False
        notes.append((place, f"left out: {text}"))
        return "pass"
    if text.startswith("%") and text[1:2].isalpha():
        magic, _, rest = text[1:].partition(" ")
        if magic in ("time", "timeit", "prun"):
            return re.sub(r"^(-\w+\s*\d*\s+)*", "", rest.strip()) or "pass"
        if magic in ("cd", "env", "set_env") and rest.strip():
            module = "os"
            if magic == "cd":
                return f"__import__({module!r}).chdir({rest.strip()!r})"
            key, _, value = rest.replace("=", " ", 1).partition(" ")
            return f"__import__({module!r}).environ[{key.strip()!r}] = {value.strip()!r}"
        if magic in _SKIPPED_MAGICS:
            notes.append((place, f"left out: {text}"))
            return "pass"
        return "pass" if magic in _IGNORED else False
    if text.startswith("?") or re.fullmatch(r"[\w.]+\?{1,2}", text):
        return "pass"
    if re.match(r"[\w, ]+=\s*[!%]\s*\w", text):
        return False
    return None


def _unknown(path: Path, number: int, line: int, text: str) -> CommandError:
    return CommandError(
        f"{path}, cell {number}, line {line}: {text.strip()!r} needs a shell or IPython. Do by hand"
        " what it does, and take it out of the notebook."
    )

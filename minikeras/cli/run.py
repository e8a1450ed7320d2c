"""Keras scripts and notebooks, unedited: `python -m minikeras run` and `check`.

`check` says what is spelled otherwise today, or is not there.

Jupyter notebooks: their code cells as Python, without Jupyter.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import re
import sys
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

import numpy as np

from minikeras.cli import CommandError


def register_run(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "run",
        help="run a Keras script or notebook unedited",
        description=(
            "Runs a script or notebook in which `keras` and `tensorflow` mean minikeras, whatever"
            " is installed. The exit code is that of the script, or 1 after an error. Of a"
            " notebook the code cells run in order, each prints the value of its last line;"
            " `%%matplotlib` and its like are ignored, `!pip` is left out."
        ),
    )
    parser.add_argument(
        "--generation",
        choices=("1", "2", "3"),
        help=(
            "the Keras whose defaults the script counts on (default: found by its spellings; see"
            " minikeras.dialects.generations)"
        ),
    )
    parser.add_argument("script", help="a .py or .ipynb file")
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, help="arguments of the script (its sys.argv[1:])"
    )
    parser.set_defaults(run=run_run)


def run_run(arguments: argparse.Namespace) -> int:
    """Runs it; returns its exit code."""
    import os
    import traceback

    from minikeras.dialects import generations
    from minikeras.standin import install_as_keras

    path = Path(arguments.script)
    if not path.is_file():
        raise CommandError(f"there is no file {path}. Pass a .py or .ipynb file.")
    notebook = path.suffix == ".ipynb"
    if notebook:
        # Nobody is there to close the windows.
        os.environ.setdefault("MPLBACKEND", "Agg")
    cells = _cells(path) if notebook else None
    try:
        install_as_keras()
    except RuntimeError as error:
        raise CommandError(str(error)) from None
    _go_back(path, cells, arguments.generation)
    module = ModuleType("__main__")
    module.__dict__.update(__file__=str(path), __builtins__=__builtins__)
    before = sys.argv, sys.path[:], sys.modules.get("__main__")
    sys.argv = [str(path), *arguments.arguments]
    # `python -m` put the working directory first; `python script.py` puts the script's.
    sys.path[0] = str(path.resolve().parent)
    sys.modules["__main__"] = module
    try:
        if cells is None:
            exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
        else:
            _run_cells(cells, path, module)
    except SystemExit:
        raise
    except BaseException as error:
        error.__traceback__ = _of_script(error.__traceback__)
        if sys.excepthook is sys.__excepthook__:
            # It would not find the lines of a notebook.
            traceback.print_exception(type(error), error, error.__traceback__)
        else:
            sys.excepthook(type(error), error, error.__traceback__)
        if isinstance(error, SyntaxError) and error.filename == str(path):
            print(
                "minikeras run: a script for Python 2? Convert it first, for instance with"
                " https://pypi.org/project/modernize.",
                file=sys.stderr,
            )
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    finally:
        generations.use(3)
        sys.stdout.flush()
        sys.argv, sys.path[:] = before[0], before[1]
        # The script's own classes must be found by their module until the process ends.
        if before[2] is not None and not _is_command(before[2]):
            sys.modules["__main__"] = before[2]
    return 0


def _go_back(path: Path, cells: list | None, generation: str | None) -> None:
    """Gives the script the defaults and the names of its years."""
    import ast
    import tokenize

    from minikeras.dialects import generations

    try:
        if cells is not None:
            source = "\n".join(cell.source for cell in cells)
        else:
            with tokenize.open(path) as file:
                source = file.read()
        found = generations.written_for(ast.parse(source))
    except (SyntaxError, ValueError):
        return  # running it says what is wrong
    generations.use(int(generation or found))
    supplied = supply(source)
    if found < 3 and generation is None:
        release = {1: "1.2.2", 2: "2.3.1"}[found]
        print(
            f"minikeras run: spelled for Keras {found}: the defaults are those of Keras {release}"
            " (`run --generation 3` gives today's)",
            file=sys.stderr,
        )
    if supplied:
        print(f"minikeras run: supplied: {', '.join(supplied)}", file=sys.stderr)


def _is_command(main: ModuleType) -> bool:
    return getattr(main, "__file__", None) == str(Path(__file__).parent.parent / "__main__.py")


def _of_script(trace: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames of this module, which run the script."""
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return trace


def _cells(path: Path) -> list:
    from minikeras.cli.run import read_notebook

    return read_notebook(path)


def _run_cells(cells: list, path: Path, module: ModuleType) -> None:
    import ast
    import linecache

    module.__dict__.update(display=_display, get_ipython=_Shell)
    for cell in cells:
        for line, note in cell.notes:
            print(f"minikeras run: cell {cell.number}, line {line}: {note}", file=sys.stderr)
        name = f"{path}[{cell.number}]"
        lines = cell.source.splitlines(keepends=True)
        linecache.cache[name] = (len(cell.source), None, lines, name)
        tree = ast.parse(cell.source, name)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec"), module.__dict__)
        if last is None:
            continue
        value = eval(compile(ast.Expression(last.value), name, "eval"), module.__dict__)
        if value is not None:
            module.__dict__["_"] = value
            if not cell.quiet:
                _display(value)


def _display(*values: Any, **_: Any) -> None:
    """Jupyter's `display`: prints."""
    for value in values:
        print(repr(value), flush=True)


def _nothing(*_: Any, **__: Any) -> None:
    """Nothing to clear."""


class _Shell:
    """What `get_ipython()` is in a notebook that runs without IPython: magics do nothing."""

    def run_line_magic(self, name: str, line: str, *_: Any) -> None:
        """Does nothing."""

    def magic(self, line: str) -> None:
        """Does nothing."""

    def system(self, command: str) -> None:
        """Not available.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError(f"Shell commands are not run. Do it by hand: {command}")


# What `check` does


def register_check(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "check",
        help="list old spellings and missing things in a script or notebook",
        description=(
            "Reads a script or notebook, runs nothing of it, and lists by line each spelling of an"
            " older Keras with today's, and each thing that minikeras does not have. What objects"
            " of unknown kind are asked for is judged by its name. Exit code 0 when all of it"
            " exists, 1 when something is missing."
        ),
    )
    parser.add_argument("script", nargs="+", help=".py or .ipynb files")
    parser.set_defaults(run=run_check)


def run_check(arguments: argparse.Namespace) -> int:
    """Prints the report; returns 1 if something is missing."""
    from minikeras.standin import install_as_keras

    try:
        installation = install_as_keras()
    except RuntimeError as error:
        raise CommandError(str(error)) from None
    missing = 0
    with installation:
        for name in arguments.script:
            missing += _report(Path(name))
    return 1 if missing else 0


def _report(path: Path) -> int:
    """Prints what there is to say of a file; returns how much is missing."""
    from minikeras.cli.report import findings

    if not path.is_file():
        raise CommandError(f"there is no file {path}. Pass .py or .ipynb files.")
    counts = {"old": 0, "missing": 0}
    source, cells = _read(path)

    def place(line: int) -> str:
        number = bisect_right(cells, line - 1)
        return f"{path}[{number}]:{line - cells[number - 1]}" if cells else f"{path}:{line}"

    try:
        for one in findings(source, str(path)):
            counts[one.kind] += 1
            sign = " -> " if one.kind == "old" else ". "
            print(f"{place(one.line)}: {one.kind}: {one.what}{sign}{one.instead}".rstrip())
    except SyntaxError as error:
        where = place(error.lineno or 1)
        raise CommandError(f"{where}: not Python 3: {error.msg}", 1) from None
    print(
        f"{path}: {counts['old']} old spelling{'s' * (counts['old'] != 1)}, which minikeras"
        f" understands; {counts['missing']} thing{'s' * (counts['missing'] != 1)} missing"
    )
    return counts["missing"]


def _read(path: Path) -> tuple[str, list[int]]:
    """The Python of a file; of a notebook, all cells as one, and how many lines are before each."""
    import tokenize

    if path.suffix == ".ipynb":
        from minikeras.cli.run import read_notebook

        text, before = "", []
        for cell in read_notebook(path):
            before.append(text.count("\n"))
            text += cell.source + "\n"
        return text, before
    try:
        with tokenize.open(path) as file:
            return file.read(), []
    except (UnicodeDecodeError, SyntaxError) as error:
        raise CommandError(f"{path} is not a Python script: {error}") from None


# What scripts of the years of Keras 1 and 2 expect of other packages, where another name means
# the same today. Only what the script names, and only in this process.
_ALIASES: dict[str, Any] = {
    "bool": bool, "complex": complex, "float": float, "int": int, "long": int, "object": object,
    "str": str, "unicode": str, "Inf": np.inf, "Infinity": np.inf, "infty": np.inf, "NaN": np.nan,
    "NINF": -np.inf, "float_": np.float64, "product": np.prod, "row_stack": np.vstack,
}  # fmt: skip
_MOVED = {
    "sklearn.cross_validation": "sklearn.model_selection",
    "sklearn.externals.joblib": "joblib",
    "sklearn.grid_search": "sklearn.model_selection",
}
_SHOWN = ("Audio", "HTML", "Image", "Markdown", "SVG", "display")
_IMAGES = ("imread", "imresize", "imsave", "toimage")


def supply(source: str) -> list[str]:
    """Supply what a script names of it and is not there; returns what was supplied.

    Args:
        source: The text of the script.
    """
    supplied = []
    for name in sorted(set(re.findall(r"\bn(?:um)?py?\.(\w+)\b", source)) & set(_ALIASES)):
        if name not in np.__dict__:
            setattr(np, name, _ALIASES[name])
            supplied.append(f"numpy.{name}")
    if re.search(r"\b(from|import) IPython\b", source) and not _is_there("IPython"):
        shown = ModuleType("IPython.display")
        shown.__dict__.update(dict.fromkeys(_SHOWN, _display), clear_output=_nothing)
        _put("IPython.display", shown)
        sys.modules["IPython"].__dict__.update(display=shown, get_ipython=_Shell)
        supplied.append("IPython.display")
    for old, today in _MOVED.items():
        last = old.rpartition(".")[2]
        if re.search(rf"\b{last}\b", source) and not _is_there(old) and _is_there(today):
            _put(old, importlib.import_module(today))
            supplied.append(old)
    if re.search(r"\bscipy\.misc\b|from scipy import misc", source) and _is_there("scipy"):
        module = _misc()
        if module is not None:
            _put("scipy.misc", module)
            supplied.append("scipy.misc")
    return supplied


def _is_there(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def _put(name: str, module: ModuleType) -> None:
    parent, _, last = name.rpartition(".")
    sys.modules[name] = module
    if parent not in sys.modules and not _is_there(parent):
        sys.modules[parent] = ModuleType(parent)
    setattr(sys.modules[parent], last, module)


def _misc() -> ModuleType | None:
    """`scipy.misc` with its functions of images, by Pillow; None where SciPy has them."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = importlib.import_module("scipy.misc") if _is_there("scipy.misc") else None
        if own is not None and hasattr(own, "imsave"):
            return None
    module = ModuleType("scipy.misc", "The functions of images that SciPy had.")
    module.__dict__.update({name: globals()[f"_{name}"] for name in _IMAGES})
    if own is not None:
        module.__getattr__ = lambda name: getattr(own, name)  # type: ignore[method-assign]
    return module


def _toimage(array: Any) -> Any:
    from PIL import Image

    array = np.asarray(array)
    if array.dtype != np.uint8:
        # SciPy stretched them to the whole range.
        low, span = array.min(), np.ptp(array)
        array = (array - low) * (255.0 / span if span else 1.0) + 0.4999999
        array = np.clip(array, 0, 255).astype("uint8")
    return Image.fromarray(array)


def _imsave(name: Any, array: Any, format: str | None = None) -> None:
    _toimage(array).save(name, format)


def _imread(name: Any, flatten: bool = False, mode: str | None = None) -> Any:
    from PIL import Image

    image: Any = Image.open(name)
    if mode or image.mode == "P":
        image = image.convert(mode or "RGB")
    return np.asarray(image.convert("F") if flatten else image)


def _imresize(array: Any, size: Any, interp: str = "bilinear", mode: str | None = None) -> Any:
    from PIL import Image

    image = _toimage(array)
    width, height = image.size
    if isinstance(size, (int, np.integer)):
        size = (height * size // 100, width * size // 100)
    elif isinstance(size, float):
        size = (int(height * size), int(width * size))
    ways = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "cubic": 3}
    resized = image.resize((size[1], size[0]), Image.Resampling(ways[interp]))
    return np.asarray(resized)


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

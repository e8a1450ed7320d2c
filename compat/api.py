"""The public names of Keras 3.15.1 against those of minikeras, and what compares them.

`python compat/api.py --write` makes `compat/COVERAGE.md`; `python compat/api.py` prints the counts.
`keras_api.json` lists every public name of Keras 3.15.1 with its signature.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import inspect
import json
import re
import sys
import warnings
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

# Namespaces of which at least 97 % must be the same.
MATTER = (
    "layers ops losses metrics optimizers activations initializers regularizers constraints"
    " callbacks utils models saving random tree config"
).split()

# Why a name is not offered: prefix -> reason. The longest prefix counts.
NOT_OFFERED = {
    "keras.applications": "VGG, ResNet, MobileNet, Inception and Xception are there",
    "keras.distribution": "one machine; data parallelism is work of its own",
    "keras.export": "formats of other frameworks",
    "keras.visualization": "galleries of detection data sets; they need OpenCV in Keras too",
    "keras.layers.TFSMLayer": "needs TensorFlow",
    "keras.layers.JaxLayer": "needs JAX",
    "keras.layers.FlaxLayer": "needs Flax",
    "keras.layers.TorchModuleWrapper": "needs torch",
    "keras.StatelessScope": "for compiled backends",
    "keras.SymbolicScope": "for compiled backends",
}

# Why a signature differs.
OTHER_SIGNATURE: dict[str, str] = {
    "keras.KerasTensor": "unknown keywords are refused, not ignored",
    "keras.Variable": "`layout`, of distribution, is in `**kwargs`",
    "keras.preprocessing.image.smart_resize": "`**kwargs` choose another backend in Keras",
    "keras.name_scope": "`caller`, `deduplicate`, `override_parent`, in `**kwargs` in Keras",
    "keras.optimizers.Optimizer": "Keras hides the arguments behind `*args, **kwargs`",
    "keras.Optimizer": "Keras hides the arguments behind `*args, **kwargs`",
    "keras.saving.load_weights": "`by_name`, which Keras takes in `**kwargs`, is written out",
    **{
        f"keras.layers.{name}": "positional arguments of Keras 1 are understood too"
        for name in "Convolution1D Convolution2D Convolution3D SeparableConvolution2D".split()
    },
    **{
        f"keras.layers.{name}": "positional arguments get an explanation"
        for name in "Add Average Maximum Minimum Multiply Subtract".split()
    },
}


@functools.cache
def manifest() -> dict:
    """Name -> {"kind", "sig"} of every public name of Keras 3.15.1."""
    return json.loads((HERE / "keras_api.json").read_text())


def find(name: str):
    """The thing of that name in minikeras, or None."""
    parts = name.split(".")[1:]
    thing = importlib.import_module("minikeras")
    for position, part in enumerate(parts):
        try:
            thing = getattr(thing, part)
        except AttributeError:
            try:
                thing = importlib.import_module(".".join(["minikeras", *parts[: position + 1]]))
            except ImportError:
                return None
        except ImportError:
            return None
    return thing


def parameters(text: str) -> list[str] | None:
    """The parameters of a signature written as text, with normalized defaults."""
    text = re.sub(r"<[^<>]*>", "OBJECT", text.strip())
    try:
        scope: dict = {}
        exec(f"def function{text}: pass", {"OBJECT": "OBJECT"}, scope)
    except Exception:
        return None
    return written(inspect.signature(scope["function"]))


def written(signature: inspect.Signature) -> list[str]:
    """The parameters of a signature as text."""
    rows = []
    for one in signature.parameters.values():
        default = "" if one.default is one.empty else f"={one.default!r}"
        default = re.sub(r"<[^<>]*>", "OBJECT", default).replace("'OBJECT'", "OBJECT")
        star = {one.VAR_POSITIONAL: "*", one.VAR_KEYWORD: "**"}.get(one.kind, "")
        only = "!" if one.kind is one.KEYWORD_ONLY else ""
        rows.append(f"{only}{star}{one.name}{default}")
    return rows


def status(name: str) -> tuple[str, str]:
    """`("same" | "differs" | "missing" | "not offered", why)`."""
    entry = manifest()[name]
    reasons = [prefix for prefix in NOT_OFFERED if name == prefix or name.startswith(prefix + ".")]
    thing = find(name)
    # A name of an older Keras that only explains itself is not the thing.
    explains = str(getattr(thing, "__module__", "")).startswith("minikeras.dialects")
    explains = explains or str(getattr(thing, "__doc__", "")).startswith(("Gone.", "Not here."))
    if thing is None or (reasons and explains) or name in NOT_OFFERED:
        if reasons:
            return "not offered", NOT_OFFERED[max(reasons, key=len)]
        return "missing", ""
    if name in OTHER_SIGNATURE:
        return "same", OTHER_SIGNATURE[name]
    if entry.get("sig") and callable(thing):
        expected = parameters(entry["sig"])
        try:
            found = written(inspect.signature(thing))
        except (TypeError, ValueError):
            found = None
        if expected is not None and found is not None and expected != found:
            return "differs", f"Keras {entry['sig']}; here {inspect.signature(thing)}"
    return "same", ""


@functools.cache
def comparisons() -> dict[str, str]:
    """File name -> text of everything that compares with real Keras."""
    helpers = [HERE / "layer_pairs.py", HERE / "ops_compare.py"]
    return {path.name: path.read_text() for path in [*sorted(HERE.glob("test_*.py")), *helpers]}


def compared_in(name: str) -> list[str]:
    """The comparison files that mention the last part of a name."""
    word = re.compile(rf"\b{re.escape(name.rsplit('.', 1)[-1])}\b")
    return [file for file, text in comparisons().items() if word.search(text)]


def rows() -> list[tuple[str, str, str, list[str]]]:
    """(name, status, why, comparison files) of every public name.

    What has several names is compared where one of them is.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        things = {name: find(name) for name in manifest()}
        states = {name: status(name) for name in manifest()}
    files: dict[int, set] = {}
    for name, thing in things.items():
        files.setdefault(id(thing), set()).update(compared_in(name))
    return [
        (
            name,
            *states[name],
            sorted(compared_in(name) if things[name] is None else files[id(things[name])]),
        )
        for name in sorted(manifest())
    ]


def namespace(name: str) -> str:
    """The namespace that a name counts for."""
    parts = name.split(".")
    return parts[1] if len(parts) > 2 else "keras"


def table(found: list) -> str:
    """`COVERAGE.md`."""
    lines = [
        "# What is covered",
        "",
        "Every public name of Keras 3.15.1, made by `python compat/api.py --write`. *same*: it is",
        "there with an equal signature. The last column names the comparisons with real Keras",
        "that mention it.",
        "",
        "| namespace | names | same | other signature | not offered | missing | compared |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for space in sorted({namespace(name) for name, *_ in found}):
        part = [row for row in found if namespace(row[0]) == space]
        count = Counter(row[1] for row in part)
        compared = sum(1 for row in part if row[1] == "same" and row[3])
        lines.append(
            f"| {space} | {len(part)} | {count['same']} | {count['differs']} |"
            f" {count['not offered']} | {count['missing']} | {compared} |"
        )
    lines += ["", "| name | status | why | compared in |", "| --- | --- | --- | --- |"]
    for name, state, why, files in found:
        listed = ", ".join(files[:4])
        lines.append(f"| `{name}` | {state} | {why.replace('|', '/')} | {listed} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the counts, or write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write compat/COVERAGE.md")
    parser.add_argument("--missing", action="store_true", help="list what is missing or differs")
    options = parser.parse_args()
    found = rows()
    if options.missing:
        for name, state, why, _ in found:
            if state in ("missing", "differs") and namespace(name) in MATTER:
                print(state, name, why)
    text = table(found)
    if options.write:
        (HERE / "COVERAGE.md").write_text(text)
    matter = [row for row in found if namespace(row[0]) in MATTER]
    same = sum(row[1] == "same" for row in matter)
    print(
        f"{same} of {len(matter)} names of the namespaces that matter on arrays"
        f" ({', '.join(MATTER)}) are there with equal signatures: {same / len(matter):.1%}"
    )
    print("\n".join(text.splitlines()[6 : 8 + len({namespace(row[0]) for row in found})]))


if __name__ == "__main__":
    main()

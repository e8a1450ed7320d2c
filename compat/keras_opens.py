"""Counts, by who wrote them, the files of the corpus that Keras 3.15.1 opens, and minikeras.

`python compat/keras_opens.py` prints a Markdown table. What Keras does was recorded when the
corpus was made (`keras3` in each `meta.json`); what minikeras does is in `corpus/expected.tsv`.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from pathlib import Path

from corpus_check import EXPECTED, pairs, unpack

WRITERS = (
    ("Keras 1", ("keras-1.",)),
    ("Keras 2", ("keras-2.",)),
    ("tf.keras 1.15 to 2.10", ("tfkeras-1.", "tfkeras-2.3", "tfkeras-2.4", "tfkeras-2.6",
                               "tfkeras-2.10")),
    ("tf.keras 2.12 to 2.15, tf_keras", ("tfkeras-2.1", "tf_keras")),
    ("Keras 3", ("keras-3.",)),
)  # fmt: skip
FILES = ("model.h5", "model.keras", "model_v3.keras", "model.json", "weights.h5")


def counts(root: Path) -> dict:
    """{(writer, file): [tried, opened by Keras, opened by minikeras]}"""
    outcomes: dict = defaultdict(list)
    for line in EXPECTED.read_text().splitlines():
        key, name, check, outcome = line.split("\t")
        if check == "predict":
            outcomes[key, name].append(outcome == "ok")
    found: dict = defaultdict(lambda: [0, 0, 0])
    for folder in pairs(root):
        meta = json.loads((folder / "meta.json").read_text())
        key = str(folder.relative_to(root))
        writer = next(name for name, starts in WRITERS if key.startswith(starts))
        for name, theirs in (meta.get("keras3") or {}).items():
            if name not in FILES or (key, name) not in outcomes:
                continue
            row = found[writer, name]
            row[0] += 1
            row[1] += bool(theirs.get("loads") and theirs.get("predict_ok"))
            row[2] += all(outcomes[key, name])
    return found


def table(found: dict) -> str:
    """The counts as Markdown."""
    lines = ["| written by | file | files | Keras 3.15.1 opens | minikeras opens |"]
    lines.append("|" + " --- |" * 5)
    for writer, _ in WRITERS:
        for name in FILES:
            if (writer, name) in found:
                row = " | ".join(map(str, found[writer, name]))
                lines.append(f"| {writer} | `{name}` | {row} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as temporary:
        print(table(counts(unpack(Path(temporary)))))


if __name__ == "__main__":
    main()

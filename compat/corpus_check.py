"""Opens every model file of the corpus and compares with what the Keras that wrote it computed.

`python compat/corpus_check.py` writes `compat/FILES.md`, the table of what opens and what does not,
and `compat/corpus/expected.tsv`, which `test_corpus.py` holds it to.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tarfile
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
ARCHIVE = HERE / "corpus" / "open.tar.xz"
EXPECTED = HERE / "corpus" / "expected.tsv"
TABLE = HERE / "FILES.md"
WHOLE = ("model.h5", "model.keras", "model_v3.keras")
# What stands behind the failures that remain.
REASONS = (
    "Resuming under keras-1.2.2-tf and keras-2.0.9: there an update could overtake a read of the"
    " same weight within a step, so the recorded weights are those of one run. The same models on"
    " Theano resume exactly.",
    "",
    "huber_auc of keras-3.12.0-tf: that version did not write `delta` of `Huber` into the file.",
)
WEIGHTS = ("weights.h5", "model.weights.h5")


def unpack(folder: Path) -> Path:
    """The corpus, unpacked below `folder`."""
    with tarfile.open(ARCHIVE, "r:xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "full-open"


def pairs(root: Path) -> list[Path]:
    """The folders of the corpus, one a version and model."""
    return sorted(path.parent for path in root.glob("*/*/meta.json"))


class Pair:
    """One model as one Keras version wrote it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.meta = json.loads((folder / "meta.json").read_text())
        self.tolerance = self.meta["tolerance"]
        with np.load(folder / "io.npz") as io:
            self.io = {name: io[name] for name in io.files}
        self.x = self._arrays("x", self.meta.get("feed_names"))
        self.t = self._arrays("t", None)

    def _arrays(self, letter: str, names: list | None) -> Any:
        arrays = self.listed(letter)
        if names:
            return dict(zip(names, arrays))
        return arrays[0] if len(arrays) == 1 else arrays

    def listed(self, letter: str) -> list[np.ndarray]:
        """The arrays `letter0`, `letter1`, ..."""
        found = []
        while f"{letter}{len(found)}" in self.io:
            found.append(self.io[f"{letter}{len(found)}"])
        return found

    def checks(self) -> Iterator[tuple[str, str, Any]]:
        """(file, check, function) for everything that this pair can prove."""
        verified = set(self.meta.get("verified_files") or [])
        for name in self.meta["files"]:
            if name in WHOLE:
                yield name, "predict", self._predict_whole
                if "evaluate" in self.meta and self.meta.get("compiled"):
                    yield name, "evaluate", self._evaluate
                if self._resumes(name):
                    yield name, "resume", self._resume
            elif name in WEIGHTS:
                if name in verified or name == "weights.h5":
                    yield name, "predict", self._predict_weights
            elif name == "model.json":
                yield name, "predict", self._predict_json

    def _resumes(self, name: str) -> bool:
        resume = self.meta.get("resume") or {}
        if not resume.get("reproducible_in_same_version"):
            return False
        by_file = resume.get("reproducible_by_file") or {}
        return bool(by_file.get(name, name == "model.h5" and not by_file))

    def load(self, name: str, compile: bool = True) -> Any:
        """The whole model in a file."""
        import minikeras

        return minikeras.models.load_model(self.folder / name, compile=compile, safe_mode=False)

    def from_json(self) -> Any:
        """The architecture in `model.json`."""
        import minikeras

        text = (self.folder / "model.json").read_text()
        minikeras.config.enable_unsafe_deserialization()
        return minikeras.models.model_from_json(text)

    def _compare(self, model: Any, prefix: str = "y") -> None:
        import minikeras

        got = model.predict(self.x, batch_size=self.meta["batch_size"], verbose=0)
        keys = self.meta.get("output_keys")
        if isinstance(got, dict):
            got = [got[key] for key in (keys or sorted(got))]
        got = [np.asarray(one) for one in minikeras.tree.flatten(got)]
        want = self.listed(prefix)
        if len(got) != len(want):
            raise AssertionError(f"{len(got)} outputs instead of {len(want)}")
        self.close(got, want, self.tolerance["predict"], "predictions")

    @staticmethod
    def close(got: list, want: list, tolerance: float, what: str) -> None:
        """Compare lists of arrays."""
        for a, b in zip(got, want):
            if a.shape != b.shape:
                raise AssertionError(f"{what}: shape {a.shape} instead of {b.shape}")
            if a.size and not np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True):
                raise AssertionError(f"{what} differ by {np.max(np.abs(a - b)):.2g}")

    def _predict_whole(self, name: str) -> None:
        self._compare(self.load(name, compile=False))

    def _predict_weights(self, name: str) -> None:
        if "model.json" in self.meta["files"]:
            model = self.from_json()
        else:
            whole = [one for one in WHOLE if one in self.meta["files"]]
            model = self.load(whole[0], compile=False)
            for weight in model.weights:
                weight.assign(np.zeros(weight.shape, weight.dtype))
        model.load_weights(self.folder / name)
        self._compare(model)

    def _predict_json(self, name: str) -> None:
        model = self.from_json()
        arrays = self.listed("w")
        files = [one for one in (*WEIGHTS, *WHOLE) if one in self.meta["files"]]
        theano = self.meta.get("backend") == "theano"
        if not theano and [one.shape for one in arrays] == [one.shape for one in model.weights]:
            model.set_weights(arrays)
        else:
            # The version had other weights than Keras has today.
            model.load_weights(self.folder / files[0])
        self._compare(model)

    def _evaluate(self, name: str) -> None:
        model = self.load(name)
        want = self.meta["evaluate"]
        model.evaluate(self.x, self.t, batch_size=want["batch_size"], verbose=0)
        values = dict(zip(want["names"], np.atleast_1d(want["values"])))
        logs = {key: float(value) for key, value in model.get_metrics_result().items()}
        weights = self.meta.get("loss_weights") or model._compile_arguments["loss_weights"] or {}
        losses = [key for key in values if key == "loss" or key.endswith("_loss")]
        for key in losses:
            if key not in logs:
                continue
            got = logs[key]
            weight = weights.get(key[:-5]) if isinstance(weights, dict) else None
            # Keras 3.0 to 3.8 showed the loss of an output multiplied by its weight.
            scaled = abs(got * (weight or 1) - values[key]) < abs(got - values[key])
            self.close(
                [np.float64(got * weight if weight and scaled else got)],
                [np.float64(values[key])],
                self.tolerance["evaluate"],
                key,
            )
        others = [value for key, value in logs.items() if not key.endswith("loss")]
        wanted = [value for key, value in values.items() if not key.endswith("loss")]
        if set(values) == set(logs):
            others = [logs[key] for key in values if not key.endswith("loss")]
        if len(others) != len(wanted):
            raise AssertionError(f"metrics {sorted(logs)} instead of {sorted(values)}")
        self.close([np.array(others)], [np.array(wanted)], self.tolerance["evaluate"], "metrics")

    def _resume(self, name: str) -> None:
        model = self.load(name)
        model.fit(self.x, self.t, batch_size=4, epochs=1, shuffle=False, verbose=0)
        want = self.listed("after_w")
        skip = set((self.meta["resume"] or {}).get("not_reproducible_weights") or [])
        got = model.get_weights()
        theano = self.meta.get("backend") == "theano"
        if theano or [one.shape for one in got] != [one.shape for one in want]:
            # The version had other weights than Keras has today; its predictions tell.
            self.tolerance["predict"] = self.tolerance["resume"]
            return self._compare(model, "after_y")
        kept = [i for i in range(len(want)) if i not in skip]
        self.close(
            [got[i] for i in kept], [want[i] for i in kept], self.tolerance["resume"], "weights"
        )


def run_pair(folder: Path) -> Iterator[tuple[str, str, str]]:
    """(file, check, "ok" or what went wrong) for one folder."""
    from minikeras.engine import serialization

    pair = Pair(folder)
    for name, check, function in pair.checks():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            before = serialization.safe_mode()
            try:
                function(name)
                outcome = "ok"
            except Exception as error:
                outcome = _short(error)
            finally:
                serialization.set_default_safe_mode(before)
        yield name, check, outcome


def _short(error: BaseException) -> str:
    text = re.sub(r"(/[\w.-]+){3,}", "...", re.sub(r"\s+", " ", str(error)))
    text = re.sub(r"0x[0-9a-f]+", "0x", text)
    return f"{type(error).__name__}: {text}"[:160]


def main() -> None:
    """Check the whole corpus, or the pairs whose path has one of the given parts."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("parts", nargs="*")
    parser.add_argument("--root", help="where the corpus is unpacked already")
    parser.add_argument("--why", action="store_true", help="list what fails")
    options = parser.parse_args()
    sys.path.insert(0, str(HERE.parent))
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(options.root) if options.root else unpack(Path(temporary))
        rows = []
        for folder in pairs(root):
            key = str(folder.relative_to(root))
            if options.parts and not any(part in key for part in options.parts):
                continue
            for name, check, outcome in run_pair(folder):
                rows.append((key, name, check, outcome))
                if options.why and outcome != "ok":
                    print(key, name, check, outcome, flush=True)
    report(rows)
    if not options.parts:
        EXPECTED.write_text("".join("\t".join(row) + "\n" for row in rows))
        TABLE.write_text(table(rows))


def report(rows: list) -> None:
    """Print counts by file and check, and the commonest reasons."""
    counts = Counter((name, check, outcome == "ok") for _, name, check, outcome in rows)
    for name, check in sorted({(row[1], row[2]) for row in rows}):
        ok, bad = counts[name, check, True], counts[name, check, False]
        print(f"{name:18} {check:9} {ok:4} of {ok + bad}")
    keys = {row[0] for row in rows}
    bad_keys = {row[0] for row in rows if row[3] != "ok"}
    print(f"pairs wholly ok: {len(keys - bad_keys)} of {len(keys)}")
    reasons = Counter(re.sub(r"\d+", "N", row[3])[:110] for row in rows if row[3] != "ok")
    for reason, count in reasons.most_common(40):
        print(f"{count:5} {reason}")


def table(rows: list) -> str:
    """The rows as a Markdown document."""
    keys = sorted({row[0] for row in rows})
    files = [*WHOLE, *WEIGHTS, "model.json"]
    lines = [
        "# Files of every Keras generation",
        "",
        "Generated by `python compat/corpus_check.py` from the corpus in `compat/corpus`. A cell"
        " says what was shown to work: p: predicts as recorded, e: evaluates to the recorded loss"
        " and metrics, r: three more training steps give the recorded weights. A letter in"
        " parentheses does not work yet; the reason stands below. Empty: there is no such file.",
        "",
    ]
    good = [key for key in keys if all(row[3] == "ok" for row in rows if row[0] == key)]
    lines += [f"{len(good)} of {len(keys)} models are opened whole, in every kind of file.", ""]
    lines += ["| version | model | " + " | ".join(files) + " |"]
    lines += ["|" + " --- |" * (len(files) + 2)]
    by_cell: dict = {}
    for key, name, check, outcome in rows:
        letter = check[0] if outcome == "ok" else f"({check[0]})"
        by_cell.setdefault((key, name), []).append(letter)
    for key in keys:
        version, model = key.split("/")
        cells = [" ".join(by_cell.get((key, name), [])) for name in files]
        lines.append(f"| {version} | {model} | " + " | ".join(cells) + " |")
    bad = [row for row in rows if row[3] != "ok"]
    if bad:
        lines += ["", "## Why not", "", *REASONS, ""]
        for key, name, check, outcome in bad:
            lines.append(f"- {key} {name} {check}: {outcome}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

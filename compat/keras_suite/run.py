"""Keras's own tests, as installed, against minikeras: `python compat/keras_suite/run.py`.

Run it with a Python that has the extras `test` and `compat`. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import fnmatch
import importlib
import importlib.util
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

for _variable in "OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS".split():
    os.environ[_variable] = "1"
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", MPLBACKEND="Agg")

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

EXPECTED = HERE / "expected.json"
BASELINE = HERE / "baseline.json"
REASONS = HERE / "reasons.json"


def read(path: Path, otherwise: Any = None) -> Any:
    """The contents of a JSON file."""
    return json.loads(path.read_text()) if path.exists() else otherwise


def area(file: str) -> str:
    """`layers/core/dense_test.py` -> `layers/core`."""
    return "/".join(file.split("/")[:-1][:2])


def all_files(suite: Path) -> list[str]:
    """The test files of the installed Keras."""
    source = suite / "src"
    return sorted(str(p.relative_to(source)) for p in source.rglob("*_test.py"))


def not_run(file: str) -> tuple[str, str] | None:
    """Why a file is not run: (reason, sentence)."""
    for pattern, why in read(REASONS)["files"].items():
        if fnmatch.fnmatch(file, pattern):
            return tuple(why)
    return None


def outcome_of(file: str, rows: list[dict], status: int, seconds: float, log: Path) -> dict:
    """What one process said, as one record."""
    cases: dict[str, str] = {}
    why: dict[str, str] = {}
    record: dict[str, Any] = {"file": file, "seconds": round(seconds, 1), "error": None}
    collected: list[str] = []
    for row in rows:
        if "cases" in row:
            collected = row["cases"]
        elif "case" in row and cases.get(row["case"]) != "failed":
            cases[row["case"]] = row["outcome"]
            if "why" in row:
                why[row["case"]] = row["why"]
        elif "load_error" in row:
            record["error"] = row["load_error"]
    if not record["error"] and not (rows and rows[-1].get("end")):
        record["error"] = "out of time" if status == -1 else f"the process ended: {status}"
        record["log"] = log.read_text(errors="replace")[-1500:] if log.exists() else ""
    for name in collected:
        if name not in cases:
            cases[name], why[name] = "failed", f"not reached: {record['error']}"
    return {**record, "cases": cases, "why": why}


def run_files(files: list[str], options: argparse.Namespace) -> list[dict]:
    """Run the files, `options.jobs` at a time."""
    import worker

    folder = Path(tempfile.mkdtemp(prefix="keras-suite-"))
    os.environ["KERAS_HOME"] = str(folder / "home")
    os.environ["TMPDIR"] = str(folder)
    results, running, limits, about = [], {}, {}, {}
    todo = list(files)
    try:
        while todo or running:
            while todo and len(running) < options.jobs:
                file = todo.pop(0)
                number = len(files) - len(todo)
                rows, log = folder / f"{number}.jsonl", folder / f"{number}.log"
                rows.touch()
                child = worker.start(
                    file, rows, log, only=options.k, tracebacks=options.tracebacks
                )
                running[child], about[child] = time.monotonic(), (file, rows, log)
                limits[child] = options.limit
            child, status = worker.wait(running, limits)
            seconds = time.monotonic() - running.pop(child)
            file, rows, log = about.pop(child)
            lines = [json.loads(line) for line in rows.read_text().splitlines() if line]
            record = outcome_of(file, lines, status, seconds, log)
            results.append(record)
            if options.tracebacks:
                print(log.read_text(errors="replace"))
            if options.v:
                count = Counter(record["cases"].values())
                print(
                    f"{len(results):4}/{len(files)} {file:72} {count['passed']:5} passed"
                    f" {count['failed']:4} failed {count['skipped']:4} skipped"
                    f" {seconds:6.1f} s {record['error'] or ''}"[:220],
                    flush=True,
                )
            if options.json:
                Path(options.json).write_text(json.dumps(results, indent=0))
    finally:
        for child in running:
            worker.end_group(child)
        shutil.rmtree(folder, ignore_errors=True)
    return sorted(results, key=lambda record: record["file"])


def table(results: list[dict]) -> str:
    """Counts by area."""
    baseline = (read(BASELINE) or {}).get("files", {})
    areas: dict[str, Counter] = {}
    for record in results:
        count = areas.setdefault(area(record["file"]), Counter())
        count["files"] += 1
        count["seconds"] += record["seconds"]
        count.update(record["cases"].values())
        count["cases"] += len(record["cases"])
        reached = baseline.get(record["file"])
        if reached is not None:
            failing = set(reached["not_passed"])
            passed = {name for name, state in record["cases"].items() if state == "passed"}
            count["reachable"] += reached["passed"]
            count["both"] += len(passed - failing)
    total = sum(areas.values(), Counter())
    lines = [
        "| area | files | cases | passed | failed | skipped | reachable | of them passed | s |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, c in [*areas.items(), ("**all**", total)]:
        share = f"{c['both']} ({c['both'] / c['reachable']:.1%})" if c["reachable"] else ""
        lines.append(
            f"| {name} | {c['files']} | {c['cases']} | {c['passed']} | {c['failed']} |"
            f" {c['skipped']} | {c['reachable'] or ''} | {share} | {c['seconds']:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Choose files, run them, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--select", nargs="+", default=[], help="areas or files, by their start")
    parser.add_argument("--target", default="minikeras", choices=["minikeras", "keras"])
    parser.add_argument("--all", action="store_true", help="also files that are not run otherwise")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--limit", type=float, default=240, help="seconds a file")
    parser.add_argument("-k", help="only tests with this in their name")
    parser.add_argument("--json", help="write the outcomes here")
    parser.add_argument("--failures", action="store_true", help="print why tests fail")
    parser.add_argument("--tracebacks", action="store_true", help="print what pytest says")
    parser.add_argument("-v", action="store_true", help="print a line a file")
    options = parser.parse_args()

    # Not imported: real Keras only is where the tests are.
    specification = importlib.util.find_spec("keras")
    if specification is None or specification.origin is None:
        sys.exit("Keras is not installed here: use a Python that has the extras test and compat.")
    suite = Path(specification.origin).parent
    import shim

    if options.target == "keras":
        os.environ["KERAS_BACKEND"] = "tensorflow"
    shim.install(options.target, suite)
    importlib.import_module(options.target)

    chosen = all_files(suite)
    if options.select:
        chosen = [file for file in chosen if file.startswith(tuple(options.select))]
    if not options.all:
        chosen = [file for file in chosen if not not_run(file)]
    start = time.monotonic()
    results = run_files(chosen, options)
    if options.failures:
        for record in results:
            if record["error"]:
                print(f"{record['file']}: {record['error']}\n{record.get('log', '')}")
            for name, state in sorted(record["cases"].items()):
                if state == "failed":
                    print(f"{record['file']}::{name}: {record['why'].get(name, '')}")
    print(table(results))
    print(f"{len(results)} files in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()

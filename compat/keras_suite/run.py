"""Keras's own tests, as installed, against minikeras: `python compat/keras_suite/run.py`.

Run it with a Python that has the extras `test` and `compat`. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import expected

for _variable in "OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS".split():
    os.environ[_variable] = "1"
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", MPLBACKEND="Agg")
# JAX tells dtypes: compiling each call for that takes most of the time, and gigabytes.
os.environ.update(JAX_PLATFORMS="cpu", JAX_DISABLE_JIT="1")

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

# A run in CI takes at most so many seconds of two processes: else it takes the areas that changed,
# and of the others a part that rotates by date.
CI_SECONDS = 9.5 * 60


def all_files(suite: Path) -> list[str]:
    """The test files of the installed Keras."""
    source = suite / "src"
    return sorted(str(p.relative_to(source)) for p in source.rglob("*_test.py"))


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
                child = worker.start(file, rows, log, only=options.k, tracebacks=options.tracebacks)
                running[child], about[child] = time.monotonic(), (file, rows, log)
                limits[child] = options.limit
            child, status, seconds = worker.wait(running, limits)
            del running[child]
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


def changed_areas(since: str, repository: str) -> set[str]:
    """The parts of minikeras that differ from a commit, as Keras names its areas."""
    git = ["git", "-c", f"safe.directory={repository}", "-C", repository]
    command = [*git, "diff", "--name-only", since, "HEAD", "--", "minikeras"]
    done = subprocess.run(command, capture_output=True, text=True)
    found = {line.split("/")[1].removesuffix(".py") for line in done.stdout.splitlines()}
    return {"trainers" if name == "training" else name for name in found}


def for_ci(files: list[str], since: str, repository: str) -> list[str]:
    """All files, or if that takes too long those of the areas that changed and a part of the rest.

    What is everywhere (`engine`, `kernels`) is in all areas: then the rotation alone chooses.
    """
    known = expected.read(expected.EXPECTED).get("files", {})
    cost = {file: known.get(file, {}).get("seconds", 10) + 1 for file in files}
    if sum(cost.values()) / 2 < CI_SECONDS:
        print(f"All {len(files)} files: some {sum(cost.values()) / 2 / 60:.0f} minutes.")
        return files
    changed = changed_areas(since, repository)
    chosen = [file for file in files if expected.top(file) in changed]
    rest = [file for file in files if file not in chosen]
    start = date.today().toordinal() * max(1, len(rest) // 7) % max(1, len(rest))
    for file in rest[start:] + rest[:start]:
        if sum(cost[one] for one in chosen) + cost[file] < 2 * CI_SECONDS:
            chosen.append(file)
    print(f"{len(chosen)} of {len(files)} files: areas {sorted(changed)}, and of the rest from")
    print(f"{rest[start] if rest else 'nothing'} on:", *sorted(chosen))
    return chosen


def suite_folder() -> Path:
    """Where Keras is installed. It is not imported: its tests are all that is wanted of it."""
    found = importlib.util.find_spec("keras")
    if found is None or found.origin is None:
        sys.exit("Keras is not installed here: use a Python that has the extras test and compat.")
    return Path(found.origin).parent


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--select", nargs="+", default=[], help="areas or files, by their start")
    parser.add_argument("--target", default="minikeras", choices=["minikeras", "keras"])
    parser.add_argument("--check", action="store_true", help="fail if what passed does not")
    parser.add_argument("--ci", metavar="COMMIT", help="check what fits in 10 minutes")
    parser.add_argument("--repository", default=str(HERE.parents[1]), help="for --ci")
    parser.add_argument("--update", action="store_true", help="write what is known anew")
    parser.add_argument("--results", action="store_true", help="write RESULTS.md and stop")
    parser.add_argument("--all", action="store_true", help="also files that are not run otherwise")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--limit", type=float, default=600, help="seconds of computing a file")
    parser.add_argument("-k", help="only tests with this in their name")
    parser.add_argument("--json", help="write the outcomes here")
    parser.add_argument("--failures", action="store_true", help="print why tests fail")
    parser.add_argument("--tracebacks", action="store_true", help="print what pytest says")
    parser.add_argument("-v", action="store_true", help="print a line a file")
    return parser.parse_args()


def write_results(files: list[str]) -> None:
    """RESULTS.md: the counts by area, and every reason."""
    reasons = expected.read(expected.REASONS)
    known = expected.read(expected.EXPECTED)["files"]
    baseline = expected.read(expected.BASELINE).get("files", {})
    count: Counter = Counter()
    for entry in known.values():
        for rule, groups in entry["others"].items():
            count[rule] += sum(map(len, groups.values()))
    lines = [
        "# Keras's own tests against minikeras",
        "",
        "Made by `python compat/keras_suite/run.py --results` from `expected.json` and",
        "`baseline.json`. *Pass on Keras*: on real Keras through the same shim.",
        "",
        expected.table(known, baseline, expected.top),
        "",
        "## Why tests do not pass",
        "",
        "| reason | tests | |",
        "| --- | ---: | --- |",
    ]
    for rule, number in sorted(count.items()):
        lines.append(f"| {rule} | {number} | {reasons['rules'].get(rule, {}).get('why', '')} |")
    lines += ["", "## Files that are not run", "", "| file | reason |", "| --- | --- |"]
    for file in files:
        why = expected.not_run(file, reasons)
        if why:
            lines.append(f"| {file} | {why} |")
    (HERE / "RESULTS.md").write_text("\n".join(lines) + "\n")


def main() -> None:
    """Choose files, run them, and say what came of it."""
    options = arguments()
    suite = suite_folder()
    files = all_files(suite)
    if options.results:
        write_results(files)
        return
    import shim

    reasons = expected.read(expected.REASONS)
    if options.select:
        files = [file for file in files if file.startswith(tuple(options.select))]
    if not options.all:
        files = [file for file in files if not expected.not_run(file, reasons)]
    if options.ci:
        files = for_ci(files, options.ci, options.repository)

    os.environ["KERAS_BACKEND"] = "tensorflow"
    shim.install(options.target, suite)
    importlib.import_module(options.target)
    start = time.monotonic()
    results = run_files(files, options)
    print_results(results, options, reasons)
    print(f"{len(results)} files in {time.monotonic() - start:.0f} s")
    if options.update:
        path = expected.EXPECTED if options.target == "minikeras" else expected.BASELINE
        expected.write(path, results, shim.Shim.table["keras"], reasons)
        if options.target == "minikeras":
            print_unexplained(results, reasons)
        write_results(all_files(suite))
    if (options.check or options.ci) and lost_tests(results, options):
        sys.exit(1)


def lost_tests(results: list[dict], options: argparse.Namespace) -> list[str]:
    """The tests that passed and no longer do, printed.

    Their files are run once more, alone: tests of Keras draw at random, and a machine that others
    use is slow. What passes then is named as unsteady; what fails twice is lost.
    """
    known = expected.read(expected.EXPECTED).get("files", {})
    lost: list[str] = []
    for record in results:
        if expected.worse(record, known.get(record["file"])):
            before = {test for test, state in record["cases"].items() if state == "passed"}
            options.jobs = 1
            (again,) = run_files([record["file"]], options)
            for test in before & again["cases"].keys():
                again["cases"][test] = "passed"
            still = expected.worse(again, known[record["file"]])
            lost += still
            if not still:
                print(f"{record['file']}: tests pass only when they are run once more.")
    print(*lost, sep="\n")
    print(f"{len(lost)} tests passed and no longer do.")
    return lost


def print_unexplained(results: list[dict], reasons: dict) -> None:
    """The tests for which no rule says why they do not pass: each wants one, or to be mended."""
    for record in results:
        for test, state in sorted(record["cases"].items()):
            why = record["why"].get(test, "")
            rule = state == "passed" or expected.rule_for(record["file"], test, why, reasons)
            if rule == expected.UNEXPLAINED:
                print(f"{record['file']}::{test}: no rule says why. {why}")


def print_results(results: list[dict], options: argparse.Namespace, reasons: dict) -> None:
    """The table, and with `--failures` why each test fails."""
    for record in results if options.failures else []:
        if record["error"]:
            print(f"{record['file']}: {record['error']}\n{record.get('log', '')}")
        for name, state in sorted(record["cases"].items()):
            if state == "failed":
                print(f"{record['file']}::{name}: {record['why'].get(name, '')}")
    entries = {record["file"]: expected.summary(record, reasons) for record in results}
    print(expected.table(entries, expected.read(expected.BASELINE).get("files", {})))


if __name__ == "__main__":
    main()

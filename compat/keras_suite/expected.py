"""What is known of each test: it passes, or why it does not.

`expected.json` is made by `run.py --update`: per file the number of tests, of those that pass, and
the names of all others under a rule of `reasons.json`. That file is written by hand: a rule has a
reason (`backend`, `internal`, `network`, `difference` or `gap`), a sentence, and what it is for.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
EXPECTED = HERE / "expected.json"
BASELINE = HERE / "baseline.json"
REASONS = HERE / "reasons.json"
KINDS = ("backend", "internal", "network", "difference", "gap")
UNEXPLAINED = "gap-unexplained"


def read(path: Path) -> Any:
    """The contents of a JSON file; nothing is an empty one."""
    return json.loads(path.read_text()) if path.exists() else {}


def not_run(file: str, reasons: dict) -> str | None:
    """The name of the reason for not running a file."""
    for pattern, (kind, sentence) in reasons["files"].items():
        if fnmatch.fnmatch(file, pattern):
            return f"{kind}: {sentence}"
    return None


def rule_for(file: str, test: str, message: str, reasons: dict) -> str:
    """The name of the first rule that is for a test that does not pass."""
    for name, rule in reasons["rules"].items():
        if (
            any(fnmatch.fnmatch(file, pattern) for pattern in as_list(rule.get("file", "*")))
            and any(fnmatch.fnmatch(test, pattern) for pattern in as_list(rule.get("test", "*")))
            and re.search(rule.get("message", ""), message)
        ):
            return name
    return UNEXPLAINED


def as_list(value: Any) -> list:
    """One thing or several."""
    return value if isinstance(value, list) else [value]


def summary(record: dict, reasons: dict) -> dict:
    """The entry of one file."""
    others: dict[str, dict[str, list[str]]] = {}
    for test, state in sorted(record["cases"].items()):
        if state != "passed":
            rule = rule_for(record["file"], test, record["why"].get(test, ""), reasons)
            group, _, name = test.rpartition("::")
            others.setdefault(rule, {}).setdefault(group, []).append(short(name))
    entry = {
        "cases": len(record["cases"]),
        "passed": sum(state == "passed" for state in record["cases"].values()),
        "seconds": round(record["seconds"]),
        "others": dict(sorted(others.items())),
    }
    if record["error"]:
        entry["error"] = record["error"]
    return entry


def short(name: str) -> str:
    """A test's name without its beginning; a name that begins otherwise gets a `=`."""
    return name.removeprefix("test_") if name.startswith("test_") else f"={name}"


def worse(record: dict, entry: dict | None) -> list[str]:
    """What passed and no longer does."""
    if entry is None:
        return []
    file = record["file"]
    known = names(entry)
    lost = [
        f"{file}::{test}: {record['why'].get(test, '')}"
        for test, state in sorted(record["cases"].items())
        if state != "passed" and test not in known
    ]
    passed = sum(state == "passed" for state in record["cases"].values())
    if not lost and passed < entry["passed"] and not entry.get("error"):
        lost.append(f"{file}: {passed} tests pass, {entry['passed']} did. {record['error'] or ''}")
    return lost


def write(path: Path, records: list[dict], version: str, reasons: dict) -> None:
    """Put the records into a file, next to what is known of other files."""
    files = read(path).get("files", {})
    files.update({record["file"]: summary(record, reasons) for record in records})
    rows = [
        f"{json.dumps(file)}: {json.dumps(entry, separators=(',', ':'))}"
        for file, entry in sorted(files.items())
    ]
    path.write_text(f'{{"keras": "{version}", "files": {{\n' + ",\n".join(rows) + "\n}}\n")


def area(file: str) -> str:
    """`layers/core/dense_test.py` -> `layers/core`."""
    return "/".join(file.split("/")[:-1][:2])


def top(file: str) -> str:
    """`layers/core/dense_test.py` -> `layers`."""
    return file.partition("/")[0]


def table(files: dict[str, dict], baseline: dict[str, dict], of: Any = area) -> str:
    """Counts by area, as Markdown; `reachable` is what passes on real Keras too."""
    areas: dict[str, Counter] = {}
    for file, entry in sorted(files.items()):
        count = areas.setdefault(of(file), Counter())
        count.update(files=1, cases=entry["cases"], passed=entry["passed"])
        for rule, groups in entry["others"].items():
            count[rule.partition("-")[0]] += sum(map(len, groups.values()))
        if baseline.get(file, {}).get("cases"):
            theirs = names(baseline[file])
            ours = names(entry)
            # Tests that exist only for one of the two backends count for nobody.
            reachable = baseline[file]["passed"]
            count.update(reachable=reachable, both=reachable - len(ours - theirs))
    total = sum(areas.values(), Counter())
    lines = [
        "| area | files | tests | passed | " + " | ".join(KINDS) + " | pass on Keras | and here |",
        "| --- |" + " ---: |" * (5 + len(KINDS)),
    ]
    for name, c in [*areas.items(), ("**all**", total)]:
        share = f"{c['both']} ({c['both'] / c['reachable']:.1%})" if c["reachable"] else ""
        kinds = " | ".join(str(c[kind] or "") for kind in KINDS)
        lines.append(
            f"| {name} | {c['files']} | {c['cases']} | {c['passed']} | {kinds} |"
            f" {c['reachable'] or ''} | {share} |"
        )
    return "\n".join(lines)


def names(entry: dict) -> set[str]:
    """The tests of a file that do not pass."""
    return {
        (f"{group}::" if group else "") + (name[1:] if name[:1] == "=" else f"test_{name}")
        for groups in entry["others"].values()
        for group, tests in groups.items()
        for name in tests
    }

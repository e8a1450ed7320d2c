"""One installed test file under pytest, in a process of its own; outcomes as JSON lines."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import pytest
import shim

# Seconds of computing: how much else the machine does is no reason for a test to fail. By the clock
# a test, or a file, may take so many times as long, for what waits for ever.
CASE_SECONDS = 60
PATIENCE = 8


def first_line(report: Any) -> str:
    """Why a test failed, in one line."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if isinstance(report.longrepr, tuple):
        text = report.longrepr[2]
    else:
        text = crash.message if crash is not None else str(report.longrepr)
    text = re.sub(r"0x[0-9a-f]+", "0x", text.strip())
    return " ".join(text.split())[:240]


class Outcomes:
    """The pytest plugin: collects from the module that is loaded already, writes outcomes."""

    def __init__(self, module: Any, write: Any, only: str | None):
        self.module, self.write, self.only = module, write, only
        self.failed: set[str] = set()

    def pytest_configure(self, config: Any) -> None:
        config.addinivalue_line("markers", "requires_trainable_backend: trains")
        config.addinivalue_line("markers", "multi_device: needs several devices")

    def pytest_collect_file(self, file_path: Path, parent: Any) -> Any:
        module = self.module

        class Loaded(pytest.Module):
            def _getobj(self) -> Any:
                return module

        return Loaded.from_parent(parent, path=file_path)

    def pytest_collection_modifyitems(self, items: list) -> None:
        for item in items:
            if "multi_device" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="needs several devices"))
        if self.only:
            items[:] = [item for item in items if self.only in item.nodeid]
        self.write(cases=[case(item.nodeid) for item in items])

    def pytest_runtest_logstart(self, nodeid: str, location: Any) -> None:
        def stop(*_: Any) -> None:
            raise TimeoutError(f"more than {CASE_SECONDS} s")

        signal.signal(signal.SIGPROF, stop)
        signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_PROF, CASE_SECONDS, 5)
        signal.setitimer(signal.ITIMER_REAL, CASE_SECONDS * PATIENCE, 5)

    def pytest_runtest_logfinish(self, nodeid: str, location: Any) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)

    def pytest_runtest_logreport(self, report: Any) -> None:
        name = case(report.nodeid)
        if hasattr(report, "wasxfail"):  # it may fail or not: it says nothing
            self.write(case=name, outcome="skipped", why="Keras marks it as expected to fail")
        elif report.failed:
            self.failed.add(name)
            self.write(case=name, outcome="failed", why=first_line(report))
        elif hasattr(report, "context") or name in self.failed:
            return  # a part of a test, or what follows a failure
        elif report.skipped:
            self.write(case=name, outcome="skipped", why=first_line(report))
        elif report.when == "call":
            self.write(case=name, outcome="passed", seconds=round(report.duration, 2))


def case(nodeid: str) -> str:
    """`TestCase::test_something`, without addresses that differ from run to run."""
    return re.sub(r"0x[0-9a-f]+", "0x", nodeid.partition("::")[2])


def run(file: str, results: Path, only: str | None = None, tracebacks: bool = False) -> None:
    """Load and run one file; what happens is appended to `results`."""
    stream = results.open("a", buffering=1)

    def write(**row: Any) -> None:
        stream.write(json.dumps(row) + "\n")

    try:
        module = shim.load_test(file)
    except BaseException as error:
        if tracebacks:
            traceback.print_exc()
        write(load_error=f"{type(error).__name__}: {error}"[:300])
        return
    arguments = [
        module.__file__,
        "-q",
        "-p",
        "no:cacheprovider",
        f"--rootdir={shim.Shim.suite}",
        "-c",
        os.devnull,
        "-W",
        "ignore",
        f"--tb={'short' if tracebacks else 'line'}",
    ]
    pytest.main(arguments, plugins=[Outcomes(module, write, only)])
    write(absent=sorted(shim.Shim.absent), end=True)


def start(file: str, results: Path, log: Path, **options: Any) -> int:
    """Fork a process that runs one file; returns its id."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1)
        os.dup2(output, 2)
        scratch = tempfile.mkdtemp(dir=log.parent)
        tempfile.tempdir = scratch
        os.chdir(scratch)
        run(file, results, **options)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)  # without waiting for threads that tests left behind
    return 0


def wait(running: dict[int, float], limit: dict[int, float]) -> tuple[int, int, float]:
    """Wait for any of the children; ends the one that is over its time.

    Returns:
        Its id, its status (-1: out of time), and the seconds of computing it took.
    """
    nap = 0.005
    while True:
        done, status, usage = os.wait4(-1, os.WNOHANG)
        if done in running:
            end_group(done)
            return done, status, usage.ru_utime + usage.ru_stime
        for child, since in running.items():
            waited = time.monotonic() - since
            if waited > limit[child] and (
                waited > limit[child] * PATIENCE or computed(child) > limit[child]
            ):
                end_group(child)
                usage = os.wait4(child, 0)[2]
                return child, -1, usage.ru_utime + usage.ru_stime
        time.sleep(nap)
        nap = min(nap * 1.5, 0.1)


def computed(child: int) -> float:
    """The seconds of computing that a process took so far; infinite where that is not told."""
    try:
        fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return float("inf")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def end_group(child: int) -> None:
    """End whatever a child and its own children left running."""
    try:
        os.killpg(child, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass

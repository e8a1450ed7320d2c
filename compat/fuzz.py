"""Loads files that were damaged on purpose: what comes is a model or a clear error, nothing else.

`python compat/fuzz.py --format keras --count 20000` loads so many mutations of valid files (of the
corpus, and of models written on the spot): flipped bits, cut and spliced files, changed JSON, HDF5
attributes and datasets, zip directories, headers of arrays, indices of shards. Each case follows
from `--seed` and its number alone; a run goes on where the last one ended (`compat/fuzz.json`), and
writes `compat/FUZZ.md`, as `--report` does alone. `--retry` runs the cases that failed again.

A case is good if the file loads, or a `ValueError` or `OSError` says why not. Anything else counts
as a failure: other exceptions, the end of the process, more than 2 s of computing, more than
512 MB, a file, process or connection opened that the load has no business with.
`--case 1234` runs one case and shows its traceback.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import json
import os
import random
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from fuzz_mutations import mutate  # noqa: E402
from fuzz_seeds import FORMATS, Seed, seeds_of  # noqa: E402

STATE = HERE / "fuzz.json"
TABLE = HERE / "FUZZ.md"
SECONDS = 2
MEMORY = 512 * 2**20
# A worker that says nothing for so long hangs in C; busy machines get time.
SILENCE = 60
BATCH = 1000
# Cases between two states.
PART = 2000

_FORBIDDEN = (
    "subprocess.Popen os.system os.posix_spawn os.exec os.fork os.spawn socket.connect"
    " socket.getaddrinfo urllib.Request pickle.find_class ctypes.dlopen marshal.loads"
).split()


class Hang(BaseException):
    """More computing than a load may take."""


class Watch:
    """An audit hook that notes what no load has a reason to do."""

    def __init__(self, folder: str) -> None:
        self.folder, self.on, self.events = folder, False, []
        sys.addaudithook(self)

    def __call__(self, event: str, args: tuple) -> None:
        if not self.on:
            return
        if event == "open":
            path = args[0]
            if isinstance(path, (str, bytes)):
                path = os.fsdecode(path)
                if path.startswith(self.folder) or path.startswith(tempfile.gettempdir()):
                    return
                if path.endswith((".py", ".pyc", ".so", ".pth")) or "importlib" in _callers():
                    return
                self.events.append(f"open {path}")
        elif event in _FORBIDDEN and "importlib" not in _callers():
            self.events.append(event)


def _callers() -> str:
    frame, files = sys._getframe(2), []
    while frame is not None and len(files) < 30:
        files.append(frame.f_code.co_filename)
        frame = frame.f_back
    return " ".join(files)


def case(format: str, seed: int, index: int, seeds: list[Seed]) -> tuple[Seed, bytes]:
    """The file of one case, and the seed file that it came from."""
    rng = random.Random(f"{format} {seed} {index}")
    origin = rng.choice(seeds)
    return origin, mutate(rng, format, origin.content, rng.choice(seeds).content)


def load(origin: Seed, content: bytes, folder: str) -> None:
    """Take a file through the doors that it fits."""
    path = os.path.join(folder, origin.name)
    with open(path, "wb") as file:
        file.write(content)
    origin.open(path)


def outcome(origin: Seed, content: bytes, folder: str, watch: Watch | None) -> tuple[str, str]:
    """(`"loaded"`, `"refused"` or what went wrong, where)."""

    def late(*_: Any) -> None:
        raise Hang

    import minikeras

    signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    if watch is not None:
        watch.events, watch.on = [], True
    result, where = "loaded", ""
    try:
        load(origin, content, folder)
    except (ValueError, OSError) as error:
        result = "refused"
        if not str(error).strip():
            result, where = "an error without a message", _place(error)
        elif origin.name not in str(error):
            result, where = "an error without the path", f"{error!s:.80} {_place(error)}"
    except MemoryError as error:
        result, where = "memory", _place(error)
    except Hang as error:
        result, where = "hang", _place(error)
    except RecursionError as error:
        result, where = "recursion", _place(error)
    except Exception as error:
        result, where = type(error).__name__, f"{error!s:.80} {_place(error)}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        if watch is not None:
            watch.on = False
            if watch.events:
                result, where = "forbidden", watch.events[0]
    # Shards lie beside their index.
    litter = {one for one in os.listdir(folder) if one != origin.name and one[:5] != "case_"}
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    if litter:
        result, where = "litter", str(sorted(litter))
    minikeras.utils.clear_session()
    return result, where


def _place(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "minikeras" in f.filename]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def work(format: str, seed: int, first: int, last: int, seeds: list[Seed], pipe: int) -> None:
    """A worker: cases `first` to `last`, one line each when it starts and when it ends."""
    warnings.simplefilter("ignore")
    sys.stdout = open(os.devnull, "w")
    with tempfile.TemporaryDirectory() as folder, os.fdopen(pipe, "w", buffering=1) as out:
        watch = Watch(folder)
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
        gc.freeze()  # each case collects garbage: not among all that was imported
        for index in range(first, last):
            print(json.dumps([index]), file=out)
            origin, content = case(format, seed, index, seeds)
            start = time.process_time()
            result, where = outcome(origin, content, folder, watch)
            print(json.dumps([index, result, where, time.process_time() - start]), file=out)


class Worker:
    """A forked process with a batch of cases."""

    def __init__(self, format: str, seed: int, first: int, last: int, seeds: list[Seed]) -> None:
        self.next, self.last, self.running = first, last, False
        read, write = os.pipe()
        self.process = os.fork()
        if self.process == 0:
            status = 1
            try:
                os.close(read)
                work(format, seed, first, last, seeds, write)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        os.close(write)
        self.pipe, self.rest, self.heard = read, b"", time.monotonic()

    def lines(self) -> list[list] | None:
        """What it has said since; None at its end."""
        data = os.read(self.pipe, 65536)
        if not data:
            return None
        self.heard = time.monotonic()
        *whole, self.rest = (self.rest + data).split(b"\n")
        return [json.loads(line) for line in whole]

    def end(self) -> str:
        """Wait for its end; how it ended."""
        os.close(self.pipe)
        _, status = os.waitpid(self.process, 0)
        code = os.waitstatus_to_exitcode(status)
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit {code}"


class Record:
    """What came of the cases of one format so far."""

    def __init__(self, seed: int) -> None:
        self.seed, self.done, self.counts = seed, 0, Counter()
        self.slowest, self.failures, self.date = 0.0, [], ""

    def add(self, index: int, result: str, where: str = "", seconds: float = 0.0) -> None:
        self.counts[result] += 1
        self.slowest = max(self.slowest, seconds)
        if result not in ("loaded", "refused"):
            self.failures.append([index, result, where])

    def retry(self, format: str) -> None:
        """Run the cases that failed again."""
        failed, self.failures = self.failures, []
        for index, result, _ in failed:
            self.counts[result] -= 1
            again = Record(self.seed)
            run(format, again, index + 1, 1, show=False, first=index)
            self.counts += again.counts
            self.failures += again.failures

    def to_json(self) -> dict:
        return {**vars(self), "counts": dict(self.counts), "failures": self.failures[:200]}

    @classmethod
    def from_json(cls, data: dict) -> Record:
        record = cls(data["seed"])
        vars(record).update(data, counts=Counter(data["counts"]))
        return record


def run(
    format: str, record: Record, count: int, workers: int, show: bool = True, first: int = 0
) -> None:
    """Cases until `count` of them are done."""
    seeds = seeds_of(format)
    position, active = max(first, record.done), {}
    retry: list[tuple[int, int]] = []
    while True:
        while len(active) < workers and (retry or position < count):
            if retry:
                first, last = retry.pop()
            else:
                first, last = position, min(position + BATCH, count)
                position = last
            worker = Worker(format, record.seed, first, last, seeds)
            active[worker.pipe] = worker
        if not active:
            break
        ready, _, _ = select.select(list(active), [], [], 1.0)
        for pipe in ready:
            worker = active[pipe]
            for line in worker.lines() or [None]:
                if line is None:
                    del active[pipe]
                    how = worker.end()
                    if how == "exit 1":
                        raise SystemExit(f"The fuzzer itself failed at case {worker.next}.")
                    if worker.running:
                        record.add(worker.next, "crash", how)
                        worker.next += 1
                    if worker.next < worker.last:
                        retry.append((worker.next, worker.last))
                elif len(line) == 1:
                    worker.running = True
                else:
                    record.add(*line)
                    worker.next, worker.running = line[0] + 1, False
        for worker in active.values():
            if time.monotonic() - worker.heard > SILENCE:
                os.kill(worker.process, signal.SIGKILL)
                worker.heard = time.monotonic()
    record.done = max(record.done, count)
    record.date = datetime.date.today().isoformat()
    if show:
        print(
            f"{format}: {record.done} cases, {dict(record.counts)}, at most {record.slowest:.2f} s"
        )
        kinds = Counter((result, where) for _, result, where in record.failures)
        example = {(result, where): index for index, result, where in record.failures}
        for (result, where), number in kinds.most_common(60):
            print(f"  {number:6} {result}: {where} (case {example[result, where]})")


def read_state() -> dict[str, Record]:
    if not STATE.exists():
        return {}
    return {name: Record.from_json(one) for name, one in json.loads(STATE.read_text()).items()}


def write_state(records: dict[str, Record]) -> None:
    rows = {name: records[name].to_json() for name in FORMATS if name in records}
    STATE.write_text(json.dumps(rows, indent=1) + "\n")
    lines = [
        "# Damaged files",
        "",
        "Mutations of valid files, loaded by processes with 512 MB to spare. *refused*: by a",
        "`ValueError` or `OSError` that names the file. *slowest*: seconds of computing of the",
        "slowest case, the mutation included, before it was mended if that is more than 2 s. What",
        "failed once and was mended is a test in `tests/saving`. `python compat/fuzz.py` goes on",
        "from here, to 20,000 cases of each.",
        "",
        "| format | what | seed | cases | loaded | refused | failures | slowest | date |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in rows:
        one = records[name]
        rest = {k: n for k, n in one.counts.items() if k not in ("loaded", "refused") and n}
        text = ", ".join(f"{n} {k}" for k, n in rest.items()) or "none"
        lines.append(
            f"| {name} | {FORMATS[name]} | {one.seed} | {one.done} | {one.counts['loaded']} |"
            f" {one.counts['refused']} | {text} | {one.slowest:.2f} s | {one.date} |"
        )
    TABLE.write_text("\n".join(lines) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--format", default="all", choices=[*FORMATS, "all"])
    parser.add_argument("--count", type=int, default=20000, help="cases of each format in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--restart", action="store_true", help="begin at case 0")
    parser.add_argument("--dry", action="store_true", help="write no files, begin at case 0")
    parser.add_argument("--report", action="store_true", help="write the table and end")
    parser.add_argument("--retry", action="store_true", help="only what failed before")
    parser.add_argument("--case", type=int, help="run this one and show its traceback")
    parser.add_argument("--keep", help="with --case: where to put its file")
    options = parser.parse_args()
    formats = list(FORMATS) if options.format == "all" else [options.format]
    if options.case is not None:
        seeds = seeds_of(formats[0])
        origin, content = case(formats[0], options.seed, options.case, seeds)
        print(f"{origin.origin}, {len(content)} bytes")
        if options.keep:
            Path(options.keep).write_bytes(content)
        with tempfile.TemporaryDirectory() as folder:
            load(origin, content, folder)
        print("It loads.")
        return
    records = {} if options.dry else read_state()
    if options.report:
        write_state(records)
        return
    if options.retry:
        formats = [format for format in formats if format in records]
        for format in formats:
            records[format].retry(format)
        write_state(records)
    for format in formats:
        if options.restart or options.dry or format not in records:
            records[format] = Record(options.seed)
        if records[format].seed != options.seed:
            parser.error("the state is of another seed; use --restart")
    # All formats get on alike, and little is lost by an interruption.
    parts = [] if options.retry else [*range(PART, options.count, PART), options.count]
    for count in parts:
        for format in formats:
            if records[format].done >= count:
                continue
            run(format, records[format], count, options.workers)
            if not options.dry:
                write_state(records)
    if any(records[format].failures for format in formats):
        sys.exit(1)


if __name__ == "__main__":
    main()

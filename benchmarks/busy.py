"""Threads while another process is busy: `busy.py`, milliseconds an epoch of minikeras.

OpenBLAS's threads wait for each other by spinning. Where one of them has no core to itself, each
product waits for the scheduler. Each workload trains in a process of its own, with one thread, with
BLAS's two threads (`MINIKERAS_THREADS=1`), and with the two threads that minikeras has by default
where BLAS has two, on an otherwise idle machine and beside processes that compute without end (as
many as there are cores, so that every thread has a rival).
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
WORKLOADS = ["tiny-mlp", "mlp-adam-128", "cnn-28x28", "lstm"]
ROUNDS = 3

EPOCHS = """
import json, sys, time
sys.path[:0] = [{here!r}, {root!r}]
import minikeras as keras
from workloads import load
workload = load({name!r})
x, y = workload.data()
model = workload.build(keras)
seconds = []
for _ in range(3):
    start = time.perf_counter()
    model.fit(x, y, batch_size=workload.BATCH, verbose=0)
    seconds.append(time.perf_counter() - start)
print(json.dumps(min(seconds[1:])))
"""


WAYS = {
    "1 thread": {"OPENBLAS_NUM_THREADS": "1"},
    "2 of BLAS": {"OPENBLAS_NUM_THREADS": "2", "MINIKERAS_THREADS": "1"},
    "2 threads": {"OPENBLAS_NUM_THREADS": "2"},
}


def epoch(name: str, way: str) -> float:
    source = EPOCHS.format(here=str(HERE), root=str(HERE.parent), name=name)
    done = subprocess.run(
        [sys.executable, "-c", source],
        env={**os.environ, **WAYS[way]},
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout) * 1e3


def main() -> None:
    titles = [f"{way}, {state}" for state in ("idle", "busy") for way in WAYS]
    print(f"| ms an epoch | {' | '.join(titles)} |")
    print("| --- " * (len(titles) + 1) + "|")
    for name in sys.argv[1:] or WORKLOADS:
        cells = []
        for rivals in (0, os.cpu_count() or 1):
            others = [
                subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(rivals)
            ]
            try:
                found = [[epoch(name, way) for way in WAYS] for _ in range(ROUNDS)]
            finally:
                for other in others:
                    other.kill()
            cells += [statistics.median(column) for column in zip(*found)]
        print(f"| {name} | " + " | ".join(f"{cell:.3g}" for cell in cells) + " |", flush=True)


if __name__ == "__main__":
    main()

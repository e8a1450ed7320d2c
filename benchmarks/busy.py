"""BLAS threads while another process is busy: `busy.py`, milliseconds an epoch of minikeras.

OpenBLAS's threads wait for each other by spinning. Where one of them has no core to itself, each
product waits for the scheduler. Each workload trains in a process of its own, with one and with two
BLAS threads, on an otherwise idle machine and beside processes that compute without end (as many as
there are cores, so that every thread has a rival).
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
WORKLOADS = ["tiny-mlp", "mlp-adam-128", "lstm"]
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
for _ in range(4):
    start = time.perf_counter()
    model.fit(x, y, batch_size=workload.BATCH, verbose=0)
    seconds.append(time.perf_counter() - start)
print(json.dumps(min(seconds[1:])))
"""


def epoch(name: str, threads: int) -> float:
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": str(threads)}
    source = EPOCHS.format(here=str(HERE), root=str(HERE.parent), name=name)
    done = subprocess.run(
        [sys.executable, "-c", source], env=environment, capture_output=True, check=True
    )
    return json.loads(done.stdout) * 1e3


def main() -> None:
    print("| ms an epoch | 1 thread, idle | 2 threads, idle | 1 thread, busy | 2 threads, busy |")
    print("| --- | --- | --- | --- | --- |")
    for name in WORKLOADS:
        cells = []
        for rivals in (0, os.cpu_count() or 1):
            others = [
                subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(rivals)
            ]
            try:
                found = [[epoch(name, threads) for threads in (1, 2)] for _ in range(ROUNDS)]
            finally:
                for other in others:
                    other.kill()
            cells += [statistics.median(column) for column in zip(*found)]
        print(f"| {name} | " + " | ".join(f"{cell:.3g}" for cell in cells) + " |", flush=True)


if __name__ == "__main__":
    main()

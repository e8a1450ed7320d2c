"""One peer on one workload, in a process of its own, driven by lines on standard input.

`run.py` starts it: `worker.py PEER WORKLOAD THREADS`. It answers each line `measure` with one line
of JSON; everything that libraries print goes to standard error.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable

import numpy as np
from peers import PEERS
from workloads import load


def load_keras(peer: str):
    keras = importlib.import_module("minikeras" if peer.startswith("minikeras") else "keras")
    keras.utils.set_random_seed(0)
    return keras


def epochs_of_keras(workload, peer: str) -> Callable:
    keras = load_keras(peer)
    x, y = workload.data()
    model = workload.build(keras)

    class Timer(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.seconds: list[float] = []

        def on_epoch_begin(self, epoch, logs=None):
            self.start = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds.append(time.perf_counter() - self.start)

    def run(epochs: int) -> list[float]:
        timer = Timer()
        extra = workload.callbacks(keras) if hasattr(workload, "callbacks") else []
        model.fit(
            x,
            y,
            batch_size=workload.BATCH,
            epochs=epochs,
            verbose=0,
            callbacks=[*extra, timer],
            **getattr(workload, "FIT", {}),
        )
        return timer.seconds

    return run


def epochs_of_torch(workload, peer: str) -> Callable:
    import torch

    torch.manual_seed(0)
    x, y = workload.data()
    model, loss_function, optimizer, prepare = workload.torch_parts(torch)
    x, y = prepare(torch.from_numpy(np.asarray(x)), torch.from_numpy(np.asarray(y)))

    def run(epochs: int) -> list[float]:
        seconds = []
        for _ in range(epochs):
            start = time.perf_counter()
            for batch in torch.randperm(len(x)).split(workload.BATCH):
                optimizer.zero_grad(set_to_none=True)
                loss = loss_function(model(x[batch]), y[batch])
                loss.backward()
                optimizer.step()
            float(loss)
            seconds.append(time.perf_counter() - start)
        return seconds

    return run


def epochs_of_sklearn(workload, peer: str) -> Callable:
    x, y = workload.data()
    model, options = workload.sklearn_model()
    y = y.ravel() if y.ndim > 1 and y.shape[1] == 1 else y

    def run(epochs: int) -> list[float]:
        seconds = []
        for _ in range(epochs):
            start = time.perf_counter()
            model.partial_fit(x, y, **options)
            seconds.append(time.perf_counter() - start)
        return seconds

    return run


def epochs_of_floor(workload, peer: str) -> Callable:
    epoch = workload.floor()

    def run(epochs: int) -> list[float]:
        seconds = []
        for _ in range(epochs):
            start = time.perf_counter()
            epoch()
            seconds.append(time.perf_counter() - start)
        return seconds

    return run


def calls_of(workload, peer: str) -> Callable:
    """Calls of what the workload offers, some 0.3 s of them at a time."""
    offer = PEERS[peer][2]
    if offer == "keras":
        call = workload.call(load_keras(peer))
    else:
        call = getattr(workload, f"{offer}_call")()
    state = {"repeats": 1}

    def run(epochs: int) -> list[float]:
        seconds = []
        for _ in range(state["repeats"] if epochs > 1 else 1):
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
        state["repeats"] = int(min(1000, max(3, 0.3 / max(min(seconds), 1e-7))))
        return seconds

    return run


def make(workload, peer: str) -> Callable:
    if workload.KIND == "call":
        return calls_of(workload, peer)
    return {
        "keras": epochs_of_keras,
        "torch": epochs_of_torch,
        "sklearn": epochs_of_sklearn,
        "floor": epochs_of_floor,
    }[PEERS[peer][2]](workload, peer)


def main() -> None:
    peer, name, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:threads])
    if PEERS[peer][2] == "torch" or peer == "keras-torch":
        import torch

        torch.set_num_threads(threads)

    def answer(**fields) -> None:
        print(json.dumps(fields), file=answers)

    try:
        start = time.perf_counter()
        workload = load(name)
        run = make(workload, peer)
        first = run(1)
        answer(ready=True, setup=time.perf_counter() - start, first=first[0])
        for line in sys.stdin:
            if line.strip() != "measure":
                break
            seconds = run(getattr(workload, "EPOCHS", 3) + 1)
            if workload.KIND == "fit":
                # The first epoch of a call also pays for setting the call up.
                seconds = seconds[1:]
            answer(
                seconds=seconds, peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
            )
    except Exception as error:
        traceback.print_exc()
        answer(error=f"{type(error).__name__}: {str(error)[:300]}")


if __name__ == "__main__":
    main()

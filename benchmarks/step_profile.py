"""Where a training step of minikeras goes: `step_profile.py WORKLOAD`, in milliseconds a step.

Each layer's forward and backward pass, the loss, the optimizer, the metrics, the data, the rest.
Timers cost some 0.3 µs each, which shows in steps of under 0.1 ms.
"""

from __future__ import annotations

import argparse
import cProfile
import math
import pstats
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from workloads import load

import minikeras as keras
from minikeras.training import programs
from minikeras.training import step as steps

clock = time.perf_counter


class Timers:
    """Seconds by name; a timer inside another does not count in the outer one."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.inner = [0.0]

    def wrap(self, name: str, function: Any) -> Any:
        def timed(*args: Any, **kwargs: Any) -> Any:
            self.inner.append(0.0)
            start = clock()
            try:
                return function(*args, **kwargs)
            finally:
                spent = clock() - start
                own = spent - self.inner.pop()
                self.inner[-1] += spent
                self.seconds[name] = self.seconds.get(name, 0.0) + own

        return timed


def watch(timers: Timers, model: Any) -> None:
    """Put timers around the parts of a step."""
    for layer in model._flatten_layers(include_self=False):
        if not layer.composite:
            for method in ("forward", "backward"):
                timed = timers.wrap(f"{layer.name} {method}", getattr(layer, method))
                object.__setattr__(layer, method, timed)
    parts = {
        (programs.GraphProgram, "forward"): "walking the graph forward",
        (programs.GraphProgram, "backward"): "walking the graph back",
        (programs.CallProgram, "forward"): "the model's own call",
        (programs.CallProgram, "backward"): "walking the recording back",
        (steps.Stepper, "loss"): "loss",
        (steps.Stepper, "finish_update"): "optimizer",
        (steps.Stepper, "track"): "metrics",
        (steps.Stepper, "train"): "rest of the step",
    }
    for (owner, method), name in parts.items():
        setattr(owner, method, timers.wrap(name, getattr(owner, method)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workload")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--cprofile", action="store_true", help="Python's own profile instead")
    options = parser.parse_args()
    workload = load(options.workload)
    if workload.KIND != "fit":
        raise SystemExit(f"{options.workload} is not a training workload.")
    keras.utils.set_random_seed(0)
    x, y = workload.data()
    model = workload.build(keras)
    extra = getattr(workload, "FIT", {})

    def fit(epochs: int) -> None:
        model.fit(x, y, batch_size=workload.BATCH, epochs=epochs, verbose=0, **extra)

    fit(1)
    if options.cprofile:
        profile = cProfile.Profile()
        profile.runcall(fit, options.epochs)
        pstats.Stats(profile).sort_stats("tottime").print_stats(30)
        return
    start = clock()
    fit(options.epochs)
    untimed = clock() - start
    timers = Timers()
    watch(timers, model)
    timers.wrap("data, callbacks, the loop", fit)(options.epochs)
    count = options.epochs * math.ceil(
        len(x) * (1 - extra.get("validation_split", 0)) / workload.BATCH
    )
    total = sum(timers.seconds.values())
    print(f"{workload.TITLE.strip()}: {untimed / count * 1e3:.3f} ms a step without timers")
    floor = getattr(workload, "floor", None)
    if floor is not None:
        epoch = floor()
        epoch()
        start = clock()
        epoch()
        print(f"matrix products alone: {(clock() - start) / count * options.epochs * 1e3:.3f} ms")
    print(f"{'ms':>10} {'share':>7}")
    for name, seconds in sorted(timers.seconds.items(), key=lambda pair: -pair[1]):
        print(f"{seconds / count * 1e3:10.4f} {seconds / total:7.1%}  {name}")


if __name__ == "__main__":
    main()

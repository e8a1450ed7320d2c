"""How time grows: `growth.py [--output FILE] [--chart FILE]`, microseconds a row of training.

A dense network trains on one thread while one thing grows: the batch, the width, the depth, or the
rows of a file that is mapped into memory and never loaded. Time a row should fall or stay flat
with the batch and the rows; it grows with width and depth as the arithmetic does, so beside the
time stands the time for each million multiplications, which should fall or stay flat too. Each
figure is the smallest of several turns.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

import minikeras as keras

BATCHES = [4**n for n in range(7)]
WIDTHS = [8, 32, 128, 512, 2048, 4096]
DEPTHS = [1, 2, 5, 10, 20, 50]
ROWS = [100, 1_000, 10_000, 100_000, 1_000_000]
WIDTH, DEPTH, BATCH, FEATURES = 64, 2, 128, 32


def network(width: int, depth: int, features: int) -> keras.Model:
    keras.utils.set_random_seed(0)
    hidden = [keras.layers.Dense(width, activation="relu") for _ in range(depth)]
    model = keras.Sequential([keras.Input((features,)), *hidden, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


class OwnMemory(keras.callbacks.Callback):
    """The largest memory of the process so far, pages of mapped files left out, in MB."""

    largest = 0.0

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if batch % 500 == 0:
            status = Path("/proc/self/status").read_text()
            own = next(line for line in status.splitlines() if line.startswith("RssAnon"))
            self.largest = max(self.largest, int(own.split()[1]) / 1e3)


def fit_time(model: keras.Model, x, y, batch: int, turns: int) -> float:
    """Seconds of the fastest epoch."""
    best = float("inf")
    for _ in range(turns):
        start = time.perf_counter()
        model.fit(x, y, batch_size=batch, verbose=0)
        best = min(best, time.perf_counter() - start)
    return best


def data(rows: int, features: int):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, features), dtype="float32")
    return x, x[:, :1].copy()


def products(width: int, depth: int, features: int) -> float:
    """Millions of multiplications a row of a training step: forward, and twice as many back."""
    return 3 * (features * width + (depth - 1) * width**2 + width) / 1e6


def grow() -> dict:
    results: dict = {"batch": [], "width": [], "depth": [], "rows": []}
    for batch in BATCHES:
        rows = min(max(batch * 8, 256), 16384)
        seconds = fit_time(network(WIDTH, DEPTH, FEATURES), *data(rows, FEATURES), batch, 7)
        results["batch"].append({"at": batch, "us": seconds / rows * 1e6})
    for width in WIDTHS:
        rows = max(256, min(8192, 2**22 // width**2 * 128))
        x, y = data(rows, width)
        seconds = fit_time(network(width, DEPTH, width), x, y, BATCH, 5)
        results["width"].append(
            {
                "at": width,
                "us": seconds / rows * 1e6,
                "us_product": seconds / rows * 1e6 / products(width, DEPTH, width),
            }
        )
    for depth in DEPTHS:
        x, y = data(2048, WIDTH)
        seconds = fit_time(network(WIDTH, depth, WIDTH), x, y, BATCH, 7)
        results["depth"].append(
            {
                "at": depth,
                "us": seconds / 2048 * 1e6,
                "us_product": seconds / 2048 * 1e6 / products(WIDTH, depth, WIDTH),
            }
        )
    with tempfile.TemporaryDirectory() as folder:
        for rows in ROWS:
            path = Path(folder) / f"{rows}.npy"
            x = np.lib.format.open_memmap(path, "w+", "float32", (rows, FEATURES))
            for start in range(0, rows, 10_000):
                x[start : start + 10_000] = data(10_000, FEATURES)[0][: rows - start]
            x.flush()
            mapped = np.load(path, mmap_mode="r")
            y = np.zeros((rows, 1), "float32")
            seconds = fit_time(
                network(WIDTH, DEPTH, FEATURES), mapped, y, BATCH, 5 if rows < 100_000 else 2
            )
            own = OwnMemory()
            network(WIDTH, DEPTH, FEATURES).fit(mapped, y, BATCH, verbose=0, callbacks=[own])
            results["rows"].append(
                {
                    "at": rows,
                    "us": seconds / rows * 1e6,
                    "file_mb": path.stat().st_size / 1e6,
                    "own_mb": own.largest,
                }
            )
    return results


def table(results: dict) -> str:
    lines = []
    for axis, points in results.items():
        keys = [key for key in points[0] if key != "at"]
        heads = {
            "us": "µs a row",
            "us_product": "µs a million products",
            "file_mb": "file, MB",
            "own_mb": "memory of the process without the file, MB",
        }
        lines += ["", f"| {axis} | " + " | ".join(heads[key] for key in keys) + " |"]
        lines.append("| --- " * (len(keys) + 1) + "|")
        lines += [
            f"| {point['at']:,} | " + " | ".join(f"{point[key]:.3g}" for key in keys) + " |"
            for point in points
        ]
    return "\n".join(lines)


def chart(results: dict, path: str) -> None:
    try:
        import matplotlib
    except ImportError:
        raise SystemExit("The chart needs matplotlib: pip install 'minikeras[plot]'") from None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 4, figsize=(12, 3))
    for panel, (axis, points) in zip(panels, results.items()):
        key = "us_product" if "us_product" in points[0] else "us"
        panel.loglog([one["at"] for one in points], [one[key] for one in points], "o-")
        panel.set_xlabel(axis)
        panel.set_ylabel("µs a million products" if key == "us_product" else "µs a row")
        panel.grid(True, which="major", linewidth=0.3)
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", help="where the JSON goes")
    parser.add_argument("--chart", help="also draw a chart into this file")
    parser.add_argument("--from", dest="source", help="draw from this JSON and measure nothing")
    options = parser.parse_args()
    if options.source:
        record = json.loads(Path(options.source).read_text())
    else:
        record = {"machine": platform.processor(), "load": os.getloadavg(), "results": grow()}
    if options.output:
        Path(options.output).write_text(json.dumps(record, indent=1) + "\n")
    print(table(record["results"]))
    if options.chart:
        chart(record["results"], options.chart)


if __name__ == "__main__":
    main()

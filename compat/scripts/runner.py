"""Runs scripts on minikeras, unedited, one after the other in this process.

`python compat/scripts/runner.py [--json FILE] [names...]`: all, or those named. Each runs as
`python -m minikeras run` would run it, in a folder of its own with the files of `data/`. Downloads
of data sets are replaced by small sets of the same form.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import os
import re
import shutil
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

import minikeras  # noqa: E402
from minikeras import cli, dialects  # noqa: E402

OPTIONAL = ("PIL", "matplotlib", "pandas", "scipy", "sklearn")


def scripts() -> list[str]:
    """Names of all scripts and notebooks."""
    return sorted(
        path.name
        for path in HERE.iterdir()
        if path.suffix in (".py", ".ipynb") and path.name != "runner.py"
    )


def missing(name: str) -> list[str]:
    """Packages that a script imports and that are not installed."""
    text = (HERE / name).read_text(encoding="utf-8")
    used = set(re.findall(r"(?:^|[\n\"])\s*(?:from|import) (\w+)", text))
    if re.search(r"flow_from_directory|load_img|save_img|brightness_range", text):
        used.add("PIL")
    return [one for one in OPTIONAL if one in used and not importlib.util.find_spec(one)]


def digits(size: int, train: int = 400, test: int = 120, shift: int = 0) -> tuple:
    """Real digits, 8 by 8, enlarged."""
    (x, y), (u, v) = minikeras.datasets.digits.load_data()
    x, y = np.concatenate([x, u]), np.concatenate([y, v])
    x = np.kron(x.reshape(-1, 8, 8)[: train + test] * 15.9, np.ones((3, 3))).astype("uint8")
    border = (size - 24) // 2
    x = np.pad(x, ((0, 0), (border, border), (border, border)))
    y = ((y[: train + test] + shift) % 10).astype("uint8")
    return (x[:train], y[:train]), (x[train:], y[train:])


def coloured(classes: int) -> tuple:
    """Images of 32 by 32 pixels, whose class is a colour and a stripe."""
    draw = np.random.default_rng(4)
    y = draw.integers(0, classes, 360)
    x = draw.integers(0, 90, (360, 32, 32, 3))
    for row, label in zip(x, y):
        row[:, :, label % 3] += 60
        row[3 * (label % 10) : 3 * (label % 10) + 4] += 90
    x, y = np.clip(x, 0, 255).astype("uint8"), y.astype("uint8")[:, None]
    return (x[:280], y[:280]), (x[280:], y[280:])


def reviews(classes: int, length: int = 40) -> object:
    """Lists of word numbers; some words tell the class."""

    def load_data(
        path=None, num_words=None, skip_top=0, maxlen=None, seed=113, start_char=1, oov_char=2,
        index_from=3, test_split=0.2, nb_words=None, **_,
    ):  # fmt: skip
        most = num_words or nb_words or 2000
        draw = np.random.default_rng(7)
        y = draw.integers(0, classes, 300)
        x = np.empty(300, object)
        for row, label in enumerate(y):
            words = draw.integers(20, 1900, draw.integers(10, length))
            words[draw.random(len(words)) < 0.4] = 5 + label
            x[row] = [1, *(int(word) if word < most else oov_char for word in words)]
        y = y.astype("int64")
        if maxlen:
            keep = np.array([len(row) < maxlen for row in x])
            x, y = x[keep], y[keep]
        return (x[:200], y[:200]), (x[200:], y[200:])

    return load_data


def houses(**_) -> tuple:
    """13 columns and a price."""
    draw = np.random.default_rng(2)
    x = draw.normal(size=(150, 13)) * np.arange(1, 14) + 3
    y = 22 + x[:, 0] * 3 - x[:, 1] + draw.normal(size=150)
    return (x[:110], y[:110]), (x[110:], y[110:])


def words() -> dict:
    """A word for each number."""
    return {f"word{number}": number for number in range(1, 2000)}


def replace_downloads() -> None:
    """No script needs the network."""
    sets = minikeras.datasets
    loaders = {
        "mnist": lambda path="mnist.npz": digits(28),
        "fashion_mnist": lambda: digits(28, shift=3),
        "cifar10": lambda: coloured(10),
        "cifar100": lambda label_mode="fine": coloured(20),
        "imdb": reviews(2),
        "reuters": reviews(46),
        "boston_housing": houses,
    }
    for name, load in loaders.items():
        module = importlib.import_module(f"{sets.__name__}.{name}")
        module.load_data = load
        if name in ("imdb", "reuters"):
            module.get_word_index = lambda path=None: words()


def run(name: str) -> tuple[int, str, float]:
    """Exit code, output and seconds of one script."""
    folder = Path(tempfile.mkdtemp(prefix=f"script-{Path(name).stem}-"))
    shutil.copytree(HERE / "data", folder, dirs_exist_ok=True)
    before, output = os.getcwd(), io.StringIO()
    np.random.seed(1)
    minikeras.utils.set_random_seed(1)
    started = time.perf_counter()
    try:
        os.chdir(folder)
        with (
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(output),
            warnings.catch_warnings(),
        ):
            try:
                code = cli.main(["run", str(HERE / name)])
            except SystemExit as error:
                code = error.code if isinstance(error.code, int) else int(bool(error.code))
    finally:
        os.chdir(before)
        shutil.rmtree(folder, ignore_errors=True)
        minikeras.config.set_image_data_format("channels_last")
        minikeras.config.set_floatx("float32")
        minikeras.mixed_precision.set_global_policy("float32")
        minikeras.utils.clear_session()
        dialects.silence(False)
    return code or 0, output.getvalue(), time.perf_counter() - started


def main() -> int:
    """Runs what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", help="where to write what happened")
    parser.add_argument("-v", "--verbose", action="store_true", help="print all output")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    os.environ.setdefault("MPLBACKEND", "Agg")
    replace_downloads()
    report = {}
    for name in arguments.names or scripts():
        name = name if name.endswith((".py", ".ipynb")) else f"{name}.py"
        absent = missing(name)
        if absent:
            report[name] = {"skipped": f"needs {', '.join(absent)}"}
            print(f"skip {name}: needs {', '.join(absent)}", flush=True)
            continue
        code, output, seconds = run(name)
        report[name] = {"code": code, "seconds": round(seconds, 2), "output": output[-3000:]}
        print(f"{'FAIL' if code else 'ok  '} {name} {seconds:.1f} s", flush=True)
        if code or arguments.verbose:
            print(output[-2500:] if not arguments.verbose else output, flush=True)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(report, indent=1), encoding="utf-8")
    return int(any(one.get("code") for one in report.values()))


if __name__ == "__main__":
    sys.exit(main())

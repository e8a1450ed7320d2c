"""Who is measured: each peer, what it needs, and how its process is set up."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Name -> (modules it needs, what its process gets in the environment, what a workload offers it).
PEERS: dict[str, tuple[tuple[str, ...], dict[str, str], str]] = {
    "minikeras": (("numpy", "h5py"), {"PYTHONPATH": str(ROOT)}, "keras"),
    "minikeras-numba": (
        ("numpy", "h5py", "numba"),
        {"PYTHONPATH": str(ROOT), "MINIKERAS_NUMBA": "1"},
        "keras",
    ),
    "floor": (("numpy",), {}, "floor"),
    "keras-tensorflow": (
        ("keras", "tensorflow"),
        {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
        "keras",
    ),
    "keras-jax": (("keras", "jax"), {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}, "keras"),
    "keras-torch": (("keras", "torch"), {"KERAS_BACKEND": "torch"}, "keras"),
    "torch": (("torch",), {}, "torch"),
    "sklearn": (("sklearn",), {}, "sklearn"),
    "onnxruntime": (("onnxruntime",), {}, "onnx"),
}

IMPORTS = {
    "minikeras": "import minikeras as keras",
    "minikeras-numba": "import minikeras as keras",
    "floor": "import numpy",
    "keras-tensorflow": "import keras",
    "keras-jax": "import keras",
    "keras-torch": "import keras",
    "torch": "import torch",
    "sklearn": "import sklearn.neural_network",
    "onnxruntime": "import onnxruntime",
}

_PROBE = """
import importlib.util, json, platform, sys
names = {names!r}
found = {{n: importlib.util.find_spec(n) is not None for n in names}}
print(json.dumps({{"found": found, "python": platform.python_version()}}))
"""


def find_peers(interpreters: list[str], wanted: list[str] | None = None) -> dict[str, str]:
    """Which interpreter runs each peer: the first of `interpreters` that has what it needs."""
    names = sorted({name for needs, _, _ in PEERS.values() for name in needs})
    chosen: dict[str, str] = {}
    for interpreter in interpreters:
        command = [interpreter, "-c", _PROBE.format(names=names)]
        found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["found"]
        for peer, (needs, _, _) in PEERS.items():
            if all(found[name] for name in needs) and (not wanted or peer in wanted):
                chosen.setdefault(peer, interpreter)
    return chosen


def environment(peer: str, threads: int) -> dict[str, str]:
    """The environment of a peer's process: the same number of threads for all."""
    limits = (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
    )
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return {**clean, **dict.fromkeys(limits, str(threads)), **PEERS[peer][1]}

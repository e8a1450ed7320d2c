"""Saving that is killed, runs out of space or meets another process: one whole file remains.

`MINIKERAS_KILLS=200 pytest tests/saving/test_interrupted.py` kills so often, else a few times.
"""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import minikeras as keras

ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("MINIKERAS_KILLS", 4))
NAMES = ["m.keras", "m.h5", "m.weights.h5"]

# For each line, a number, a process that saves models of this and all following numbers under one
# name for ever. It is made by forking: what takes long is done once.
SCRIPT = """
import itertools, os, signal, sys
import minikeras as keras
import numpy as np
path = sys.argv[1]
model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64), keras.layers.Dense(64)])
model.compile("adam", "mse")
save = model.save_weights if "weights" in path else model.save
save(path)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the killed
for line in sys.stdin:
    if os.fork() == 0:
        for number in itertools.count(int(line)):
            model.set_weights([np.full_like(one, number) for one in model.get_weights()])
            save(path)
            if number == int(line):
                print(os.getpid(), flush=True)
"""


class Savers:
    """Processes that save to one path until they are killed."""

    def __init__(self, path):
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", SCRIPT, str(path)],
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.living = []

    def start(self, first):
        self.process.stdin.write(f"{first}\n")
        self.process.stdin.flush()
        self.living.append(int(self.process.stdout.readline()))

    def kill(self):
        process = self.living.pop()
        os.kill(process, signal.SIGKILL)
        # A busy machine takes its time to end it.
        with suppress(ProcessLookupError):
            while True:
                os.kill(process, 0)
                time.sleep(0.001)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        while self.living:
            self.kill()
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def network():
    layers = [keras.Input((64,)), keras.layers.Dense(64), keras.layers.Dense(64)]
    return keras.Sequential(layers)


def assert_whole(path):
    """The file loads, and all its weights are of one save."""
    if "weights" in path.name:
        model = network()
        model.load_weights(path)
    else:
        model = keras.saving.load_model(path, compile=False)
    values = {float(value) for one in model.get_weights() for value in np.unique(one)}
    assert len(values) == 1 and values.pop() >= 1


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_save_leaves_a_whole_file(name, tmp_path):
    rng = random.Random(name)
    path = tmp_path / name
    with Savers(path) as savers:
        for turn in range(-(-KILLS // len(NAMES))):
            savers.start(1 + turn * 1000)
            time.sleep(rng.uniform(0, 0.03))
            savers.kill()
            assert_whole(path)
            # At most what this process was writing; what others left is removed by the next.
            assert len(list(tmp_path.iterdir())) <= 3
    network().save_weights(path) if "weights" in name else network().save(path)
    assert [one.name for one in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_save_to_one_name(name, tmp_path):
    path = tmp_path / name
    with Savers(path) as savers:
        savers.start(1)
        savers.start(10_000)
        for _ in range(5):
            assert_whole(path)
            time.sleep(0.02)
    assert_whole(path)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_no_space_at_any_point_leaves_the_old_file(name, share, tmp_path):
    path = tmp_path / name
    model = network()
    model.compile("adam", "mse")
    save = model.save_weights if "weights" in name else model.save
    save(path)
    before = path.read_bytes()
    code = f"""
import resource, signal, sys
import minikeras as keras
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64), keras.layers.Dense(64)])
model.compile("adam", "mse")
save = model.save_weights if "weights" in {name!r} else model.save
limit = {int(share * len(before))}
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
try:
    save({str(path)!r})
except OSError:
    sys.exit(3)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 3, done.stderr
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == [name]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY

"""Memory of training steps: `memory.py [--python INTERPRETER ...]`, minikeras beside torch.

Each figure is the growth of a process's largest resident memory from before the first step (model,
data and libraries are there) to after five steps. Each is taken in a process of its own.

The last row is a convolution of a batch of large images alone, forward and backward: how much it
takes beyond its input, its output, their gradients and the kernel.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from peers import environment, find_peers

HERE = Path(__file__).resolve().parent
WORKLOADS = ["cnn-28x28", "cnn-vgg", "lstm", "gru", "transformer"]

COMMON = """
import json, resource, sys
sys.path.insert(0, {here!r})
import numpy as np
from workloads import load
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
"""

MINIKERAS = """
import minikeras as keras
workload = load({name!r})
x, y = workload.data()
model = workload.build(keras)
x, y = x[:workload.BATCH * 5], y[:workload.BATCH * 5]
model.predict(x[:1], verbose=0)
before = peak()
model.fit(x, y, batch_size=workload.BATCH, verbose=0)
print(json.dumps(peak() - before))
"""

TORCH = """
import torch
torch.set_num_threads(1)
workload = load({name!r})
x, y = workload.data()
x, y = x[:workload.BATCH * 5], y[:workload.BATCH * 5]
model, loss_function, optimizer, prepare = workload.torch_parts(torch)
x, y = prepare(torch.from_numpy(np.asarray(x)), torch.from_numpy(np.asarray(y)))
with torch.no_grad():
    model(x[:1])
before = peak()
for batch in torch.arange(len(x)).split(workload.BATCH):
    optimizer.zero_grad(set_to_none=True)
    loss = loss_function(model(x[batch]), y[batch])
    loss.backward()
    optimizer.step()
print(json.dumps(peak() - before))
"""

LARGE = """
import minikeras as keras
from minikeras.gradient_tape import GradientTape
x = keras.ops.convert_to_tensor(np.ones((64, 224, 224, 3), "float32"))
layer = keras.layers.Conv2D(64, 7, strides=2, padding="same")
layer(x[:1])
before = peak()
with GradientTape() as tape:
    tape.watch(x)
    y = layer(x)
    loss = keras.ops.sum(y)
gradients = tape.gradient(loss, [x, *layer.trainable_variables])
arrays = 2 * y.numpy().nbytes + x.numpy().nbytes
print(json.dumps(peak() - before - arrays / 1e6))
"""


def measure(interpreter: str, peer: str, script: str, name: str = "") -> float | None:
    source = (COMMON + script).format(here=str(HERE), name=name)
    done = subprocess.run(
        [interpreter, "-c", source], capture_output=True, text=True, env=environment(peer, 1)
    )
    if done.returncode:
        print(done.stderr.strip().splitlines()[-1], file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", action="append", help="an interpreter with some of the peers")
    options = parser.parse_args()
    found = find_peers(options.python or [sys.executable], ["minikeras", "torch"])
    print("| growth while training, MB | minikeras | torch |\n| --- | --- | --- |")
    for name in WORKLOADS:
        cells = [
            measure(found[peer], peer, script, name) if peer in found else None
            for peer, script in (("minikeras", MINIKERAS), ("torch", TORCH))
        ]
        print(f"| {name} | " + " | ".join("—" if c is None else f"{c:.0f}" for c in cells) + " |")
    beyond = measure(found["minikeras"], "minikeras", LARGE)
    print(f"| Conv2D(64, 7, strides 2) of 64 x 224 x 224 x 3, beyond its arrays | {beyond:.0f} | |")


if __name__ == "__main__":
    main()

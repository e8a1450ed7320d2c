"""Freed memory is kept while training, and only then."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource
import numpy as np
from minikeras.engine.arena import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.ones(4 << 20, "float32")
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
fresh = faults()
keep_freed_memory()
faults()
print(fresh, faults())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's mallopt is on Linux")
@pytest.mark.parametrize("kept", [True, False])
def test_freed_arrays_are_used_again(kept):
    environment = {} if kept else {"MINIKERAS_KEEP_MEMORY": "0"}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment, check=True
    )
    fresh, later = map(int, run.stdout.split())
    if fresh < 100:
        pytest.skip("this C library keeps its memory by itself")
    assert (later < fresh / 10) == kept

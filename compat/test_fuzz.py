"""A short run of the fuzzer; `fuzz.py` has the long one."""

import os
import subprocess
import sys
from pathlib import Path

from fuzz_seeds import FORMATS

FUZZER = Path(__file__).with_name("fuzz.py")


def test_damaged_files_load_or_are_refused():
    # Another seed than that of the long run, whose cases FUZZ.md tells of.
    options = ["--dry", "--seed", "7", "--count", "40", "--workers", "1"]
    done = subprocess.run(
        [sys.executable, FUZZER, *options],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert [line.split(" cases")[0] for line in done.stdout.splitlines()] == [
        f"{format}: 40" for format in FORMATS
    ]

"""Scripts in the style of tutorials of every generation, each run unedited."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent.parent / "compat" / "scripts"
NAMES = sorted(
    path.name
    for path in SCRIPTS.iterdir()
    if path.suffix in (".py", ".ipynb") and path.name != "runner.py"
)
# Few processes: most of a small script's time would be the start of Python.
GROUPS = 6


def test_there_are_enough():
    assert len(NAMES) >= 60


@pytest.mark.parametrize("group", range(GROUPS))
def test_scripts(group):
    """What fails is printed with its output; `compat/scripts/runner.py NAME` runs it alone."""
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "runner.py"), *NAMES[group::GROUPS]],
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "ok  " in done.stdout or "skip" in done.stdout

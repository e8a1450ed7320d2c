"""What the wheel will hold."""

import io
import re
import zipfile
from pathlib import Path

import minikeras

ROOT = Path(__file__).parent.parent
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_version_is_the_same_everywhere():
    (version,) = re.findall(r'^version = "(.+)"$', PYPROJECT, re.MULTILINE)
    assert version == minikeras.__version__ == minikeras.version()


def test_runtime_dependencies_are_numpy_and_h5py():
    (line,) = re.findall(r"^dependencies = \[(.+)\]$", PYPROJECT, re.MULTILINE)
    names = {re.match(r"[a-z0-9]+", item.strip(' "')).group() for item in line.split(",")}
    assert names == {"numpy", "h5py"}


def packaged():
    return [
        path
        for path in (ROOT / "minikeras").rglob("*")
        if path.is_file()
        and not any(part.startswith((".", "__py")) for part in path.relative_to(ROOT).parts)
    ]


def test_the_package_is_pure_python_and_small():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in packaged():
            assert path.suffix in {".py", ".npz"} or path.name == "py.typed", path
            archive.write(path)
    assert buffer.tell() < 1_000_000  # a wheel is such an archive


def test_every_folder_is_a_package():
    for folder in {path.parent for path in packaged()}:
        assert (folder / "__init__.py").is_file(), folder

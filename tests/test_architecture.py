"""Who may import whom, and what `import minikeras` may load."""

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "minikeras"
FILES = sorted(PACKAGE.rglob("*.py"))

# Each room imports from its own floor or from the floors below.
FLOORS = (
    {"config", "kernels"},
    {"engine"},
    {"ops", "dtype_policies", "tree", "random", "backend"},
    {
        "activations",
        "callbacks",
        "constraints",
        "initializers",
        "layers",
        "losses",
        "metrics",
        "optimizers",
        "quantizers",
        "regularizers",
        "utils",
    },
    {"training", "saving"},
    {"models"},
)
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
ATTIC = len(FLOORS)  # datasets, preprocessing, wrappers, dialects...

FRAMEWORKS = {"autograd", "flax", "jax", "keras", "mxnet", "tensorflow", "tf_keras", "theano"}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[tuple[str, bool]]:
    """Yields (dotted name, whether it is imported along with the module itself)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    lazy = {
        id(node)
        for scope in ast.walk(tree)
        if isinstance(scope, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        or (isinstance(scope, ast.If) and "TYPE_CHECKING" in ast.dump(scope.test))
        for node in ast.walk(scope)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) not in lazy
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                here = ("minikeras", *path.relative_to(PACKAGE).parts)
                module = ".".join([*here[: len(here) - node.level], *filter(None, [module])])
            for alias in node.names:
                yield f"{module}.{alias.name}", id(node) not in lazy


def rooms_imported(path: Path) -> Iterator[tuple[str, bool]]:
    for name, at_once in imported(path):
        parts = name.split(".")
        if parts[0] == "minikeras" and len(parts) > 1:
            yield parts[1], at_once


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    own = room_of(path)
    floor = FLOOR_OF.get(own, ATTIC)
    for room, at_once in rooms_imported(path):
        if at_once or own in ("engine", "kernels"):
            assert FLOOR_OF.get(room, ATTIC) <= floor, f"{own} must not import {room}"


def test_kernels_are_plain_array_functions():
    for path in FILES:
        if room_of(path) == "kernels":
            assert {room for room, _ in rooms_imported(path)} <= {"kernels"}, path


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_other_framework_is_imported(path):
    roots = {name.split(".")[0] for name, _ in imported(path)}
    assert not roots & FRAMEWORKS


def modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=PACKAGE.parent,
    )
    return set(run.stdout.split())


def test_importing_minikeras_loads_numpy_and_nothing_else():
    alone = modules_after("import importlib, numpy")  # NumPy 2.0 does without importlib
    assert modules_after("import minikeras") - alone == {"minikeras"}


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import minikeras; minikeras.config.floatx()", {"h5py", "minikeras.engine"}),
        ("from minikeras.utils import to_categorical", {"h5py", "urllib.request", "PIL"}),
        ("from minikeras.utils import get_file", {"urllib.request", "minikeras.datasets"}),
        ("from minikeras.datasets import digits", {"urllib.request", "h5py", "minikeras.layers"}),
    ],
)
def test_parts_load_only_what_they_need(statement, unwanted):
    assert not modules_after(statement) & unwanted


def test_every_public_name_is_there():
    missing = []
    for module in ("minikeras", "minikeras.utils"):
        namespace = importlib.import_module(module)
        for name in namespace.__all__:
            try:
                getattr(namespace, name)
            except (AttributeError, ImportError) as error:
                missing.append(f"{module}.{name}: {error}")
    assert not missing


def test_unknown_names_are_attribute_errors():
    import minikeras

    assert not hasattr(minikeras, "nonsense") and not hasattr(minikeras.utils, "nonsense")
    assert set(minikeras.__all__) <= set(dir(minikeras))

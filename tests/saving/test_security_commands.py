"""The attacks of `test_security.py` on the commands that open files."""

import time

import h5py
import numpy as np
import pytest

import minikeras as keras
from minikeras import cli
from tests.saving.test_security import (
    ATTACKS,
    functional,
    lambda_config,
    layer_record,
    sequential,
    serialization,
    small,
    victim,  # noqa: F401
    weights_file,
    write_h5,
    write_keras,
)

COMMANDS = ("convert", "predict", "diff")


def run(command, path, folder):
    """A command on the file, which must refuse it at once and leave nothing behind."""
    np.save(folder / "x.npy", np.ones((2, 3), "float32"))
    small().save(folder / "good.keras")
    out = folder / f"out.{'npy' if command == 'predict' else 'keras'}"
    arguments = {
        "convert": [path, out],
        "predict": [path, folder / "x.npy", "-o", out],
        "diff": [folder / "good.keras", path],
    }[command]
    before, start = serialization.safe_mode(), time.process_time()
    code = cli.main([command, *map(str, arguments)])
    assert time.process_time() - start < 1
    assert serialization.safe_mode() is before
    assert not out.exists()
    return code


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", ["keras", "h5", "old_h5"])
@pytest.mark.parametrize("form", ["list", "code", "load_model", "unsafe", "popen"])
def test_lambdas_run_nothing(command, kind, form, tmp_path, capsys):
    marker, path = tmp_path / "marker", tmp_path / f"evil.{kind}"
    config = sequential(
        layer_record("Lambda", {"name": "l", "function": lambda_config(marker, form)})
    )
    if kind == "keras":
        write_keras(path, config)
    else:
        write_h5(path, config, "2.3.1" if kind == "old_h5" else "3.15.1")
    assert run(command, path, tmp_path) in (1, 2)
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "Traceback" not in error
    assert not marker.exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_functions_in_a_graph_are_not_called(command, tmp_path, capsys):
    marker = tmp_path / "marker"
    node = {"args": [["touch", str(marker)]], "kwargs": {}}
    evil = {"module": "subprocess", "class_name": "function", "config": "Popen", "name": "y"}
    write_keras(tmp_path / "evil.keras", functional({**evil, "inbound_nodes": [node]}))
    assert run(command, tmp_path / "evil.keras", tmp_path) in (1, 2)
    assert not marker.exists()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("attack", sorted(ATTACKS))
@pytest.mark.parametrize("layout", ["model.keras", "model.h5"])
def test_hdf5_tricks_are_refused(command, attack, layout, victim, tmp_path, capsys):  # noqa: F811
    make, path = ATTACKS[attack](victim), tmp_path / layout
    if layout == "model.keras":
        inner = tmp_path / "inner.weights.h5"
        weights_file(
            inner, lambda f: (f.pop("layers/dense/vars/0"), make(f, "layers/dense/vars/0"))
        )
        write_keras(path, serialization.serialize(small()), inner.read_bytes())
    else:
        small().save(path)
        with h5py.File(path, "r+") as file:
            found = []
            file["model_weights"].visit(found.append)
            name = next(one for one in found if one.endswith("kernel"))
            del file["model_weights"][name]
            make(file["model_weights"], name)
    assert run(command, path, tmp_path) in (1, 2)
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_sizes_are_bounded(command, tmp_path, capsys):
    record = layer_record("Dense", {"units": 2**40, "name": "d"})
    write_keras(tmp_path / "evil.keras", sequential(record))
    assert run(command, tmp_path / "evil.keras", tmp_path) in (1, 2)
    assert "far more than belongs" in capsys.readouterr().err


def test_saving_over_a_link_leaves_what_it_points_to(tmp_path):
    target, link = tmp_path / "precious", tmp_path / "m.keras"
    target.write_text("x")
    link.symlink_to(target)
    small().save(link)
    assert target.read_text() == "x"
    keras.saving.load_model(link)

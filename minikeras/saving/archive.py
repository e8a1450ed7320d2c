"""`.keras`: a zip of config.json, metadata.json, model.weights.h5 and assets."""

from __future__ import annotations

import datetime
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from minikeras.engine import serialization
from minikeras.saving import guard, member, weights
from minikeras.saving.hdf5 import KERAS_VERSION, _json_value, compile_model, model_from_config

_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"


def write_model(path: Any, model: Any) -> None:
    """Write a whole model as a `.keras` archive to a path."""
    texts = _texts(model)
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in texts.items():
            archive.writestr(name, text)
        with member.written_member(archive, path, _WEIGHTS) as file:
            weights.write(file, model)
        for name, content in _assets(model):
            archive.writestr(f"assets/{name}", content)


def _texts(model: Any) -> dict[str, str]:
    """The files of JSON, by name."""
    with serialization.ObjectSharing():
        config = json.dumps(serialization.serialize(model), default=_json_value)
    now = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    metadata = json.dumps({"keras_version": KERAS_VERSION, "date_saved": now})
    return {_METADATA: metadata, _CONFIG: config}


def write_to(file: Any, model: Any) -> None:
    """Write a whole model as a `.keras` archive to an open binary file."""
    import os
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        packed = os.path.join(folder, "m.keras")
        write_model(packed, model)
        with open(packed, "rb") as archive:
            while piece := archive.read(2**22):
                file.write(piece)


def write_folder(path: str, model: Any) -> None:
    """Write what an archive holds as files of a folder, which is whole or as it was."""
    import os
    import shutil
    import tempfile

    path = os.path.abspath(path)
    if os.path.isdir(path) and os.listdir(path) and not is_folder(path):
        raise ValueError(
            f"{path!r} is a folder of something else. Pass the path of a new folder, or of one with"
            " a model."
        )
    if os.path.isfile(path):
        raise ValueError(f"{path!r} is a file. With `zipped=False` a folder is written.")
    parent = os.path.dirname(path)
    os.makedirs(parent, exist_ok=True)
    temporary = tempfile.mkdtemp(prefix=f".{os.path.basename(path)[:60]}.", dir=parent)
    try:
        packed = os.path.join(temporary, "m.keras")
        write_model(packed, model)
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(temporary)
        os.unlink(packed)
        os.chmod(temporary, 0o755)
        if os.path.isdir(path):
            old = f"{temporary}.old"
            os.rename(path, old)
            os.rename(temporary, path)
            shutil.rmtree(old)
        else:
            os.rename(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def is_folder(path: Any) -> bool:
    """Whether a folder holds what an archive does."""
    import os

    return os.path.isfile(os.path.join(path, _CONFIG))


def pack_folder(path: Any) -> io.BytesIO:
    """The files of a folder as an archive in memory; links are refused."""
    import os

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        wanted = [_METADATA, _CONFIG, _WEIGHTS]
        for folder, _, names in os.walk(os.path.join(path, "assets")):
            wanted += [os.path.relpath(os.path.join(folder, name), path) for name in names]
        for name in wanted:
            where = os.path.join(path, name)
            if os.path.islink(where):
                raise ValueError(f"{where!r} is a link. Such files are not opened.")
            if os.path.isfile(where):
                archive.write(where, name.replace(os.sep, "/"))
    return buffer


def _assets(model: Any) -> list[tuple[str, bytes]]:
    """The files that layers keep beside their variables."""
    import os
    import tempfile

    found = []
    for path, part in weights.walk(model):
        if not hasattr(part, "save_assets"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            part.save_assets(folder)
            for name in sorted(os.listdir(folder)):
                with open(os.path.join(folder, name), "rb") as file:
                    found.append((f"{path}/{name}" if path else name, file.read()))
    return found


def read_model(path: Any, compile: bool = True) -> Any:
    """The model in a `.keras` archive."""
    from minikeras.dialects import configs

    with guard.open_zip(path) as archive:
        members = archive.namelist()
        if _CONFIG not in members:
            raise ValueError(
                f"The archive {path!r} holds no Keras model: it has no {_CONFIG}, only"
                f" {sorted(members)[:8]}."
            )
        config = guard.parse_json(guard.read_member(archive, _CONFIG, 2**28), _CONFIG)
        if not isinstance(config, dict):
            raise ValueError(f"{_CONFIG} must hold a JSON object. Received: {type(config)}")
        version = _version(archive)
        generation = configs.generation_of(version, config)
        compile_config = config.get("compile_config")
        if not compile or generation < 3:
            config["compile_config"] = None
        with serialization.ObjectSharing():
            model = model_from_config(config, generation, version)
        if compile and generation < 3 and isinstance(compile_config, dict):
            compile_model(
                model,
                {**compile_config, "optimizer_config": compile_config.get("optimizer")},
                generation,
            )
            if model.optimizer is not None and model.built:
                model.optimizer.build(model.trainable_variables)
        if _WEIGHTS not in members:
            raise ValueError(
                f"The archive {path!r} has no {_WEIGHTS}, only {sorted(members)[:8]}. Weights in"
                " several files, or in other formats, are not supported in archives."
            )
        else:
            with guard.opened_member(archive, _WEIGHTS) as window:
                with guard.open_hdf5(window) as file:
                    weights.read(file, model)
        _read_assets(archive, model)
    return model


def _version(archive: zipfile.ZipFile) -> Any:
    """The version of Keras that wrote an archive, or None."""
    if _METADATA not in archive.namelist():
        return None
    metadata = guard.parse_json(guard.read_member(archive, _METADATA, 2**20), _METADATA)
    return metadata.get("keras_version") if isinstance(metadata, dict) else None


def _read_assets(archive: zipfile.ZipFile, model: Any) -> None:
    import os
    import tempfile

    names = [name for name in archive.namelist() if name.startswith("assets/")]
    if not names:
        return
    for path, part in weights.walk(model):
        if not hasattr(part, "load_assets"):
            continue
        prefix = f"assets/{path}/" if path else "assets/"
        own = [n for n in names if n.startswith(prefix) and "/" not in n[len(prefix) :]]
        if not own:
            continue
        with tempfile.TemporaryDirectory() as folder:
            for name in own:
                base = name[len(prefix) :]
                if not base or base in (".", "..") or "\\" in base:
                    raise ValueError(f"The archive names an asset that is no plain file: {name!r}")
                with open(os.path.join(folder, base), "wb") as file:
                    file.write(guard.read_member(archive, name))
            part.load_assets(folder)


def is_keras_archive(path: Any) -> bool:
    """Whether a zip holds a model."""
    with guard.open_zip(path) as archive:
        return _CONFIG in archive.namelist()


@contextmanager
def opened_weights(path: Any) -> Iterator[Any]:
    """The weights inside an archive, as an open HDF5 file."""
    with guard.open_zip(path) as archive, guard.opened_member(archive, _WEIGHTS) as window:
        with guard.open_hdf5(window) as file:
            yield file

"""`tf.train`: checkpoints, in files of NumPy instead of TensorFlow's."""

from __future__ import annotations

import os
import re
from typing import Any

import numpy as np

from minikeras.engine.variable import Variable
from minikeras.saving.api import Restored

__all__ = ["Checkpoint", "CheckpointManager", "latest_checkpoint", "list_variables"]
_ENDING = ".npz"


def _variables(thing: Any) -> list:
    """The variables of what a checkpoint tracks, in order."""
    if isinstance(thing, Variable):
        return [thing]
    if isinstance(thing, dict):
        return [one for key in sorted(thing, key=str) for one in _variables(thing[key])]
    if isinstance(thing, (list, tuple)):
        return [one for value in thing for one in _variables(value)]
    if isinstance(thing, Checkpoint):
        return _variables(thing._tracked)
    for name in ("weights", "variables"):
        found = getattr(thing, name, None)
        if found is not None:
            return list(found() if callable(found) else found)
    return []


class Checkpoint:
    """Saves and restores variables of models, optimizers and the like.

    Args:
        root: One thing to track, or None.
        **kwargs: Things to track, by name; they are attributes too.

    >>> import tempfile
    >>> from minikeras import Variable
    >>> from minikeras.standin.tf.train import Checkpoint, latest_checkpoint
    >>> step = Variable(1.0)
    >>> checkpoint = Checkpoint(step=step)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = checkpoint.save(folder + "/ckpt")
    ...     _ = step.assign(7.0)
    ...     _ = checkpoint.restore(latest_checkpoint(folder))
    >>> float(step)
    1.0
    """

    def __init__(self, root: Any = None, **kwargs: Any) -> None:
        self._tracked = {**({} if root is None else {"root": root}), **kwargs}
        self.save_counter = Variable(0, dtype="int64", trainable=False, name="save_counter")
        for name, value in kwargs.items():
            setattr(self, name, value)

    def save(self, file_prefix: str, options: Any = None) -> str:
        """Writes `file_prefix-N`, N counting the calls; returns that path."""
        self.save_counter.assign(int(self.save_counter) + 1)
        return self.write(f"{os.fspath(file_prefix)}-{int(self.save_counter)}")

    def write(self, file_prefix: str, options: Any = None) -> str:
        """Writes a file; returns its path, without the ending."""
        path = os.fspath(file_prefix)
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        arrays = {
            f"{name}/{index}": np.asarray(variable)
            for name, thing in self._things()
            for index, variable in enumerate(_variables(thing))
        }
        part = f"{path}.part{_ENDING}"
        np.savez(part, **arrays)  # type: ignore[arg-type]
        os.replace(part, path + _ENDING)
        return path

    def restore(self, save_path: str | None, options: Any = None) -> Restored:
        """Reads what `save` or `write` wrote; None: nothing.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it holds other variables.
        """
        if save_path is None:
            return Restored(False)
        path = os.fspath(save_path)
        if not os.path.exists(path + _ENDING):
            raise FileNotFoundError(
                f"No checkpoint {path}{_ENDING}. Checkpoints of TensorFlow cannot be read."
            )
        with np.load(path + _ENDING, allow_pickle=False) as arrays:
            for name, thing in self._things():
                count = sum(key.rpartition("/")[0] == name for key in arrays.files)
                if hasattr(thing, "apply_gradients") and len(_variables(thing)) < count:
                    self._build(thing, count)
                variables = _variables(thing)
                if len(variables) != count:
                    raise ValueError(
                        f"The checkpoint {path} has {count} variables of {name!r}, and there are"
                        f" {len(variables)}. Call a model once before it is restored."
                    )
                for index, variable in enumerate(variables):
                    variable.assign(arrays[f"{name}/{index}"])
        return Restored()

    read = restore

    def _things(self) -> list:
        return [*sorted(self._tracked.items()), ("save_counter", self.save_counter)]

    def _build(self, optimizer: Any, count: int) -> None:
        """Makes the slots of an optimizer that has not seen its variables yet."""
        for thing in self._tracked.values():
            trainable = getattr(thing, "trainable_variables", None)
            if trainable and len(optimizer.variables) < count:
                optimizer.build(list(trainable))


class CheckpointManager:
    """Keeps the last checkpoints in a folder.

    Args:
        checkpoint: `Checkpoint`.
        directory: The folder.
        max_to_keep: How many to keep; None: all.
        checkpoint_name: Beginning of the names of files. Defaults to `"ckpt"`.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        directory: Any,
        max_to_keep: int | None = 5,
        keep_checkpoint_every_n_hours: Any = None,
        checkpoint_name: str = "ckpt",
        **_: Any,
    ) -> None:
        self.checkpoint = checkpoint
        self.directory = os.fspath(directory)
        self.max_to_keep = max_to_keep
        self._prefix = os.path.join(self.directory, checkpoint_name)

    @property
    def checkpoints(self) -> list[str]:
        """Paths of the checkpoints, oldest first."""
        return _checkpoints(self.directory)

    @property
    def latest_checkpoint(self) -> str | None:
        """The path of the newest one, or None."""
        return latest_checkpoint(self.directory)

    def save(self, checkpoint_number: Any = None, **_: Any) -> str:
        """Writes a checkpoint and removes those that are too many; returns its path."""
        if checkpoint_number is None:
            path = self.checkpoint.save(self._prefix)
        else:
            path = self.checkpoint.write(f"{self._prefix}-{int(checkpoint_number)}")
        if self.max_to_keep:
            for old in self.checkpoints[: -self.max_to_keep]:
                os.remove(old + _ENDING)
        return path

    def restore_or_initialize(self) -> str | None:
        """Restores the newest checkpoint, if there is one; returns its path."""
        path = self.latest_checkpoint
        self.checkpoint.restore(path)
        return path


def _checkpoints(folder: Any) -> list[str]:
    if not os.path.isdir(folder):
        return []
    found = [name[: -len(_ENDING)] for name in os.listdir(folder) if name.endswith(_ENDING)]
    numbered = [name for name in found if re.search(r"-\d+$", name)]
    numbered.sort(key=lambda name: int(name.rpartition("-")[2]))
    return [os.path.join(folder, name) for name in numbered]


def latest_checkpoint(checkpoint_dir: Any, latest_filename: Any = None) -> str | None:
    """The path of the newest checkpoint in a folder, or None."""
    folder = os.fspath(checkpoint_dir)
    found = _checkpoints(folder)
    if not found and os.path.isdir(folder):
        # Weights that `save_weights` or ModelCheckpoint wrote in the place of a checkpoint.
        files = [one for one in os.scandir(folder) if one.is_file()]
        found = [
            one.path
            for one in sorted(files, key=lambda one: (one.stat().st_mtime_ns, one.name))
            if not one.name.endswith((".h5", ".hdf5", ".keras", _ENDING))
        ]
    return found[-1] if found else None


def list_variables(ckpt_dir_or_file: Any) -> list[tuple[str, list[int]]]:
    """Names and shapes of what a checkpoint holds."""
    path = os.fspath(ckpt_dir_or_file)
    path = (latest_checkpoint(path) or path) if os.path.isdir(path) else path
    with np.load(path + _ENDING, allow_pickle=False) as arrays:
        return [(key, list(arrays[key].shape)) for key in sorted(arrays.files)]

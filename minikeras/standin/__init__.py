"""Scripts that import Keras or TensorFlow, unedited: `minikeras.install_as_keras()`.

From then on `keras`, `tf_keras`, `tensorflow.keras`, `tensorflow.python.keras` and what is below
them, in the layout of any generation of Keras, mean minikeras; and `tensorflow` means a stand-in
for what tutorials use of it on plain arrays (`minikeras.standin.tf`). Nothing on disk changes: an
installed Keras is there again after `minikeras.uninstall_as_keras()`.

`keras.__version__` and `tensorflow.__version__` are those of the releases that minikeras is held
to, with a local label that says whose they are (`3.15.1+minikeras`): scripts that compare versions
work, and no reader is deceived.
"""

from __future__ import annotations

import sys
import threading
from importlib import import_module
from typing import Any

from minikeras.standin.finder import FINDER, ROOTS, StandIn, is_ours

__all__ = ["Installation", "StandIn", "install_as_keras", "uninstall_as_keras"]

_lock = threading.RLock()


class Installation:
    """What `install_as_keras` returns: leaving its `with` block, or `undo`, undoes it."""

    def undo(self) -> None:
        """As `uninstall_as_keras`."""
        uninstall_as_keras()

    def __enter__(self) -> Installation:
        return self

    def __exit__(self, *error: Any) -> None:
        self.undo()


def install_as_keras() -> Installation:
    """Makes `import keras` and `import tensorflow` import minikeras, in this process.

    A second call changes nothing.

    Returns:
        A handle with `undo()`, which is a context manager too.

    Raises:
        RuntimeError: a real Keras or TensorFlow was imported before. What holds on to it could not
            be made to use minikeras.

    Example:

    >>> import minikeras
    >>> with minikeras.install_as_keras():
    ...     from tensorflow.keras.layers import Dense
    >>> Dense is minikeras.layers.Dense
    True
    """
    with _lock:
        if FINDER in sys.meta_path:
            return Installation()
        imported = [name for name in ROOTS if name in sys.modules]
        if imported:
            where = getattr(sys.modules[imported[0]], "__file__", None)
            raise RuntimeError(
                f"install_as_keras() came too late: the real `{imported[0]}` is imported already"
                + (f" (from {where})" if where else "")
                + ". Call it before anything imports Keras or TensorFlow, in a fresh process, or"
                " run the script with `python -m minikeras run`."
            )
        sys.meta_path.insert(0, FINDER)  # type: ignore[arg-type]
        import_module("minikeras.standin.tf.tensors").install()
        return Installation()


def uninstall_as_keras() -> None:
    """Undoes `install_as_keras`: imports find what is installed again, if anything is.

    Modules that imported minikeras under another name keep what they have. Without
    `install_as_keras` before it, it does nothing.
    """
    with _lock:
        if FINDER in sys.meta_path:
            sys.meta_path.remove(FINDER)  # type: ignore[arg-type]
            import_module("minikeras.standin.tf.tensors").uninstall()
        for name in [name for name, module in list(sys.modules.items()) if is_ours(module)]:
            sys.modules.pop(name, None)

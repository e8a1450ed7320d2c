"""`tf.version`."""

from __future__ import annotations

from minikeras.standin.finder import TENSORFLOW_VERSION as VERSION

GIT_VERSION = "unknown"
COMPILER_VERSION = "unknown"
__all__ = ["COMPILER_VERSION", "GIT_VERSION", "VERSION"]

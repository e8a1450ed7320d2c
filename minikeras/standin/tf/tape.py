"""`tf.GradientTape`."""

from __future__ import annotations

from minikeras.gradient_tape import GradientTape

__all__ = ["GradientTape"]

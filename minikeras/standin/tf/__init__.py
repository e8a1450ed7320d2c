"""TensorFlow's names, as far as tutorials use them on plain arrays.

What is computed is computed at once, by `minikeras.ops`, on the CPU. Gradients are those of
`minikeras.GradientTape`; `tf.function` returns its argument.
"""

from __future__ import annotations


def homes(path: str) -> tuple[str, ...] | None:
    """The modules behind the module `tensorflow.<path>`; None: there is none."""
    return () if path == "" else None

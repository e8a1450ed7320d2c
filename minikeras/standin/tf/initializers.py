"""TensorFlow's own names of initializers."""

from __future__ import annotations

from minikeras import initializers as _own

constant_initializer = _own.Constant
ones_initializer = _own.Ones
orthogonal_initializer = _own.Orthogonal
random_normal_initializer = _own.RandomNormal
random_uniform_initializer = _own.RandomUniform
truncated_normal_initializer = _own.TruncatedNormal
zeros_initializer = _own.Zeros
glorot_normal_initializer = _own.GlorotNormal
glorot_uniform_initializer = _own.GlorotUniform
variance_scaling_initializer = _own.VarianceScaling

__all__ = [name for name in globals() if name.endswith("_initializer")]

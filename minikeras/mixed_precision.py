"""`keras.mixed_precision`: dtype policies and the scaling of losses, under their older names."""

from minikeras.dtype_policies import DTypePolicy, dtype_policy, set_dtype_policy
from minikeras.optimizers import LossScaleOptimizer

Policy = DTypePolicy
global_policy = dtype_policy
set_global_policy = set_dtype_policy

__all__ = [
    "DTypePolicy",
    "LossScaleOptimizer",
    "Policy",
    "dtype_policy",
    "global_policy",
    "set_dtype_policy",
    "set_global_policy",
]

"""What is called at the events of training, evaluation and prediction."""

from minikeras.callbacks.callback import (
    Callback,
    CSVLogger,
    LambdaCallback,
    MonitorCallback,
    OrbaxCheckpoint,
    RemoteMonitor,
    TerminateOnNaN,
)
from minikeras.callbacks.callback_list import CallbackList, History, ProgbarLogger
from minikeras.callbacks.learning_rate import (
    EarlyStopping,
    LearningRateScheduler,
    ReduceLROnPlateau,
    SwapEMAWeights,
)
from minikeras.callbacks.model_checkpoint import BackupAndRestore, ModelCheckpoint
from minikeras.callbacks.tensorboard import TensorBoard
from minikeras.engine.spelling import older_names

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "MonitorCallback",
    "OrbaxCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "RemoteMonitor",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]


__getattr__ = older_names("callbacks")

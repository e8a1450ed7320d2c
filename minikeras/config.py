"""Global settings: float type, fuzz factor, image layout, logging, limits on a run.

The settings of Keras's own `keras.json` (in `~/.keras`, or in the folder named by the environment
variable `KERAS_HOME`) are honoured, also where Keras 1 or 2 wrote the file. Nothing is written.
"""

import json
import os
from typing import Any

_FLOAT_TYPES = ("float16", "float32", "float64")
_IMAGE_LAYOUTS = ("channels_first", "channels_last")

_floatx = "float32"
_epsilon = 1e-7
_image_data_format = "channels_last"
_max_epochs: int | None = None
_max_steps_per_epoch: int | None = None
_interactive_logging = True
_traceback_filtering = True
_flash_attention: bool | None = None


def floatx() -> str:
    """Returns the default float type, as a string.

    >>> from minikeras import config
    >>> config.floatx()
    'float32'
    """
    return _floatx


def set_floatx(value: str) -> None:
    """Sets the default float type of variables, inputs and computations.

    Args:
        value: `'float16'`, `'float32'` or `'float64'`.

    Raises:
        ValueError: The type is unknown, or is `'bfloat16'`, which NumPy does not have.

    Example:

    >>> from minikeras import config
    >>> config.set_floatx("float64")
    >>> config.floatx()
    'float64'
    >>> config.set_floatx("float32")
    """
    global _floatx
    if value == "bfloat16":
        raise ValueError(
            "NumPy has no bfloat16, so `floatx` cannot be 'bfloat16'. "
            "Use 'float32', or 'float16' to save memory."
        )
    if value not in _FLOAT_TYPES:
        raise ValueError(f"`floatx` must be one of {_FLOAT_TYPES}. Received: value={value!r}")
    _floatx = str(value)


def epsilon() -> float:
    """Returns the fuzz factor that keeps numeric expressions away from zero.

    >>> from minikeras import config
    >>> config.epsilon()
    1e-07
    """
    return _epsilon


def set_epsilon(value: float) -> None:
    """Sets the fuzz factor used in numeric expressions.

    Args:
        value: The new factor, a positive number.

    Example:

    >>> from minikeras import config
    >>> config.set_epsilon(1e-5)
    >>> config.epsilon()
    1e-05
    >>> config.set_epsilon(1e-7)
    """
    global _epsilon
    _epsilon = value


def image_data_format() -> str:
    """Returns the default layout of images: `'channels_last'` or `'channels_first'`.

    >>> from minikeras import config
    >>> config.image_data_format()
    'channels_last'
    """
    return _image_data_format


def set_image_data_format(data_format: str) -> None:
    """Sets the default layout of images.

    Args:
        data_format: `'channels_last'` (height, width, channels) or `'channels_first'`
            (channels, height, width).

    Raises:
        ValueError: `data_format` is neither.

    Example:

    >>> from minikeras import config
    >>> config.set_image_data_format("channels_first")
    >>> config.image_data_format()
    'channels_first'
    >>> config.set_image_data_format("channels_last")
    """
    global _image_data_format
    _image_data_format = standardize_data_format(str(data_format))


def standardize_data_format(data_format: str | None) -> str:
    """Returns `data_format` in lower case and checked, or the default for `None`.

    >>> from minikeras import config
    >>> config.standardize_data_format(None)
    'channels_last'
    """
    if data_format is None:
        return _image_data_format
    name = str(data_format).lower()
    if name not in _IMAGE_LAYOUTS:
        raise ValueError(
            f"`data_format` must be one of {_IMAGE_LAYOUTS}. Received: data_format={data_format!r}"
        )
    return name


def backend() -> str:
    """Returns `'numpy'`, the one backend there is.

    To scripts that run unedited (`minikeras.install_as_keras`) it is `'tensorflow'`: they ask in
    order to use `tensorflow`, which is there too.

    >>> from minikeras import config
    >>> config.backend()
    'numpy'
    """
    from minikeras.engine.spelling import runs_unedited

    return "tensorflow" if runs_unedited() else "numpy"


def set_backend(backend: str) -> None:
    """Accepts `'numpy'`, the one backend there is.

    Args:
        backend: `'numpy'`.

    Raises:
        ValueError: Any other backend was asked for.
    """
    if backend not in ("numpy", globals()["backend"]()):
        raise ValueError(
            "minikeras computes with NumPy alone, so the backend must be 'numpy'. "
            f"Received: backend={backend!r}. Install Keras itself to use another one."
        )


def keras_home() -> str:
    """Returns the folder of `keras.json`, data sets and downloads, as Keras chooses it.

    That is `$KERAS_HOME`, or else `~/.keras`, or else `/tmp/.keras` where the home folder cannot
    be written.
    """
    if "KERAS_HOME" in os.environ:
        return os.environ["KERAS_HOME"]
    base = os.path.expanduser("~")
    return os.path.join(base if os.access(base, os.W_OK) else "/tmp", ".keras")


def enable_interactive_logging() -> None:
    """Shows progress on standard output (the default)."""
    global _interactive_logging
    _interactive_logging = True


def disable_interactive_logging() -> None:
    """Sends progress to Python's `logging` instead of standard output, as fits a server."""
    global _interactive_logging
    _interactive_logging = False


def is_interactive_logging_enabled() -> bool:
    """Tells whether progress goes to standard output.

    >>> from minikeras import config
    >>> config.is_interactive_logging_enabled()
    True
    """
    return _interactive_logging


def enable_traceback_filtering() -> None:
    """Asks for tracebacks without the library's own frames (the default).

    The setting is kept for scripts that ask for it. Tracebacks here are short, and are shown whole.
    """
    global _traceback_filtering
    _traceback_filtering = True


def disable_traceback_filtering() -> None:
    """Asks for whole tracebacks. See `enable_traceback_filtering`."""
    global _traceback_filtering
    _traceback_filtering = False


def is_traceback_filtering_enabled() -> bool:
    """Tells which of the two was asked for last.

    >>> from minikeras import config
    >>> config.is_traceback_filtering_enabled()
    True
    """
    return _traceback_filtering


def enable_flash_attention() -> None:
    """Allows a fast attention kernel where there is one.

    The setting has no effect on results: attention is computed in one way here.
    """
    global _flash_attention
    _flash_attention = None


def disable_flash_attention() -> None:
    """Forbids a fast attention kernel. See `enable_flash_attention`."""
    global _flash_attention
    _flash_attention = False


def is_flash_attention_enabled() -> bool | None:
    """Returns `False` if it was disabled; as in Keras, `None` otherwise."""
    return _flash_attention


def enable_numba() -> None:
    """Lets LSTM, GRU and Adam run loops compiled by Numba, on float32.

    They are faster, and differ from NumPy by rounding. What was built before keeps its optimizer's
    loops. `MINIKERAS_NUMBA=1` in the environment does the same.

    Raises:
        ImportError: Numba is missing: `pip install minikeras[numba]`.
        RuntimeError: NumPy is built on another BLAS than OpenBLAS.
    """
    from minikeras.kernels import blas

    blas.enable()


def disable_numba() -> None:
    """Goes back to NumPy alone, the default. See `enable_numba`."""
    from minikeras.kernels import blas

    blas.enable(False)


def is_nnx_enabled() -> bool:
    """Returns `False`: Flax NNX belongs to Keras's JAX backend."""
    return False


def max_epochs() -> int | None:
    """Returns the limit on the epochs of any `fit`, or `None`.

    >>> from minikeras import config
    >>> config.set_max_epochs(2)
    >>> config.max_epochs()
    2
    >>> config.set_max_epochs(None)
    """
    return _max_epochs


def set_max_epochs(max_epochs: int | None) -> None:
    """Limits the epochs of any `fit`, to try a script quickly.

    The environment variable `KERAS_MAX_EPOCHS` does the same.

    Args:
        max_epochs: The limit, or `None` for none.
    """
    global _max_epochs
    _max_epochs = max_epochs


def max_steps_per_epoch() -> int | None:
    """Returns the limit on the steps of an epoch, or `None`.

    >>> from minikeras import config
    >>> config.max_steps_per_epoch() is None
    True
    """
    return _max_steps_per_epoch


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Limits the steps of each epoch of `fit`, and of `evaluate` and `predict`.

    The environment variable `KERAS_MAX_STEPS_PER_EPOCH` does the same.

    Args:
        max_steps_per_epoch: The limit, or `None` for none.
    """
    global _max_steps_per_epoch
    _max_steps_per_epoch = max_steps_per_epoch


def dtype_policy() -> Any:
    """Returns the dtype policy that new layers take by default."""
    from minikeras import dtype_policies

    return dtype_policies.dtype_policy()


def set_dtype_policy(policy: Any) -> None:
    """Sets the dtype policy that new layers take by default.

    Args:
        policy: A `DTypePolicy`, or its name: `'float32'`, `'float64'`, `'mixed_float16'`...
    """
    from minikeras import dtype_policies

    dtype_policies.set_dtype_policy(policy)


def enable_unsafe_deserialization() -> None:
    """Allows model files that need it to bring Python code of their own.

    Use it only with files you trust: loading one can then run anything.
    """
    from minikeras.engine import serialization

    serialization.set_default_safe_mode(False)


def _read_keras_json() -> None:
    path = os.path.join(os.path.expanduser(keras_home()), "keras.json")
    try:
        with open(path, encoding="utf-8") as file:
            settings = json.load(file)
    except (OSError, ValueError):  # absent or no JSON: Keras too goes on with the defaults
        return
    if not isinstance(settings, dict):
        return
    layout = settings.get("image_data_format")
    if layout is None:  # Keras 1 wrote 'th' (Theano) or 'tf' (TensorFlow)
        layout = {"th": "channels_first"}.get(settings.get("image_dim_ordering", ""))
    try:
        set_floatx(settings.get("floatx", _floatx))
        set_image_data_format(layout or _image_data_format)
        set_epsilon(float(settings.get("epsilon", _epsilon)))
    except (TypeError, ValueError) as error:
        raise ValueError(f"The settings file {path} cannot be used: {error}") from None


def _limit_from_environment(name: str) -> int | None:
    value = os.environ.get(name)
    if value is None:
        return None
    try:
        return int(value)
    except ValueError:
        raise ValueError(
            f"The environment variable {name} must be a whole number. Received: {value!r}"
        ) from None


_read_keras_json()
_max_epochs = _limit_from_environment("KERAS_MAX_EPOCHS")
_max_steps_per_epoch = _limit_from_environment("KERAS_MAX_STEPS_PER_EPOCH")

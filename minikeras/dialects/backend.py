"""The functions of `keras.backend` that are operations today, with the arguments of Keras 1 and 2.

This module has arithmetic, shapes, variables, random numbers and settings; `backend_nn` has what
networks are made of, and `backend_graph` what belongs to models and their tensors.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from minikeras import config, initializers, ops, random
from minikeras.engine.symbolic import KerasTensor
from minikeras.engine.variable import Variable, plain

# Name (and that of the operation, where it is another) -> arguments, in the order of the operation.
# `name` said how to call a tensor and is dropped.
SIGNATURES: dict[str, str] = {
    **dict.fromkeys(
        "abs cos exp log round sigmoid sign sin softplus softsign square tanh transpose".split(),
        "x",
    ),
    **dict.fromkeys(
        "all any max mean min std sum var logsumexp".split(), "x, axis=None, keepdims=False"
    ),
    **dict.fromkeys(
        "equal greater greater_equal less less_equal maximum minimum not_equal".split(), "x, y"
    ),
    "prod": "x, axis=None, keepdims=False",
    "cumprod": "x, axis=0",
    "cumsum": "x, axis=0",
    "argmax": "x, axis=-1",
    "argmin": "x, axis=-1",
    "cast": "x, dtype",
    "clip": "x, min_value, max_value",
    "concatenate": "tensors, axis=-1",
    "expand_dims": "x, axis=-1",
    "elu": "x, alpha=1.0",
    "softmax": "x, axis=-1",
    "one_hot": "indices, num_classes",
    "reshape": "x, shape",
    "squeeze": "x, axis",
    "stack": "x, axis=0",
    "stop_gradient": "variables",
    "tile": "x, n",
    "ones_like": "x, dtype=None, name=None",
    "zeros_like": "x, dtype=None, name=None",
    "dot": "x, y",
    "shape": "x",
    # Under another name today:
    "pow power": "x, a",
    "repeat_elements repeat": "x, rep, axis",
    "reverse flip": "x, axes",
    "permute_dimensions transpose": "x, pattern",
    "identity copy": "x, name=None",
    "lesser less": "x, y",
    "lesser_equal less_equal": "x, y",
}


def _of_table(name: str, today: str, signature: str) -> Callable:
    """The operation `today` under its old name, with its old arguments."""
    listed: dict = {}
    exec(f"def f({signature}): pass", listed)  # a constant of this module
    known = inspect.signature(listed["f"])

    def function(*args: Any, **kwargs: Any) -> Any:
        bound = known.bind(*args, **kwargs)
        bound.apply_defaults()
        bound.arguments.pop("name", None)
        return getattr(ops, today)(*bound.arguments.values())

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`ops.{today}`, with the arguments of Keras 2: `{name}({signature})`."
    function.__signature__ = known  # type: ignore[attr-defined]
    return function


_TABLE: dict[str, Callable] = {}
for _names, _signature in SIGNATURES.items():
    _name, _, _today = _names.partition(" ")
    _TABLE[_name] = _of_table(_name, _today or _name, _signature)
_MORE = ("backend_nn", "backend_graph")


def names() -> list[str]:
    """All functions of `keras.backend` in Keras 1 and 2 that are found here."""
    found = {*_TABLE, *_HERE}
    for module in _MORE:
        found.update(import_module(f"minikeras.dialects.{module}").__all__)
    return sorted(found)


def find(name: str) -> Any:
    """The function of `keras.backend` of that name, or None."""
    if name in _HERE or name == "Variable":
        return globals()[name]
    if name in _TABLE:
        return _TABLE[name]
    for module in _MORE:
        home = import_module(f"minikeras.dialects.{module}")
        if name in home.__all__:
            return getattr(home, name)
    return None


def sqrt(x: Any) -> Any:
    """The square root; 0 where `x` is negative."""
    return ops.sqrt(ops.maximum(x, 0.0))


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: str = "int32") -> Any:
    return ops.arange(start, stop, step, dtype=dtype)


def eye(size: Any, dtype: Any = None, name: Any = None) -> Any:
    rows, columns = size if isinstance(size, (tuple, list)) else (size, size)
    return ops.eye(rows, columns, dtype=dtype or config.floatx())


def repeat(x: Any, n: int) -> Any:
    return ops.repeat(ops.expand_dims(x, 1), n, axis=1)


def gather(reference: Any, indices: Any) -> Any:
    return ops.take(reference, indices, axis=0)


def flatten(x: Any) -> Any:
    return ops.reshape(x, (-1,))


def batch_flatten(x: Any) -> Any:
    return ops.reshape(x, (-1, int(np.prod(x.shape[1:]))))


def ndim(x: Any) -> int:
    return len(x.shape)


def int_shape(x: Any) -> tuple:
    return tuple(x.shape)


def get_variable_shape(x: Any) -> tuple:
    return tuple(x.shape)


def batch_dot(x: Any, y: Any, axes: Any = None) -> Any:
    from minikeras.layers import Dot

    if axes is None:
        axes = (len(x.shape) - 1, max(1, len(y.shape) - 2))
    if "batch_dot" in ways and max(len(x.shape), len(y.shape)) > 3:
        return ways["batch_dot"](x, y, axes)
    return Dot(axes=axes)([x, y])


# What scripts of a generation count on: name of a function -> how it computed.
ways: dict[str, Any] = {}


def _matmul_of_batches(x: Any, y: Any, axes: Any) -> Any:
    """`batch_dot` until 2.2.4: all axes but the last two are those of the batch."""
    axes = (axes, axes) if isinstance(axes, int) else axes
    rank, other = len(x.shape), len(y.shape)
    more = abs(rank - other)
    for _ in range(more):
        x, y = (ops.expand_dims(x, -1), y) if rank < other else (x, ops.expand_dims(y, -1))
    last = max(rank, other) - 1
    if axes[0] % rank != last:
        x = ops.swapaxes(x, -1, -2)
    if axes[1] % other == last:
        y = ops.swapaxes(y, -1, -2)
    first = rank + other - 3 if rank > other else rank - 1
    return ops.squeeze(ops.matmul(x, y), tuple(range(first, first + more))) if more else x @ y


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    then, other = (one() if callable(one) else one for one in (then_expression, else_expression))
    condition, then = (
        one if hasattr(one, "shape") else np.asarray(one) for one in (condition, then)
    )
    while len(condition.shape) < len(then.shape):
        condition = ops.expand_dims(condition, -1)
    return ops.where(condition, then, other)


def cast_to_floatx(x: Any) -> Any:
    """`x` as floats: an array where it is one, else a tensor."""
    if hasattr(x, "_keras_history") or hasattr(x, "recording") or isinstance(x, Variable):
        return ops.cast(x, config.floatx())
    return np.asarray(x, dtype=config.floatx())


def is_sparse(tensor: Any) -> bool:
    return False


def to_dense(tensor: Any) -> Any:
    return tensor


# Variables and values


def variable(value: Any, dtype: Any = None, name: str | None = None, constraint: Any = None) -> Any:
    value = np.asarray(plain(value), dtype=dtype or config.floatx())
    made = Variable(value, name=name)
    if constraint is not None:
        made.constraint = constraint
    return made


def constant(value: Any, dtype: Any = None, shape: Any = None, name: Any = None) -> Any:
    value = np.asarray(plain(value), dtype=dtype or config.floatx())
    return ops.convert_to_tensor(value if shape is None else np.broadcast_to(value, shape))


def zeros(shape: Any, dtype: Any = None, name: str | None = None) -> Any:
    return variable(np.zeros(shape), dtype, name)


def ones(shape: Any, dtype: Any = None, name: str | None = None) -> Any:
    return variable(np.ones(shape), dtype, name)


def get_value(x: Any) -> Any:
    return np.array(plain(x))[()]


def set_value(x: Any, value: Any) -> None:
    if isinstance(x, Variable):
        x.assign(np.asarray(value))
    else:
        raise TypeError(
            "`set_value` needs a variable. For a setting such as the learning rate, assign it:"
            f" `optimizer.learning_rate = value`. Received: {x!r}"
        )


def batch_get_value(tensors: Any) -> list:
    return [get_value(one) for one in tensors]


def batch_set_value(tuples: Any) -> None:
    for one, value in tuples:
        set_value(one, value)


def eval(x: Any) -> Any:
    if isinstance(x, KerasTensor):
        raise ValueError(
            "`eval` needs values, and this tensor has none: it stands for what a model will"
            " compute. Pass data: `K.function([model.input], [x])([data])`. Received:"
            f" {x}"
        )
    return get_value(x)


def count_params(x: Any) -> int:
    return int(np.prod(x.shape))


def dtype(x: Any) -> str:
    return str(getattr(x, "dtype", config.floatx()))


def moving_average_update(x: Any, value: Any, momentum: float) -> Any:
    """`x` becomes `x * momentum + value * (1 - momentum)`."""
    x.assign(plain(x) * momentum + plain(value) * (1 - momentum))
    return x


# Random numbers


def random_normal(
    shape: Any,
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: Any = None,
    seed: Any = None,
    std: float | None = None,
) -> Any:
    """Normal numbers. `std` is the name of `stddev` in Keras 1."""
    return random.normal(shape, mean, stddev if std is None else std, dtype=dtype, seed=seed)


def truncated_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    return random.truncated_normal(shape, mean, stddev, dtype=dtype, seed=seed)


def random_uniform(
    shape: Any,
    minval: float = 0.0,
    maxval: float = 1.0,
    dtype: Any = None,
    seed: Any = None,
    low: float | None = None,
    high: float | None = None,
) -> Any:
    """Uniform numbers. `low` and `high` are the bounds' names in Keras 1."""
    minval, maxval = (minval if low is None else low), (maxval if high is None else high)
    return random.uniform(shape, minval, maxval, dtype=dtype, seed=seed)


def random_binomial(shape: Any, p: float = 0.0, dtype: Any = None, seed: Any = None) -> Any:
    drawn = random.uniform(shape, seed=seed)
    return ops.cast(drawn < p, dtype or config.floatx())


def random_bernoulli(shape: Any, p: float = 0.0, dtype: Any = None, seed: Any = None) -> Any:
    return random_binomial(shape, p, dtype, seed)


def random_normal_variable(
    shape: Any, mean: float, scale: float, dtype: Any = None, name: Any = None, seed: Any = None
) -> Any:
    start = initializers.RandomNormal(mean, scale, seed=seed)
    return variable(start(tuple(shape)), dtype, name)


def random_uniform_variable(
    shape: Any, low: float, high: float, dtype: Any = None, name: Any = None, seed: Any = None
) -> Any:
    start = initializers.RandomUniform(low, high, seed=seed)
    return variable(start(tuple(shape)), dtype, name)


# Settings

_ORDERS = {"th": "channels_first", "tf": "channels_last"}


def image_dim_ordering() -> str:
    return "th" if config.image_data_format() == "channels_first" else "tf"


def set_image_dim_ordering(dim_ordering: str) -> None:
    if dim_ordering not in _ORDERS:
        raise ValueError(
            f"Argument `dim_ordering` must be 'tf' or 'th'. Received: {dim_ordering!r}"
        )
    config.set_image_data_format(_ORDERS[dim_ordering])


def reset_uids() -> None:
    """Automatic names count from the beginning again."""
    from minikeras.engine.registry import reset_names

    reset_names()


def manual_variable_initialization(value: bool) -> None:
    """Nothing to do: variables have their values when they are made."""


_HERE = frozenset(
    name
    for name, value in list(globals().items())
    if getattr(value, "__module__", "") == __name__
    and name not in ("find", "names")
    and name[0] != "_"
)

"""The functions of `keras.backend` that are operations today, with the arguments of Keras 1 and 2.

Those not here have the name and the arguments that they have in `minikeras.ops`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras import config, initializers, ops, random
from minikeras.engine.symbolic import KerasTensor
from minikeras.engine.variable import Variable, plain

# Same name and arguments in `ops`.
SAME = frozenset(
    "abs all any arange cast clip cos cumprod cumsum elu equal exp eye greater"
    " greater_equal less less_equal log logsumexp max maximum mean min minimum not_equal ones_like"
    " prod reshape round shape sigmoid sign sin softmax softplus softsign sqrt square stack"
    " std stop_gradient sum tanh tile transpose var zeros_like".split()
)
# Another name, the same arguments.
RENAMED = {
    "pow": "power",
    "permute_dimensions": "transpose",
    "repeat_elements": "repeat",
    "gather": "take",
    "identity": "copy",
}


def find(name: str) -> Any:
    """The function of `keras.backend` of that name, or None."""
    found = globals().get(name) if name in _HERE else None
    if found is None and name in SAME:
        found = getattr(ops, name)
    if found is None and name in RENAMED and name not in _HERE:
        found = getattr(ops, RENAMED[name])
    return found


def concatenate(tensors: Any, axis: int = -1) -> Any:
    return ops.concatenate(tensors, axis=axis)


def argmax(x: Any, axis: int = -1) -> Any:
    return ops.argmax(x, axis=axis)


def argmin(x: Any, axis: int = -1) -> Any:
    return ops.argmin(x, axis=axis)


def expand_dims(x: Any, axis: int = -1) -> Any:
    return ops.expand_dims(x, axis)


def squeeze(x: Any, axis: int) -> Any:
    return ops.squeeze(x, axis)


def repeat_elements(x: Any, rep: int, axis: int) -> Any:
    return ops.repeat(x, rep, axis=axis)


def repeat(x: Any, n: int) -> Any:
    return ops.repeat(ops.expand_dims(x, 1), n, axis=1)


def permute_dimensions(x: Any, pattern: Any) -> Any:
    return ops.transpose(x, tuple(pattern))


def gather(reference: Any, indices: Any) -> Any:
    return ops.take(reference, indices, axis=0)


def reverse(x: Any, axes: Any) -> Any:
    return ops.flip(x, axis=axes)


def flatten(x: Any) -> Any:
    return ops.reshape(x, (-1,))


def batch_flatten(x: Any) -> Any:
    return ops.reshape(x, (-1, int(np.prod(x.shape[1:]))))


def ndim(x: Any) -> int:
    return len(x.shape)


def int_shape(x: Any) -> tuple:
    return tuple(x.shape)


def dot(x: Any, y: Any) -> Any:
    return ops.dot(x, y)


def batch_dot(x: Any, y: Any, axes: Any = None) -> Any:
    from minikeras.layers import Dot

    if axes is None:
        axes = (len(x.shape) - 1, max(1, len(y.shape) - 2))
    return Dot(axes=axes)([x, y])


def relu(x: Any, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    from minikeras import activations

    return activations.relu(x, negative_slope=alpha, max_value=max_value, threshold=threshold)


def hard_sigmoid(x: Any) -> Any:
    return ops.clip(0.2 * x + 0.5, 0.0, 1.0)


def l2_normalize(x: Any, axis: Any = None) -> Any:
    square = ops.sum(ops.square(x), axis=axis, keepdims=True)
    return x / ops.sqrt(ops.maximum(square, 1e-12))


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    then, other = (one() if callable(one) else one for one in (then_expression, else_expression))
    while len(condition.shape) < len(then.shape):
        condition = ops.expand_dims(condition, -1)
    return ops.where(condition, then, other)


def one_hot(indices: Any, num_classes: int) -> Any:
    return ops.one_hot(indices, num_classes)


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    return ops.binary_crossentropy(target, output, from_logits=from_logits)


def categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    return ops.categorical_crossentropy(target, output, from_logits=from_logits, axis=axis)


def sparse_categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    return ops.sparse_categorical_crossentropy(target, output, from_logits=from_logits, axis=axis)


# Variables and values


def variable(value: Any, dtype: Any = None, name: str | None = None, constraint: Any = None) -> Any:
    value = np.asarray(plain(value), dtype=dtype or config.floatx())
    return Variable(value, name=name)


def constant(value: Any, dtype: Any = None, shape: Any = None, name: Any = None) -> Any:
    value = np.asarray(plain(value), dtype=dtype or config.floatx())
    return ops.convert_to_tensor(value if shape is None else np.broadcast_to(value, shape))


def placeholder(
    shape: Any = None, ndim: int | None = None, dtype: Any = None, name: str | None = None, **_: Any
) -> Any:
    return KerasTensor(
        tuple(shape) if shape is not None else (None,) * (ndim or 0),
        dtype=dtype or config.floatx(),
        name=name,
    )


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
    return get_value(x)


def count_params(x: Any) -> int:
    return int(np.prod(x.shape))


def dtype(x: Any) -> str:
    return str(x.dtype)


# Random numbers


def random_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    return random.normal(shape, mean, stddev, dtype=dtype, seed=seed)


def random_uniform(
    shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    return random.uniform(shape, minval, maxval, dtype=dtype, seed=seed)


def random_binomial(shape: Any, p: float = 0.0, dtype: Any = None, seed: Any = None) -> Any:
    drawn = random.uniform(shape, seed=seed)
    return ops.cast(drawn < p, dtype or config.floatx())


def random_normal_variable(
    shape: Any, mean: float, scale: float, dtype: Any = None, name: Any = None, seed: Any = None
) -> Any:
    start = initializers.RandomNormal(mean, scale, seed=seed)
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


def function(inputs: Any, outputs: Any, updates: Any = None, **_: Any) -> Any:
    """A function from lists of arrays to lists of arrays, between tensors of a model."""
    from minikeras.models import Function

    if updates:
        raise ValueError("Argument `updates` of `function` is not supported: assign variables.")
    alone = not isinstance(outputs, (list, tuple))
    flags = [one for one in inputs if isinstance(one, KerasTensor)]
    kept = [position for position, one in enumerate(inputs) if isinstance(one, KerasTensor)]
    made = Function(flags, [outputs] if alone else list(outputs))

    def call(values: Any) -> Any:
        results = made([ops.convert_to_tensor(values[position]) for position in kept])
        found = [np.asarray(one) for one in results]
        return found[0] if alone else found

    return call


def gradients(loss: Any, variables: Any) -> Any:
    """Not available: gradients of symbolic tensors.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError(
        "Gradients of symbolic tensors are not available. Compute the loss eagerly inside"
        " `with minikeras.GradientTape() as tape:` and call `tape.gradient(loss, variables)`."
    )


_HERE = frozenset(
    name
    for name, value in list(globals().items())
    if getattr(value, "__module__", "") == __name__ and name != "find" and name[0] != "_"
)

"""Layers that change shapes (Flatten, Reshape, Permute, RepeatVector), and functions as layers."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np

from minikeras import config
from minikeras.engine import registry, serialization, tree
from minikeras.engine.input_spec import InputSpec
from minikeras.engine.layer import Layer
from minikeras.engine.symbolic import KerasTensor


class _Reshaping(Layer):
    """What the layers here share: the dtype of the input stays."""

    def compute_output_spec(self, inputs: Any) -> Any:
        return KerasTensor(self.compute_output_shape(inputs.shape), dtype=inputs.dtype)


@registry.layers.register("Flatten")
class Flatten(_Reshaping):
    """Makes one axis of all but the batch axis.

    Args:
        data_format: `"channels_last"` or `"channels_first"`; with the latter the channels are moved
            to the end first. Defaults to `image_data_format()`.

    Input shape: `(batch, ...)`. Output shape: `(batch, n)`.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.Flatten()(np.zeros((2, 3, 4), "float32")).shape
    (2, 12)
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.shape = x.shape
        if self.data_format == "channels_first" and x.ndim > 2:
            x = np.moveaxis(x, 1, -1)
        return x.reshape(len(x), math.prod(x.shape[1:]))

    def backward(self, ctx: Any, dy: Any) -> Any:
        shape = ctx.shape
        if self.data_format == "channels_first" and len(shape) > 2:
            return np.moveaxis(dy.reshape(shape[0], *shape[2:], shape[1]), -1, 1)
        return dy.reshape(shape)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """`(batch, n)`."""
        sizes = input_shape[1:]
        return input_shape[0], None if None in sizes else math.prod(sizes)

    def get_config(self) -> dict:
        return {**super().get_config(), "data_format": self.data_format}


@registry.layers.register("Reshape")
class Reshape(_Reshaping):
    """Gives samples another shape.

    Args:
        target_shape: Tuple of integers, without the batch axis. One may be -1: it follows from the
            others.

    Input shape: `(batch, ...)`. Output shape: `(batch, *target_shape)`.

    Raises:
        ValueError: for a shape that is not possible.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.Reshape((2, -1))(np.zeros((3, 12), "float32")).shape
    (3, 2, 6)
    """

    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(target_shape, (int, np.integer)):
            raise TypeError(
                "Argument `target_shape` must be a tuple of integers. Received:"
                f" target_shape={target_shape}. For one axis, pass ({target_shape},)."
            )
        target_shape = tuple(target_shape)
        known = [size for size in target_shape if size is not None]
        if any(size < -1 for size in known):
            raise ValueError(
                "Each dimension in `target_shape` must be a non-negative integer, or -1 for a"
                f" single unknown dimension. Received: target_shape={target_shape}."
            )
        if known.count(-1) > 1:
            raise ValueError(
                "There must be at most one unknown dimension (-1) in `target_shape`. Received:"
                f" target_shape={target_shape}."
            )
        self.target_shape = target_shape
        self._build_at_init()

    def compute_output_shape(self, input_shape: Any) -> Any:
        """`(batch, *target_shape)`, with -1 resolved where it can be."""
        sizes, target = tuple(input_shape[1:]), self.target_shape
        if None in sizes or None in target:
            return input_shape[0], *(None if size == -1 else size for size in target)
        total, rest = math.prod(sizes), math.prod(size for size in target if size != -1)
        if total != rest if -1 not in target else rest == 0 or total % rest:
            raise ValueError(
                "The total size of a sample must be unchanged. Received: input_shape="
                f"{tuple(input_shape)} with {total} values per sample, target_shape={target}"
            )
        return input_shape[0], *(total // rest if size == -1 else size for size in target)

    def forward(self, ctx: Any, x: Any) -> Any:
        ctx.shape = x.shape
        shape = self.compute_output_shape(x.shape)
        return x.reshape(tuple(-1 if size is None else size for size in shape))

    def backward(self, ctx: Any, dy: Any) -> Any:
        return dy.reshape(ctx.shape)

    def get_config(self) -> dict:
        return {**super().get_config(), "target_shape": self.target_shape}


@registry.layers.register("Permute")
class Permute(_Reshaping):
    """Reorders the axes of samples.

    Args:
        dims: Tuple: the axes, from 1 on, in their new order.

    Input shape: `(batch, ...)`. Output shape: the same sizes in the new order.

    Raises:
        ValueError: if `dims` is no permutation of 1 to n.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.Permute((2, 1))(np.zeros((3, 10, 64), "float32")).shape
    (3, 64, 10)
    """

    def __init__(self, dims: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(
                "Invalid permutation argument `dims` for Permute Layer. The set of indices in"
                f" `dims` must be consecutive and start from 1. Received dims={dims}"
            )
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The sizes in their new order."""
        return input_shape[0], *(input_shape[axis] for axis in self.dims)

    def forward(self, ctx: Any, x: Any) -> Any:
        return x.transpose(0, *self.dims)

    def backward(self, ctx: Any, dy: Any) -> Any:
        return dy.transpose(np.argsort((0, *self.dims)))

    def get_config(self) -> dict:
        return {**super().get_config(), "dims": self.dims}


@registry.layers.register("RepeatVector")
class RepeatVector(Layer):
    """Repeats its input `n` times, along a new axis.

    Args:
        n: Positive integer.

    Input shape: `(batch, features)`. Output shape: `(batch, n, features)`.

    Raises:
        TypeError: if `n` is no integer.
        ValueError: if it is not positive.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.RepeatVector(3)(np.zeros((2, 32), "float32")).shape
    (2, 3, 32)
    """

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
            raise TypeError(f"Expected an integer value for `n`, got {type(n)}.")
        if n <= 0:
            raise ValueError(f"Argument `n` should be a positive integer. Received: n={n}")
        self.n = int(n)
        self.input_spec = InputSpec(ndim=2)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """`(batch, n, features)`."""
        return input_shape[0], self.n, input_shape[1]

    def forward(self, ctx: Any, x: Any) -> Any:
        return np.repeat(x[:, None], self.n, axis=1)

    def backward(self, ctx: Any, dy: Any) -> Any:
        return dy.sum(axis=1)

    def get_config(self) -> dict:
        return {**super().get_config(), "n": self.n}


@registry.layers.register("Lambda")
class Lambda(Layer):
    """Wraps a function as a layer.

    A function with variables of its own belongs in a subclass of `Layer`. Python lambdas can be
    saved, but are loaded only with `safe_mode=False`, because they are compiled code.

    Args:
        function: Function of the inputs, made of `minikeras.ops`; it may take `mask` and
            `training`.
        output_shape: Tuple without the batch axis, or function of the input shape. Defaults to what
            the function returns for made-up inputs.
        mask: None (default), a mask, or a function `(inputs, mask)` that makes one.
        arguments: dict of further keyword arguments of the function.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> minikeras.layers.Lambda(lambda x: x**2)(np.array([[1.0, 3.0]])).numpy()
    array([[1., 9.]], dtype=float32)
    """

    def __init__(
        self,
        function: Any,
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not callable(function):
            raise TypeError(
                f"Argument `function` must be callable. Received: function={function!r} (of type"
                f" {type(function)})"
            )
        self.arguments = arguments or {}
        self.function = function
        self.supports_masking = mask is not None
        self.mask = mask
        self._output_shape = output_shape
        try:
            taken: Any = inspect.signature(function).parameters
        except (TypeError, ValueError):  # some built-in functions have no signature
            taken = ()
        self._takes_training, self._takes_mask = "training" in taken, "mask" in taken

    def call(self, inputs: Any, mask: Any = None, training: Any = None) -> Any:
        """The value of the function."""
        options = dict(self.arguments)
        if self._takes_mask:
            options["mask"] = mask
        if self._takes_training:
            options["training"] = training
        return self.function(inputs, **options)

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """The symbolic outputs."""
        code = getattr(self.function, "__code__", None)
        if code is None or "gradients" not in code.co_names:
            return super().symbolic_call(*args, **kwargs)
        # `K.gradients` needs the way from one tensor to another, which is no part of their values.
        made = self.call(*args, **kwargs)
        return made[0] if isinstance(made, list) and len(made) == 1 else made

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """What the argument `mask` says."""
        return self.mask(inputs, previous_mask) if callable(self.mask) else self.mask

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output, from `output_shape` or by trying the function."""
        if self._output_shape is None:
            return Layer.compute_output_shape(self, input_shape)
        if callable(self._output_shape):
            return self._output_shape(input_shape)
        batch = tree.flatten(input_shape)[0]

        def with_batch(shape: Any) -> Any:
            if isinstance(shape, dict):
                return {key: with_batch(value) for key, value in shape.items()}
            if all(size is None or isinstance(size, int) for size in shape):
                return batch, *shape
            return type(shape)(with_batch(value) for value in shape)

        return with_batch(self._output_shape)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        if self._output_shape is None:
            try:
                return self._infer_output_spec(args, kwargs)
            except Exception as error:
                raise NotImplementedError(
                    "We could not automatically infer the shape of the Lambda's output. Please"
                    f" specify the `output_shape` argument for this Lambda layer. ({error})"
                ) from error
        return super().compute_output_spec(*args, **kwargs)

    def get_config(self) -> dict:
        config = {**super().get_config(), "function": serialization.serialize(self.function)}
        if self._output_shape is not None:
            config["output_shape"] = (
                serialization.serialize(self._output_shape)
                if callable(self._output_shape)
                else self._output_shape
            )
        if self.mask is not None:
            config["mask"] = serialization.serialize(self.mask)
        config["arguments"] = serialization.serialize(self.arguments)
        return config

    @classmethod
    def from_config(
        cls, config: dict, custom_objects: dict | None = None, safe_mode: bool | None = None
    ) -> Any:
        """The layer that `config` describes.

        Raises:
            ValueError: for a Python lambda, unless `safe_mode` is False (here, or in the loading
                function this is part of).
        """
        config = dict(config)
        if safe_mode is None:
            safe_mode = serialization.safe_mode()
        with serialization.SafeMode(safe_mode):
            for key in ("function", "output_shape", "mask", "arguments"):
                value = config.get(key)
                if key == "output_shape" and isinstance(value, (list, tuple)) and _is_shape(value):
                    config[key] = tuple(value)
                elif value is not None:
                    config[key] = serialization.deserialize(value, None, custom_objects)
        if not callable(config.get("function")):
            raise ValueError(
                "The config of a Lambda layer does not hold a function that is known. Received:"
                f" function={config.get('function')!r}. Pass it in `custom_objects`."
            )
        return super().from_config(config)


def _is_shape(value: Any) -> bool:
    return all(size is None or isinstance(size, int) for size in value)

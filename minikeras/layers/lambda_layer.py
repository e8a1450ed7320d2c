"""Lambda: a function as a layer."""

from __future__ import annotations

import inspect
from typing import Any

from minikeras.engine import registry, serialization, tree
from minikeras.engine.layer import Layer


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

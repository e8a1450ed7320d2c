"""GPTQ and AWQ: weights in few bits, rounded with a look at the inputs that they meet."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from minikeras.engine.symbolic import Tensor
from minikeras.kernels import quantization as kernels
from minikeras.quantizers.configs import AWQConfig, GPTQConfig
from minikeras.utils import Progbar

Array = np.ndarray


def wanted(layer: Any, filters: Any) -> bool:
    """Whether `filters` (a regular expression, several, a function or None) takes a layer."""
    if filters is None:
        return True
    if callable(filters):
        return filters(layer)
    patterns = [filters] if isinstance(filters, str) else filters
    return any(re.search(pattern, layer.name) for pattern in patterns)


def quantization_parameters(
    x: Any, *, bits: int, compute_dtype: str = "float32", **how: Any
) -> Any:
    """`kernels.parameters` of a matrix that is one."""
    if x is None:
        raise ValueError("Input tensor cannot be None.")
    array = np.asarray(x)
    if array.ndim < 2:
        raise ValueError(
            f"Input weight tensor must have a rank of at least 2, but got rank {array.ndim}."
        )
    if not array.size:
        raise ValueError("Input tensor 'x' cannot be empty.")
    return kernels.parameters(array, bits, **how)


class _Calibration:
    """What the inputs of one layer are like, and its weight rounded with that in mind."""

    config: Any

    def __init__(self, layer: Any, config: Any = None) -> None:
        shape = getattr(layer, "_matrix_shape", None)
        if shape is None:
            raise TypeError(f"Unsupported layer type for {type(self).__name__}: {type(layer)}")
        self.original_layer, self.num_samples = layer, 0
        if config is not None:
            self.config = config
        self.rows, self.columns = shape()
        self._begin()

    # A subclass defines them.
    _begin: Any
    _see: Any
    quantize: Any

    def observe(self, inputs: Any) -> None:
        """Take inputs of the layer into account."""
        if inputs is None:
            raise ValueError("Input tensor cannot be None.")
        x = np.asarray(inputs)
        if not x.size:
            raise ValueError("Input tensor cannot be empty.")
        x = x.reshape(-1, x.shape[-1]).astype("float32", copy=False)
        if x.shape[1] != self.rows:
            raise ValueError(
                f"The layer takes {self.rows} features, which do not match input features:"
                f" {x.shape[1]}."
            )
        self._see(x)
        self.num_samples += len(x)

    def _matrix(self) -> Array:
        """The weight, of shape `(outputs, inputs)`."""
        return self.original_layer._merged().reshape(self.rows, self.columns).T


class GPTQ(_Calibration):
    """GPTQ of one layer."""

    config: Any = GPTQConfig(None, None)

    def _begin(self) -> None:
        self.hessian: Any = np.zeros((self.rows, self.rows), "float32")

    def _see(self, x: Array) -> None:
        total = self.num_samples + len(x)
        product = x.T @ x
        product = (product + product.T) / 2
        self.hessian = self.hessian * np.float32(self.num_samples / total)
        self.hessian += np.float32(2 / total) * product

    update_hessian_with_batch = _Calibration.observe

    def quantize(self) -> None:
        """Round the weight of the layer."""
        config = self.config
        hessian = np.array(self.hessian, "float32")
        diagonal = np.einsum("ii->i", hessian)
        diagonal[diagonal == 0] = 1
        diagonal += config.hessian_damping * diagonal.mean()
        values, scale, zero, groups = gptq_quantize_matrix(
            self._matrix(),
            np.linalg.inv(hessian),
            group_size=config.group_size,
            activation_order=config.activation_order,
            order_metric=diagonal,
            compute_scale_zero=functools.partial(
                quantization_parameters,
                bits=config.weight_bits,
                symmetric=config.symmetric,
                per_channel=config.per_channel,
            ),
        )
        self.original_layer._take_calibrated(
            "gptq", values, kernel_scale=scale, kernel_zero=zero, g_idx=groups
        )

    quantize_and_correct_layer = quantize

    def free(self) -> None:
        """Forget what was seen."""
        del self.hessian


def descending(metric: Any) -> Array:
    """The order from the largest to the smallest; equal ones stay in their order."""
    return np.argsort(-np.asarray(metric), kind="stable")


def gptq_quantize_matrix(
    weights_transpose: Any,
    inv_hessian: Any,
    *,
    blocksize: int = 128,
    group_size: int = -1,
    activation_order: bool = False,
    order_metric: Any = None,
    compute_scale_zero: Callable,
) -> tuple:
    """Round a matrix of shape `(outputs, inputs)` column by column, in the order of a metric.

    The columns of a block make up at once for the errors of earlier ones, the others once it is
    done.

    Returns:
        The integers, scales and zero points by group, and the group of each column.
    """
    weights, inverse = np.array(weights_transpose, "float32"), np.asarray(inv_hessian)
    count = weights.shape[1]
    size = count if group_size == -1 else group_size
    order = None
    if activation_order:
        metric = 1 / (np.diagonal(inverse) + 1e-12) if order_metric is None else order_metric
        metric = np.asarray(metric, "float32")
        order = descending(np.where(np.isfinite(metric), metric, 0))
        weights, inverse = weights[:, order], inverse[order][:, order]
    values = np.zeros(weights.shape, "int32")
    found: list = []
    for begin in range(0, count, blocksize):
        end = min(begin + blocksize, count)
        block, errors = weights[:, begin:end].copy(), np.zeros((len(weights), end - begin), "f")
        for column in range(begin, end):
            if column // size == len(found):
                group = compute_scale_zero(weights[:, column : column + size])
                found.append([np.asarray(one) for one in group])
            scale, zero, largest = found[-1]
            at = column - begin
            level = kernels.to_levels(block[:, at : at + 1], scale, zero, largest)
            values[:, column] = level[:, 0]
            error = (block[:, at] - kernels.from_levels(level, scale, zero)[:, 0]) / inverse[
                column, column
            ]
            errors[:, at] = error
            block[:, at + 1 :] -= np.outer(error, inverse[column, column + 1 : end])
        weights[:, end:] -= errors @ inverse[begin:end, end:]
    groups = (np.arange(count) / size).astype("float32")
    if order is not None:
        back = np.argsort(order)
        groups, values = groups[back], values[:, back]
    scale, zero = (np.concatenate([one[part] for one in found], axis=1) for part in (0, 1))
    return values, scale, zero, groups


class AWQ(_Calibration):
    """AWQ of one layer."""

    config: Any = AWQConfig(None, None)

    def _begin(self) -> None:
        self.activation_magnitudes = np.zeros(self.rows, "float32")

    def _see(self, x: Array) -> None:
        largest = np.abs(x).max(axis=0)
        self.activation_magnitudes = np.maximum(self.activation_magnitudes, largest)

    update_activation_magnitudes = _Calibration.observe

    def quantize(self) -> None:
        """Round the weight of the layer."""
        values, scale, zero, awq_scales, groups = awq_quantize_matrix(
            self._matrix(),
            self.activation_magnitudes,
            num_grid_points=self.config.num_grid_points,
            group_size=self.config.group_size,
        )
        self.original_layer._take_calibrated(
            "awq", values, kernel_scale=scale, kernel_zero=zero, awq_scales=awq_scales, g_idx=groups
        )

    quantize_layer = quantize

    def free(self) -> None:
        """Forget what was seen."""
        del self.activation_magnitudes


def _in_four_bits(weights: Array, group_size: int) -> tuple:
    scale, zero, largest = kernels.parameters(weights, 4, per_channel=True, group_size=group_size)
    size = weights.shape[1] if group_size == -1 else group_size
    groups = np.arange(weights.shape[1]) // size
    return kernels.groups_to_levels(weights, scale, zero, groups, largest), scale, zero, groups


def awq_search_optimal_scales(
    weights: Any, activation_magnitudes: Any, *, num_grid_points: int = 20, group_size: int = -1
) -> Array:
    """The powers, from 0 to 1, of the inputs' sizes with which weights are best scaled first."""
    weights = np.asarray(weights, "float32")
    sizes = np.asarray(activation_magnitudes, "float32")
    sizes = np.where(sizes < 1e-8, np.float32(1), sizes)
    best, least = np.ones_like(sizes), np.inf
    for point in range(num_grid_points + 1):
        scales = np.maximum(sizes ** np.float32(point / num_grid_points), np.float32(1e-4))
        scales = scales / np.maximum(np.sqrt(scales.max() * scales.min()), np.float32(1e-8))
        rounded = kernels.groups_from_levels(*_in_four_bits(weights * scales, group_size))
        loss = np.mean(((weights - rounded / scales) * sizes) ** 2)
        if loss < least:
            best, least = scales, loss
    return best


def awq_quantize_matrix(
    weights_transpose: Any,
    activation_magnitudes: Any,
    *,
    num_grid_points: int = 20,
    group_size: int = -1,
) -> tuple:
    """Round a matrix of shape `(outputs, inputs)` after scaling the weights of large inputs up.

    Returns:
        The integers, scales and zero points by group, the scaling, and the group of each input.
    """
    weights = np.asarray(weights_transpose, "float32")
    scaling = awq_search_optimal_scales(
        weights, activation_magnitudes, num_grid_points=num_grid_points, group_size=group_size
    )
    values, scale, zero, groups = _in_four_bits(weights * scaling, group_size)
    return values, scale, zero, scaling, groups.astype("float32")


def calibration_samples(
    tokenizer: Any, sequence_length: int, dataset: Any, num_samples: int = 128
) -> Array:
    """Windows of the tokens of a data set, spread evenly: `(num_samples, 1, sequence_length)`.

    Raises:
        TypeError: if `dataset` is no iterable, or a string.
        ValueError: if it is empty.
    """
    if not hasattr(dataset, "__iter__") or isinstance(dataset, (str, bytes)):
        raise TypeError(
            "The `dataset` argument must be an iterable (e.g., a list of strings, a generator, or"
            f" a NumPy array). Got type: {type(dataset).__name__}. Please pass the loaded dataset"
            " directly."
        )
    pieces = [
        np.asarray(tokenizer.tokenize(one) if isinstance(one, str) else one).reshape(-1)
        for one in dataset
    ]
    tokens = np.concatenate(pieces).astype("int32") if pieces else np.zeros(0)
    if not tokens.size:
        raise ValueError("Provided dataset is empty.")
    tokens = np.tile(tokens, max(1, -(-num_samples * sequence_length // tokens.size)))
    count = tokens.size - sequence_length + 1
    starts = (42 + np.arange(num_samples) * max(1, count // num_samples)) % count
    return np.lib.stride_tricks.sliding_window_view(tokens, sequence_length)[starts][:, None]


def calibrate(config: Any, quantization_layer_structure: Any, filters: Any = None) -> None:
    """Run samples through layers that `quantize` prepared, block by block; round their weights."""
    mode, kind = config.mode, GPTQ if config.mode == "gptq" else AWQ
    if config.dataset is None or config.tokenizer is None:
        raise ValueError(
            f"{mode.upper()} quantization requires a dataset and a tokenizer. Please provide them"
            f" in the `{type(config).__name__}`."
        )
    if quantization_layer_structure is None:
        raise ValueError(missing_structure(mode))
    blocks = quantization_layer_structure.get("sequential_blocks", ())
    if not blocks:
        raise ValueError("No sequential blocks found in the provided structure to quantize.")
    samples = calibration_samples(
        config.tokenizer, config.sequence_length, config.dataset, config.num_samples
    )
    inputs: list = []
    for sample in samples:
        x: Any = Tensor(sample)
        for layer in quantization_layer_structure.get("pre_block_layers", ()):
            x = layer(x)
        inputs.append(x)
    progress = Progbar(target=len(blocks))
    for number, block in enumerate(blocks):
        layers = [
            layer
            for layer in block._flatten_layers()
            if wanted(layer, filters) and hasattr(layer, "quantized_kernel")
        ]
        work = [kind(layer, config) for layer in layers]
        for layer, one in zip(layers, work):
            layer._observe = _rows(one)
        try:
            for x in inputs:
                block(x)
        finally:
            for layer in layers:
                del layer._observe
        for one in work:
            one.quantize()
            one.free()
        if number < len(blocks) - 1:
            inputs = [_first(block(x)) for x in inputs]
        progress.update(number + 1)


def quantize_model(model: Any, mode: str, config: Any, filters: Any, type_check: bool) -> None:
    """What `Model.quantize` does."""
    if filters is not None and not (callable(filters) or isinstance(filters, (str, list, tuple))):
        raise ValueError(
            "The `filters` argument must be a regex string, a list of regex strings, or a callable."
            f" Received: {type(filters)}"
        )
    for layer in model._flatten_layers():
        if wanted(layer, filters) and len(layer._flatten_layers()) == 1:
            try:
                layer.quantize(mode, type_check=type_check, config=config)
            except NotImplementedError as error:
                if layer.weights:
                    warnings.warn(str(error), stacklevel=4)
    if mode in ("gptq", "awq"):
        structure = config.quantization_layer_structure
        if structure is None:
            structure = model.get_quantization_layer_structure(mode)
        if structure is None:
            raise ValueError(missing_structure(mode))
        calibrate(config, structure, filters)


def _rows(one: _Calibration) -> Callable:
    # The inputs of an einsum may have several axes of features.
    return lambda x: one.observe(x.reshape(-1, one.rows))


def _first(outputs: Any) -> Any:
    return outputs[0] if isinstance(outputs, (list, tuple)) else outputs


def missing_structure(mode: str) -> str:
    """What to say where nothing says which layers follow each other."""
    return (
        f"For {mode=}, a valid quantization structure must be provided either via"
        " `config.quantization_layer_structure` or by overriding"
        " `model.get_quantization_layer_structure(mode)`. The structure should be a dictionary with"
        " keys 'pre_block_layers' and 'sequential_blocks'."
    )

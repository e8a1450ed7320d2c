"""Random models as recipes, which real Keras, tf-keras and minikeras make alike.

A recipe is plain data: drawn by Hypothesis, it knows nothing of the package that follows it.
"""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

import minikeras


class Made(NamedTuple):
    """An object of a package: `Made("regularizers", "L2", {"l2": 0.01})`."""

    home: str
    name: str
    arguments: dict


class Step(NamedTuple):
    """One call: of a layer (by its place, so that it may be shared), or of an operator."""

    layer: int | str
    inputs: list[int]


class Recipe(NamedTuple):
    """A model. Tensors are numbered: the inputs first, then the output of each step.

    Attributes:
        inputs: (shape, dtype) of each input.
        layers: (name, arguments); a list of these is a nested Sequential model.
        steps: What is called on what.
        outputs: Numbers of the tensors that are put out, and their kinds of target.
        sequential: Whether the steps are one row, made as a Sequential model.
        training: (optimizer, loss of each output, metrics of each output, weights of losses).
    """

    inputs: list
    layers: list
    steps: list[Step]
    outputs: list[tuple[int, str]]
    sequential: bool
    training: tuple


def made(package: Any, value: Any) -> Any:
    """A value of a recipe as an object of `package`."""
    if isinstance(value, Made):
        arguments = {key: made(package, one) for key, one in value.arguments.items()}
        return operator.attrgetter(f"{value.home}.{value.name}")(package)(**arguments)
    if isinstance(value, list):
        return [made(package, one) for one in value]
    return value


def layer(package: Any, spec: Any) -> Any:
    """A layer, or a nested model."""
    if isinstance(spec, list):
        return package.Sequential([layer(package, one) for one in spec])
    return made(package, Made("layers", *spec))


def build(package: Any, recipe: Recipe) -> Any:
    """The model, compiled."""
    layers = [layer(package, spec) for spec in recipe.layers]
    inputs = [package.Input(shape, dtype=dtype) for shape, dtype in recipe.inputs]
    if recipe.sequential:
        model = package.Sequential([inputs[0], *layers])
    else:
        tensors = list(inputs)
        for step in recipe.steps:
            tensors.append(called(package, layers, step, tensors))
        outputs = [tensors[number] for number, _ in recipe.outputs]
        model = package.Model(
            inputs if len(inputs) > 1 else inputs[0], outputs if len(outputs) > 1 else outputs[0]
        )
    optimizer, losses, metrics, weights = recipe.training
    one = len(losses) == 1
    model.compile(
        made(package, optimizer),
        made(package, losses[0] if one else losses),
        metrics=made(package, metrics[0] if one else metrics),
        loss_weights=None if one else weights,
    )
    return model


_TWO = ("MultiHeadAttention", "GroupQueryAttention")


def called(package: Any, layers: list, step: Step, tensors: list) -> Any:
    """What comes of a step."""
    given = [tensors[number] for number in step.inputs]
    if step.layer == "scale":
        return given[0] * 0.5 - 0.25
    if step.layer == "op":
        return package.ops.tanh(given[0])
    if step.layer == "mean":
        return package.ops.mean(given[0], axis=1, keepdims=True)
    target = layers[step.layer]
    kind = type(target).__name__
    if kind in _TWO:
        return target(given[0], given[-1])
    return target(given[0] if len(given) == 1 else given)


def data(recipe: Recipe, rows: int = 6) -> tuple[list, list]:
    """Inputs and targets."""
    rng = np.random.default_rng(len(recipe.steps))
    x: list = []
    for shape, dtype in recipe.inputs:
        if dtype == "int32":
            x.append(rng.integers(0, 7, (rows, *shape)).astype(dtype))
        else:
            x.append(rng.normal(size=(rows, *shape)).astype(dtype))
    y: list = []
    for (_, kind), shape in zip(recipe.outputs, shapes_of_outputs(recipe)):
        if kind == "classes":
            y.append(np.eye(shape[-1], dtype="float32")[rng.integers(0, shape[-1], rows)])
        elif kind == "sparse":
            y.append(rng.integers(0, shape[-1], rows).astype("int32"))
        elif kind == "binary":
            y.append(rng.integers(0, 2, (rows, *shape[1:])).astype("float32"))
        else:
            y.append(rng.normal(size=(rows, *shape[1:])).astype("float32"))
    return x, y


def shapes_of_outputs(recipe: Recipe) -> list:
    """Shapes of the outputs."""
    model = build(minikeras, recipe)
    return [tuple(one.shape) for one in model.outputs]


def names(recipe: Recipe) -> set[str]:
    """The layers in a recipe, those inside wrappers too, and operators."""
    found = {step.layer for step in recipe.steps if isinstance(step.layer, str)}

    def visit(spec: Any) -> None:
        if isinstance(spec, list):
            for one in spec:
                visit(one)
            return
        *_, name, arguments = spec
        found.add(name)
        for value in arguments.values():
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, Made) and one.home == "layers":
                    visit(one)

    for spec in recipe.layers:
        visit(spec)
    return found


# What is drawn


_L2 = Made("regularizers", "L2", {"l2": 0.02})
ACTIVATIONS = ["relu", "tanh", "linear", "gelu", "sigmoid", "softplus", "elu", "selu", "swish"]
_WEIGHTED: dict[str, list] = {
    "activation": [None, *ACTIVATIONS],
    "use_bias": [True, False],
    "kernel_initializer": [
        "glorot_uniform",
        "he_normal",
        Made("initializers", "RandomUniform", {"minval": -0.3, "maxval": 0.3, "seed": 1}),
        Made("initializers", "VarianceScaling", {"scale": 0.5, "mode": "fan_avg", "seed": 2}),
    ],
    "bias_initializer": ["zeros", Made("initializers", "Constant", {"value": 0.1})],
    "kernel_regularizer": [None, "l2", _L2, Made("regularizers", "L1L2", {"l1": 0.001})],
    "activity_regularizer": [None, None, None, _L2],
    "kernel_constraint": [None, None, "non_neg", Made("constraints", "MaxNorm", {"axis": 0})],
}
_CONV = {**_WEIGHTED, "padding": ["valid", "same"]}
_DEEP = {key.replace("kernel", "depthwise"): value for key, value in _CONV.items()}
_POOL = {"pool_size": [1, 2], "strides": [None, 1], "padding": ["valid", "same"]}
_NORM = {"epsilon": [1e-3, 0.1], "center": [True, False], "scale": [True, False]}
_SIZES = [1, 2, 3]
_RNN = {
    "units": _SIZES,
    "activation": ["tanh", "relu"],
    "use_bias": [True, False],
    "recurrent_initializer": ["orthogonal", "glorot_uniform"],
    "kernel_regularizer": [None, _L2],
    "go_backwards": [True, False],
    "return_sequences": [True, False],
}
_CELL = {"units": 2, "activation": "tanh"}


def _cell(name: str, **arguments: Any) -> Made:
    return Made("layers", name, {**_CELL, **arguments})


_ANY: dict[str, dict] = {
    "Dense": {"units": _SIZES, **_WEIGHTED},
    "LayerNormalization": {"axis": [-1], **_NORM},
    "BatchNormalization": {"momentum": [0.9, 0.5], **_NORM},
    "UnitNormalization": {"axis": [-1]},
    "RMSNormalization": {"epsilon": [1e-3]},
    "Activation": {"activation": ACTIVATIONS},
    "LeakyReLU": {"negative_slope": [0.1, 0.3]},
    "PReLU": {"alpha_initializer": ["zeros", Made("initializers", "Constant", {"value": 0.2})]},
    "ELU": {"alpha": [0.5, 1.0]},
    "ReLU": {"max_value": [None, 6.0], "negative_slope": [0.0, 0.1], "threshold": [0.0, 0.2]},
    "Softmax": {"axis": [-1]},
    "Dropout": {"rate": [0.0], "seed": [3]},
    "GaussianNoise": {"stddev": [0.0]},
    "ActivityRegularization": {"l1": [0.0, 0.01], "l2": [0.01]},
    "Rescaling": {"scale": [0.5], "offset": [0.0, 0.1]},
    "Identity": {},
    "SpectralNormalization": {"layer": [Made("layers", "Dense", {"units": 2})]},
}
# By the number of axes, without the batch.
LAYERS: dict[int, dict[str, dict]] = {
    1: {
        **_ANY,
        "EinsumDense": {
            "equation": ["ab,bc->ac"],
            "output_shape": [3, (None, 2)][:1],
            "bias_axes": [None, "c"],
            "activation": ["tanh", None],
        },
        "RepeatVector": {"n": [2, 3]},
        "Reshape": {"target_shape": [(-1, 1), (1, -1)]},
        "Normalization": {"mean": [0.3], "variance": [2.0]},
    },
    2: {
        # A mask of steps does not fit `Softmax`, in Keras neither.
        **{name: table for name, table in _ANY.items() if name != "Softmax"},
        "LSTM": {**_RNN, "unit_forget_bias": [True, False]},
        "GRU": {**_RNN, "reset_after": [True, False]},
        "SimpleRNN": _RNN,
        "RNN": {
            "cell": [
                _cell("LSTMCell"),
                _cell("GRUCell", reset_after=False),
                Made("layers", "StackedRNNCells", {"cells": [_cell("GRUCell"), _cell("LSTMCell")]}),
            ],
            "return_sequences": [True, False],
        },
        "Bidirectional": {
            "layer": [
                Made("layers", "GRU", {"units": 2, "return_sequences": True}),
                Made("layers", "LSTM", {"units": 2}),
            ],
            "merge_mode": ["concat", "sum", "ave", "mul"],
        },
        "Conv1D": {
            "filters": [2, 4],
            "kernel_size": _SIZES,
            **_CONV,
            "padding": ["valid", "same", "causal"],
            "dilation_rate": [1, 2],
        },
        "SeparableConv1D": {"filters": _SIZES, "kernel_size": [2], "padding": ["same"]},
        "DepthwiseConv1D": {"kernel_size": [2], "depth_multiplier": [1, 2], **_DEEP},
        "Conv1DTranspose": {"filters": _SIZES, "kernel_size": _SIZES, "strides": [1, 2], **_CONV},
        "MaxPooling1D": _POOL,
        "AveragePooling1D": _POOL,
        "GlobalAveragePooling1D": {"keepdims": [True, False]},
        "GlobalMaxPooling1D": {"keepdims": [True, False]},
        "UpSampling1D": {"size": [2]},
        "ZeroPadding1D": {"padding": [1, (0, 2)]},
        "Cropping1D": {"cropping": [(0, 1)]},
        "Masking": {"mask_value": [0.0]},
        "TimeDistributed": {
            "layer": [
                Made("layers", "Dense", {"units": 2, "activation": "tanh"}),
                Made("layers", "LayerNormalization", {"epsilon": 0.1}),
            ]
        },
        "Permute": {"dims": [(2, 1)]},
        "Flatten": {},
        "SpatialDropout1D": {"rate": [0.0]},
        "GroupNormalization": {"groups": [1, -1], **_NORM},
        "MultiHeadAttention": {
            "num_heads": [1, 2],
            "key_dim": [2],
            "value_dim": [None, 3],
            "use_bias": [True, False],
        },
        "GroupQueryAttention": {
            "head_dim": [2],
            "num_query_heads": [2],
            "num_key_value_heads": [1, 2],
        },
    },
    3: {
        **_ANY,
        "Conv2D": {
            "filters": [2, 4],
            "kernel_size": [1, 2, (1, 2)],
            "strides": [1, 2],
            **_CONV,
        },
        "Conv2DTranspose": {"filters": _SIZES, "kernel_size": [2], "strides": [1, 2], **_CONV},
        "SeparableConv2D": {
            "filters": _SIZES,
            "kernel_size": [2],
            "depth_multiplier": [1, 2],
            "padding": ["same", "valid"],
            "depthwise_regularizer": [None, _L2],
        },
        "DepthwiseConv2D": {"kernel_size": [2], "depth_multiplier": [1, 2], **_DEEP},
        "MaxPooling2D": _POOL,
        "AveragePooling2D": _POOL,
        "GlobalAveragePooling2D": {"keepdims": [True, False]},
        "GlobalMaxPooling2D": {"keepdims": [True, False]},
        "UpSampling2D": {"size": [2, (1, 2)], "interpolation": ["nearest", "bilinear"]},
        "ZeroPadding2D": {"padding": [1, (0, 1), ((1, 0), (0, 2))]},
        "Cropping2D": {"cropping": [((1, 0), (0, 1))]},
        "Resizing": {"height": [4], "width": [3], "interpolation": ["bilinear", "nearest"]},
        "CenterCrop": {"height": [2], "width": [2]},
        "GroupNormalization": {"groups": [1, -1], **_NORM},
        "SpatialDropout2D": {"rate": [0.0]},
        "TimeDistributed": {
            "layer": [Made("layers", "Conv1D", {"filters": 2, "kernel_size": 2, "padding": "same"})]
        },
        "Flatten": {},
        "Permute": {"dims": [(3, 1, 2), (2, 1, 3)]},
    },
    4: {
        "Conv3D": {"filters": _SIZES, "kernel_size": [2], **_CONV},
        "Conv3DTranspose": {"filters": [2], "kernel_size": [2], "padding": ["same"]},
        "MaxPooling3D": _POOL,
        "AveragePooling3D": _POOL,
        "GlobalAveragePooling3D": {},
        "UpSampling3D": {"size": [2]},
        "ZeroPadding3D": {"padding": [1]},
        "Cropping3D": {"cropping": [((1, 0), (0, 1), (0, 0))]},
        "ConvLSTM2D": {
            "filters": [2],
            "kernel_size": [2],
            "padding": ["same"],
            "return_sequences": [True, False],
        },
        "BatchNormalization": _ANY["BatchNormalization"],
        "Flatten": {},
    },
}
# What makes a vector of tensors, by their axes.
_ENDS = {2: ["Flatten", "GlobalAveragePooling1D", "LSTM"], 3: ["Flatten", "GlobalMaxPooling2D"],
         4: ["Flatten", "GlobalAveragePooling3D"]}  # fmt: skip
MERGES = ["Add", "Concatenate", "Multiply", "Average", "Maximum", "Minimum", "Subtract"]
_INPUTS = [((4,), "float32"), ((4, 3), "float32"), ((5, 4, 2), "float32"), ((5,), "int32"),
           ((3, 4, 4, 1), "float32")]  # fmt: skip
# A large `epsilon`: gradients that are zero but for rounding do not become steps.
OPTIMIZERS = {
    "SGD": {"learning_rate": [0.01], "momentum": [0.0, 0.9], "nesterov": [True, False]},
    "Adam": {"learning_rate": [0.01], "amsgrad": [True, False], "beta_1": [0.8]},
    "AdamW": {"weight_decay": [0.01]},
    "Adamax": {},
    "Nadam": {},
    "RMSprop": {"centered": [True, False], "momentum": [0.0, 0.5], "rho": [0.8]},
    "Adagrad": {"initial_accumulator_value": [0.1, 0.3]},
    "Adadelta": {"learning_rate": [0.5]},
    "Ftrl": {"l1_regularization_strength": [0.0, 0.01]},
}
_MORE: dict[str, list] = {
    "clipnorm": [None, None, 0.5],
    "learning_rate": [
        0.01,
        Made(
            "optimizers.schedules",
            "ExponentialDecay",
            {"initial_learning_rate": 0.01, "decay_steps": 2, "decay_rate": 0.5},
        ),
    ],
}
LOSSES = {
    # Keras writes no `delta` of `Huber`.
    "regression": ["mse", "mae", Made("losses", "Huber", {"name": "own"}), "log_cosh",
                   Made("losses", "MeanSquaredError", {})],
    "binary": ["binary_crossentropy", Made("losses", "BinaryCrossentropy",
                                           {"label_smoothing": 0.1}), "hinge"],
    "classes": ["categorical_crossentropy", Made("losses", "CategoricalCrossentropy",
                                                 {"from_logits": True}), "kl_divergence"],
    "sparse": ["sparse_categorical_crossentropy"],
}  # fmt: skip
METRICS = {
    "regression": ["mae", Made("metrics", "RootMeanSquaredError", {"name": "rmse"})],
    "binary": ["accuracy", Made("metrics", "AUC", {"num_thresholds": 20}), "binary_accuracy",
               Made("metrics", "Precision", {"thresholds": 0.4})],
    "classes": ["accuracy", "categorical_accuracy",
                Made("metrics", "TopKCategoricalAccuracy", {"k": 2})],
    "sparse": ["accuracy", "sparse_categorical_accuracy"],
}  # fmt: skip


def _arguments(draw: Any, table: dict, always: tuple) -> dict:
    """Some of the arguments; those that have no default always."""
    return {
        key: draw(st.sampled_from(values))
        for key, values in table.items()
        if key in always or draw(st.integers(0, 2)) == 0
    }


_NEEDED = (
    "units filters kernel_size pool_size n target_shape mean variance equation output_shape cell"
    " layer dims activation rate stddev num_heads key_dim head_dim num_query_heads height width"
    " num_key_value_heads size padding cropping scale interpolation epsilon"
).split()


class _Drawing:
    """A recipe as it grows, with what is known of its tensors."""

    def __init__(self, draw: Any, allowed: Any) -> None:
        self.draw, self.allowed = draw, allowed
        self.layers, self.steps, self.tensors = [], [], []
        self.objects: list = []

    def call(self, place: int | str, inputs: list[int]) -> int | None:
        """Add a step; None if the layer does not take these tensors, or makes nothing."""
        step = Step(place, inputs)
        try:
            found = called(minikeras, self.objects, step, self.tensors)
        except (ValueError, TypeError, NotImplementedError):
            return None
        if not 1 < len(found.shape) < 6 or 0 in found.shape or np.prod(found.shape[1:]) > 400:
            return None
        self.steps.append(step)
        self.tensors.append(found)
        return len(self.tensors) - 1

    def add(self, spec: Any, inputs: list[int]) -> int | None:
        """Add a layer and call it."""
        try:
            self.objects.append(layer(minikeras, spec))
        except (ValueError, TypeError):
            return None
        self.layers.append(spec)
        made = self.call(len(self.layers) - 1, inputs)
        if made is None:
            self.layers.pop(), self.objects.pop()
        return made

    def some_layer(self, axes: int, alone: bool = False) -> Any:
        """A layer for a tensor; `alone`: it takes only one."""
        known = {
            name: table
            for name, table in LAYERS[axes].items()
            if self.allowed(name) and not (alone and name in _TWO)
        }
        name = self.draw(st.sampled_from(sorted(known)))
        return name, _arguments(self.draw, known[name], tuple(_NEEDED))

    def grow(self, number: int, length: int, alone: bool = False) -> int:
        """Some layers, one after the other."""
        for _ in range(length):
            axes = len(self.tensors[number].shape) - 1
            made = self.add(self.some_layer(axes, alone), [number])
            number = number if made is None else made
        return number

    def vector(self, number: int) -> int:
        """A tensor as a vector."""
        axes = len(self.tensors[number].shape) - 1
        if axes == 1:
            return number
        name = self.draw(st.sampled_from(_ENDS[axes]))
        return self.add((name, {"units": 2} if name == "LSTM" else {}), [number])  # type: ignore


@st.composite
def recipes(draw: Any, allowed: Any = lambda name: True, operators: bool = True) -> Recipe:
    """Recipes of models with only layers of `allowed` names."""
    shape, dtype = draw(st.sampled_from(_INPUTS))
    it = _Drawing(draw, allowed)
    inputs = [(shape, dtype)]
    it.tensors.append(minikeras.Input(shape, dtype=dtype))
    number, sequential = 0, draw(st.integers(0, 2)) == 0
    second = not sequential and draw(st.integers(0, 3)) == 0
    if second:
        inputs.append(((3,), "float32"))
        it.tensors.append(minikeras.Input((3,)))
    if dtype == "int32":
        table = {"input_dim": 7, "output_dim": 3, "mask_zero": draw(st.booleans())}
        number = it.add(("Embedding", table), [0])  # type: ignore[assignment]
    number = it.grow(number, draw(st.integers(1, 4)), sequential)
    if not sequential:
        kinds = ["branch", "share", "nest", "attention", *(["operators"] if operators else [])]
        for kind in draw(st.lists(st.sampled_from(kinds), max_size=2)):
            number = _twist(it, kind, number)
    number = it.vector(it.grow(number, draw(st.integers(0, 2)), sequential))
    if second:
        joined = it.add(("Concatenate", {}), [number, 1])
        number = number if joined is None else joined
    outputs, losses = [], []
    for _ in range(1 if sequential else draw(st.integers(1, 2))):
        kind = draw(st.sampled_from(sorted(LOSSES)))
        losses.append(draw(st.sampled_from(LOSSES[kind])))
        end = {"regression": None, "binary": "sigmoid"}.get(kind, "softmax")
        units = 3 if end == "softmax" else draw(st.integers(1, 2))
        if "from_logits" in str(losses[-1]):
            end = None
        outputs.append((it.add(("Dense", {"units": units, "activation": end}), [number]), kind))
    metrics = [
        draw(st.lists(st.sampled_from(METRICS[kind]), max_size=2, unique_by=str))
        for _, kind in outputs
    ]
    recipe = Recipe(inputs, it.layers, it.steps, outputs, sequential, (None, losses, metrics, None))
    training = (
        _optimizer(draw, recipe),
        losses,
        metrics,
        draw(st.sampled_from([None, [0.5, 2.0]])),
    )
    return recipe._replace(training=training)


def _twist(it: _Drawing, kind: str, number: int) -> int:
    """What only a functional model has."""
    draw, axes = it.draw, len(it.tensors[number].shape) - 1
    result: int | None = None
    if kind == "branch":
        sides = [it.grow(number, draw(st.integers(0, 2))) for _ in range(draw(st.integers(2, 3)))]
        if len(set(sides)) > 1:
            kind = draw(st.sampled_from(MERGES))
            result = it.add((kind, {}), sides[:2] if kind == "Subtract" else sides)
            if result is None:
                ends = [it.vector(side) for side in sides]
                result = it.add(("Concatenate", {}), ends)
    elif kind == "share":
        spec = ("Dense", {"units": it.tensors[number].shape[-1], "activation": "tanh"})
        once = it.add(spec, [number])
        if once is not None:
            twice = it.call(len(it.layers) - 1, [once])
            result = it.add(("Add", {}), [once, twice]) if twice is not None else once
    elif kind == "nest":
        body = [it.some_layer(axes, alone=True), ("Dense", {"units": 2})]
        if draw(st.booleans()):
            body.append([("Dense", {"units": 2, "activation": "relu"})])
        result = it.add(body, [number])
    elif kind == "attention" and axes == 2:
        name = draw(st.sampled_from(["Attention", "AdditiveAttention", "Dot"]))
        arguments = {"axes": 2, "normalize": draw(st.booleans())} if name == "Dot" else {}
        if name == "Attention":
            arguments = {"use_scale": draw(st.booleans())}
        result = it.add((name, arguments), [number, number])
    elif kind == "operators":
        result = it.call(draw(st.sampled_from(["scale", "op", "mean"])), [number])
    return number if result is None else result


def _optimizer(draw: Any, recipe: Recipe) -> Made:
    if "Embedding" in names(recipe):
        # On TensorFlow, Keras's adaptive optimizers square each part of a repeated token's gradient
        # on its own (compat/DIFFERENCES.md).
        return Made("optimizers", "SGD", {"learning_rate": 0.01, "momentum": 0.9})
    known = set(OPTIMIZERS)
    if "SpectralNormalization" in names(recipe):
        # It starts weights near zero, whose norm Keras divides by.
        known.remove("Ftrl")
    name = draw(st.sampled_from(sorted(known)))
    table = {**_MORE, **OPTIMIZERS[name]}
    arguments = _arguments(draw, table, ("learning_rate",))
    if name not in ("SGD", "Ftrl"):
        arguments["epsilon"] = draw(st.sampled_from([0.01, 0.1]))
    return Made("optimizers", name, arguments)

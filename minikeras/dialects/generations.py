"""Defaults that were others in the Keras that a script was written for.

A script that spells something as no Keras of today accepts it was written for an older one, and
counts on its defaults: those of 1.2.2 for the spellings of Keras 1, those of 2.3.1 for the ones of
Keras 2 on its own. What today's Keras runs as it stands, and what imports `tensorflow.keras`, has
today's defaults: those of TensorFlow's Keras became them.

`python -m minikeras run` decides so (`written_for`); it can be told otherwise.

At the end, small functions of `keras.utils` that are gone, and `keras.initializations` of Keras 1.
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

import h5py
import numpy as np

from minikeras import backend, initializers
from minikeras.dialects import names
from minikeras.engine import spelling
from minikeras.engine.variable import Variable

# Nobody else has arguments or methods of these names.
_OF_KERAS_1 = frozenset(
    "nb_epoch nb_filter nb_row nb_col nb_worker nb_val_samples val_samples samples_per_epoch"
    " max_q_size pickle_safe border_mode subsample_length filter_length pool_length dim_ordering"
    " inner_init inner_activation W_regularizer U_regularizer b_regularizer dropout_W dropout_U"
    " W_constraint U_constraint b_constraint show_accuracy".split()
)
_METHODS = ("fit_generator", "evaluate_generator", "predict_generator", "predict_classes")
_OPTIMIZERS = ("SGD", "RMSprop", "Adagrad", "Adadelta", "Adam", "Adamax", "Nadam")
_MODULES_OF_KERAS_1 = ("keras.objectives", "keras.initializations", "keras.utils.visualize_util")
# Paths that Keras had until version 2, and their names here.
_MODULES_OF_KERAS_2 = (
    *(f"keras.{path}" for path in names.PATHS),
    *(f"keras.layers.{one}" for one in (
        "advanced_activations", "convolutional", "convolutional_recurrent", "core", "embeddings",
        "merge", "noise", "normalization", "pooling", "recurrent", "wrappers",
    )),
    "keras.preprocessing.text",
    "keras.wrappers.scikit_learn",
)  # fmt: skip

# Class -> the generation until which it had them -> defaults of its constructor.
_RECURRENT: dict[int, dict[str, Any]] = {1: {"recurrent_activation": "keras2_hard_sigmoid"}}
_GATED: dict[int, dict[str, Any]] = {
    1: {"recurrent_activation": "keras2_hard_sigmoid", "reset_after": False},
    2: {"reset_after": False},
}
_CONVOLUTIONAL = dict.fromkeys((1, 2), _RECURRENT[1])
_RATES: dict[str, dict[str, Any]] = {
    "Adadelta": {"learning_rate": 1.0},
    "Adagrad": {"learning_rate": 0.01, "initial_accumulator_value": 0.0},
    "Adamax": {"learning_rate": 0.002},
    "Nadam": {"learning_rate": 0.002},
    "RMSprop": {},
}
# The order of the dimensions of images was none of theirs.
_SEQUENCES = dict.fromkeys((1, 2), {"data_format": "channels_last"})
DEFAULTS: dict[str, dict[int, dict[str, Any]]] = {
    "layers:Flatten": {1: {"data_format": "channels_last"}},
    **{
        f"layers:{name}1D": _SEQUENCES
        for name in (
            "AveragePooling",
            "Conv",
            "GlobalAveragePooling",
            "GlobalMaxPooling",
            "MaxPooling",
            "SeparableConv",
        )
    },
    "layers:LSTM": _RECURRENT,
    "layers:LSTMCell": _RECURRENT,
    "layers:GRU": _GATED,
    "layers:GRUCell": _GATED,
    **{f"layers:ConvLSTM{rank}D": _CONVOLUTIONAL for rank in (1, 2, 3)},
    **{f"optimizers:{name}": {1: found, 2: found} for name, found in _RATES.items()},
}
# Name until Keras 2 -> today's, and which argument a number shows to be a size of the window.
_WINDOWS = {
    "Convolution2D": ("Conv2D", 2),
    "SeparableConvolution2D": ("SeparableConv2D", 2),
    "Deconvolution2D": ("Conv2DTranspose", 2),
    "Convolution3D": ("Conv3D", 3),
}
# Those that computed otherwise too.
_CHANGED = ("Adagrad", "Nadam", "RMSprop")
_undo: list[Callable[[], None]] = []


def written_for(tree: ast.AST) -> int:
    """1, 2 or 3: the Keras whose defaults a script counts on.

    >>> import ast
    >>> from minikeras.dialects.generations import written_for
    >>> written_for(ast.parse("import keras\\nkeras.optimizers.SGD(lr=0.1)"))
    2
    """
    keras = False
    generation = 3
    backends: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            above = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            paths = [*above, *(".".join([*above, one.name]) for one in node.names)]
            if any(f".{path}.".find(".keras.", 2) > 0 or "tf_keras" in path for path in paths):
                return 3
            keras |= any(path.partition(".")[0] == "keras" for path in paths)
            backends.update(
                one.asname or one.name
                for one, path in zip(node.names, paths[len(above) :])
                if path == "keras.backend"
            )
            if any(path in _MODULES_OF_KERAS_1 for path in paths):
                generation = 1
            elif any(path in _MODULES_OF_KERAS_2 for path in paths):
                generation = min(generation, 2)
        elif isinstance(node, ast.Attribute):
            if node.attr == "keras" and getattr(node.value, "id", "") in ("tf", "tensorflow"):
                return 3
            old = getattr(node.value, "id", "") in backends and node.attr not in backend.__all__
            if old or node.attr in _METHODS:
                generation = min(generation, 2)
        elif isinstance(node, ast.Call):
            given = {one.arg for one in node.keywords}
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if given & _OF_KERAS_1:
                generation = 1
            elif called in _OPTIMIZERS and given & {"lr", "decay"}:
                generation = min(generation, 2)
    return generation if keras else 3


def use(generation: int) -> None:
    """Give constructors the defaults of a generation, in this process.

    Args:
        generation: 1, 2, or 3 for today's.
    """
    while _undo:
        _undo.pop()()
    if generation >= 3:
        return
    from minikeras import layers
    from minikeras.dialects import backend as older
    from minikeras.dialects import configs, eras
    from minikeras.training.trainer import Trainer

    configs.make_old_objects_known()
    older.ways["batch_dot"] = older._matmul_of_batches
    _undo.append(older.ways.clear)
    # `Conv2D(filters, rows, columns)`: today the third number is the strides.
    orders = dict(spelling.OLD_ORDERS)
    _undo.append(lambda: spelling.OLD_ORDERS.update(orders))
    for old_name, (today, position) in _WINDOWS.items():
        spelling.OLD_ORDERS[today] = (*orders[today], (position, "whole"))
        # One class under both names: scripts compare the types of layers.
        setattr(layers, old_name, getattr(layers, today))
        _undo.append(functools.partial(delattr, layers, old_name))
    if generation == 1:
        _give_defaults(Trainer.fit, {"epochs": 10})
        for cls in (layers.Conv2D, layers.Conv3D):
            _give_kernels_of_theano(cls)
    for place, versions in DEFAULTS.items():
        home, _, name = place.partition(":")
        cls = getattr(import_module(f"minikeras.{home}"), name)
        if generation in versions:
            old = getattr(eras, name) if name in _CHANGED else None
            _give(cls, versions[generation], old)


def _give_defaults(function: Any, defaults: dict[str, Any]) -> Any:
    function = inspect.unwrap(function)
    before = function.__defaults__
    function.__defaults__ = tuple(
        defaults.get(one.name, one.default)
        for one in inspect.signature(function).parameters.values()
        if one.default is not one.empty and one.kind is one.POSITIONAL_OR_KEYWORD
    )
    _undo.append(lambda: setattr(function, "__defaults__", before))
    return function


def _give(cls: type, defaults: dict[str, Any], old: type | None) -> None:
    constructor = _give_defaults(cls.__init__, defaults)  # type: ignore[misc]
    if old is None:
        return

    @functools.wraps(constructor)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        constructor(self, *args, **kwargs)
        if type(self) is cls:
            self.__dict__.setdefault("schedule_decay", 0.004)
            object.__setattr__(self, "__class__", old)

    cls.__init__ = __init__  # type: ignore[misc]
    _undo.append(lambda: setattr(cls, "__init__", constructor))


def _give_kernels_of_theano(cls: Any) -> None:
    """With channels first, arrays of weights begin with a kernel (filters, channels, *sizes)."""

    def get_weights(self: Any) -> list:
        arrays = super(cls, self).get_weights()
        if arrays and self.data_format == "channels_first":
            arrays[0] = arrays[0].transpose(-1, -2, *range(self.rank))
        return arrays

    def set_weights(self: Any, weights: Any) -> None:
        first, *rest = weights
        if self.data_format == "channels_first" and np.ndim(first) == self.rank + 2:
            first = np.transpose(first, (*range(2, self.rank + 2), 1, 0))
        super(cls, self).set_weights([first, *rest])

    for method in (get_weights, set_weights):
        setattr(cls, method.__name__, method)
        _undo.append(functools.partial(delattr, cls, method.__name__))


# Small functions that are gone


def HDF5Matrix(
    datapath: Any, dataset: str, start: int = 0, end: int | None = None, normalizer: Any = None
) -> Any:
    """Rows of a dataset of an HDF5 file, in memory; `normalizer` is a function of them."""
    with h5py.File(datapath, "r") as file:
        rows = file[dataset][start:end]
    return rows if normalizer is None else normalizer(rows)


def multi_gpu_model(model: Any, gpus: Any = None, *_: Any, **__: Any) -> Any:
    """The model itself: batches were parts on several devices, with the same results."""
    return model


def probas_to_classes(y_pred: Any) -> Any:
    """Classes from probabilities; those of one column are compared with 1/2."""
    y = np.asarray(y_pred)
    if y.ndim > 1 and y.shape[1] > 1:
        return categorical_probas_to_classes(y)
    return np.array([1 if p > 0.5 else 0 for p in y.reshape(-1)])


def categorical_probas_to_classes(p: Any) -> Any:
    """The likeliest class of each row."""
    return np.argmax(p, axis=1)


def convert_kernel(kernel: Any) -> Any:
    """A kernel of a convolution turned by 180 degrees, as Theano and TensorFlow differ in it."""
    kernel = np.asarray(kernel)
    if not 3 <= kernel.ndim <= 5:
        raise ValueError(f"Invalid kernel shape: {kernel.shape}")
    return np.copy(kernel[(slice(None, None, -1),) * (kernel.ndim - 2)])


def convert_all_kernels_in_model(model: Any) -> None:
    """Turn the kernels of all convolutions of a model by 180 degrees."""
    for layer in model.layers:
        if "Conv" in type(layer).__name__ and layer.built:
            layer.kernel.assign(convert_kernel(layer.kernel))


def conv_output_length(
    input_length: Any, filter_size: int, padding: str, stride: int, dilation: int = 1
) -> Any:
    """The length of what a convolution makes."""
    if padding not in ("same", "valid", "full", "causal"):
        raise ValueError(
            f"Argument `padding` must be 'same', 'valid', 'full' or 'causal'. Received: {padding!r}"
        )
    if input_length is None:
        return None
    wide = filter_size + (filter_size - 1) * (dilation - 1)
    more = {"same": 0, "causal": 0, "valid": 1 - wide, "full": wide - 1}[padding]
    return (input_length + more + stride - 1) // stride


def get_from_module(
    identifier: Any,
    module_params: dict,
    module_name: str,
    instantiate: bool = False,
    kwargs: dict | None = None,
) -> Any:
    """What `identifier` names in a dict of a module's names, or itself if it is no string."""
    if not isinstance(identifier, str):
        return identifier
    found = module_params.get(identifier)
    if found is None:
        raise ValueError(f"Invalid {module_name}: {identifier}")
    return found(**(kwargs or {})) if instantiate else found


def print_summary(
    model: Any, line_length: int | None = None, positions: Any = None, print_fn: Any = None
) -> None:
    """`model.summary()`."""
    model.summary(line_length=line_length, positions=positions, print_fn=print_fn)


def get_source_inputs(tensor: Any, layer: Any = None, node_index: Any = None) -> list:
    """The inputs that a tensor of a model is computed from."""
    from minikeras.dialects.backend_graph import _inputs_of

    return _inputs_of([tensor])


_OPTIONS: dict[str, str] = {
    "normal": "stddev",
    "uniform": "maxval",
    "identity": "gain",
    "orthogonal": "gain",
}
_TODAY: dict[str, str] = {
    "normal": "RandomNormal",
    "uniform": "RandomUniform",
    "zero": "Zeros",
    "one": "Ones",
    "identity": "Identity",
    "orthogonal": "Orthogonal",
    "glorot_normal": "GlorotNormal",
    "glorot_uniform": "GlorotUniform",
    "he_normal": "HeNormal",
    "he_uniform": "HeUniform",
    "lecun_uniform": "LecunUniform",
}
_SCALES = {"normal": 0.05, "uniform": 0.05, "identity": 1.0, "orthogonal": 1.1}


def _of(name: str) -> Any:
    def initialize(
        shape: Any, scale: float | None = None, name: str | None = None, dim_ordering: Any = None
    ) -> Any:
        options: dict = {}
        if key in _OPTIONS:
            scale = _SCALES[key] if scale is None else scale
            options[_OPTIONS[key]] = scale
            if key == "uniform":
                options["minval"] = -scale
        made = getattr(initializers, _TODAY[key])(**options)
        return Variable(made(tuple(shape)), name=name)

    key = name
    initialize.__name__ = name
    initialize.__doc__ = (
        f"A variable with the values of `initializers.{_TODAY[name]}`, as in Keras 1."
    )
    return initialize


for _name in _TODAY:
    globals()[_name] = _of(_name)


def get(identifier: Any, **_: Any) -> Any:
    """The function of a shape that a name, or a function, stands for."""
    if identifier in _TODAY if isinstance(identifier, str) else False:
        return globals()[identifier]
    found = initializers.get(identifier)
    return lambda shape, name=None, **_: Variable(found(tuple(shape)), name=name)

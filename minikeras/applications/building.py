"""What networks are built of, and the MobileNets."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

from minikeras import activations, config, layers
from minikeras.engine.symbolic import KerasTensor
from minikeras.models import Model
from minikeras.utils import get_file, get_source_inputs

_STORE = "https://storage.googleapis.com/tensorflow/keras-applications/"

ARGUMENTS = """Args:
        include_top: Boolean, default True. Whether the classifier is there.
        weights: `"imagenet"` (default): weights trained on ImageNet, downloaded into
            `~/.keras/models` unless they are there; the path of a file of weights; or None:
            random weights.
        input_tensor: Symbolic tensor to build on, or None.
        input_shape: Shape of an image, such as `(224, 224, 3)`, the default with the classifier.
            Other sizes need `include_top=False` or `weights=None`.
        pooling: Without the classifier: None (default) for the feature maps, `"avg"` or `"max"`
            for their mean or maximum.
        classes: Integer, default 1000. Size of the output.
        classifier_activation: Activation of the output. Defaults to `"softmax"`.
        name: Name of the model.

    Returns:
        Functional `Model`.

    Raises:
        ValueError: for arguments that do not fit each other."""


def documented(function: Callable) -> Callable:
    """Put the arguments that all have into the docstring."""
    function.__doc__ = (function.__doc__ or "").replace("{arguments}", ARGUMENTS)
    return function


def first_format() -> bool:
    """Whether channels come first."""
    return config.image_data_format() == "channels_first"


def channel_axis() -> int:
    """The axis of the channels."""
    return 1 if first_format() else 3


def image_shape(
    input_shape: Any, size: int, smallest: int, include_top: bool, weights: Any
) -> tuple:
    """The shape of the input images.

    Args:
        input_shape: What the caller gave, or None.
        size: Rows and columns by default.
        smallest: Rows and columns at least.
    """
    places = (1, 2) if first_format() else (0, 1)
    trained = weights == "imagenet"

    def shape(side: Any, channels: int) -> tuple:
        return (channels, side, side) if first_format() else (side, side, channels)

    if input_shape is not None:
        input_shape = tuple(input_shape)
        if len(input_shape) != 3:
            raise ValueError(
                "`input_shape` must be a tuple of three integers. Received:"
                f" input_shape={input_shape}"
            )
        if trained and include_top and input_shape != shape(size, 3):
            raise ValueError(
                "When setting `include_top=True` and loading `imagenet` weights, `input_shape`"
                f" should be {shape(size, 3)}. Received: input_shape={input_shape}"
            )
        if trained and input_shape[0 if first_format() else 2] != 3:
            raise ValueError(
                f"The input must have 3 channels; Received `input_shape={input_shape}`"
            )
        if any(input_shape[i] is not None and input_shape[i] < smallest for i in places):
            raise ValueError(
                f"Input size must be at least {smallest}x{smallest}; Received:"
                f" input_shape={input_shape}"
            )
    else:
        input_shape = shape(size if include_top else None, 3)
    if include_top and None in input_shape:
        raise ValueError(
            "If `include_top` is True, you should specify a static `input_shape`. Received:"
            f" input_shape={input_shape}"
        )
    return input_shape


def check_weights(weights: Any, include_top: bool, classes: int, activation: Any) -> None:
    """Check what belongs to weights."""
    known = weights in (None, "imagenet")
    if not known and not os.path.exists(weights):
        raise ValueError(
            "The `weights` argument should be either `None` (random initialization), 'imagenet'"
            " (pre-training on ImageNet), or the path to the weights file to be loaded. Received:"
            f" weights={weights}"
        )
    if weights == "imagenet" and include_top and classes != 1000:
        raise ValueError(
            "If using `weights='imagenet'` with `include_top=True`, `classes` should be 1000."
            f" Received classes={classes}"
        )
    allowed = (activations.softmax, activations.linear)
    if include_top and weights is not None and activations.get(activation) not in allowed:
        raise ValueError(
            "Only `None` and `softmax` activations are allowed for the `classifier_activation`"
            " argument when using pretrained weights, with `include_top=True`; Received:"
            f" classifier_activation={activation}"
        )


def start(input_tensor: Any, input_shape: tuple) -> Any:
    """The symbolic images."""
    if input_tensor is None:
        return layers.Input(shape=input_shape)
    if not isinstance(input_tensor, KerasTensor):
        return layers.Input(tensor=input_tensor)
    return input_tensor


def pooled(x: Any, pooling: str | None, names: tuple = (None, None)) -> Any:
    """The features of a network without its classifier."""
    if pooling not in (None, "avg", "max"):
        raise ValueError(f"`pooling` must be None, 'avg' or 'max'. Received: pooling={pooling!r}")
    if pooling == "avg":
        return layers.GlobalAveragePooling2D(name=names[0])(x)
    if pooling == "max":
        return layers.GlobalMaxPooling2D(name=names[1])(x)
    return x


def finish(
    images: Any, input_tensor: Any, x: Any, name: str, weights: Any, file: Callable
) -> Model:
    """The model, with its weights.

    Args:
        file: Function without arguments that returns the folder of the weights trained on
            ImageNet, the name of their file, and its hash or None.
    """
    symbolic = isinstance(input_tensor, KerasTensor)
    inputs = get_source_inputs(input_tensor) if symbolic else images
    model = Model(inputs, x, name=name)
    if weights == "imagenet":
        folder, file_name, file_hash = file()
        weights = get_file(
            file_name,
            f"{_STORE}{folder}/{file_name}",
            cache_subdir="models",
            file_hash=file_hash,
        )
    if weights is not None:
        model.load_weights(weights)
    return model


def kernels_file(folder: str, include_top: bool, hashes: tuple, name: str = "") -> tuple:
    """Folder, file and hash, as most networks name them: `hashes` with and without the top."""
    ending = "" if include_top else "_notop"
    file_name = f"{name or folder}_weights_tf_dim_ordering_tf_kernels{ending}.h5"
    return folder, file_name, hashes[0 if include_top else 1]


_SIZES = (128, 160, 192, 224)


def _side(input_shape: Any, input_tensor: Any, sizes: tuple) -> int:
    """Rows of the images, where there are weights for so many."""
    shape = input_shape
    if shape is None and input_tensor is not None:
        shape = input_tensor.shape[1:]
    if shape is None:
        return 224
    rows, columns = shape[1:3] if first_format() else shape[:2]
    return rows if rows == columns and rows in sizes else 224


def _trained_side(shape: tuple, weights: Any, alpha: float, alphas: tuple, sizes: tuple) -> Any:
    """Rows of the images that the weights are for."""
    rows, columns = shape[1:3] if first_format() else shape[:2]
    if weights != "imagenet":
        return rows
    if alpha not in alphas:
        raise ValueError(
            "If imagenet weights are being loaded, alpha must be one of"
            f" {', '.join(map(str, alphas))}. Received: alpha={alpha}"
        )
    if rows != columns or rows not in sizes:
        warnings.warn(
            f"`input_shape` is undefined or non-square, or `rows` is not in {list(sizes)}. Weights"
            " for input shape (224, 224) will be loaded as the default.",
            stacklevel=3,
        )
        return 224
    return rows


def _axis() -> int:
    return 1 if first_format() else -1


@documented
def MobileNet(
    input_shape: Any = None,
    alpha: float = 1.0,
    depth_multiplier: int = 1,
    dropout: float = 1e-3,
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = None,
) -> Any:
    """MobileNet, of depthwise and pointwise convolutions.

    `alpha` (default 1.0) multiplies the number of filters, `depth_multiplier` (default 1) the
    channels of depthwise convolutions; `dropout` (default 0.001) is before the classifier.

    {arguments}
    """
    check_weights(weights, include_top, classes, classifier_activation)
    if weights == "imagenet" and depth_multiplier != 1:
        raise ValueError(
            "If imagenet weights are being loaded, depth multiplier must be 1. Received:"
            f" depth_multiplier={depth_multiplier}"
        )
    side = _side(input_shape, input_tensor, _SIZES)
    shape = image_shape(input_shape, side, 32, include_top, weights)
    rows = _trained_side(shape, weights, alpha, (0.25, 0.5, 0.75, 1.0), _SIZES)
    images = start(input_tensor, shape)

    def normalized(x: Any, name: str) -> Any:
        x = layers.BatchNormalization(axis=_axis(), name=f"{name}_bn")(x)
        return layers.ReLU(6.0, name=f"{name}_relu")(x)

    x = layers.Conv2D(
        int(32 * alpha), (3, 3), strides=(2, 2), padding="same", use_bias=False, name="conv1"
    )(images)
    x = normalized(x, "conv1")
    filters = (64, 128, 128, 256, 256, *(512,) * 6, 1024, 1024)
    for block, count in enumerate(filters, 1):
        strided = block in (2, 4, 6, 12)
        if strided:
            x = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"conv_pad_{block}")(x)
        x = layers.DepthwiseConv2D(
            (3, 3),
            padding="valid" if strided else "same",
            depth_multiplier=depth_multiplier,
            strides=(2, 2) if strided else (1, 1),
            use_bias=False,
            name=f"conv_dw_{block}",
        )(x)
        x = normalized(x, f"conv_dw_{block}")
        x = layers.Conv2D(
            int(count * alpha), (1, 1), padding="same", use_bias=False, name=f"conv_pw_{block}"
        )(x)
        x = normalized(x, f"conv_pw_{block}")
    if include_top:
        x = layers.GlobalAveragePooling2D(keepdims=True)(x)
        x = layers.Dropout(dropout, name="dropout")(x)
        x = layers.Conv2D(classes, (1, 1), padding="same", name="conv_preds")(x)
        x = layers.Reshape((classes,), name="reshape_2")(x)
        x = layers.Activation(classifier_activation, name="predictions")(x)
    else:
        x = pooled(x, pooling)

    def file() -> tuple:
        width = {1.0: "1_0", 0.75: "7_5", 0.5: "5_0"}.get(alpha, "2_5")
        return (
            "mobilenet",
            f"mobilenet_{width}_{rows}_tf{'' if include_top else '_no_top'}.h5",
            None,
        )

    name = name or f"mobilenet_{alpha:0.2f}_{rows}"
    return finish(images, input_tensor, x, name, weights, file)


def _divisible(count: float, divisor: int = 8) -> int:
    """`count` as a multiple of `divisor`, not less than 90 % of it."""
    rounded = max(divisor, int(count + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * count else rounded


def _padding(x: Any) -> tuple:
    """Zeros around `x` so that a kernel of 3 with stride 2 does what "same" did in training."""
    sides = x.shape[2:4] if first_format() else x.shape[1:3]
    adjust = (1, 1) if sides[0] is None else tuple(1 - side % 2 for side in sides)
    return tuple((1 - one, 1) for one in adjust)


# Filters, blocks, stride of the first block, expansion of each group of inverted residual blocks.
_GROUPS = (
    (16, 1, 1, 1),
    (24, 2, 2, 6),
    (32, 3, 2, 6),
    (64, 4, 2, 6),
    (96, 3, 1, 6),
    (160, 3, 2, 6),
    (320, 1, 1, 6),
)


@documented
def MobileNetV2(
    input_shape: Any = None,
    alpha: float = 1.0,
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = None,
) -> Any:
    """MobileNet version 2, of inverted residual blocks.

    `alpha` (default 1.0) multiplies the number of filters.

    {arguments}
    """
    check_weights(weights, include_top, classes, classifier_activation)
    sizes = (96, *_SIZES)
    side = _side(input_shape, input_tensor, sizes)
    shape = image_shape(input_shape, side, 32, include_top, weights)
    rows = _trained_side(shape, weights, alpha, (0.35, 0.5, 0.75, 1.0, 1.3, 1.4), sizes)
    images = start(input_tensor, shape)

    def normalized(x: Any, name: str) -> Any:
        return layers.BatchNormalization(axis=_axis(), epsilon=1e-3, momentum=0.999, name=name)(x)

    x = layers.Conv2D(
        _divisible(32 * alpha),
        kernel_size=3,
        strides=(2, 2),
        padding="same",
        use_bias=False,
        name="Conv1",
    )(images)
    x = layers.ReLU(6.0, name="Conv1_relu")(normalized(x, "bn_Conv1"))
    block = 0
    for filters, blocks, first_stride, expansion in _GROUPS:
        for number in range(blocks):
            stride = first_stride if number == 0 else 1
            before, channels = x, x.shape[_axis()]
            prefix = f"block_{block}_" if block else "expanded_conv_"
            if block:
                x = layers.Conv2D(
                    expansion * channels, 1, padding="same", use_bias=False, name=f"{prefix}expand"
                )(x)
                x = normalized(x, f"{prefix}expand_BN")
                x = layers.ReLU(6.0, name=f"{prefix}expand_relu")(x)
            if stride == 2:
                x = layers.ZeroPadding2D(_padding(x), name=f"{prefix}pad")(x)
            x = layers.DepthwiseConv2D(
                3,
                strides=stride,
                use_bias=False,
                padding="same" if stride == 1 else "valid",
                name=f"{prefix}depthwise",
            )(x)
            x = normalized(x, f"{prefix}depthwise_BN")
            x = layers.ReLU(6.0, name=f"{prefix}depthwise_relu")(x)
            count = _divisible(int(filters * alpha))
            x = layers.Conv2D(count, 1, padding="same", use_bias=False, name=f"{prefix}project")(x)
            x = normalized(x, f"{prefix}project_BN")
            if channels == count and stride == 1:
                x = layers.Add(name=f"{prefix}add")([before, x])
            block += 1
    last = _divisible(1280 * alpha) if alpha > 1.0 else 1280
    x = layers.Conv2D(last, kernel_size=1, use_bias=False, name="Conv_1")(x)
    x = layers.ReLU(6.0, name="out_relu")(normalized(x, "Conv_1_bn"))
    if include_top:
        x = layers.GlobalAveragePooling2D()(x)
        x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    else:
        x = pooled(x, pooling)

    def file() -> tuple:
        ending = "" if include_top else "_no_top"
        kernels = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(alpha)}_{rows}{ending}"
        return "mobilenet_v2", f"{kernels}.h5", None

    name = name or f"mobilenetv2_{alpha:0.2f}_{rows}"
    return finish(images, input_tensor, x, name, weights, file)

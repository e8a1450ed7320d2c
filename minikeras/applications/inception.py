"""Inception version 3 (Szegedy et al. 2015) and Xception (Chollet 2016)."""

from __future__ import annotations

from typing import Any

from minikeras import layers
from minikeras.applications.building import (
    channel_axis,
    check_weights,
    documented,
    finish,
    first_format,
    image_shape,
    kernels_file,
    pooled,
    start,
)

_HASHES = {
    "inception_v3": ("9a0d58056eeedaa3f26cb7ebd46da564", "bcbd6486424b2319ff4ef7d526e38f63"),
    "xception": ("0a58e3b7378bc2990ea3b43d5981f1f6", "b0042744bf5b25fce3cb969f33bebb97"),
}


def _convolve(
    x: Any, filters: int, rows: int, columns: int, padding: str = "same", strides: Any = (1, 1)
) -> Any:
    x = layers.Conv2D(filters, (rows, columns), strides=strides, padding=padding, use_bias=False)(x)
    x = layers.BatchNormalization(axis=channel_axis(), scale=False)(x)
    return layers.Activation("relu")(x)


def _chain(x: Any, *convolutions: tuple) -> Any:
    for filters, rows, columns in convolutions:
        x = _convolve(x, filters, rows, columns)
    return x


def _halved(x: Any, filters: int) -> Any:
    return _convolve(x, filters, 3, 3, padding="valid", strides=(2, 2))


def _joined(branches: list, name: str | None) -> Any:
    return layers.concatenate(branches, axis=channel_axis(), name=name)


def _averaged(x: Any, filters: int) -> Any:
    x = layers.AveragePooling2D((3, 3), strides=(1, 1), padding="same")(x)
    return _convolve(x, filters, 1, 1)


@documented
def InceptionV3(
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "inception_v3",
) -> Any:
    """Inception version 3; its images have 299 rows and columns by default, and at least 75.

    {arguments}
    """
    check_weights(weights, include_top, classes, classifier_activation)
    images = start(input_tensor, image_shape(input_shape, 299, 75, include_top, weights))
    x = _convolve(images, 32, 3, 3, padding="valid", strides=(2, 2))
    x = _convolve(x, 32, 3, 3, padding="valid")
    x = _convolve(x, 64, 3, 3)
    x = layers.MaxPooling2D((3, 3), strides=(2, 2))(x)
    x = _convolve(x, 80, 1, 1, padding="valid")
    x = _convolve(x, 192, 3, 3, padding="valid")
    x = layers.MaxPooling2D((3, 3), strides=(2, 2))(x)
    for number, filters in enumerate((32, 64, 64)):
        branches = [
            _chain(x, (64, 1, 1)),
            _chain(x, (48, 1, 1), (64, 5, 5)),
            _chain(x, (64, 1, 1), (96, 3, 3), (96, 3, 3)),
            _averaged(x, filters),
        ]
        x = _joined(branches, f"mixed{number}")
    branches = [
        _halved(x, 384),
        _halved(_chain(x, (64, 1, 1), (96, 3, 3)), 96),
        layers.MaxPooling2D((3, 3), strides=(2, 2))(x),
    ]
    x = _joined(branches, "mixed3")
    for number, n in enumerate((128, 160, 160, 192), 4):
        branches = [
            _chain(x, (192, 1, 1)),
            _chain(x, (n, 1, 1), (n, 1, 7), (192, 7, 1)),
            _chain(x, (n, 1, 1), (n, 7, 1), (n, 1, 7), (n, 7, 1), (192, 1, 7)),
            _averaged(x, 192),
        ]
        x = _joined(branches, f"mixed{number}")
    branches = [
        _halved(_chain(x, (192, 1, 1)), 320),
        _halved(_chain(x, (192, 1, 1), (192, 1, 7), (192, 7, 1)), 192),
        layers.MaxPooling2D((3, 3), strides=(2, 2))(x),
    ]
    x = _joined(branches, "mixed8")
    for number in range(2):
        one = _chain(x, (320, 1, 1))
        three = _chain(x, (384, 1, 1))
        three = [_chain(three, (384, 1, 3)), _chain(three, (384, 3, 1))]
        joined = _joined(three, f"mixed9_{number}")
        double = _chain(x, (448, 1, 1), (384, 3, 3))
        double = _joined([_chain(double, (384, 1, 3)), _chain(double, (384, 3, 1))], None)
        x = _joined([one, joined, double, _averaged(x, 192)], f"mixed{9 + number}")
    if include_top:
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    else:
        x = pooled(x, pooling)
    return finish(
        images, input_tensor, x, name, weights,
        lambda: kernels_file("inception_v3", include_top, _HASHES["inception_v3"]),
    )  # fmt: skip


@documented
def Xception(
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "xception",
) -> Any:
    """Xception; its images have 299 rows and columns by default, and at least 71.

    {arguments}
    """
    check_weights(weights, include_top, classes, classifier_activation)
    images = start(input_tensor, image_shape(input_shape, 299, 71, include_top, weights))
    axis = 1 if first_format() else -1

    def normalized(x: Any, name: str | None = None) -> Any:
        return layers.BatchNormalization(axis=axis, name=name)(x)

    def rectified(x: Any, name: str) -> Any:
        return layers.Activation("relu", name=f"{name}_act")(x)

    def separable(x: Any, filters: int, name: str) -> Any:
        x = layers.SeparableConv2D(filters, (3, 3), padding="same", use_bias=False, name=name)(x)
        return normalized(x, f"{name}_bn")

    def shortcut(x: Any, filters: int) -> Any:
        x = layers.Conv2D(filters, (1, 1), strides=(2, 2), padding="same", use_bias=False)(x)
        return normalized(x)

    x = layers.Conv2D(32, (3, 3), strides=(2, 2), use_bias=False, name="block1_conv1")(images)
    x = rectified(normalized(x, "block1_conv1_bn"), "block1_conv1")
    x = layers.Conv2D(64, (3, 3), use_bias=False, name="block1_conv2")(x)
    x = rectified(normalized(x, "block1_conv2_bn"), "block1_conv2")
    # Filters of the two convolutions of the blocks that halve the image.
    halving = {2: (128, 128), 3: (256, 256), 4: (728, 728), 13: (728, 1024)}
    for block in range(2, 14):
        before = shortcut(x, halving[block][1]) if block in halving else x
        for number, filters in enumerate(halving.get(block, (728,) * 3), 1):
            part = f"block{block}_sepconv{number}"
            if part != "block2_sepconv1":
                x = rectified(x, part)
            x = separable(x, filters, part)
        if block in halving:
            x = layers.MaxPooling2D(
                (3, 3), strides=(2, 2), padding="same", name=f"block{block}_pool"
            )(x)
        x = layers.add([x, before])
    for number, filters in enumerate((1536, 2048), 1):
        part = f"block14_sepconv{number}"
        x = rectified(separable(x, filters, part), part)
    if include_top:
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    else:
        x = pooled(x, pooling)
    return finish(
        images, input_tensor, x, name, weights,
        lambda: kernels_file("xception", include_top, _HASHES["xception"]),
    )  # fmt: skip

"""VGG (Simonyan and Zisserman 2014, "Very deep convolutional networks")."""

from __future__ import annotations

from typing import Any

from minikeras import layers
from minikeras.applications.building import (
    check_weights,
    documented,
    finish,
    image_shape,
    kernels_file,
    pooled,
    start,
)

# Convolutions of each block; the hashes of the weights, with and without the classifier.
_BLOCKS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
_HASHES = {
    "vgg16": ("64373286793e3c8b2b4e3219cbf3544b", "6d6bbae143d832006294945121d1f1fc"),
    "vgg19": ("cbe5617147190e668d6c5d5026f83318", "253f8cb515780f3b799900260a226db6"),
}


def _vgg(
    kind: str,
    include_top: bool,
    weights: Any,
    input_tensor: Any,
    input_shape: Any,
    pooling: str | None,
    classes: int,
    classifier_activation: Any,
    name: str,
) -> Any:
    check_weights(weights, include_top, classes, classifier_activation)
    shape = image_shape(input_shape, 224, 32, include_top, weights)
    x = images = start(input_tensor, shape)
    for block, count in enumerate(_BLOCKS[kind], 1):
        for number in range(1, count + 1):
            x = layers.Conv2D(
                min(64 * 2 ** (block - 1), 512),
                (3, 3),
                activation="relu",
                padding="same",
                name=f"block{block}_conv{number}",
            )(x)
        x = layers.MaxPooling2D((2, 2), strides=(2, 2), name=f"block{block}_pool")(x)
    if include_top:
        x = layers.Flatten(name="flatten")(x)
        x = layers.Dense(4096, activation="relu", name="fc1")(x)
        x = layers.Dense(4096, activation="relu", name="fc2")(x)
        x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    else:
        x = pooled(x, pooling)
    return finish(
        images, input_tensor, x, name, weights,
        lambda: kernels_file(kind, include_top, _HASHES[kind]),
    )  # fmt: skip


@documented
def VGG16(
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "vgg16",
) -> Any:
    """VGG with 16 layers of weights.

    {arguments}
    """
    return _vgg(
        "vgg16", include_top, weights, input_tensor, input_shape, pooling, classes,
        classifier_activation, name,
    )  # fmt: skip


@documented
def VGG19(
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "vgg19",
) -> Any:
    """VGG with 19 layers of weights.

    {arguments}
    """
    return _vgg(
        "vgg19", include_top, weights, input_tensor, input_shape, pooling, classes,
        classifier_activation, name,
    )  # fmt: skip

"""Deep networks of convolutions.

VGG (Simonyan and Zisserman 2014, "Very deep convolutional networks"), residual networks (He et al.
2015; version 2, He et al. 2016, normalizes before each block), Inception version 3 (Szegedy et al.
2015) and Xception (Chollet 2016).
"""

from __future__ import annotations

from collections.abc import Callable
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

# Blocks of each stack; the hashes of the weights, with and without the classifier.
_STACKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
_HASHES = {
    "resnet50": ("2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626"),
    "resnet101": ("f1aeb4b969a6efcfb50fad2f0c20cfc5", "88cf7a10940856eca736dc7b7e228a21"),
    "resnet152": ("100835be76be38e30d865e96f2aaae62", "ee4c566cf9a93f14d82f913c2dc6dd0c"),
    "resnet50v2": ("3ef43a0b657b3be2300d5770ece849e0", "fac2f116257151a9d068a22e544a4917"),
    "resnet101v2": ("6343647c601c52e1368623803854d971", "c0ed64b8031c3730f411d2eb4eea35b5"),
    "resnet152v2": ("a49b44d1979771252814e80f8ec446f9", "ed17cf2e0169df9d443503ef94b23b33"),
    "vgg16": ("64373286793e3c8b2b4e3219cbf3544b", "6d6bbae143d832006294945121d1f1fc"),
    "vgg19": ("cbe5617147190e668d6c5d5026f83318", "253f8cb515780f3b799900260a226db6"),
    "inception_v3": ("9a0d58056eeedaa3f26cb7ebd46da564", "bcbd6486424b2319ff4ef7d526e38f63"),
    "xception": ("0a58e3b7378bc2990ea3b43d5981f1f6", "b0042744bf5b25fce3cb969f33bebb97"),
}


def _normalize(x: Any, name: str) -> Any:
    return layers.BatchNormalization(axis=channel_axis(), epsilon=1.001e-5, name=f"{name}_bn")(x)


def _rectify(x: Any, name: str) -> Any:
    return layers.Activation("relu", name=f"{name}_relu")(x)


def _block(x: Any, filters: int, stride: int, projects: bool, name: str) -> Any:
    shortcut = x
    if projects:
        shortcut = layers.Conv2D(4 * filters, 1, strides=stride, name=f"{name}_0_conv")(x)
        shortcut = _normalize(shortcut, f"{name}_0")
    x = layers.Conv2D(filters, 1, strides=stride, name=f"{name}_1_conv")(x)
    x = _rectify(_normalize(x, f"{name}_1"), f"{name}_1")
    x = layers.Conv2D(filters, 3, padding="same", name=f"{name}_2_conv")(x)
    x = _rectify(_normalize(x, f"{name}_2"), f"{name}_2")
    x = layers.Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x)
    x = layers.Add(name=f"{name}_add")([shortcut, _normalize(x, f"{name}_3")])
    return layers.Activation("relu", name=f"{name}_out")(x)


def _block_v2(x: Any, filters: int, stride: int, projects: bool, name: str) -> Any:
    before = _rectify(_normalize(x, f"{name}_preact"), f"{name}_preact")
    shortcut = x
    if projects:
        shortcut = layers.Conv2D(4 * filters, 1, strides=stride, name=f"{name}_0_conv")(before)
    elif stride > 1:
        shortcut = layers.MaxPooling2D(1, strides=stride)(x)
    x = layers.Conv2D(filters, 1, strides=1, use_bias=False, name=f"{name}_1_conv")(before)
    x = _rectify(_normalize(x, f"{name}_1"), f"{name}_1")
    x = layers.ZeroPadding2D(((1, 1), (1, 1)), name=f"{name}_2_pad")(x)
    x = layers.Conv2D(filters, 3, strides=stride, use_bias=False, name=f"{name}_2_conv")(x)
    x = _rectify(_normalize(x, f"{name}_2"), f"{name}_2")
    x = layers.Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x)
    return layers.Add(name=f"{name}_out")([shortcut, x])


def _resnet(
    depth: int,
    second: bool,
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
    images = start(input_tensor, image_shape(input_shape, 224, 32, include_top, weights))
    x = layers.ZeroPadding2D(((3, 3), (3, 3)), name="conv1_pad")(images)
    x = layers.Conv2D(64, 7, strides=2, name="conv1_conv")(x)
    if not second:
        x = _rectify(_normalize(x, "conv1"), "conv1")
    x = layers.ZeroPadding2D(((1, 1), (1, 1)), name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for stack, blocks in enumerate(_STACKS[depth]):
        for number in range(blocks):
            # The stride of a stack is in its first block; in version 2 it is in the last, and the
            # last stack has none.
            strided = number == blocks - 1 and stack < 3 if second else number == 0 and stack > 0
            x = (_block_v2 if second else _block)(
                x,
                64 * 2**stack,
                2 if strided else 1,
                number == 0,
                f"conv{stack + 2}_block{number + 1}",
            )
    if second:
        x = _rectify(_normalize(x, "post"), "post")
    if include_top:
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    else:
        x = pooled(x, pooling, ("avg_pool", "max_pool"))
    kind = f"resnet{depth}{'v2' if second else ''}"
    return finish(
        images, input_tensor, x, name, weights,
        lambda: kernels_file("resnet", include_top, _HASHES[kind], kind),
    )  # fmt: skip


def _network(depth: int, second: bool) -> Callable:
    kind = f"ResNet{depth}{'V2' if second else ''}"

    @documented
    def network(
        include_top: bool = True,
        weights: Any = "imagenet",
        input_tensor: Any = None,
        input_shape: Any = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: Any = "softmax",
        name: str = kind.lower(),
    ) -> Any:
        """A residual network.

        {arguments}
        """
        return _resnet(
            depth, second, include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        )  # fmt: skip

    network.__name__ = network.__qualname__ = kind
    version = ", version 2" if second else ""
    doc = (network.__doc__ or "").replace("network.", f"network of depth {depth}{version}.", 1)
    network.__doc__ = doc
    return network


ResNet50, ResNet101, ResNet152 = (_network(depth, False) for depth in _STACKS)
ResNet50V2, ResNet101V2, ResNet152V2 = (_network(depth, True) for depth in _STACKS)


# Convolutions of each block; the hashes of the weights, with and without the classifier.
_BLOCKS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}


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

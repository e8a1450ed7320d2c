"""Residual networks (He et al. 2015; version 2, He et al. 2016, normalizes before each block)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minikeras import layers
from minikeras.applications.building import (
    channel_axis,
    check_weights,
    documented,
    finish,
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

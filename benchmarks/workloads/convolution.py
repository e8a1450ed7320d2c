"""Convolutional networks on small images."""

import numpy as np
from floors import epoch_of, products

ORDER = 40
VARIANTS = {
    "cnn-28x28": {"kind": "plain"},
    "cnn-vgg": {"kind": "vgg"},
    "cnn-separable": {"kind": "separable"},
}
TITLES = {
    "plain": "2048 x 28x28x1, Conv32-pool-Conv64-pool-Dense10, batch 128, adam",
    "vgg": "512 x 32x32x3, VGG style 2xConv32-2xConv64-Dense128, batch norm, dropout, batch 64",
    "separable": "1024 x 32x32x3, Conv32, SeparableConv64, SeparableConv128, batch 64, adam",
}
SHAPES = {"plain": (2048, 28, 28, 1), "vgg": (512, 32, 32, 3), "separable": (1024, 32, 32, 3)}


def plain(keras):
    layers = keras.layers
    return [
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
    ]


def vgg(keras):
    layers = keras.layers
    stack = []
    for filters in (32, 64):
        for _ in range(2):
            stack += [
                layers.Conv2D(filters, 3, padding="same", activation="relu"),
                layers.BatchNormalization(),
            ]
        stack += [layers.MaxPooling2D(), layers.Dropout(0.25)]
    return [*stack, layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dropout(0.5)]


def separable(keras):
    layers = keras.layers
    return [
        layers.Conv2D(32, 3, strides=2, padding="same", activation="relu"),
        layers.SeparableConv2D(64, 3, padding="same", activation="relu"),
        layers.SeparableConv2D(128, 3, padding="same", activation="relu"),
        layers.GlobalAveragePooling2D(),
    ]


STACKS = {"plain": plain, "vgg": vgg, "separable": separable}


def torch_stack(nn, kind: str):
    def conv(fan_in, fan_out, padding, size=3, **options):
        return nn.Conv2d(fan_in, fan_out, size, padding=padding, **options)

    if kind == "plain":
        return [
            conv(1, 32, 0), nn.ReLU(), nn.MaxPool2d(2), conv(32, 64, 0), nn.ReLU(),
            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1600, 10),
        ]  # fmt: skip
    if kind == "vgg":
        stack, fan_in = [], 3
        for filters in (32, 64):
            for _ in range(2):
                stack += [conv(fan_in, filters, 1), nn.ReLU(), nn.BatchNorm2d(filters)]
                fan_in = filters
            stack += [nn.MaxPool2d(2), nn.Dropout(0.25)]
        return [
            *stack, nn.Flatten(), nn.Linear(4096, 128), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(128, 10),
        ]  # fmt: skip
    stack = [conv(3, 32, 1, stride=2), nn.ReLU()]
    for fan_in, fan_out in ((32, 64), (64, 128)):
        stack += [conv(fan_in, fan_in, 1, groups=fan_in), conv(fan_in, fan_out, 0, 1), nn.ReLU()]
    return [*stack, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10)]


# Output rows and columns, patch size and filters of each product; the last layers are dense.
PRODUCTS = {
    "plain": [(26 * 26, 9, 32), (11 * 11, 9 * 32, 64), (1, 1600, 10)],
    "vgg": [
        (1024, 27, 32), (1024, 288, 32), (256, 288, 64), (256, 576, 64), (1, 4096, 128),
        (1, 128, 10),
    ],
    "separable": [(256, 27, 32), (256, 32, 64), (256, 64, 128), (1, 128, 10)],
}  # fmt: skip


def variant(kind: str) -> dict:
    shape = SHAPES[kind]
    batch = 128 if kind == "plain" else 64

    def data():
        rng = np.random.default_rng(0)
        return rng.random(shape, dtype=np.float32), rng.integers(0, 10, shape[0])

    def build(keras):
        model = keras.Sequential(
            [
                keras.Input(shape[1:]),
                *STACKS[kind](keras),
                keras.layers.Dense(10, activation="softmax"),
            ]
        )
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def torch_parts(torch):
        model = torch.nn.Sequential(*torch_stack(torch.nn, kind))
        optimizer = torch.optim.Adam(model.parameters())
        return (
            model,
            torch.nn.CrossEntropyLoss(),
            optimizer,
            lambda x, y: (x.permute(0, 3, 1, 2).contiguous(), y),
        )

    def floor():
        layers = [
            products(batch * places, fan_in, fan_out, first=index == 0)
            for index, (places, fan_in, fan_out) in enumerate(PRODUCTS[kind])
        ]
        return epoch_of(-(-shape[0] // batch), layers)

    return {
        "TITLE": TITLES[kind],
        "KIND": "fit",
        "UNIT": "epoch",
        "BATCH": batch,
        "EPOCHS": 1,
        "data": data,
        "build": build,
        "torch_parts": torch_parts,
        "floor": floor,
    }

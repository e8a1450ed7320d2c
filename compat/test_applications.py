"""The networks of `applications` are those of Keras, layer by layer."""

import json

import keras
import numpy as np
import pytest

import minikeras

NETWORKS = {
    "VGG16": (64, {}),
    "VGG19": (48, {"pooling": "avg"}),
    "ResNet50": (64, {}),
    "ResNet101": (32, {"pooling": "max"}),
    "ResNet152": (32, {}),
    "ResNet50V2": (64, {"pooling": "avg"}),
    "ResNet101V2": (32, {}),
    "ResNet152V2": (32, {}),
    "MobileNet": (96, {"alpha": 0.5}),
    "MobileNetV2": (96, {"alpha": 1.4}),
    "InceptionV3": (75, {}),
    "Xception": (71, {"pooling": "avg"}),
}


def outline(model):
    """Layers with their shapes, weights and the layers they read, automatic names left out."""
    names = {layer.name: index for index, layer in enumerate(model.layers)}
    rows = []
    for layer in model.layers:
        config = layer.get_config()
        for key in ("name", "dtype", "batch_shape", "sparse", "ragged", "optional"):
            config.pop(key, None)
        parents = [
            names[tensor._keras_history.operation.name]
            for node in layer._inbound_nodes[-1:]
            for tensor in node.input_tensors
        ]
        rows.append(
            (
                type(layer).__name__,
                [tuple(weight.shape) for weight in layer.weights],
                json.loads(json.dumps(config, default=str)),
                sorted(parents),
            )
        )
    return rows


@pytest.mark.parametrize("top", [False, True])
@pytest.mark.parametrize("network", NETWORKS)
def test_same_network(network, top):
    side, options = NETWORKS[network]
    if top and network in ("VGG19", "ResNet101", "ResNet152", "ResNet101V2", "ResNet152V2"):
        pytest.skip("the top is that of the smallest of its family")
    if top and network.startswith("VGG"):
        side = 32  # the dense layers on top are large
    arguments = {
        **options, "weights": None, "include_top": top, "input_shape": (side, side, 3), "classes": 7
    }  # fmt: skip
    theirs = getattr(keras.applications, network)(**arguments)
    ours = getattr(minikeras.applications, network)(**arguments)
    assert ours.name == theirs.name
    assert ours.output_shape == theirs.output_shape
    assert outline(ours) == outline(theirs)
    automatic = ("conv2d", "batch_norm", "activation", "add", "input", "max_pool", "average",
                 "concat", "global")  # fmt: skip
    named = [one.name for one in ours.layers if not one.name.startswith(automatic)]
    assert named == [one.name for one in theirs.layers if not one.name.startswith(automatic)]
    if not top and network in ("VGG16", "ResNet50", "ResNet50V2", "MobileNet", "MobileNetV2"):
        ours.set_weights(theirs.get_weights())
        images = np.random.default_rng(0).random((2, side, side, 3), dtype="float32")
        np.testing.assert_allclose(
            ours.predict(images, verbose=0), theirs(images, training=False), rtol=2e-4, atol=2e-5
        )


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("axes", [3, 4])
def test_preprocess_input(mode, data_format, axes):
    shape = [2, 4, 5, 3] if data_format == "channels_last" else [2, 3, 4, 5]
    images = np.random.default_rng(1).integers(0, 256, shape[4 - axes :])
    for kind in ("uint8", "float32", "float64"):
        found = minikeras.applications.imagenet_utils.preprocess_input(
            images.astype(kind), data_format, mode
        )
        expected = keras.applications.imagenet_utils.preprocess_input(
            images.astype(kind), data_format, mode
        )
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-5)
    tensor = images.astype("float32")
    np.testing.assert_allclose(
        minikeras.applications.imagenet_utils.preprocess_input(
            minikeras.ops.convert_to_tensor(tensor), data_format, mode
        ),
        keras.applications.imagenet_utils.preprocess_input(
            keras.ops.convert_to_tensor(tensor), data_format, mode
        ),
        rtol=1e-6,
        atol=1e-5,
    )


@pytest.mark.parametrize("module", ["vgg16", "resnet", "resnet_v2", "mobilenet_v2", "xception"])
def test_each_module_preprocesses_as_its_network_was_trained(module):
    images = np.full((1, 2, 2, 3), 100.0, "float32")
    found = getattr(minikeras.applications, module).preprocess_input(images.copy())
    expected = getattr(keras.applications, module).preprocess_input(images.copy())
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "arguments",
    [
        {"weights": "nowhere.h5"},
        {"weights": "imagenet", "classes": 10},
        {"weights": None, "input_shape": (16, 16, 3)},
        {"weights": None, "input_shape": (64, 64)},
        {"weights": None, "input_shape": (None, None, 3)},
        {"weights": "imagenet", "classifier_activation": "relu"},
        {"weights": "imagenet", "input_shape": (64, 64, 3)},
        {"weights": "imagenet", "include_top": False, "input_shape": (64, 64, 1)},
    ],
)
@pytest.mark.parametrize("network", ["VGG16", "ResNet50", "MobileNet", "MobileNetV2", "Xception"])
def test_errors(network, arguments):
    with pytest.raises(ValueError):
        getattr(minikeras.applications, network)(**arguments)

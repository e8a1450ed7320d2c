"""What older versions of Keras computed otherwise in training and in evaluation."""

import io
import json
import zipfile

import h5py
import numpy as np
import pytest

import minikeras as keras
from minikeras.dialects import eras


def opened(*layers, version):
    config = {"class_name": "Sequential", "config": list(layers), "keras_version": version}
    return keras.models.model_from_json(json.dumps(config))


def record(name, **config):
    return {"class_name": name, "config": {"name": name.lower(), **config}}


@pytest.mark.parametrize(
    ("version", "normalized", "tracked"),
    [
        ("2.0.9", True, True),
        ("2.1.2", True, True),
        ("2.1.3", True, False),
        ("2.3.1", True, False),
        ("2.10.0", False, False),
    ],
)
def test_frozen_normalization(version, normalized, tracked):
    config = {"momentum": 0.5, "batch_input_shape": [None, 1], "trainable": False}
    model = opened(record("BatchNormalization", **config), version=version)
    y = model(np.array([[1.0], [3.0]]), training=True).numpy()
    assert np.allclose(y.ravel(), [-1, 1] if normalized else [1, 3], atol=2e-3)
    assert (float(model.layers[0].moving_mean[0]) != 0) == tracked


@pytest.mark.parametrize(
    ("version", "rows", "images"),
    [
        ("2.1.1", 1, 1),
        ("2.1.3", 1, 4 / 3),
        ("2.3.1", 4 / 2.5, 4 / 2.5 * 4 / 3),
        ("2.10.0", 1, 4 / 3),
    ],
)
def test_the_variance_that_was_tracked(version, rows, images):
    for shape, factor in (((4, 1), rows), ((1, 2, 2, 1), images)):
        layer = keras.layers.BatchNormalization(momentum=0.0, epsilon=0.5)
        model = keras.Sequential([keras.Input(shape[1:]), layer])
        eras.settle(model, version)
        model(np.array([1.0, 1.0, 3.0, 3.0], "float32").reshape(shape), training=True)
        assert float(layer.moving_variance[0]) == pytest.approx(factor)


@pytest.mark.parametrize(
    ("version", "moves"),
    [("1.0.8", False), ("1.2.2", True), ("2.0.4", False), ("2.0.9", True), ("2.10.0", True)],
)
def test_statistics_within_time_distributed(version, moves):
    inner = record("BatchNormalization", mode=0) if version < "2" else record("BatchNormalization")
    config = {"layer": inner, "batch_input_shape": [None, 2, 1]}
    model = opened(record("TimeDistributed", **config), version=version)
    model(np.ones((2, 2, 1)), training=True)
    assert (float(model.layers[0].layer.moving_mean[0]) != 0) == moves


@pytest.mark.parametrize(
    ("version", "weighted", "expected"),
    [("3.11.3", False, 1.5), ("3.11.3", True, 1.0), ("3.12.0", False, 1.0), ("2.15.0", False, 1.0)],
)
def test_masks_in_metrics(version, weighted, expected):
    model = keras.Sequential([keras.Input((2, 1)), keras.layers.Masking(0.0)])
    kind = {"weighted_metrics" if weighted else "metrics": ["mae"]}
    model.compile("sgd", "mse", **kind)
    eras.settle(model, version)
    x, y = np.array([[[1.0], [0.0]]]), np.full((1, 2, 1), 2.0)
    weights = np.ones((1, 2)) if weighted else None
    got = model.evaluate(x, y, sample_weight=weights, return_dict=True, verbose=0)
    assert got["mae"] == pytest.approx(expected)


def test_accuracy_of_each_of_several_outputs():
    losses = ["mse", "binary_crossentropy"]
    binary = {"class_name": "BinaryAccuracy", "config": {"name": "accuracy"}}
    for metrics in (["accuracy"], [["accuracy"], ["accuracy"]]):
        got = eras.binary_accuracies(metrics, losses, "2.3.1")
        assert got == [["accuracy"], [binary]]
    assert eras.binary_accuracies(["accuracy"], losses, "2.10.0") == ["accuracy"]


def test_an_input_by_the_name_of_a_dropout_of_nothing():
    """Keras 1 returned the input itself, which then was known as what the dropout gave."""
    inputs = {"name": "x", "batch_input_shape": [None, 2], "input_dtype": "float32"}
    calls = {"x": [], "drop": [[["x", 0, 0]]], "again": [[["drop", 0, 0]]],
             "y": [[["x", 0, 0]]]}  # fmt: skip
    layers = [
        {"class_name": "InputLayer", "config": inputs},
        {"class_name": "Dropout", "config": {"name": "drop", "p": 0.0}},
        {"class_name": "Dropout", "config": {"name": "again", "p": 0.0}},
        {"class_name": "Activation", "config": {"name": "y", "activation": "relu"}},
    ]
    for one in layers:
        one["name"] = one["config"]["name"]
        one["inbound_nodes"] = calls[one["name"]]
    config = {"name": "m", "layers": layers, "input_layers": [["again", 0, 0]],
              "output_layers": [["y", 0, 0]]}  # fmt: skip
    text = json.dumps({"class_name": "Model", "config": config, "keras_version": "1.0.8"})
    model = keras.models.model_from_json(text)
    assert model.predict(np.array([[-1.0, 2.0]]), verbose=0).tolist() == [[0, 2]]


def test_state_of_adafactor_without_places_that_vectors_have_not(tmp_path):
    x, y = np.ones((4, 2), "float32"), np.zeros((4, 1), "float32")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.Adafactor(0.1), "mse")
    model.train_on_batch(x, y)
    path = tmp_path / "m.h5"
    model.save(path)
    optimizer = model.optimizer
    values = [optimizer.iterations, optimizer._r[0], optimizer._c[0], *optimizer._v]
    with h5py.File(path, "r+") as file:
        del file["optimizer_weights"]
        group = file.create_group("optimizer_weights")
        group.attrs["weight_names"] = ["iteration:0", *(f"Adafactor/{i}/w:0" for i in range(4))]
        for name, value in zip(group.attrs["weight_names"], values):
            group[name] = np.asarray(value)
    again = keras.saving.load_model(path)
    assert int(again.optimizer.iterations) == 1
    for one in (model, again):
        one.train_on_batch(x, y)
    assert np.allclose(model.get_weights()[0], again.get_weights()[0], atol=1e-7)


def test_mean_relative_error():
    config = {"normalizer": [1.0, 3.0, 2.0, 0.0]}
    metric = keras.metrics.deserialize({"class_name": "MeanRelativeError", "config": config})
    metric.update_state([1, 3, 2, 3], [2, 4, 6, 8])
    assert float(metric.result()) == pytest.approx((1 + 1 / 3 + 2) / 4)
    again = type(metric).from_config(metric.get_config())
    assert again.get_config() == metric.get_config()
    config["normalizer"] = {
        "class_name": "__numpy__",
        "config": {"value": [1.0, 3.0, 2.0, 0.0], "dtype": "float32"},
    }
    assert float(type(metric).from_config(config)([1, 3, 2, 3], [2, 4, 6, 8])) == metric.result()


def test_numbers_of_bins_are_no_dtype_of_inputs():
    layer = keras.layers.Discretization.from_config(
        {"bin_boundaries": [-0.5, 0.0, 0.4], "output_mode": "int", "dtype": "int64"}
    )
    assert layer([-0.7, -0.2, 0.3, 0.5]).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_a_calibrated_layer_without_zero_points(name, tmp_path):
    layer = keras.layers.Dense(4, use_bias=False, dtype="gptq/4/2_from_float32")
    model = keras.Sequential([keras.Input((4,)), layer])
    layer.load_own_variables({str(i): one.numpy() for i, one in enumerate(layer.weights)})
    model.save(tmp_path / name)
    keras.saving.load_model(tmp_path / name, compile=False)
    if name.endswith(".keras"):
        with zipfile.ZipFile(tmp_path / name) as archive:
            members = {one: archive.read(one) for one in archive.namelist()}
        data = io.BytesIO(members["model.weights.h5"])
        with h5py.File(data, "r+") as file:
            values = file["layers/dense/vars"]
            del values["2"]
            values.move("3", "2")
        members["model.weights.h5"] = data.getvalue()
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for one, content in members.items():
                archive.writestr(one, content)
    else:
        with h5py.File(tmp_path / name, "r+") as file:
            group = file["model_weights"][layer.name]
            names = [one for one in group.attrs["weight_names"] if "zero" not in one]
            assert len(names) == 3
            group.attrs["weight_names"] = names
    with pytest.raises(ValueError, match="kernel_zero"):
        keras.saving.load_model(tmp_path / name, compile=False)


def test_formats_of_exports():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="format='nonsense'"):
        model.export("m", format="nonsense")
    with pytest.raises(NotImplementedError, match="'onnx'"):
        model.export("m", "onnx")


def test_a_wrapped_model_whose_one_output_is_in_a_list():
    inputs = keras.Input((3,))
    inner = keras.Model(inputs, [keras.layers.Dense(2, kernel_initializer="ones")(inputs)])
    layer = keras.layers.TimeDistributed(inner)
    sequence = keras.Input((4, 3))
    model = keras.Model(sequence, layer(sequence))
    assert model.output_shape == (None, 4, 2)
    for joined in (False, True):
        layer._joins_steps = joined
        assert (model.predict(np.ones((1, 4, 3)), verbose=0) == np.full((1, 4, 2), 3)).all()


@pytest.mark.parametrize(
    ("order", "shape"),
    [("th", (None, 3, 4, 3)), ("tf", (None, 4, 3, 3)), (None, (None, 4, 4, 2))],
)
def test_the_order_of_axes_is_one_for_all_layers(order, shape):
    padding = record("ZeroPadding2D", padding=[1, 1], batch_input_shape=[None, 2, 2, 2])
    convolution = record(
        "Convolution2D", nb_filter=3, nb_row=1, nb_col=2, dim_ordering=order, border_mode="valid"
    )
    model = opened(padding, *([convolution] if order else []), version="1.2.2")
    assert model.output_shape == shape


@pytest.mark.filterwarnings("ignore:Argument `decay`:DeprecationWarning")
@pytest.mark.parametrize(
    ("name", "version", "backend", "ahead"),
    [
        ("SGD", "2.2.4", None, True),
        ("SGD", "2.3.1", None, False),
        ("RMSprop", "2.3.1", None, True),
        ("Adagrad", "2.3.1", None, True),
        ("Adadelta", "2.2.4", None, True),
        ("Adamax", "2.1.6", None, True),
        ("Adam", "2.3.1", "theano", False),
        ("Adam", "2.0.9", None, False),
        ("Adam", "2.10.0", None, False),
    ],
)
def test_the_decay_of_a_step_that_was_counted_before(name, version, backend, ahead):
    from minikeras.dialects import configs

    config = {"class_name": name, "config": {"lr": 1.0, "decay": 0.5}}
    made = configs.translate_optimizer(config, version, backend)
    optimizer = keras.optimizers.deserialize(made)
    assert optimizer._rate() == pytest.approx(1 / 1.5 if ahead else 1.0)


@pytest.mark.parametrize(
    ("version", "sign"), [("2.0.8", -0.5), ("2.2.4", -1.0), ("2.3.1", 1.0), ("2.10.0", 1.0)]
)
def test_the_metric_cosine_proximity(version, sign, tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Flatten()])
    model.compile("sgd", "mse", metrics=["cosine_similarity"])
    path = tmp_path / "m.h5"
    model.save(path)
    with h5py.File(path, "r+") as file:
        settings = file.attrs["training_config"]
        file.attrs["training_config"] = settings.replace("cosine_similarity", "cosine_proximity")
        if version == "2.10.0":
            file.attrs["training_config"] = settings
        file.attrs["keras_version"] = version
    x, y = np.array([[3.0, 4.0]]), np.array([[4.0, 3.0]])
    loaded = keras.saving.load_model(path)
    assert loaded.evaluate(x, y, verbose=0)[1] == pytest.approx(sign * 24 / 25)


@pytest.mark.filterwarnings("ignore:Layer 'add' :UserWarning")
@pytest.mark.parametrize(("version", "kept"), [("3.0.5", False), ("3.3.3", False), ("3.4.1", True)])
def test_masks_of_a_sum_in_keras_3(version, kept):
    inputs = keras.Input((2, 1))
    masked = keras.layers.Masking(0.0)(inputs)
    outputs = keras.layers.Add(name="add")([masked, masked])
    model = keras.Model(inputs, outputs)
    eras.settle(model, version)
    assert (getattr(model(np.array([[[1.0], [0.0]]])), "_keras_mask", None) is not None) == kept

"""Names that no other comparison mentions, each beside its counterpart."""

import inspect
from pathlib import Path

import keras
import numpy as np
import pytest

import minikeras

RNG = np.random.default_rng(0)
LINE, PLANE, SPACE = ((2, 9, 3), (2, 8, 9, 3), (2, 6, 7, 5, 3))

LAYERS = {
    "AdaptiveAveragePooling1D": (LINE, {"output_size": 4}),
    "AdaptiveAveragePooling2D": (PLANE, {"output_size": (3, 4)}),
    "AdaptiveAveragePooling3D": (SPACE, {"output_size": 2}),
    "AdaptiveMaxPooling1D": (LINE, {"output_size": 4}),
    "AdaptiveMaxPooling2D": (PLANE, {"output_size": (3, 4)}),
    "AdaptiveMaxPooling3D": (SPACE, {"output_size": 2}),
    "AveragePooling1D": (LINE, {"pool_size": 3, "strides": 2, "padding": "same"}),
    "AveragePooling3D": (SPACE, {"pool_size": 2, "padding": "same"}),
    "MaxPooling1D": (LINE, {"pool_size": 3, "strides": 2}),
    "MaxPooling3D": (SPACE, {"pool_size": (2, 3, 1)}),
    "GlobalAveragePooling3D": (SPACE, {"keepdims": True}),
    "GlobalMaxPooling1D": (LINE, {}),
    "GlobalMaxPooling2D": (PLANE, {"keepdims": True}),
    "GlobalMaxPooling3D": (SPACE, {}),
    "ZeroPadding1D": (LINE, {"padding": (1, 2)}),
    "SeparableConvolution2D": (PLANE, {"filters": 4, "kernel_size": 3}),
    "ConvLSTM1D": ((2, 4, 7, 2), {"filters": 3, "kernel_size": 2, "return_sequences": True}),
    "ConvLSTM3D": ((1, 2, 4, 5, 3, 2), {"filters": 2, "kernel_size": 2, "padding": "same"}),
}
OTHER_NAMES = (
    "AvgPool1D AvgPool3D GlobalAvgPool3D GlobalMaxPool1D GlobalMaxPool2D GlobalMaxPool3D"
    " MaxPool1D MaxPool3D"
).split()


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    shape, arguments = LAYERS[name]
    x = RNG.normal(size=shape).astype("float32")
    theirs = getattr(keras.layers, name)(**arguments, name="layer")
    ours = getattr(minikeras.layers, name)(**arguments, name="layer")
    expected = np.asarray(theirs(x))
    ours(x)
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(ours(x), expected, rtol=1e-5, atol=1e-6)
    assert ours.get_config() == theirs.get_config()
    assert ours.compute_output_shape(shape) == theirs.compute_output_shape(shape)


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_other_names_of_layers(name):
    ours, theirs = getattr(minikeras.layers, name), getattr(keras.layers, name)
    assert ours.__name__ == theirs.__name__


POSITIVE = RNG.random((4, 3)).astype("float32") + 0.1
ONE_HOT = np.eye(3, dtype="float32")[[0, 2, 1, 1]]


@pytest.mark.parametrize(
    "name",
    "categorical_generalized_cross_entropy categorical_hinge dice kl_divergence poisson"
    " mean_absolute_percentage_error squared_hinge tversky".split(),
)
def test_loss_functions(name):
    sparse = name == "categorical_generalized_cross_entropy"
    for y_true in (np.array([0, 2, 1, 1]),) if sparse else (ONE_HOT, POSITIVE):
        y_pred = POSITIVE / POSITIVE.sum(-1, keepdims=True)
        more = {"q": 0.5} if sparse else {}
        expected = getattr(keras.losses, name)(y_true, y_pred, **more)
        found = getattr(minikeras.losses, name)(y_true, y_pred, **more)
        np.testing.assert_allclose(found, expected, rtol=2e-5)
        if hasattr(keras.metrics, name):
            assert getattr(minikeras.metrics, name) is getattr(minikeras.losses, name)


X = RNG.normal(size=(4, 6, 8)).astype("float32")
HOLES = np.where(X > 1, np.nan, X)
IMAGE = RNG.normal(size=(2, 8, 8, 3)).astype("float32")
SEGMENTS = np.array([0, 1, 1, 3])
OPS = {
    "hsplit": lambda k: k.ops.hsplit(X, 3),
    "vsplit": lambda k: k.ops.vsplit(X, [1, 3]),
    "dsplit": lambda k: k.ops.dsplit(X, 2),
    "nanmedian": lambda k: k.ops.nanmedian(HOLES, axis=1, keepdims=True),
    "segment_min": lambda k: k.ops.segment_min(X, SEGMENTS, 5),
    "segment_prod": lambda k: k.ops.segment_prod(X, SEGMENTS, 5),
    "view": lambda k: k.ops.view(k.ops.convert_to_tensor(X), "int32"),
    "get_item": lambda k: k.ops.get_item(k.ops.convert_to_tensor(X), (slice(1, 3), 2)),
    "average_pool": lambda k: k.ops.average_pool(IMAGE, 2, 2, "same"),
    "conv_transpose": lambda k: k.ops.conv_transpose(
        IMAGE, np.ones((3, 3, 2, 3), "float32"), 2, "same"
    ),
    "separable_conv": lambda k: k.ops.separable_conv(
        IMAGE, np.ones((3, 3, 3, 1), "float32"), np.ones((1, 1, 3, 4), "float32"), 1, "same"
    ),
}


def flat(result):
    return result if isinstance(result, (list, tuple)) else [result]


@pytest.mark.parametrize("name", OPS)
def test_ops(name):
    for found, expected in zip(flat(OPS[name](minikeras)), flat(OPS[name](keras)), strict=True):
        expected = np.asarray(expected)
        assert np.asarray(found).dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-5)


def test_argpartition_splits_where_it_says():
    # On TensorFlow, Keras 3.15.1 puts another entry at the place it splits at.
    parted = np.take_along_axis(X, np.asarray(minikeras.ops.argpartition(X, 3)), -1)
    assert (parted[..., :3] <= parted[..., 3:4]).all()
    assert (parted[..., 4:] >= parted[..., 3:4]).all()
    assert keras.ops.argpartition(X[0, 0], 3).shape == (8,)


def test_what_keras_cannot_compute_on_tensorflow():
    # `vectorize` and the adaptive pooling of eager arrays raise in Keras 3.15.1 on TensorFlow.
    np.testing.assert_allclose(
        minikeras.ops.vectorize(lambda a, b: a + 2 * b)(X, X), 3 * X, rtol=1e-6
    )
    means = IMAGE.reshape(2, 4, 2, 4, 2, 3)
    np.testing.assert_allclose(
        minikeras.ops.adaptive_average_pool(IMAGE, 4), means.mean((2, 4)), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(minikeras.ops.adaptive_max_pool(IMAGE, 4), means.max((2, 4)))


def test_empty_like_and_is_tensor():
    for k in (minikeras, keras):
        like = k.ops.empty_like(X)
        assert tuple(like.shape) == X.shape and k.ops.is_tensor(like)
        assert not k.ops.is_tensor([1.0])


def test_jvp():
    tangent = np.ones_like(X)
    expected = 2 * X
    value, slope = minikeras.ops.jvp(lambda x: x * x, (X,), (tangent,))
    np.testing.assert_allclose(value, X * X, rtol=1e-6)
    np.testing.assert_allclose(slope, expected, rtol=1e-6)


def test_elastic_transform_moves_pixels_and_keeps_the_shape():
    for k in (minikeras, keras):
        moved = np.asarray(k.ops.image.elastic_transform(IMAGE, seed=1))
        assert moved.shape == IMAGE.shape and not np.array_equal(moved, IMAGE)


def test_exponential_activation():
    np.testing.assert_allclose(
        minikeras.activations.exponential(X), keras.activations.exponential(X), rtol=1e-6
    )


CONFIG = (
    "dtype_policy image_data_format is_flash_attention_enabled is_interactive_logging_enabled"
    " is_nnx_enabled is_traceback_filtering_enabled max_epochs max_steps_per_epoch"
).split()
SWITCHES = (
    "disable_flash_attention disable_interactive_logging disable_traceback_filtering"
    " enable_flash_attention enable_interactive_logging enable_traceback_filtering"
    " enable_unsafe_deserialization set_epsilon set_image_data_format set_max_epochs"
    " set_max_steps_per_epoch"
).split()


@pytest.mark.parametrize("name", CONFIG)
def test_settings(name):
    found, expected = getattr(minikeras.config, name)(), getattr(keras.config, name)()
    assert found == expected or found.name == expected.name


@pytest.mark.parametrize("name", SWITCHES)
def test_switches_take_the_same_arguments(name):
    ours = inspect.signature(getattr(minikeras.config, name))
    theirs = inspect.signature(getattr(keras.config, name))
    assert list(ours.parameters) == list(theirs.parameters)


def test_set_backend():
    minikeras.config.set_backend("numpy")
    with pytest.raises(ValueError):
        minikeras.config.set_backend("nothing")


@pytest.mark.parametrize("space", ["saving", "utils"])
def test_registered_objects(space):
    for k in (minikeras, keras):
        own = getattr(k, space)

        @own.register_keras_serializable(package="mine", name=f"Thing{space}")
        class Thing:
            def get_config(self):
                return {}

        assert own.get_registered_name(Thing) == f"mine>Thing{space}"
        assert own.get_registered_object(f"mine>Thing{space}") is Thing
        with own.custom_object_scope({"Other": Thing}), own.CustomObjectScope({"Third": Thing}):
            assert own.get_custom_objects() is not None
        assert f"mine>Thing{space}" in own.get_custom_objects()


def test_clone_and_save_model(tmp_path):
    for k in (minikeras, keras):
        model = k.Sequential([k.Input((3,)), k.layers.Dense(2)])
        clone = k.models.clone_model(model)
        assert [type(layer).__name__ for layer in clone.layers] == ["Dense"]
        k.models.save_model(model, tmp_path / "m.keras")
        k.saving.save_model(model, tmp_path / "n.h5")
        for file in ("m.keras", "n.h5"):
            again = minikeras.models.load_model(tmp_path / file)
            np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])


def test_file_editor(tmp_path, capsys):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="d")])
    path = tmp_path / "m.weights.h5"
    model.save_weights(path)
    kinds = [k.saving.KerasFileEditor(str(path)) for k in (minikeras, keras)]
    assert set(kinds[0].weights_dict) == set(kinds[1].weights_dict)


def test_seeds():
    for k in (minikeras, keras):
        k.utils.set_random_seed(3)
        one = np.asarray(k.random.binomial((1000,), 10.0, 0.3, seed=k.random.SeedGenerator(1)))
        assert abs(one.mean() - 3) < 0.3 and one.min() >= 0 and one.max() <= 10


@pytest.mark.parametrize(
    "path",
    [
        "callbacks.History",
        "callbacks.OrbaxCheckpoint",
        "callbacks.ProgbarLogger",
        "callbacks.RemoteMonitor",
        "callbacks.TensorBoard",
        "constraints.Constraint",
        "initializers.Initializer",
        "layers.InputSpec",
        "layers.Wrapper",
        "optimizers.schedules.LearningRateSchedule",
        "regularizers.Regularizer",
        "utils.Config",
        "utils.Progbar",
    ],
)
def test_classes_have_the_same_methods(path):
    def of(k):
        thing = k
        for part in path.split("."):
            thing = getattr(thing, part)
        return {name for name in dir(thing) if not name.startswith("_")}

    # Of several hosts, of TensorFlow.
    internal = {
        "is_multihost_enabled", "is_primary_host", "wait_until_finished",
        "summary", "add_metric", "supports_masking",
    }  # fmt: skip
    assert of(keras) - of(minikeras) - internal == set()


def test_interactive_logging():
    for k in (minikeras, keras):
        before = k.utils.is_interactive_logging_enabled()
        k.utils.disable_interactive_logging()
        assert not k.utils.is_interactive_logging_enabled()
        k.utils.enable_interactive_logging()
        assert k.utils.is_interactive_logging_enabled()
        if not before:
            k.utils.disable_interactive_logging()


def test_get_file_and_custom_gradient(tmp_path):
    (tmp_path / "source.txt").write_text("words")
    for k in (minikeras, keras):
        found = k.utils.get_file(
            f"{k.__name__}.txt", (tmp_path / "source.txt").as_uri(), cache_dir=tmp_path / "cache"
        )
        assert Path(found).read_text() == "words"

        @k.ops.custom_gradient
        def twice(x):
            return x * 2, lambda upstream: upstream * 2

        np.testing.assert_allclose(twice(k.ops.convert_to_tensor(X)), X * 2)

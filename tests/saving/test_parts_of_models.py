"""Parts that are left out, shared, under another name, or not in a file but in memory."""

import io
import warnings

import h5py
import numpy as np
import pytest

import minikeras as keras
from minikeras import layers

X = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")


def stack():
    return keras.Sequential([layers.Input((3,)), layers.Dense(5), layers.Dense(2)])


@pytest.mark.parametrize("shard", [{}, {"max_shard_size": 1.0}])
def test_objects_to_skip(shard, tmp_path):
    source, target, path = stack(), stack(), tmp_path / "m.weights.h5"
    before = target.get_weights()
    source.save_weights(path, **shard)
    path = tmp_path / "m.weights.json" if shard else path
    target.load_weights(path, objects_to_skip=[target.layers[0]])
    np.testing.assert_array_equal(target.layers[0].kernel.numpy(), before[0])
    np.testing.assert_array_equal(target.layers[1].kernel.numpy(), source.layers[1].kernel.numpy())

    source.save_weights(path, objects_to_skip=[source.layers[1]], **shard)
    with pytest.raises(ValueError, match="received 0 variables"):
        target.load_weights(path)


def test_arguments_that_other_formats_lack(tmp_path):
    model = stack()
    model.save(tmp_path / "m.keras")
    model.save(tmp_path / "m.h5")
    model.save_weights(tmp_path / "m.weights.h5")
    for name in ("m.keras", "m.h5"):
        with pytest.raises(ValueError, match="only supports loading '.weights.h5'"):
            model.load_weights(tmp_path / name, objects_to_skip=[])
    for name in ("m.keras", "m.weights.h5"):
        with pytest.raises(ValueError, match="only supports loading legacy"):
            model.load_weights(tmp_path / name, by_name=True)
    with pytest.raises(ValueError, match="objects_to_skip"):
        model.save_weights(tmp_path / "m.h5", objects_to_skip=[])
    with pytest.raises(ValueError, match="`save_format` argument is deprecated"):
        model.save(tmp_path / "m.keras", save_format="pickle")
    with pytest.raises(ValueError, match=r"`save_format` argument is deprecated.*m\.model"):
        model.save(tmp_path / "m.model", save_format="keras")
    assert not (tmp_path / "m.model").exists()
    for name, save_format in (("n.keras", "keras"), ("n", "h5"), ("n.old", "tf")):
        model.save(tmp_path / name, save_format=save_format)
        loaded = keras.models.load_model(tmp_path / name, compile=False)
        np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    with pytest.raises(ValueError, match="should not end in `.keras`"):
        model.save(tmp_path / "other.keras", zipped=False)


def test_a_file_in_memory():
    model, file = stack(), io.BytesIO()
    keras.saving.save_model(model, file)
    file.seek(0)
    loaded = keras.saving.load_model(file)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


@pytest.mark.parametrize("error", [FileNotFoundError, ValueError])
def test_a_file_that_is_not_there_is_both_errors(error, tmp_path):
    with pytest.raises(error, match="File not found.*File format not supported: '.pkl'"):
        keras.saving.load_model(tmp_path / "model.pkl")


@keras.saving.register_keras_serializable("parts")
class Wrapper(layers.Layer):
    def __init__(self, layer, **kwargs):
        super().__init__(**kwargs)
        self.layer = layer

    def call(self, x):
        return self.layer(x)

    def get_config(self):
        return {**super().get_config(), "layer": self.layer}

    @classmethod
    def from_config(cls, config):
        layer = keras.saving.deserialize_keras_object(config.pop("layer"))
        return cls(layer, **config)


def test_a_shared_layer_stays_shared(tmp_path):
    a, b, shared = keras.Input((3,)), keras.Input((3,)), layers.Dense(2)
    model = keras.Model([a, b], [shared(a), Wrapper(shared)(b)])
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    outer = next(layer for layer in loaded.layers if isinstance(layer, Wrapper))
    assert outer.layer in loaded.layers
    assert len(loaded.weights) == 2
    for found, expected in zip(loaded.predict([X, X]), model.predict([X, X])):
        np.testing.assert_array_equal(found, expected)


def test_a_layer_that_a_property_shows_under_the_name_in_the_file(tmp_path):
    class Plain(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, x):
            return self.dense(x)

    class Renamed(keras.Model):
        def __init__(self):
            super().__init__()
            self.head = layers.Dense(2)

        @property
        def dense(self):
            return self.head

        def call(self, x):
            return self.head(x)

    source, target = Plain(), Renamed()
    expected = source.predict(X, verbose=0)
    target.predict(X, verbose=0)
    source.save_weights(tmp_path / "m.weights.h5")
    target.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(target.predict(X, verbose=0), expected)


def test_a_list_that_holds_itself(tmp_path):
    class Cyclic(keras.Model):
        def __init__(self):
            super().__init__()
            self.blocks = [layers.Dense(2)]
            self.blocks.append(self.blocks)

        def call(self, x):
            return self.blocks[0](x)

    model, other = Cyclic(), Cyclic()
    expected = model.predict(X, verbose=0)
    other.predict(X, verbose=0)
    model.save_weights(tmp_path / "m.weights.h5")
    other.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(other.predict(X, verbose=0), expected)


def test_a_custom_compile_is_not_called_by_loading(tmp_path):
    @keras.saving.register_keras_serializable("parts")
    class Own(keras.Sequential):
        def compile(self, *args, **kwargs):
            super().compile(*args, **kwargs)

    model = Own([layers.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.save(tmp_path / "m.keras")
    with pytest.warns(UserWarning, match="`compile\\(\\)` method is custom"):
        loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert not loaded.compiled
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        keras.saving.load_model(tmp_path / "m.keras", compile=False)


def test_a_layer_built_by_hand_keeps_its_shapes():
    layer = layers.Dense(4)
    layer.build((None, 2))
    assert layer.get_build_config() == {"input_shape": (None, 2)}
    config = keras.saving.serialize_keras_object(layer)
    assert keras.saving.deserialize_keras_object(config).kernel.shape == (2, 4)


def test_a_layer_that_became_float8_is_read_by_names(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.quantize("float8")
    model.compile("sgd", "mse")
    x = np.ones((2, 4), "float32")
    model.train_on_batch(x, np.ones((2, 3), "float32"))
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        group = file["model_weights"][model.layers[0].name]
        names = sorted(group.attrs["weight_names"], key=lambda one: "amax" in str(one))
        group.attrs["weight_names"] = names
    again = keras.saving.load_model(tmp_path / "m.h5", compile=False)
    assert np.array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))

"""`FeatureSpace`, drawings of models, `get_source_inputs` and `utils.legacy` against Keras."""

import json
import re

import keras
import numpy as np
import pytest

import minikeras

BOTH = (minikeras, keras)

# Drawings


def functional(k):
    k.utils.clear_session()
    image, number = k.Input((4, 4, 1), name="image"), k.Input((3,), name="number")
    inner = k.Sequential(
        [k.Input((16,)), k.layers.Dense(3, "relu", name="i1"), k.layers.Dense(3, name="i2")],
        name="inner",
    )
    a, b = k.Input((3,), name="a"), k.Input((3,), name="b")
    pair = k.Model([a, b], [k.layers.Add(name="sum")([a, b]), k.layers.Dense(2, name="pd")(a)])
    pair.name = "pair"
    shared = k.layers.Dense(3, activation="tanh", name="shared")
    x = inner(k.layers.Flatten(name="flat")(image))
    total, side = pair([shared(x), shared(number)])
    out = k.layers.Concatenate(name="cat")([total, side])
    frozen = k.layers.Dense(1, name="frozen", trainable=False)
    return k.Model([image, number], [frozen(out), total], name="all")


def sequential(k):
    k.utils.clear_session()
    inner = k.Sequential([k.Input((3,)), k.layers.Dense(3, name="i1")], name="inner")
    return k.Sequential(
        [k.Input((3,)), k.layers.Dense(3, name="d"), inner, k.layers.ReLU(name="r")], name="all"
    )


def subclassed(k):
    class Own(k.Model):
        def __init__(self):
            super().__init__(name="own")
            self.dense = k.layers.Dense(2)

        def call(self, x):
            return self.dense(x)

    model = Own()
    model(np.ones((1, 3), "float32"))
    return model


def layers_of(model):
    for layer in [model, *getattr(model, "layers", [])]:
        yield layer
        if layer is not model:
            yield from layers_of(layer)


def normalized(dot, model):
    """The text of a graph with names in the place of addresses, one statement a line."""
    text = dot.to_string()
    for layer in {id(one): one for one in layers_of(model)}.values():
        text = text.replace(str(id(layer)), layer.name)
    return sorted(line.strip() for line in re.split(r"[\n]", text) if line.strip())


FLAGS = ("show_shapes", "show_dtype", "show_layer_activations", "show_trainable", "expand_nested")


@pytest.mark.parametrize("make", [functional, sequential, subclassed])
@pytest.mark.parametrize("flags", [(), *[(flag,) for flag in FLAGS], FLAGS])
def test_model_to_dot(make, flags):
    texts = []
    for k in BOTH:
        model = make(k)
        options = dict.fromkeys(flags, True)
        dot = k.utils.model_to_dot(model, rankdir="LR", dpi=70, splines="curved", **options)
        texts.append(normalized(dot, model))
    assert texts[0] == texts[1]


def test_model_to_dot_without_names_and_as_subgraph():
    texts = []
    for k in BOTH:
        model = sequential(k)
        dot = k.utils.model_to_dot(model, show_layer_names=False, subgraph=True)
        texts.append(normalized(dot, model))
    assert texts[0] == texts[1]


def test_drawing_refuses_what_it_cannot_draw(tmp_path):
    for k in BOTH:
        model = k.Sequential([k.layers.Dense(1)])
        for call in (k.utils.model_to_dot, k.utils.plot_model):
            with pytest.raises(ValueError, match="not yet been built"):
                call(model)
        with pytest.raises(ValueError, match="layer_range"):
            k.utils.model_to_dot(sequential(k), layer_range=["a", "b"])
        with pytest.raises(ValueError, match="Unrecognized"):
            k.utils.model_to_dot(sequential(k), color="red")


def test_get_source_inputs():
    for k in BOTH:
        model = functional(k)
        assert [one.name for one in k.utils.get_source_inputs(model.outputs[0])] == [
            "image",
            "number",
        ]
        x = k.Input((2,), name="x")
        assert [one.name for one in k.utils.get_source_inputs(x)] == ["x"]
        assert k.utils.get_source_inputs(3) == 3


# FeatureSpace

TABLE = {
    "f": [0.0, 0.1, 0.2, 0.3, 7.0],
    "s": ["zero", "one", "two", "three", "one"],
    "i": [0, 1, 2, 3, 3],
    "d": [1.0, 2.0, 3.0, 4.0, 9.0],
    "h": ["a", "b", "c", "d", "a"],
    "p": [1.0, 2.0, 3.0, 4.0, 5.0],
}
SPACES = {
    "names": lambda k: dict(  # noqa: C408
        features={
            "f": "float_normalized",
            "s": "string_categorical",
            "i": "integer_categorical",
            "d": "float_rescaled",
            "h": "string_hashed",
            "p": "float",
        },
        crosses=[("s", "i")],
        crossing_dim=7,
        hashing_dim=5,
    ),
    "objects": lambda k: dict(  # noqa: C408
        features={
            "f": k.utils.FeatureSpace.float_rescaled(scale=2.0, offset=1.0),
            "s": k.utils.FeatureSpace.string_categorical(max_tokens=3, num_oov_indices=2),
            "i": k.utils.FeatureSpace.integer_hashed(4),
            "d": k.utils.FeatureSpace.float_discretized(3),
            "h": k.utils.FeatureSpace.string_hashed(6, output_mode="one_hot"),
        },
        crosses=[k.utils.FeatureSpace.cross(("s", "h"), 9), ("i", "h")],
    ),
    "dict": lambda k: dict(  # noqa: C408
        features={
            "f": "float_normalized",
            "s": k.utils.FeatureSpace.string_categorical(output_mode="int"),
            "i": k.utils.FeatureSpace.integer_categorical(output_mode="int"),
        },
        crosses=[k.utils.FeatureSpace.cross(("s", "i"), 11, output_mode="int")],
        output_mode="dict",
    ),
    "own layers": lambda k: dict(  # noqa: C408
        features={
            "s": k.utils.FeatureSpace.feature("string", k.layers.StringLookup(), "one_hot"),
            "i": k.utils.FeatureSpace.feature("int32", k.layers.CategoryEncoding(4), "float"),
            "p": "float",
        },
    ),
}


def made(k, name):
    k.utils.clear_session()
    arguments = SPACES[name](k)
    table = {key: TABLE[key] for key in arguments["features"]}
    space = k.utils.FeatureSpace(**arguments)
    space.adapt(table)
    return space, table


def arrays(value):
    return {
        k: np.asarray(v) for k, v in (value if isinstance(value, dict) else {"": value}).items()
    }


def equal(ours, theirs):
    ours, theirs = arrays(ours), arrays(theirs)
    assert ours.keys() == theirs.keys()
    for key in theirs:
        assert ours[key].dtype == theirs[key].dtype
        assert ours[key].shape == theirs[key].shape
        np.testing.assert_allclose(ours[key], theirs[key], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", SPACES)
def test_feature_space(name):
    (ours, table), (theirs, _) = made(minikeras, name), made(keras, name)
    equal(ours(table), theirs(table))
    row = {key: value[1] for key, value in table.items()}
    equal(ours(row), theirs(row))
    for one, other in zip(ours.get_inputs().items(), theirs.get_inputs().items()):
        assert one[0] == other[0] and tuple(one[1].shape) == tuple(other[1].shape)
    encoded = [arrays_of(one.get_encoded_features()) for one in (ours, theirs)]
    assert encoded[0] == encoded[1]


def arrays_of(features):
    if isinstance(features, dict):
        return {key: (tuple(one.shape), str(one.dtype)) for key, one in features.items()}
    return tuple(features.shape), str(features.dtype)


@pytest.mark.parametrize("name", SPACES)
def test_feature_spaces_in_files_of_each_other(name, tmp_path):
    for writer, reader in (BOTH, BOTH[::-1], (minikeras, minikeras)):
        space, table = made(writer, name)
        path = str(tmp_path / f"{writer.__name__}.keras")
        space.save(path)
        equal(reader.models.load_model(path)(table), space(table))


def test_feature_space_refusals():
    for k in BOTH:
        space = k.utils.FeatureSpace
        for arguments in (
            {"features": {}},
            {"features": {"a": "colour"}},
            {"features": {"a": "float"}, "output_mode": "list"},
            {"features": {"a": "float"}, "crosses": [("a", "b")]},
            {"features": {"a": "float", "b": "float"}, "crosses": [("a", "b")], "crossing_dim": 0},
        ):
            with pytest.raises(ValueError):
                space(**arguments)
        with pytest.raises(ValueError, match="adapt"):
            space({"a": "float_normalized"})({"a": [1.0]})
        with pytest.raises(ValueError, match="dict"):
            space({"a": "float"})([1.0])
        with pytest.raises(ValueError, match="Cannot concatenate"):
            one = space({"a": space.integer_categorical(output_mode="int"), "b": "float"})
            one.adapt({"a": [1, 2], "b": [1.0, 2.0]})
        with pytest.raises(ValueError):
            space.cross(("a", "b"), 3, output_mode="float")


# Keras 2's configs


@pytest.mark.parametrize(
    "make",
    [
        lambda k: k.regularizers.L2(0.25),
        lambda k: k.initializers.Constant(2.0),
        lambda k: k.losses.LogCosh(name="l"),
        lambda k: k.activations.relu,
        lambda k: None,
    ],
)
def test_legacy_configs(make):
    written = [k.utils.legacy.serialize_keras_object(make(k)) for k in BOTH]
    assert json.loads(json.dumps(written[0])) == json.loads(json.dumps(written[1]))
    # Keras finds no functions: it looks for a table of its own that is gone.
    for k in BOTH if isinstance(written[1], dict) else (minikeras,):
        table = {
            **vars(k.regularizers),
            **{n: getattr(k.initializers, n) for n in ("Constant",)},
            "LogCosh": k.losses.LogCosh,
            "relu": k.activations.relu,
            "L2": k.regularizers.L2,
        }
        back = k.utils.legacy.deserialize_keras_object(written[1], module_objects=table)
        assert k.utils.legacy.serialize_keras_object(back) == written[1]

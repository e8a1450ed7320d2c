import numpy as np
import pytest

import minikeras
from minikeras import layers
from tests.gradcheck import check_gradients
from tests.layer_contract import check_layer


def data(*shapes):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype("float32") for shape in shapes]


NAMES = ["Add", "Average", "Multiply", "Maximum", "Minimum"]
SHAPES = [
    [(2, 3)],
    [(2, 3), (2, 3)],
    [(2, 3), (2, 3), (2, 3)],
    [(2, 3, 4), (2, 1, 4)],
    [(2, 1), (2, 5), (2, 5)],
    [(2, 3, 4), (2, 4)],
    [(2, 4), (2, 3, 4), (2, 1, 1)],
]


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_elementwise(name, shapes):
    check_layer(lambda **kw: getattr(layers, name)(**kw), data(*shapes))


@pytest.mark.parametrize("shapes", [SHAPES[1], SHAPES[3]])
def test_subtract(shapes):
    check_layer(lambda **kw: layers.Subtract(**kw), data(*shapes))


@pytest.mark.parametrize("axis", [-1, 1, 2])
def test_concatenate(axis):
    shapes = [(2, 3, 4)] * 3
    shapes[1] = tuple(5 if i == axis % 3 else n for i, n in enumerate(shapes[1]))
    check_layer(lambda **kw: layers.Concatenate(axis, **kw), data(*shapes))


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(
    "axes, shapes",
    [
        (1, [(2, 3), (2, 3)]),
        (-1, [(2, 3), (2, 3)]),
        ((1, 2), [(2, 3, 4), (2, 5, 3)]),
        ((2, 1), [(2, 3, 4), (2, 4, 5)]),
        ((1, 1), [(2, 3, 4), (2, 3)]),
        ((2, 1), [(2, 3, 4, 5), (2, 4, 3)]),
    ],
)
def test_dot(axes, shapes, normalize):
    check_layer(lambda **kw: layers.Dot(axes, normalize, **kw), data(*shapes), tolerance=1e-6)


@pytest.mark.parametrize("name", [*NAMES, "Subtract", "Concatenate"])
def test_functional_forms(name):
    x = data((2, 3), (2, 3))
    function = getattr(layers, name.lower())
    np.testing.assert_array_equal(function(x), getattr(layers, name)()(x))
    one, two = minikeras.Input((3,)), minikeras.Input((3,))
    assert function([one, two]).shape == (None, 6 if name == "Concatenate" else 3)


def test_masked_maximum():
    (x, y) = data((2, 3, 4), (2, 3, 4))
    masks = [np.array([[1, 1, 0], [0, 0, 0]], bool), np.array([[1, 0, 1], [1, 0, 0]], bool)]
    layer = layers.Maximum()
    found = layer([x, y], mask=masks).numpy()
    np.testing.assert_array_equal(found[0, 0], np.maximum(x, y)[0, 0])
    np.testing.assert_array_equal(found[0, 1], x[0, 1])
    np.testing.assert_array_equal(found[0, 2], y[0, 2])
    for name in ("Maximum", "Minimum", "Multiply"):
        for some in (masks, [masks[0], None], [None, masks[1]]):
            check_gradients(getattr(layers, name)(dtype="float64"), [x, y], mask=some)


def test_masks_go_on():
    embedding = layers.Embedding(5, 3, mask_zero=True)
    one, two = embedding(np.array([[1, 0, 0]])), embedding(np.array([[2, 3, 0]]))
    assert np.asarray(layers.add([one, two])._keras_mask).tolist() == [[True, True, False]]
    plain = np.zeros((1, 3, 3), "float32")
    assert layers.add([one, plain])._keras_mask is None
    joined = layers.concatenate([one, two], axis=1)
    assert np.asarray(joined._keras_mask).tolist() == [[True, False, False, True, True, False]]
    joined = layers.concatenate([one, plain], axis=1)
    assert np.asarray(joined._keras_mask).tolist() == [[True, False, False, True, True, True]]
    assert layers.dot([one, two], 1)._keras_mask is None


@pytest.mark.parametrize(
    "layer, shapes, message",
    [
        (layers.Add(), [(2, 3), (2, 4)], "incompatible shapes"),
        (layers.Add(), [(2, 3), (4, 3)], "different batch sizes"),
        (layers.Subtract(), [(2, 3)] * 3, "exactly 2 inputs"),
        (layers.Concatenate(), [(2, 3, 4), (2, 2, 4)], "matching shapes"),
        (layers.Concatenate(), [(2, 3, 4), (2, 4)], "matching shapes"),
        (layers.Concatenate(4), [(2, 3), (2, 3)], "matching shapes"),
        (layers.Dot(1), [(2, 3), (2, 4)], "Incompatible"),
        (layers.Dot(1), [(2, 3)], "list of 2 inputs"),
        (layers.Dot(0), [(2, 3), (2, 3)], "batch axis"),
        (layers.Dot(2), [(2, 3), (2, 3)], "out of bounds"),
    ],
)
def test_bad_shapes(layer, shapes, message):
    with pytest.raises(ValueError, match=message):
        layer(data(*shapes))


@pytest.mark.parametrize("layer", [layers.Add(), layers.Concatenate(), layers.Dot(1)])
def test_not_a_list(layer):
    with pytest.raises(ValueError, match="list"):
        layer(np.ones((2, 3), "float32"))


def test_bad_axes():
    with pytest.raises(TypeError, match="axes"):
        layers.Dot("1")
    with pytest.raises(ValueError, match="axes"):
        layers.Dot((1, 2, 3))

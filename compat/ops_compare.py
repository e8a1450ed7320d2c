"""Calls of the same operation in minikeras and in Keras on TensorFlow, compared."""

import keras
import numpy as np
import tensorflow as tf
from hypothesis import Phase, settings
from hypothesis import strategies as st

import minikeras
from minikeras.engine import tree
from minikeras.gradient_tape import GradientTape

SETTINGS = settings(
    max_examples=10, deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate)
)
FLOATS = ("float16", "float32", "float64")
INTS = ("uint8", "int8", "int16", "int32", "int64")
NUMBERS = ("float32", "float64", "int32", "float16", "int64", "int8", "uint8")
ALL = (*NUMBERS, "bool")

# Float32 sums and transcendental functions differ in the last bits; float16 has 11 of them.
RTOL = {"float16": 4e-3, "float32": 3e-5, "float64": 1e-9, "complex64": 3e-5, "complex128": 1e-9}
ATOL = {"float16": 4e-3, "float32": 1e-5, "float64": 1e-10, "complex64": 1e-5, "complex128": 1e-10}
# TensorFlow has no kernel for this dtype, or its own check of dtypes fails.
NOT_OFFERED = (
    tf.errors.InvalidArgumentError,
    tf.errors.NotFoundError,
    tf.errors.UnimplementedError,
    TypeError,
    AttributeError,
    UnboundLocalError,
)


class Draw:
    """Shapes, dtypes and arrays, drawn by Hypothesis."""

    def __init__(self, data):
        self.data = data
        self.rng = np.random.default_rng(data.draw(st.integers(0, 2**31), label="seed"))

    def choice(self, *options):
        return self.data.draw(st.sampled_from(options))

    def integer(self, low, high):
        return self.data.draw(st.integers(low, high))

    def flag(self):
        return self.data.draw(st.booleans())

    def shape(self, least=0, most=3, size=4, smallest=1):
        return tuple(
            self.data.draw(st.lists(st.integers(smallest, size), min_size=least, max_size=most))
        )

    def axis(self, shape):
        return self.integer(-len(shape), len(shape) - 1)

    def axes(self, shape):
        """None, an axis, or several."""
        if not shape:
            return None
        axes = self.data.draw(
            st.one_of(
                st.none(),
                st.integers(-len(shape), len(shape) - 1),
                st.sets(st.integers(0, len(shape) - 1), min_size=1).map(tuple),
            )
        )
        return axes

    def array(self, shape, dtype="float32", low=-3.0, high=3.0):
        if dtype == "bool":
            return self.rng.integers(0, 2, shape).astype(bool)
        if np.dtype(dtype).kind in "iu":
            low = max(low, 0) if np.dtype(dtype).kind == "u" else low
            return self.rng.integers(int(low), int(high) + 1, shape).astype(dtype)
        return np.asarray(self.rng.uniform(low, high, shape)).astype(dtype)

    def broadcasting(self, shape):
        """A shape that broadcasts with `shape`."""
        shape = tuple(1 if self.flag() else size for size in shape)
        return shape[self.integer(0, len(shape)) :]


def leaves_of(result):
    return tree.flatten(result) if not isinstance(result, tf.Tensor) else [result]


def compare(name, *args, rtol=None, atol=None, gradient=True, namespace="ops", **kwargs):
    """Values, dtypes, errors and gradients of `ops.<name>(*args, **kwargs)`."""
    theirs, ours = keras, minikeras
    for part in (*namespace.split("."), *name.split(".")):
        theirs, ours = getattr(theirs, part), getattr(ours, part)
    try:
        expected = theirs(*args, **kwargs)
    except NOT_OFFERED:
        return
    except (ValueError, IndexError) as error:
        try:
            found = ours(*args, **kwargs)
        except (ValueError, TypeError, IndexError):
            return
        raise AssertionError(f"Keras refuses this ({error}); minikeras returns {found}") from error
    found = ours(*args, **kwargs)
    same(found, expected, rtol, atol)
    if gradient:
        compare_gradients(theirs, ours, args, kwargs, rtol, atol)


def same(found, expected, rtol=None, atol=None, dtype=True):
    found, expected = leaves_of(found), leaves_of(expected)
    assert len(found) == len(expected)
    for one, other in zip(found, expected):
        if other is None:
            assert one is None
            continue
        if not hasattr(other, "dtype"):
            assert one == other and type(one) is type(other)
            continue
        name = keras.backend.standardize_dtype(other.dtype)
        other = np.asarray(other)
        if dtype:
            assert minikeras.backend.standardize_dtype(one.dtype) == name
        one = minikeras.ops.convert_to_numpy(one)
        assert one.shape == other.shape
        if name in RTOL:
            np.testing.assert_allclose(
                one, other, rtol=rtol or RTOL[name], atol=atol or ATOL[name], equal_nan=True
            )
        else:
            np.testing.assert_array_equal(one, other)


def compare_gradients(theirs, ours, args, kwargs, rtol, atol):
    """Gradients of the floating arguments against `tf.GradientTape`."""

    def differentiable(leaf):
        return isinstance(leaf, np.ndarray) and leaf.dtype in ("float32", "float64")

    where = [i for i, leaf in enumerate(tree.flatten(list(args))) if differentiable(leaf)]
    if not where:
        return
    flat = tree.flatten(list(args))
    with tf.GradientTape() as tape:
        watched = [tf.constant(leaf) if i in where else leaf for i, leaf in enumerate(flat)]
        tape.watch([watched[i] for i in where])
        outputs = leaves_of(theirs(*tree.pack_sequence_as(list(args), watched), **kwargs))
        outputs = [y for y in outputs if isinstance(y, tf.Tensor) and y.dtype.is_floating]
    if not outputs:
        return
    rng = np.random.default_rng(0)
    weights = [rng.uniform(0.5, 1.5, y.shape).astype(y.dtype.as_numpy_dtype) for y in outputs]
    try:
        expected = tape.gradient(
            outputs, [watched[i] for i in where], [tf.constant(w) for w in weights]
        )
    except (LookupError, NotImplementedError, *NOT_OFFERED):
        return
    with GradientTape() as tape:
        watched = list(flat)
        for i in where:
            watched[i] = tape.watch(minikeras.ops.convert_to_tensor(flat[i]))
        found_outputs = leaves_of(ours(*tree.pack_sequence_as(list(args), watched), **kwargs))
        found_outputs = [
            y for y in found_outputs if hasattr(y, "dtype") and np.dtype(y.dtype).kind == "f"
        ]
    found = tape.gradient(found_outputs, [watched[i] for i in where], weights)
    for one, other in zip(found, expected):
        if other is None or isinstance(other, tf.IndexedSlices):
            continue
        other = np.asarray(other)
        one = np.zeros_like(other) if one is None else one.numpy()
        assert one.dtype == other.dtype and one.shape == other.shape
        scale = max(1.0, float(np.nanmax(np.abs(other), initial=0.0)))
        np.testing.assert_allclose(
            one, other,
            rtol=10 * (rtol or RTOL[other.dtype.name]),
            atol=10 * scale * (atol or ATOL[other.dtype.name]),
        )  # fmt: skip

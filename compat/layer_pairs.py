"""One layer of Keras beside the same layer of minikeras: outputs, gradients, configs, weights."""

import keras
import numpy as np
import tensorflow as tf

import minikeras
from minikeras.engine import tree
from minikeras.engine.context import Run
from minikeras.engine.recording import Recording


def pair(name, *args, **kwargs):
    """The layer of that name from both packages (nested layers as functions of the package)."""
    made = []
    for package in (keras, minikeras):
        package.utils.clear_session()  # automatic names start alike
        own_args = [value(package) if callable(value) else value for value in args]
        own = {k: v(package) if callable(v) else v for k, v in kwargs.items()}
        made.append(getattr(package.layers, name)(*own_args, **own))
    return tuple(made)


def numbers(structure):
    """The leaves of a structure of tensors as NumPy arrays, None left out."""
    return [np.asarray(leaf) for leaf in tree.flatten(structure) if leaf is not None]


def same_weights(theirs, ours, seed=0):
    """Give both the same random weights; names, shapes and order must agree."""
    assert [w.path.split("/", 1)[1] for w in theirs.weights] == [
        w.path.split("/", 1)[1] for w in ours.weights
    ]
    assert [tuple(w.shape) for w in theirs.weights] == [w.shape for w in ours.weights]
    assert [w.trainable for w in theirs.weights] == [w.trainable for w in ours.weights]
    rng = np.random.default_rng(seed)
    values = [rng.normal(size=w.shape).astype(w.dtype) * 0.4 for w in theirs.weights]
    theirs.set_weights(values)
    ours.set_weights(values)


def same_config(theirs, ours):
    """The configs agree, and each package reads what the other wrote."""
    expected, found = theirs.get_config(), ours.get_config()
    expected.pop("name"), found.pop("name")
    assert _plain(found) == _plain(expected)
    twin = type(ours).from_config(theirs.get_config())
    again = twin.get_config()
    again.pop("name")
    assert _plain(again) == _plain(expected)
    type(theirs).from_config(ours.get_config())


def _plain(value):
    """Configs without what depends on names and on tuples against lists."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if k not in ("name", "build_config")}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value


def run_theirs(layer, inputs, options, douts=None, training=False):
    """Outputs, and gradients of inputs and weights, from Keras."""
    tensors = tree.map_structure(tf.constant, inputs)
    with tf.GradientTape(persistent=True) as tape:
        for leaf in tree.flatten(tensors):
            tape.watch(leaf)
        outputs = (
            layer(*tensors, training=training, **options)
            if training is not None
            else layer(*tensors, **options)
        )
        leaves = [leaf for leaf in tree.flatten(outputs) if leaf is not None]
        if douts is None:
            return numbers(outputs), None
        loss = tf.add_n([tf.reduce_sum(a * b) for a, b in zip(leaves, douts)])
    sources = [*tree.flatten(tensors), *[v.value for v in layer.trainable_weights]]
    return numbers(outputs), [
        None if g is None else np.asarray(tf.convert_to_tensor(g))
        for g in tape.gradient(loss, sources)
    ]


def run_ours(layer, inputs, options, douts=None, training=False):
    """Outputs, and gradients of inputs and weights, from minikeras."""
    if douts is None:
        return numbers(layer(*inputs, **options)), None
    with Recording(Run(training=training, recording=True)) as recording:
        tensors = tree.map_structure(recording.track, inputs)
        outputs = layer(*tensors, **options)
        leaves = [leaf for leaf in tree.flatten(outputs) if leaf is not None]
    arrays = [leaf.array for leaf in leaves]
    gradients = recording.reverse(
        [(leaf.slot, dout) for leaf, dout in zip(leaves, douts) if leaf.recording is recording]
    )
    found = [gradients[leaf.slot] for leaf in tree.flatten(tensors)]
    found += [recording.run.sink.get(v) for v in layer.trainable_weights]
    return arrays, found


def compare(theirs, ours, inputs, options=None, *, gradients=True, tolerance=1e-5, seed=0):
    """Both layers on the same inputs with the same weights.

    float32 sums of a few dozen terms of order one differ by about 1e-6 with the order of addition;
    gradients add up over steps, so they get ten times the tolerance of the forward pass.
    """
    options = options or {}
    inputs = [tree.map_structure(np.asarray, one) for one in inputs]
    run_theirs(theirs, inputs, options)
    run_ours(ours, inputs, options)
    same_weights(theirs, ours, seed)
    expected, _ = run_theirs(theirs, inputs, options)
    found, _ = run_ours(ours, inputs, options)
    assert len(expected) == len(found)
    for a, b in zip(found, expected):
        assert a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    if gradients:
        rng = np.random.default_rng(seed + 1)
        douts = [rng.normal(size=x.shape).astype(x.dtype) for x in expected]
        _, expected_gradients = run_theirs(theirs, inputs, options, douts)
        _, found_gradients = run_ours(ours, inputs, options, douts)
        assert len(expected_gradients) == len(found_gradients)
        for a, b in zip(found_gradients, expected_gradients):
            if b is None:
                assert a is None or not np.any(a)
            elif a is None:
                assert not np.any(b)
            else:
                scale = max(1.0, float(np.abs(b).max()))
                np.testing.assert_allclose(a, b, rtol=tolerance * 10, atol=tolerance * 10 * scale)
    return found


def compare_training(build, x, y, *, loss="mse", optimizer="adam", tolerance=1e-4):
    """Three steps of training from equal weights: losses, weights and predictions agree.

    Adam divides by the size of the gradient, so rounding in a small gradient shows in the weights
    at the scale of the learning rate, 1e-3; hence the wider tolerance.
    """
    theirs, ours = build(keras), build(minikeras)
    same_weights_of_models(theirs, ours)
    histories = []
    for model in (theirs, ours):
        model.compile(optimizer=optimizer, loss=loss)
        history = model.fit(x, y, batch_size=len(y), epochs=3, shuffle=False, verbose=0)
        histories.append(history.history["loss"])
    np.testing.assert_allclose(histories[1], histories[0], rtol=tolerance, atol=tolerance)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(
        np.asarray(ours.predict(x, verbose=0)),
        np.asarray(theirs.predict(x, verbose=0)),
        rtol=tolerance,
        atol=tolerance,
    )


def same_weights_of_models(theirs, ours, seed=0):
    """Give both models the same random weights."""
    assert [tuple(w.shape) for w in theirs.weights] == [tuple(w.shape) for w in ours.weights]
    assert [w.name for w in theirs.weights] == [w.name for w in ours.weights]
    rng = np.random.default_rng(seed)
    values = [rng.normal(size=w.shape).astype("float32") * 0.3 for w in theirs.weights]
    theirs.set_weights(values)
    ours.set_weights(values)

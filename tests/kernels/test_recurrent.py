"""Recurrent kernels against a naive loop over steps and against finite differences, in float64."""

import itertools

import numpy as np
import pytest

from minikeras.kernels import parallel, sequence
from minikeras.kernels import recurrent as kernels

BATCH, STEPS, FEATURES, UNITS = 3, 5, 4, 2


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


# An activation that works over the whole axis and one that needs its input to be differentiated.
SOFTMAX = kernels.Activation(
    lambda z: (softmax(z), None), lambda dy, y, _: y * (dy - (dy * y).sum(-1, keepdims=True))
)
SINE = kernels.Activation(lambda z: (np.sin(z), np.cos(z)), lambda dy, y, cosine: dy * cosine)
PLAIN = {
    id(kernels.TANH): np.tanh,
    id(kernels.SIGMOID): sigmoid,
    id(kernels.RELU): lambda z: np.maximum(z, 0),
    id(kernels.LINEAR): lambda z: z,
    id(SOFTMAX): softmax,
    id(SINE): np.sin,
}


def gate_inputs(x, mask, gates):
    return [x if mask is None else x * (mask if mask.ndim == 2 else mask[g]) for g in range(gates)]


def naive_step(family, x, states, weights, a, s, dropout, recurrent_dropout):
    """One step, written as the formulas are, without any sharing."""
    kernel, recurrent_kernel, bias = weights
    gates = {"simple_rnn": 1, "lstm": 4}.get(family, 3)
    h = states[0]
    kernels_ = np.split(kernel, gates, axis=1)
    recurrent = np.split(recurrent_kernel, gates, axis=1)
    own = [i @ k for i, k in zip(gate_inputs(x, dropout, gates), kernels_)]
    masked = gate_inputs(h, recurrent_dropout, gates)
    back = [m @ k for m, k in zip(masked, recurrent)]
    if bias is not None:
        both = bias if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])
        own = [o + b for o, b in zip(own, np.split(both[0], gates))]
        back = [o + b for o, b in zip(back, np.split(both[1], gates))]
    if family == "simple_rnn":
        return [a(own[0] + back[0])]
    if family == "lstm":
        i, f, o = (s(own[n] + back[n]) for n in (0, 1, 3))
        c = f * states[1] + i * a(own[2] + back[2])
        return [o * a(c), c]
    z, r = (s(own[n] + back[n]) for n in (0, 1))
    part = r * back[2] if family == "gru" else (r * masked[2]) @ recurrent[2]
    return [z * h + (1 - z) * a(own[2] + part)]


def naive(family, x, weights, initial, options):
    a, s = (PLAIN[id(options.get(n, d))] for n, d in (("activation", kernels.TANH),
            ("recurrent_activation", kernels.SIGMOID)))  # fmt: skip
    mask = options.get("mask")
    mask = np.ones(x.shape[:2], bool) if mask is None else mask
    if options.get("go_backwards"):
        x, mask = x[:, ::-1], mask[:, ::-1]
    count = 2 if family == "lstm" else 1
    states = [np.zeros((len(x), UNITS)) if i is None else i for i in initial[:count]]
    previous = np.zeros((len(x), UNITS))
    outputs = []
    for t in range(x.shape[1]):
        live = mask[:, t, None]
        after = naive_step(family, x[:, t], states, weights, a, s, options.get("dropout"),
                           options.get("recurrent_dropout"))  # fmt: skip
        states = [np.where(live, new, old) for new, old in zip(after, states)]
        held = np.zeros_like(previous) if options.get("zero_output_for_mask") else previous
        previous = np.where(live, after[0], held)
        outputs.append(previous)
    return np.stack(outputs, 1), states


FAMILIES = ("simple_rnn", "lstm", "gru", "gru_before")


def run(family, x, weights, initial, options, **kwargs):
    count = 2 if family == "lstm" else 1
    options = dict(options)
    if family == "simple_rnn":
        options.pop("recurrent_activation", None)
    if family.startswith("gru"):
        options["reset_after"] = family == "gru"
    function = getattr(kernels, family.removesuffix("_before"))
    return function(x, *weights, initial[:count], **options, **kwargs)


def case(family, seed=0, use_bias=True, initial=True):
    rng = np.random.default_rng(seed)
    gates = {"simple_rnn": 1, "lstm": 4}.get(family, 3)
    bias_shape = (2, gates * UNITS) if family == "gru" else (gates * UNITS,)
    x = rng.standard_normal((BATCH, STEPS, FEATURES))
    weights = [
        # Small enough that linear gates do not blow up over the steps.
        rng.standard_normal((FEATURES, gates * UNITS)) * 0.4,
        rng.standard_normal((UNITS, gates * UNITS)) * 0.4,
        rng.standard_normal(bias_shape) * 0.4 if use_bias else None,
    ]
    states = [rng.standard_normal((BATCH, UNITS)) if initial else None for _ in range(2)]
    return x, weights, states


def gate_masks(family, rng, size, per_gate=True):
    gates = {"simple_rnn": 1, "lstm": 4}.get(family, 3)
    shape = (gates, BATCH, size) if per_gate and gates > 1 else (BATCH, size)
    return rng.integers(0, 2, shape) * 2.0


MASK = np.array([[0, 0, 1, 0, 1], [1, 1, 0, 0, 1], [0, 1, 1, 0, 0]], bool)  # step 3: nobody live
RIGHT = np.array([[1, 1, 1, 1, 1], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]], bool)
RNG = np.random.default_rng(9)
VARIANTS = {
    "plain": lambda f: ({}, {}),
    "no bias": lambda f: ({}, {"use_bias": False}),
    "zero state": lambda f: ({}, {"initial": False}),
    "backwards": lambda f: ({"go_backwards": True}, {}),
    "mask": lambda f: ({"mask": MASK}, {}),
    "mask, zero state": lambda f: ({"mask": RIGHT}, {"initial": False}),
    "mask, zeros out": lambda f: ({"mask": MASK, "zero_output_for_mask": True}, {}),
    "mask backwards": lambda f: ({"mask": MASK, "go_backwards": True}, {}),
    "dropout": lambda f: ({"dropout": gate_masks(f, RNG, FEATURES, False)}, {}),
    "dropout per gate": lambda f: (
        {
            "dropout": gate_masks(f, RNG, FEATURES),
            "recurrent_dropout": gate_masks(f, RNG, UNITS),
            "go_backwards": True,
        },
        {},
    ),
    "relu, sine": lambda f: (
        {"activation": kernels.RELU, "recurrent_activation": SINE, "mask": MASK},
        {},
    ),
    "softmax": lambda f: ({"activation": SOFTMAX, "recurrent_activation": SOFTMAX}, {}),
    "linear": lambda f: ({"activation": kernels.LINEAR}, {}),
    "sine": lambda f: ({"activation": SINE}, {}),
}
CASES = list(itertools.product(FAMILIES, VARIANTS))


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def threads(request, monkeypatch):
    monkeypatch.setattr(parallel, "_chosen", request.param)
    monkeypatch.setattr(sequence, "_LARGE", 1)
    monkeypatch.setattr(sequence, "_FEWEST", 4)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(("family", "variant"), CASES)
def test_forward_equals_the_naive_loop(family, variant):
    options, arrays = VARIANTS[variant](family)
    x, weights, initial = case(family, **arrays)
    outputs, states = naive(family, x, weights, initial, options)
    for sequences, keep in itertools.product((True, False), repeat=2):
        got = run(family, x, weights, initial, options, sequences=sequences, keep=keep)
        if sequences:
            np.testing.assert_allclose(got.outputs, outputs, atol=1e-13)
        else:
            assert got.outputs is None
        assert (got.saved is not None) == keep
        np.testing.assert_allclose(got.last, outputs[:, -1], atol=1e-13)
        for a, b in zip(got.states, states, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-13)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(("family", "variant"), CASES)
@pytest.mark.parametrize("overwrite", [False, True])
def test_backward_equals_finite_differences(family, variant, overwrite, monkeypatch):
    if overwrite:
        monkeypatch.setattr(sequence, "_TILE", 2 * BATCH * FEATURES)
    options, arrays = VARIANTS[variant](family)
    x, weights, initial = case(family, **arrays)
    rng = np.random.default_rng(5)
    count = 2 if family == "lstm" else 1
    d_outputs = rng.standard_normal((BATCH, STEPS, UNITS))
    d_last = rng.standard_normal((BATCH, UNITS))
    d_states = [rng.standard_normal((BATCH, UNITS)) for _ in range(count)]

    def loss(x, weights, initial):
        outputs, states = naive(family, x, weights, initial, options)
        return (
            (outputs * d_outputs).sum()
            + (outputs[:, -1] * d_last).sum()
            + sum((a * b).sum() for a, b in zip(states, d_states))
        )

    saved = run(family, x, weights, initial, options).saved
    backward = getattr(kernels, family.removesuffix("_before") + "_backward")
    buffers = [None if w is None else np.full_like(w, np.nan) for w in weights]
    got = backward(
        saved, d_outputs, d_last, d_states, overwrite=overwrite,
        d_kernel=buffers[0], d_recurrent_kernel=buffers[1], d_bias=buffers[2],
    )  # fmt: skip
    assert got.kernel is buffers[0] and got.bias is buffers[2]
    values = {"inputs": x, "kernel": weights[0], "recurrent_kernel": weights[1]}
    if weights[2] is not None:
        values["bias"] = weights[2]
    else:
        assert got.bias is None
    gradients = {name: getattr(got, name) for name in values}
    for n in range(count):
        if initial[n] is not None:
            values[f"state {n}"], gradients[f"state {n}"] = initial[n], got.states[n]
    for name, value in values.items():
        direction = rng.standard_normal(value.shape)
        shifted = []
        for sign in (1, -1):
            change = {
                k: v + (sign * 1e-6 * direction if k == name else 0) for k, v in values.items()
            }
            w = [change["kernel"], change["recurrent_kernel"], change.get("bias")]
            s = [change.get(f"state {n}", initial[n]) for n in range(2)]
            shifted.append(loss(change["inputs"], w, s))
        expected = (shifted[0] - shifted[1]) / 2e-6
        # Central differences of a loss near 1 with step 1e-6 carry rounding of about 1e-9.
        assert gradients[name] is not None
        np.testing.assert_allclose(
            (gradients[name] * direction).sum(), expected, rtol=1e-6, atol=1e-7, err_msg=name
        )


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_given_is_written_to(family):
    x, weights, initial = case(family)
    d_outputs = np.ones((BATCH, STEPS, UNITS))
    given = [x, *weights, *initial, d_outputs]
    before = [a.copy() for a in given]
    ran = run(family, x, weights, initial, {"mask": MASK, "zero_output_for_mask": True})
    outputs = ran.outputs.copy()
    backward = getattr(kernels, family.removesuffix("_before") + "_backward")
    first = backward(ran.saved, d_outputs)
    second = backward(ran.saved, d_outputs)
    for a, b in zip(given, before):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(ran.outputs, outputs)
    np.testing.assert_array_equal(first.kernel, second.kernel)
    np.testing.assert_array_equal(first.inputs, second.inputs)


@pytest.mark.parametrize(("family", "variant"), CASES)
def test_float32_stays_float32(family, variant):
    options, arrays = VARIANTS[variant](family)
    x, weights, initial = case(family, **arrays)

    def single(value):
        return value.astype("float32") if getattr(value, "dtype", None) == "float64" else value

    options = {k: single(v) for k, v in options.items()}
    ran = run(
        family, single(x), [single(w) for w in weights], [single(i) for i in initial], options
    )
    backward = getattr(kernels, family.removesuffix("_before") + "_backward")
    got = backward(ran.saved, np.ones_like(ran.outputs))
    arrays = [ran.outputs, ran.last, *ran.states, *got[:4], *got.states]
    assert {a.dtype for a in arrays if a is not None} == {np.dtype("float32")}
    exact = naive(family, x, weights, initial, options)[0]
    np.testing.assert_allclose(ran.outputs, exact, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_large_inputs_saturate_without_overflow(family):
    x, weights, initial = case(family)
    with np.errstate(all="raise", under="ignore"):
        ran = run(family, x * 1e4, weights, initial, {})
        backward = getattr(kernels, family.removesuffix("_before") + "_backward")
        got = backward(ran.saved, np.ones_like(ran.outputs))
    assert np.isfinite(ran.outputs).all() and np.isfinite(got.kernel).all()

"""Operations of neural networks, transforms, loops and images against Keras."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minikeras
from compat.ops_compare import SETTINGS, Draw, compare, same


@SETTINGS
@given(st.data())
def test_encodings(data):
    d = Draw(data)
    x = d.array(d.shape(0, 3), d.choice("int32", "int64", "uint8"), -1, 4)
    dtype = d.choice(None, "int32", "bool", "float16")
    compare("one_hot", x, 4, axis=d.choice(0, -1), dtype=dtype)
    if x.ndim:
        compare("multi_hot", x, 4, dtype=dtype)


@SETTINGS
@given(st.data())
def test_crossentropies(data):
    d = Draw(data)
    dtype = d.choice("float32", "float64")
    shape = d.shape(1, 3, smallest=2)
    logits, p = d.array(shape, dtype), d.array(shape, dtype, 0.05, 0.95)
    target = d.array(shape, dtype, 0.0, 1.0)
    loose = {"rtol": 1e-4, "atol": 1e-5}
    compare("binary_crossentropy", target, p, **loose)
    compare("binary_crossentropy", target, logits, from_logits=True, **loose)
    axis = d.axis(shape)
    compare("categorical_crossentropy", target, p, axis=axis, **loose)
    # TensorFlow's gradient takes it for granted that targets sum to 1.
    target = target / target.sum(-1, keepdims=True)
    compare("categorical_crossentropy", target, logits, from_logits=True, **loose)
    classes = d.array(shape[:-1], "int32", 0, shape[-1] - 1)
    p = p / p.sum(-1, keepdims=True)
    compare("sparse_categorical_crossentropy", classes, p, **loose)
    compare("sparse_categorical_crossentropy", classes, logits, from_logits=True, **loose)
    compare("binary_crossentropy", target, p[..., :1])
    compare("categorical_crossentropy", target, p[..., :1])
    compare("sparse_categorical_crossentropy", classes[..., None, None], p)


@SETTINGS
@given(st.data())
def test_normalizations(data):
    d = Draw(data)
    shape = d.shape(2, 4, smallest=2)
    x = d.array(shape, d.choice("float32", "float64"))
    loose = {"rtol": 2e-4, "atol": 2e-5}
    compare("moments", x, d.axes(shape) or 0, keepdims=d.flag(), **loose)
    compare("normalize", x, axis=d.axis(shape), order=d.choice(1, 2, 3), **loose)
    axis = d.axis(shape)
    size = shape[axis]
    vectors = [d.array((size,), x.dtype.name, 0.5, 2.0) for _ in range(4)]
    compare("batch_normalization", x, vectors[0], vectors[1], axis, vectors[2], vectors[3], **loose)
    last = [d.array(shape[-1:], x.dtype.name, 0.5, 2.0) for _ in range(2)]
    compare("layer_normalization", x, *last, epsilon=1e-3, **loose)
    compare("layer_normalization", x, axis=axis, epsilon=1e-3, **loose)
    compare("rms_normalization", x, last[0], epsilon=1e-3, **loose)
    compare("rms_normalization", x, axis=axis, **loose)
    compare("psnr", x, x + x.dtype.type(0.5), max_val=2.0, **loose)


@SETTINGS
@given(st.data())
def test_attention(data):
    d = Draw(data)
    batch, t, s, heads = d.integer(1, 2), d.integer(1, 4), d.integer(1, 4), d.choice(2, 4)
    keys = d.choice(1, heads)
    q = d.array((batch, t, heads, 3))
    k, v = d.array((batch, s, keys, 3)), d.array((batch, s, keys, 3))
    options = {
        "bias": d.choice(None, d.array((batch, heads, t, s))),
        "mask": d.choice(None, np.tri(t, s, 0, bool)[None, None]),
        "scale": d.choice(None, 0.5),
        "is_causal": d.flag(),
    }
    compare("dot_product_attention", q, k, v, rtol=1e-3, atol=1e-4, **options)


@SETTINGS
@given(st.data())
def test_ctc(data):
    d = Draw(data)
    batch, steps, classes, labels = d.integer(1, 3), d.integer(5, 7), d.integer(3, 5), 2
    output = d.array((batch, steps, classes))
    target = d.array((batch, labels), "int32", 1, classes - 1)
    target_length = d.array((batch,), "int32", 1, labels)
    output_length = d.array((batch,), "int32", 5, steps)
    compare("ctc_loss", target, output, target_length, output_length, rtol=1e-3, atol=1e-4)
    compare("ctc_decode", output, output_length, mask_index=0, gradient=False)
    compare("ctc_decode", output, output_length, "beam_search", 20, 2, gradient=False, rtol=1e-3)


@SETTINGS
@given(st.data())
def test_blocks(data):
    d = Draw(data)
    x = d.array((2, 4, 6, 8))
    compare("depth_to_space", x, 2)
    compare("space_to_depth", x, 2)
    compare("depth_to_space", d.array((1, 4, 2, 3)), 2, data_format="channels_first")
    options = {"dilation": d.integer(1, 2), "padding": d.integer(0, 1), "stride": d.integer(1, 2)}
    compare("unfold", d.array((2, 3, 6, 7)), d.choice(2, (2, 3)), **options)
    patches = minikeras.ops.unfold(d.array((2, 3, 6, 7)), 2, **options).numpy()
    compare("fold", patches, (6, 7), 2, **options)


@SETTINGS
@given(st.data())
def test_transforms(data):
    d = Draw(data)
    dtype = d.choice("float32", "float64")
    n = d.integer(2, 9)
    a, b = d.array((2, n), dtype), d.array((2, n), dtype)
    loose = {"rtol": 1e-3, "atol": 1e-4} if dtype == "float32" else {}
    for name in ("fft", "fft2", "ifft2"):
        compare(name, (a, b), **loose)
    # TensorFlow's own conversion takes arrays of float64 to float32 here.
    half = {"rtol": 1e-3, "atol": 1e-4}
    compare("rfft", a.astype("float32"), d.choice(None, n, n + 2, max(n - 1, 2)), **half)
    compare("irfft", (a, b), d.choice(None, n, 2 * n), **loose)
    signal = d.array((2, 20), dtype)
    compare("extract_sequences", signal, d.integer(1, 5), d.integer(1, 5))
    length, stride, size = d.choice(4, 6), d.choice(2, 3), d.choice(6, 8)
    window = d.choice("hann", "hamming", None)
    compare("stft", signal, length, stride, size, window=window, center=d.flag(), **loose)
    frames = [d.array((2, 5, size // 2 + 1), dtype) for _ in range(2)]
    compare(
        "istft", tuple(frames), size, 2, size, length=d.choice(None, 6), window="hamming",
        center=d.flag(), **loose,
    )  # fmt: skip
    compare("polar", d.array((3,), "float32", 0.5, 2.0), d.array((3,)), gradient=False)
    compare("view_as_real", (a + 1j * b).astype("complex64"), gradient=False)
    compare("view_as_complex", d.array((3, 2)), gradient=False)
    compare("cdist", d.array((3, 2), dtype), d.array((4, 2), dtype), **loose)


def test_loops():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 3)).astype("float32")
    for ours, theirs in ((minikeras.ops, keras.ops),):
        calls = [
            lambda ops: ops.map(lambda row: row * 2, x),
            lambda ops: ops.vectorized_map(lambda row: ops.sum(row), x),
            lambda ops: ops.scan(lambda c, row: (c + row, c * row), x[0], x),
            lambda ops: ops.scan(lambda c, row: (c + row, c), x[0], x, reverse=True),
            lambda ops: ops.associative_scan(lambda a, b: a + b, x),
            lambda ops: ops.associative_scan(lambda a, b: a * b, x, reverse=True, axis=1),
            lambda ops: ops.fori_loop(0, 5, lambda i, v: v + 1.0, x),
            lambda ops: ops.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, v * 2), (0, x)),
            lambda ops: ops.cond(x.sum() > 1e9, lambda: x, lambda: -x),
            lambda ops: ops.switch(1, [lambda v: v, lambda v: v + 1], x),
            lambda ops: ops.rearrange(x, "(a b) c -> b (c a)", a=2),
        ]
        for call in calls:
            same(call(ours), call(theirs))


IMAGE = "image"


@SETTINGS
@given(st.data())
def test_colors(data):
    d = Draw(data)
    shape = (*d.choice((), (2,)), 3, 4, 3)
    x = d.array(shape, d.choice("float32", "float64"), 0.0, 1.0)
    compare("image.rgb_to_grayscale", x, rtol=1e-5)
    compare("image.rgb_to_hsv", x, gradient=False, rtol=1e-5, atol=1e-6)
    compare("image.hsv_to_rgb", x, gradient=False, rtol=1e-5, atol=1e-6)
    compare("image.rgb_to_grayscale", x.astype("int32") * 100)
    compare(
        "image.rgb_to_grayscale", np.moveaxis(x, -1, -3), data_format="channels_first", rtol=1e-5
    )


@SETTINGS
@given(st.data())
def test_geometry(data):
    d = Draw(data)
    x = d.array((2, 5, 6, 2), "float32", 0.0, 1.0)
    transform = np.array([[1, 0, 0, 0, 1, 0, 0, 0]], "float32") + d.array(
        (2, 8), "float32", -0.2, 0.2
    )
    transform[:, 6:] *= 0.05
    transform[:, [2, 5]] *= 10
    mode = d.choice("constant", "nearest", "reflect", "wrap")
    compare(
        "image.affine_transform", x, transform, d.choice("bilinear", "nearest"), mode, 0.5,
        gradient=False, atol=1e-4,
    )  # fmt: skip
    points = np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 4.0], [5.0, 4.0]], "float32")
    compare(
        "image.perspective_transform", x[0], points, points + d.array((4, 2), "float32", -0.4, 0.4),
        gradient=False, atol=1e-3,
    )  # fmt: skip
    places = d.array((2, 7), "float32", -2.0, 7.0)
    compare(
        "image.map_coordinates", x[0, ..., 0], places, d.choice(0, 1),
        d.choice("constant", "nearest", "wrap"), 0.3, gradient=False, atol=1e-5,
    )  # fmt: skip
    compare(
        "image.scale_and_translate", x, (2, 7, 3, 2), np.array([1.4, 0.5], "float32"),
        np.array([0.3, -0.2], "float32"), (1, 2), d.choice("linear", "cubic", "lanczos3"),
        d.flag(), gradient=False, atol=1e-4,
    )  # fmt: skip


@SETTINGS
@given(st.data())
def test_filters(data):
    d = Draw(data)
    x = d.array((2, 6, 7, 3), "float32", 0.0, 1.0)
    compare("image.gaussian_blur", x, (3, 3), (1.0, d.choice(1.0, 0.6)), rtol=1e-4)
    compare("image.sobel_edges", x, rtol=1e-4)
    compare("image.ssim", x, x[::-1].copy(), filter_size=3, rtol=1e-3, atol=1e-4)
    compare("image.pad_images", x, 1, 2, target_height=9, target_width=10)
    compare("image.crop_images", x, 1, 2, target_height=3, target_width=4)
    compare(
        "image.extract_patches", x, d.choice(2, (2, 3)), d.choice(None, 1, 2),
        1, d.choice("valid", "same"), rtol=1e-5,
    )  # fmt: skip
    compare("image.extract_patches_3d", d.array((1, 4, 4, 4, 2)), 2, rtol=1e-5)
    compare("image.extract_patches", np.moveaxis(x, -1, 1), 3, data_format="channels_first")


@pytest.mark.parametrize("name", sorted(set(dir(keras.ops)) - {"image", "linalg", "nn", "numpy"}))
def test_signature(name):
    import inspect

    theirs = getattr(keras.ops, name)
    if name.startswith("_") or not callable(theirs):
        return
    ours = getattr(minikeras.ops, name)
    expected, found = inspect.signature(theirs), inspect.signature(ours)
    assert [(p.name, p.kind, p.default) for p in found.parameters.values()] == [
        (p.name, p.kind, p.default) for p in expected.parameters.values()
    ]


@pytest.mark.parametrize("space", ["image", "linalg", "nn", "numpy"])
def test_namespaces(space):
    import inspect

    theirs, ours = getattr(keras.ops, space), getattr(minikeras.ops, space)
    names = {name for name in dir(theirs) if not name.startswith("_")}
    assert names == set(ours.__all__)
    for name in names:
        expected = inspect.signature(getattr(theirs, name)).parameters.values()
        found = inspect.signature(getattr(ours, name)).parameters.values()
        assert [(p.name, p.default) for p in found] == [(p.name, p.default) for p in expected], name


SPECS = [
    ("reshape", [(None, 4)], ((-1, 2, 2),)),
    ("reshape", [(None, 4, 3)], ((-1, 12),)),
    ("transpose", [(None, 4, 3)], ((0, 2, 1),)),
    ("expand_dims", [(None, 4)], (1,)),
    ("squeeze", [(None, 1, 4)], (1,)),
    ("matmul", [(None, 4, 3), (3, 5)], ()),
    ("mean", [(None, 4, 3)], ((1, 2),)),
    ("add", [(None, 1, 3), (None, 4, 1)], ()),
    ("softmax", [(None, 4)], ()),
    ("one_hot", [(None,)], (5,)),
    ("take", [(10, 4), (None, 3)], (0,)),
    ("tile", [(None, 4)], ((2, 3),)),
    ("repeat", [(None, 4)], (2, 1)),
    ("pad", [(None, 4)], (((0, 0), (1, 2)),)),
    ("layer_normalization", [(None, 4)], ()),
    ("top_k", [(None, 6)], (2,)),
    ("split", [(None, 6)], (3, 1)),
    ("argmax", [(None, 6)], (1,)),
    ("where", [(None, 1), (None, 6), (6,)], ()),
]


@pytest.mark.parametrize("name, shapes, more", SPECS)
def test_symbolic_shapes(name, shapes, more):
    results = []
    for module in (minikeras, keras):
        integer = name == "one_hot"
        inputs = [
            module.KerasTensor(shape, "int32" if integer or name == "take" and i else "float32")
            for i, shape in enumerate(shapes)
        ]
        outputs = getattr(module.ops, name)(*inputs, *more)
        results.append([(tuple(y.shape), y.dtype) for y in keras.tree.flatten(outputs)])
    assert results[0] == results[1]

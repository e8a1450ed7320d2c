"""The gradient of every differentiable operation, in float64, against differences."""

# ruff: noqa: E501 - one case a line

import numpy as np
import pytest

from minikeras import ops, random
from minikeras.engine import registry
from tests.gradcheck import check_gradients

registry.operations._load()
OPERATIONS = {**registry.operations.objects()}

rng = np.random.default_rng(0)


def real(*shape):
    return rng.standard_normal(shape)


def away(*shape):
    """Away from 0, 1 and -1, where some functions have kinks."""
    return rng.choice([-1, 1], shape) * rng.uniform(1.2, 2.0, shape)


def positive(*shape):
    return rng.uniform(0.5, 2.0, shape)


def unit(*shape):
    return rng.uniform(-0.8, 0.8, shape)


def distinct(*shape):
    """No two values close to each other."""
    return rng.permutation(int(np.prod(shape))).reshape(shape) * 0.37 - 2.0


def spd(n):
    a = real(n, n)
    return a @ a.T + n * np.eye(n)


def symmetric(function):
    """Decompositions of symmetric matrices are functions of both triangles."""
    return lambda x: function((x + ops.transpose(x)) / 2)


def positive_definite(function):
    return lambda x: function(ops.matmul(x, ops.transpose(x)) + 3.0 * np.eye(x.shape[0]))


def parts(function):
    """A complex result as two real ones."""

    def wrapped(*args):
        z = function(*args)
        return ops.real(z), ops.imag(z)

    return wrapped


def complex_in(function):
    return lambda a, b: function(ops.view_as_complex(ops.stack([a, b], axis=-1)))


def with_options(function, *args, **options):
    return lambda *tensors: function(*tensors, *args, **options)


def pair(function, *args):
    return lambda a, b: function((a, b), *args)


def probabilities(*shape):
    p = rng.uniform(0.1, 1.0, shape)
    return p / p.sum(-1, keepdims=True)


INDEX = np.array([2, 0, 2])
IDS = np.array([0, 2, 0, 2, 1])
IMAGE = (2, 4, 5, 3)
POINTS = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 3.0], [4.0, 3.0]])
MOVED = POINTS + np.array([[0.3, 0.2], [-0.2, 0.4], [0.1, -0.3], [-0.4, -0.2]])

# Operations of one tensor, where plain random numbers do not do.
DOMAINS = {
    **dict.fromkeys("Arcsin Arccos Arctanh Erfinv".split(), unit),
    **dict.fromkeys("Log Log2 Log10 Log1p Sqrt Rsqrt Cbrt Reciprocal".split(), positive),
    **dict.fromkeys("Absolute Abs Fabs Sign Relu Sparsemax LeakyRelu Elu Celu Selu".split(), away),
    "Arccosh": lambda *shape: positive(*shape) + 1.0,
    "Sinc": away,
}
UNARY = (
    "Absolute Abs Fabs Negative Sign Square Sqrt Rsqrt Cbrt Reciprocal Exp Exp2 Expm1 Log Log2"
    " Log10 Log1p Sin Cos Tan Arcsin Arccos Arctan Sinh Cosh Tanh Arcsinh Arccosh Arctanh Deg2rad"
    " Rad2deg Sinc Erf Erfc Erfinv I0 Real Imag Conjugate Conj Angle Relu Relu6 Sigmoid"
    " SparseSigmoid Softplus Softsign SparsePlus Silu LogSigmoid HardSigmoid HardSilu HardTanh"
    " TanhShrink Selu LeakyRelu Elu Celu Gelu SoftShrink HardShrink Squareplus Softmax LogSoftmax"
    " Sparsemax Glu Sum Mean Var Std Prod Cumsum Cumprod Logsumexp Copy Ravel Transpose Flip Fliplr"
    " Flipud Rot90 Squeeze Tril Triu Diagflat Diag Diagonal Trace Nansum Nanprod Nanmean Nanvar"
    " Nanstd Nancumsum Nancumprod NanToNum Normalize Diff Trapezoid Corrcoef View"
).split()
PLAIN = (
    "Add Subtract Multiply Divide TrueDivide DivideNoNan Power Mod Fmod Maximum Minimum Fmax Fmin"
    " Hypot Arctan2 Logaddexp Logaddexp2 Outer Kron Inner Dot Vdot Append"
).split()


def function_of(name):
    found = {"Nanprod": "nanprod", "NanToNum": "nan_to_num"}
    from minikeras.engine.registry import to_snake_case

    return getattr(ops, found.get(name) or to_snake_case(name))


CASES = {}
for _name in UNARY:
    CASES[_name] = [(function_of(_name), DOMAINS.get(_name, real)(3, 4))]
for _name in PLAIN:
    _shapes = ((3, 4), (4,)) if _name not in ("Vdot", "Append") else ((3, 4), (3, 4))
    if _name == "Inner":
        _shapes = ((3, 4), (2, 4))
    CASES[_name] = [(function_of(_name), positive(*_shapes[0]), positive(*_shapes[1]) + 0.1)]

CASES.update(
    {
        "Sum": [
            (with_options(ops.sum, axis=1), real(3, 4)),
            (with_options(ops.sum, axis=(0, 2), keepdims=True), real(2, 3, 4)),
        ],
        "Mean": [(with_options(ops.mean, axis=(0, -1)), real(2, 3, 4))],
        "Var": [(with_options(ops.var, axis=(0, -1)), real(2, 3, 4))],
        "Prod": [
            (with_options(ops.prod, axis=1), real(3, 4)),
            (ops.prod, np.array([[0.0, 2.0], [3.0, -1.0]])),
            (with_options(ops.prod, axis=(0, 2), keepdims=True), real(2, 3, 2)),
        ],
        "Cumprod": [
            (with_options(ops.cumprod, axis=1), real(3, 4)),
            (ops.cumprod, np.array([2.0, 0.0, 3.0, 0.0, 1.0])),
        ],
        "Cumsum": [(with_options(ops.cumsum, axis=0), real(3, 4))],
        "Logsumexp": [(with_options(ops.logsumexp, axis=(0, 1), keepdims=True), real(3, 4))],
        "Average": [
            (lambda x, w: ops.average(x, axis=1, weights=w), real(3, 4), positive(4)),
            (lambda x, w: ops.average(x, weights=w), real(3, 4), positive(3, 4)),
        ],
        "BroadcastTo": [(with_options(ops.broadcast_to, (2, 3, 4)), real(3, 1))],
        "Cast": [(with_options(ops.cast, "float64"), real(3))],
        "SaturateCast": [(with_options(ops.saturate_cast, "float64"), real(3))],
        "EngineCast": [(with_options(lambda x: x.astype("float64")), real(3))],
        "Hsplit": [(with_options(ops.hsplit, 2), real(2, 4))],
        "Vsplit": [(with_options(ops.vsplit, 2), real(2, 4))],
        "Dsplit": [(with_options(ops.dsplit, 2), real(2, 1, 4))],
        "Rearrange": [(with_options(ops.rearrange, "a (b c) -> c a b", b=2), real(2, 6))],
        "ConvertToTensor": [(ops.core.ConvertToTensor(), real(2))],
        "Array": [(ops.core.ConvertToTensor("float64"), real(2))],
        "Clip": [(with_options(ops.clip, -0.5, 0.5), distinct(3, 4) + 0.01)],
        "Reshape": [(with_options(ops.reshape, (2, -1)), real(3, 4))],
        "Transpose": [(with_options(ops.transpose, (2, 0, 1)), real(2, 3, 4))],
        "Swapaxes": [(with_options(ops.swapaxes, 0, 2), real(2, 3, 4))],
        "Moveaxis": [(with_options(ops.moveaxis, (0, 1), (2, 0)), real(2, 3, 4))],
        "Flip": [(with_options(ops.flip, (0, 2)), real(2, 3, 4))],
        "Rot90": [(with_options(ops.rot90, 3, (1, 2)), real(2, 3, 4))],
        "ExpandDims": [(with_options(ops.expand_dims, (0, -1)), real(2, 3))],
        "Squeeze": [(with_options(ops.squeeze, 1), real(2, 1, 3))],
        "Concatenate": [(lambda a, b: ops.concatenate([a, b], 1), real(2, 3), real(2, 2))],
        "Stack": [(lambda a, b: ops.stack([a, b], 1), real(2, 3), real(2, 3))],
        "Hstack": [(lambda a, b: ops.hstack([a, b]), real(2, 3), real(2, 2))],
        "Vstack": [(lambda a, b: ops.vstack([a, b]), real(3), real(3))],
        "Dstack": [(lambda a, b: ops.dstack([a, b]), real(2, 3), real(2, 3))],
        "Split": [(with_options(ops.split, [1, 3], axis=1), real(2, 5))],
        "ArraySplit": [(with_options(ops.array_split, 3, axis=1), real(2, 5))],
        "Unstack": [(with_options(ops.unstack, axis=1), real(2, 3))],
        "Pad": [
            (with_options(ops.pad, ((1, 2), (0, 1))), real(2, 3)),
            (with_options(ops.pad, 2, mode="reflect"), real(3, 4)),
            (with_options(ops.pad, ((1, 2), (3, 0)), mode="symmetric"), real(3, 4)),
            (with_options(ops.pad, 2, mode="edge"), real(2, 3)),
            (with_options(ops.pad, 3, mode="wrap"), real(2, 3)),
        ],
        "Roll": [(with_options(ops.roll, (1, -2), (0, 1)), real(3, 4))],
        "Tile": [(with_options(ops.tile, (2, 1, 3)), real(2, 3))],
        "Repeat": [
            (with_options(ops.repeat, 2, axis=1), real(2, 3)),
            (with_options(ops.repeat, [1, 0, 3], axis=1), real(2, 3)),
            (with_options(ops.repeat, 2), real(2, 3)),
        ],
        "Diag": [(with_options(ops.diag, -1), real(3)), (with_options(ops.diag, 1), real(3, 4))],
        "Diagonal": [(with_options(ops.diagonal, 1, 0, 2), real(3, 2, 4))],
        "Meshgrid": [(lambda a, b, c: ops.meshgrid(a, b, c), real(2), real(3), real(4))],
        "Linspace": [
            (with_options(ops.linspace, num=4, axis=1), real(3), real(3)),
            (with_options(ops.linspace, num=4, endpoint=False, retstep=True), real(3), real(1)),
        ],
        "Logspace": [(with_options(ops.logspace, num=4, base=2.0), real(3), real(3))],
        "Geomspace": [(with_options(ops.geomspace, num=4, dtype="float64"), positive(3), positive(3))],
        "Vander": [(with_options(ops.vander, 4), positive(3))],
        "GetItem": [
            (lambda x: x[1:, None, ..., -1], real(3, 2, 4)),
            (lambda x: x[INDEX, 1], real(3, 2)),
            (lambda x: x[np.array([True, False, True])], real(3, 2)),
        ],
        "Where": [(lambda a, b: ops.where(np.array([[True], [False]]), a, b), real(2, 3), real(3))],
        "Take": [
            (with_options(ops.take, INDEX, axis=1), real(2, 3)),
            (with_options(ops.take, np.array([[0, -1]])), real(2, 3)),
        ],
        "TakeAlongAxis": [
            (with_options(ops.take_along_axis, np.array([[0, 0, 1]]), axis=1), real(2, 3)),
            (with_options(ops.take_along_axis, np.array([3, 3])), real(2, 3)),
        ],
        "Scatter": [
            (lambda v: ops.scatter(np.array([[0, 1], [1, 0], [0, 1]]), v, (2, 3)), real(3))
        ],
        "ScatterUpdate": [
            (
                lambda x, u, r=r: ops.scatter_update(x, np.array([[0], [2], [0]]), u, r),
                positive(4),
                positive(3),
            )
            for r in (None, "add", "mul", "max", "min")
        ],
        "Slice": [(lambda x: ops.slice(x, (1, 0), (2, 2)), real(3, 3))],
        "SliceUpdate": [(lambda x, u: ops.slice_update(x, (1, 0), u), real(3, 3), real(2, 2))],
        "Select": [
            (
                lambda a, b: ops.select([np.array([True, False])], [a], b),
                real(2),
                real(2),
            )
        ],
        "Matmul": [
            (ops.matmul, real(2, 3), real(3, 4)),
            (ops.matmul, real(3), real(3)),
            (ops.matmul, real(3), real(2, 3, 4)),
            (ops.matmul, real(2, 4, 3), real(3)),
            (ops.matmul, real(5, 1, 2, 3), real(4, 3, 2)),
            (ops.matmul, real(5, 2, 3), real(3, 2)),
        ],
        "Einsum": [
            (lambda a, b: ops.einsum("bij,bjk->bik", a, b), real(2, 3, 4), real(2, 4, 5)),
            (lambda a: ops.einsum("ii->i", a), real(3, 3)),
            (lambda a: ops.einsum("ij->", a), real(3, 4)),
            (lambda a, b: ops.einsum("...i,...i", a, b), real(2, 3), real(3)),
            (lambda a, b, c: ops.einsum("i,j,ij->j", a, b, c), real(2), real(3), real(2, 3)),
            (lambda a: ops.einsum("iij->j", a), real(3, 3, 2)),
        ],
        "Tensordot": [(with_options(ops.tensordot, axes=[[0, 1], [1, 0]]), real(2, 3, 4), real(3, 2))],
        "Dot": [(ops.dot, real(2, 3), real(4, 3, 2)), (ops.dot, real(2, 3), np.asarray(0.7))],
        "Cross": [
            (ops.cross, real(2, 3), real(2, 3)),
            (ops.cross, real(4, 2), real(2)),
            (with_options(ops.cross, axis=0), real(3, 2), real(3, 2)),
        ],
        "Sort": [(with_options(ops.sort, axis=0), distinct(3, 4)), (with_options(ops.sort, None), distinct(5))],
        "TopK": [(with_options(ops.top_k, 2), distinct(2, 4))],
        **{
            name: [
                (with_options(getattr(ops, name.lower()), q, axis=1, method=method), distinct(3, 4))
                for method in ("linear", "lower", "higher", "midpoint", "nearest")
            ]
            for name, q in (
                ("Quantile", np.array([0.3, 0.9])),
                ("Percentile", 40.0),
                ("Nanquantile", 0.3),
                ("Nanpercentile", np.array([[30.0, 90.0]])),
            )
        },
        "Median": [(with_options(ops.median, axis=(0, 1), keepdims=True), distinct(3, 4))],
        "Nanmedian": [(with_options(ops.nanmedian, axis=0), distinct(3, 4))],
        **{
            name: [(with_options(getattr(ops, name.lower()), axis=1), distinct(3, 4))]
            for name in ("Max", "Min", "Amax", "Amin", "Nanmax", "Nanmin", "Ptp")
        },
        "Correlate": [
            (with_options(ops.correlate, mode), real(5), real(3))
            for mode in ("valid", "same", "full")
        ] + [(with_options(ops.correlate, "valid"), real(3), real(5))],
        "Ldexp": [(lambda x: ops.ldexp(x, np.array([1, -2])), real(2))],
        "Trapezoid": [
            (lambda y, x: ops.trapezoid(y, x), real(2, 4), real(4)),
            (with_options(ops.trapezoid, dx=0.5, axis=0), real(3, 2)),
        ],
        "Diff": [(with_options(ops.diff, n=2, axis=0), real(4, 2))],
        "Real": [(complex_in(ops.real), real(3), real(3))],
        "Imag": [(complex_in(ops.imag), real(3), real(3))],
        "Angle": [(complex_in(ops.angle), real(3), real(3))],
        "Conj": [(parts(complex_in(ops.conj)), real(3), real(3))],
        "Conjugate": [(parts(complex_in(ops.conjugate)), real(3), real(3))],
        "Absolute": [(complex_in(ops.absolute), real(3), real(3)), (ops.absolute, away(3))],
        "ViewAsComplex": [(parts(ops.view_as_complex), real(3, 2))],
        "ViewAsReal": [(complex_in(ops.view_as_real), real(3), real(3))],
        "Polar": [(parts(ops.polar), positive(3), real(3))],
        "FFT": [(pair(ops.fft), real(2, 5), real(2, 5))],
        "FFT2": [(pair(ops.fft2), real(3, 4), real(3, 4))],
        "IFFT2": [(pair(ops.ifft2), real(3, 4), real(3, 4))],
        "RFFT": [(ops.rfft, real(2, n)) for n in (5, 6)] + [(with_options(ops.rfft, 4), real(6)), (with_options(ops.rfft, 8), real(5))],
        "IRFFT": [(pair(ops.irfft), real(2, 4), real(2, 4)), (pair(ops.irfft, 5), real(3), real(3)), (pair(ops.irfft, 10), real(3), real(3))],
        "STFT": [(with_options(ops.stft, 4, 2, 6), real(12))],
        "ISTFT": [(pair(ops.istft, 4, 2, 6), real(5, 4), real(5, 4))],
        "ExtractSequences": [(with_options(ops.extract_sequences, 4, 3), real(2, 11))],
        "Cholesky": [
            (positive_definite(ops.cholesky), real(3, 3)),
            (positive_definite(with_options(ops.cholesky, upper=True)), real(3, 3)),
        ],
        "CholeskyInverse": [(ops.cholesky_inverse, np.tril(positive(3, 3)) + np.eye(3))],
        "Det": [(ops.det, real(2, 3, 3))],
        "Logdet": [(positive_definite(ops.logdet), real(3, 3))],
        "Slogdet": [(lambda x: ops.slogdet(x)[1], real(2, 3, 3))],
        "Inv": [(ops.inv, real(2, 3, 3))],
        "Eigh": [(symmetric(lambda x: (lambda w, v: (w, v * v))(*ops.eigh(x))), real(4, 4))],
        "Qr": [(ops.qr, real(4, 3)), (ops.qr, real(2, 3, 3))],
        "SVD": [
            (with_options(ops.svd, compute_uv=False), real(3, 4)),
            (with_options(ops.svd, full_matrices=False), real(2, 4, 3)),
            (with_options(ops.svd, full_matrices=False), real(3, 4)),
        ],
        "Solve": [(ops.solve, real(2, 3, 3), real(2, 3, 2)), (ops.solve, real(3, 3), real(3, 1))],
        "SolveTriangular": [
            (with_options(ops.solve_triangular, lower=True), real(3, 3) + 3 * np.eye(3), real(3, 2)),
            (ops.solve_triangular, real(3, 3) + 3 * np.eye(3), real(3)),
        ],
        "Pinv": [(ops.pinv, real(4, 3)), (ops.pinv, real(2, 3))],
        "Lstsq": [(ops.lstsq, real(4, 2), real(4)), (ops.lstsq, real(4, 2), real(4, 3))],
        "Norm": [(with_options(ops.norm, o, 1), away(3, 4)) for o in (None, 1, 2, 3, np.inf)]
        + [(with_options(ops.norm, o), real(3, 4)) for o in (None, "fro", "nuc", 1, -1, 2, -2, np.inf)],
        "Normalize": [(with_options(ops.normalize, 1, o), away(3, 4)) for o in (1, 2, 3)],
        "Moments": [(with_options(ops.moments, (0, 1)), real(2, 3, 4))],
        "BatchNorm": [
            (
                lambda x, m, v, o, s: ops.batch_normalization(x, m, v, 1, o, s),
                real(2, 3, 2), real(3), positive(3), real(3), real(3),
            )
        ],
        "LayerNorm": [
            (lambda x, g, b: ops.layer_normalization(x, g, b), real(2, 3, 4), real(4), real(4)),
            (lambda x, g: ops.layer_normalization(x, g, axis=(1, 2)), real(2, 3, 4), real(3, 4)),
            (lambda x, g: ops.layer_normalization(x, g, axis=1), real(2, 3, 4), real(3)),
        ],
        "RMSNorm": [(lambda x, s: ops.rms_normalization(x, s), real(2, 4), real(4))],
        "PSNR": [(with_options(ops.psnr, 2.0), real(3), real(3))],
        "DotProductAttention": [
            (ops.dot_product_attention, real(2, 3, 4, 2), real(2, 5, 4, 2), real(2, 5, 4, 3)),
            (
                lambda q, k, v, b: ops.dot_product_attention(
                    q, k, v, bias=b, mask=np.tri(3, 5, 2, bool), scale=0.3
                ),
                real(2, 3, 4, 2), real(2, 5, 2, 2), real(2, 5, 2, 3), real(1, 4, 3, 5),
            ),
        ],
        "Unfold": [(with_options(ops.unfold, (2, 3), 1, (1, 0), 2), real(2, 2, 5, 6))],
        "Fold": [(with_options(ops.fold, (4, 5), 2, 1, 1, 1), real(2, 8, 30))],
        "DepthToSpace": [(with_options(ops.depth_to_space, 2), real(1, 2, 3, 8))],
        "SpaceToDepth": [(with_options(ops.space_to_depth, 2, "channels_first"), real(1, 2, 4, 6))],
        "Threshold": [(with_options(ops.threshold, 0.05, 5.0), away(3, 4))],
        "BinaryCrossentropy": [
            (with_options(ops.binary_crossentropy, from_logits=True), unit(3, 4) ** 2, real(3, 4)),
            (ops.binary_crossentropy, unit(3, 4) ** 2, probabilities(3, 4)),
        ],
        "CategoricalCrossentropy": [
            (with_options(ops.categorical_crossentropy, from_logits=True, axis=1), probabilities(3, 4, 2), real(3, 4, 2)),
            (ops.categorical_crossentropy, probabilities(3, 4), positive(3, 4)),
        ],
        "SparseCategoricalCrossentropy": [
            (lambda x, logits=logits: ops.sparse_categorical_crossentropy(INDEX, x, from_logits=logits), positive(3, 4) / 3)
            for logits in (True, False)
        ],
        "CTCLoss": [
            (
                lambda x: ops.ctc_loss(
                    np.array([[1, 2, 2], [3, 1, 0]]), x, np.array([3, 2]), np.array([6, 4])
                ),
                real(2, 6, 4),
            )
        ],
        **{
            f"Segment{kind}": [
                (lambda x, f=f: f(x, IDS, 3), distinct(5, 2)),
                (lambda x, f=f: f(x, np.array([0, -1, 0, 1, 1])), np.array([0.0, 1.0, 2.0, 0.0, 4.0])),
            ]
            for kind, f in (
                ("Sum", ops.segment_sum), ("Max", ops.segment_max),
                ("Min", ops.segment_min), ("Prod", ops.segment_prod),
            )
        },
        "CDist": [(ops.cdist, real(2, 3), real(4, 3))],
        "Conv": [(ops.conv, real(2, 5, 6, 3), real(2, 3, 3, 4))],
        "DepthwiseConv": [(ops.depthwise_conv, real(2, 5, 6, 3), real(2, 3, 3, 2))],
        "SeparableConv": [
            (ops.separable_conv, real(1, 5, 6, 3), real(2, 3, 3, 1), real(1, 1, 3, 2))
        ],
        "ConvTranspose": [(with_options(ops.conv_transpose, 2), real(2, 4, 3, 3), real(2, 3, 4, 3))],
        "MaxPool": [(with_options(ops.max_pool, 2), distinct(2, 4, 4, 2))],
        "AveragePool": [(with_options(ops.average_pool, 2), real(2, 4, 4, 2))],
        "AdaptiveMaxPool": [(with_options(ops.adaptive_max_pool, 3), distinct(2, 5, 4, 2))],
        "AdaptiveAveragePool": [(with_options(ops.adaptive_average_pool, 3), real(2, 5, 4, 2))],
        "Resize": [(with_options(ops.image.resize, (3, 7)), real(*IMAGE))],
        "RGBToGrayscale": [(ops.image.rgb_to_grayscale, positive(*IMAGE))],
        "RGBToHSV": [(ops.image.rgb_to_hsv, distinct(*IMAGE) * 0.01 + 0.1)],
        "HSVToRGB": [(ops.image.hsv_to_rgb, rng.uniform(0.05, 0.15, IMAGE))],
        "AffineTransform": [
            (
                lambda x, mode=mode: ops.image.affine_transform(
                    x, np.array([[0.9, 0.1, 0.3, -0.2, 1.1, 0.7, 0.01, 0.0]]), fill_mode=mode
                ),
                real(*IMAGE),
            )
            for mode in ("constant", "nearest", "reflect", "wrap")
        ],
        "PerspectiveTransform": [
            (lambda x: ops.image.perspective_transform(x, POINTS, MOVED), real(*IMAGE))
        ],
        "MapCoordinates": [
            (
                lambda x, c, mode=mode: ops.image.map_coordinates(x, c, 1, mode),
                real(3, 4), rng.uniform(-2.0, 5.0, (2, 6)),
            )
            for mode in ("constant", "nearest", "wrap", "mirror", "reflect")
        ],
        "ElasticTransform": [
            (with_options(ops.image.elastic_transform, 2.0, 1.0, seed=3), real(*IMAGE))
        ],
        "ScaleAndTranslate": [
            (
                lambda x: ops.image.scale_and_translate(
                    x, (2, 6, 3, 3), np.array([1.5, 0.6]), np.array([0.2, -0.1]), (1, 2), "cubic"
                ),
                real(*IMAGE),
            )
        ],
        "GaussianBlur": [(with_options(ops.image.gaussian_blur, (3, 5), (1.0, 0.7)), real(*IMAGE))],
        "SobelEdges": [(ops.image.sobel_edges, real(*IMAGE))],
        "SSIM": [
            (with_options(ops.image.ssim, filter_size=3), positive(1, 5, 5, 2), positive(1, 5, 5, 2))
        ],
        "PadImages": [(with_options(ops.image.pad_images, 1, 0, 2, 1), real(*IMAGE))],
        "CropImages": [(with_options(ops.image.crop_images, 1, 0, 1, 1), real(*IMAGE))],
        "ExtractPatches": [
            (with_options(ops.image.extract_patches, (2, 3), 1, 1, "same"), real(*IMAGE)),
            (with_options(ops.image.extract_patches, 2, data_format="channels_first"), real(3, 4, 5)),
            (with_options(ops.image.extract_patches_3d, 2), real(1, 4, 4, 4, 2)),
        ],
        "RandomDropout": [(with_options(random.dropout, 0.4, seed=3), real(5, 4))],
        "RandomShuffle": [(with_options(random.shuffle, axis=1, seed=3), real(2, 5))],
        "Cond": [(lambda x: ops.cond(True, lambda: x * 2.0, lambda: x), real(3))],
        "Switch": [(lambda x: ops.switch(1, [lambda y: y, lambda y: y * y], x), real(3))],
        "WhileLoop": [
            (lambda x: ops.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * x), (0, x))[1], real(3))
        ],
        "ForiLoop": [(lambda x: ops.fori_loop(0, 3, lambda i, y: y * x, x), real(3))],
        "Map": [(lambda x: ops.map(lambda row: row * ops.sum(row), x), real(3, 2))],
        "VectorizedMap": [(lambda x: ops.vectorized_map(lambda row: row * row, x), real(3, 2))],
        "Scan": [(lambda x: ops.scan(lambda c, y: (c * y, c + y), x[0], x), real(3, 2))],
        "AssociativeScan": [
            (lambda x: ops.associative_scan(lambda a, b: a * b, x, reverse=True, axis=1), real(2, 4))
        ],
    }
)  # fmt: skip

# Registered by other modules, tested there, or not a function of tensors alone.
ELSEWHERE = {"Activate", "Function"}  # tests/models


def differentiable(kind):
    return getattr(kind, "differentiable", True) and kind.__name__ not in ELSEWHERE


NAMES = sorted(name for name, kind in OPERATIONS.items() if differentiable(kind))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:invalid value|divide by zero:RuntimeWarning")
def test_gradient(name):
    assert name in CASES, f"Add a case for the operation {name}, or say that it has no gradient."
    for function, *inputs in CASES[name]:
        check_gradients(function, *inputs)


def test_cases_are_of_operations():
    assert set(CASES) <= set(OPERATIONS)

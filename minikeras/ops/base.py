"""What the operations of `minikeras.ops` are made of.

- `Kernel`: an operation on arrays with `forward` and `backward`; its options are annotated class
  attributes, in the order of the constructor's arguments.
- `composite`: turns a function that is made of other operations into an operation, so that it
  becomes one node when it is called on symbolic tensors.
- `tensor`, `common_dtype`, `unbroadcast`: conversion, promotion, and its reverse for gradients.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from minikeras import config
from minikeras.engine import dtypes, registry, tree
from minikeras.engine.operation import Operation, any_symbolic, standard_array
from minikeras.engine.registry import operations
from minikeras.engine.symbolic import KerasTensor, Operators, Tensor

F = TypeVar("F", bound=Callable)
MISSING: Any = object()
SCALARS = (bool, int, float, complex)


# Conversion


def array_of(x: Any) -> np.ndarray:
    """Anything array-like as an array. Python floats become `floatx()`, Python ints int32."""
    if isinstance(x, np.ndarray):
        return x if x.dtype.kind != "V" else standard_array(x)
    if isinstance(x, Operators):
        return x.array
    if isinstance(x, bool):
        return np.asarray(x)
    if isinstance(x, float) and not isinstance(x, np.generic):
        return np.asarray(x, config.floatx())
    if isinstance(x, int):
        return np.asarray(x, "int32" if -(2**31) <= x < 2**31 else "int64")
    if isinstance(x, complex) and not isinstance(x, np.generic):
        return np.asarray(x, "complex64")
    if isinstance(x, (list, tuple)):
        leaves = tree.flatten(x)
        if any(isinstance(leaf, Operators) for leaf in leaves):
            x = tree.map_structure(lambda leaf: getattr(leaf, "array", leaf), x)
        array = np.asarray(x)
        if not any(hasattr(leaf, "dtype") for leaf in leaves):
            if array.dtype == np.float64 or array.size == 0:
                return array.astype(config.floatx())
            if array.dtype == np.int64 and np.all(array == array.astype("int32")):
                return array.astype("int32")
            if array.dtype == np.complex128:
                return array.astype("complex64")
        return array
    return array_of(np.asarray(x))


def tensor(x: Any) -> Any:
    """`x` as a tensor: tensors, variables and symbolic tensors pass through."""
    if isinstance(x, Operators):
        return x
    if isinstance(x, (list, tuple)) and any(
        isinstance(leaf, KerasTensor) or getattr(leaf, "recording", None) is not None
        for leaf in tree.flatten(x)
    ):
        from minikeras.ops.joining import stack

        return stack([tensor(item) for item in x])
    if x is None:
        raise ValueError("Expected a tensor or something array-like. Received: None")
    return Tensor(array_of(x))


def operand(x: Any) -> Any:
    """As `tensor`, but Python's numbers stay what they are: they have no dtype of their own."""
    return x if type(x) in SCALARS else tensor(x)


# A file may give a whole tensor as an option.
_MOST = 2**16


def static(x: Any) -> Any:
    """An option given as a tensor or array of integers, as Python integers."""
    if isinstance(x, KerasTensor):
        raise ValueError(
            f"This argument must be known when the graph is built. Received the symbolic {x}."
        )
    if isinstance(x, Operators):
        x = x.array
    if isinstance(x, (np.ndarray, np.generic)):
        if x.size > _MOST:
            raise ValueError(f"This argument is a few integers. Received: shape={x.shape}")
        return x.tolist()
    if isinstance(x, (list, tuple)):
        return type(x)(static(item) for item in x)
    return x


# Dtypes


def kind_of(x: Any) -> Any:
    """What `result_type` wants to know of an operand: its dtype, or its Python type."""
    dtype = getattr(x, "dtype", None)
    if dtype is None:
        return type(x)
    if getattr(dtype, "metadata", None) is not None:
        return dtypes.label(dtype) or dtype
    return dtype


@functools.cache
def _common(kinds: tuple, floatx: str) -> np.dtype:
    return dtypes.to_numpy_dtype(dtypes.result_type(*kinds))


def common_dtype(*xs: Any) -> np.dtype:
    """The dtype in which operands (arrays, scalars, or types such as `float`) combine."""
    return _common(tuple([x if isinstance(x, type) else kind_of(x) for x in xs]), config.floatx())


def float_dtype(x: Any) -> np.dtype:
    """The dtype of a result that cannot be an integer."""
    dtype = np.dtype(x.dtype) if not isinstance(x.dtype, str) else dtypes.to_numpy_dtype(x.dtype)
    return dtype if dtype.kind in "fc" else np.dtype(config.floatx())


def as_float(x: np.ndarray) -> np.ndarray:
    """An array of floats or complex numbers; integers become `floatx()`."""
    return x if x.dtype.kind in "fc" else x.astype(config.floatx())


def is_inexact(x: Any) -> bool:
    """Whether a gradient with respect to `x` means anything."""
    return isinstance(x, np.ndarray) and x.dtype.kind in "fc"


# Shapes


def unbroadcast(gradient: np.ndarray, shape: tuple) -> np.ndarray:
    """Sum `gradient` over the axes along which something of `shape` was broadcast."""
    if gradient.shape == shape:
        return gradient
    extra = gradient.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(
        axis + extra
        for axis, size in enumerate(shape)
        if size == 1 and gradient.shape[axis + extra] != 1
    )
    return gradient.sum(axes, keepdims=True).reshape(shape)


def broadcast_shapes(*shapes: Sequence) -> tuple:
    """The shape that arrays of `shapes` (None where unknown) broadcast to.

    Raises:
        ValueError: if they do not fit.
    """
    ndim = max(map(len, shapes), default=0)
    result: list = []
    for sizes in zip(*([1] * (ndim - len(shape)) + list(shape) for shape in shapes)):
        known = {size for size in sizes if size not in (1, None)}
        if len(known) > 1:
            raise ValueError(
                "Shapes do not broadcast: they must be equal, or 1, on each axis, counted from"
                f" the last. Received shapes: {', '.join(str(tuple(s)) for s in shapes)}"
            )
        result.append(known.pop() if known else (None if None in sizes else 1))
    return tuple(result)


def canonical_axis(axis: Any, ndim: int, argument: str = "axis") -> int:
    """`axis` counted from the front.

    Raises:
        ValueError: if there is no such axis.
    """
    try:
        axis = axis.__index__()
    except AttributeError:
        raise TypeError(
            f"Argument `{argument}` must be an integer. Received: {argument}={axis!r}"
        ) from None
    if not -ndim <= axis < ndim:
        raise ValueError(
            f"Argument `{argument}`: axis {axis} is out of bounds for a tensor of {ndim} axes. It"
            f" must be between {-ndim} and {ndim - 1}. Received: {argument}={axis}"
        )
    return axis % ndim


def canonical_axes(axis: Any, ndim: int) -> tuple:
    """A tuple of axes counted from the front; None means all."""
    if axis is None:
        return tuple(range(ndim))
    axis = static(axis)
    if isinstance(axis, (list, tuple)):
        return tuple(canonical_axis(one, ndim) for one in axis)
    return (canonical_axis(axis, ndim),)


def to_tuple(value: Any, n: int, argument: str) -> tuple:
    """An integer n times, or a sequence of n integers.

    Raises:
        ValueError: for anything else.
    """
    value = static(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return (value,) * n
    if isinstance(value, (list, tuple)) and len(value) == n:
        return tuple(value)
    raise ValueError(f"Argument `{argument}` must be an integer or {n} of them. Received: {value}")


def dummy(x: Any, fill: Sequence = ()) -> np.ndarray:
    """An array with the shape and dtype of `x` that takes no memory."""
    shape = tuple(
        size if size is not None else fill[0 if axis == 0 else 1]
        for axis, size in enumerate(x.shape)
    )
    return np.broadcast_to(np.zeros((), dtypes.to_numpy_dtype(x.dtype)), shape)


def view_spec(x: Any, function: Callable) -> KerasTensor:
    """The spec of `function(x)`, for a function that returns a view of its argument."""
    first = function(dummy(x, (2, 37)))
    shape = first.shape
    if None in x.shape:
        second = function(dummy(x, (3, 41)))
        shape = tuple(m if m == n else None for m, n in zip(shape, second.shape))
    return KerasTensor(shape, dtype=x.dtype)


# Operations


class Kernel(Operation):
    """An operation on arrays. Annotated class attributes are the constructor's arguments.

    Attributes:
        several: The first argument is a list of tensors.
        scalars: Python numbers among the inputs stay as they are.
        differentiable: Whether there is a `backward`; else gradients end here.
    """

    fields: dict = {}
    several = False
    scalars = False
    differentiable = True

    def __init_subclass__(cls, register: bool = True, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = {
            key
            for key, kind in inspect.get_annotations(cls).items()
            if not str(kind).startswith("ClassVar")
        }
        cls.fields = {
            **cls.fields,
            **{
                key: cls.__dict__.get(key, MISSING)
                for key in inspect.get_annotations(cls)
                if key in own
            },
        }
        cls.differentiable = cls.backward is not Kernel.backward
        if register and not cls.__name__.startswith("_"):
            registry.operations.register(cls.__name__)(cls)

    def __init__(self, *args: Any, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name)
        if args or kwargs:
            kwargs.update(zip(self.fields, args))
            if len(args) > len(self.fields) or not kwargs.keys() <= self.fields.keys():
                raise TypeError(
                    f"{type(self).__name__} takes the arguments {list(self.fields)}."
                    f" Received: {args}, {kwargs}"
                )
            self.__dict__.update(kwargs)
        for key, default in self.fields.items():
            if default is MISSING and key not in kwargs:
                raise TypeError(f"{type(self).__name__} needs the argument {key!r}.")

    def get_config(self) -> dict:
        return {"name": self.name, **{key: getattr(self, key) for key in self.fields}}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        convert = operand if self.scalars else tensor
        first: Any = args[0]
        if self.several:
            first = [convert(x) for x in first]
        else:
            first = convert(first)
        rest = [None if x is None else convert(x) for x in args[1:]]
        return super().__call__(first, *rest, **kwargs)

    def backward(self, ctx: Any, *douts: Any) -> Any:
        return None

    def __reduce_ex__(self, protocol: Any) -> Any:
        # Classes made by a table are found in the registry, not in a module.
        if registry.operations.find(type(self).__name__) is type(self):
            return (_new_kernel, (type(self).__name__,), self.__dict__.copy())
        return super().__reduce_ex__(protocol)


def _new_kernel(name: str) -> Any:
    kind = registry.operations.find(name)
    return kind.__new__(kind)


def _bind(signature: inspect.Signature, args: tuple, kwargs: dict) -> dict:
    bound = signature.bind(*args, **kwargs)
    return bound.arguments


def composite(
    function: F | None = None,
    *,
    tensors: int = 1,
    optional: tuple = (),
    name: str | None = None,
    spec: Callable | None = None,
) -> Any:
    """Decorator: a function made of other operations, as an operation of its own.

    Args:
        tensors: How many of the leading arguments are tensors (or structures of them); the others
            are the options of the operation.
        optional: Names of further arguments that are tensors or None.
        name: Name of the class. Defaults to that of the function in CamelCase.
        spec: Function of the same arguments: the symbolic outputs. By default they are found by
            running the function on made-up values, which knows little of sizes that are unknown.
    """
    if function is None:
        return functools.partial(
            composite, tensors=tensors, optional=optional, name=name, spec=spec
        )
    body = function
    signature = inspect.signature(body)
    parameters = list(signature.parameters.values())
    inputs = [parameter.name for parameter in parameters[:tensors]]
    class_name = name or "".join(part.capitalize() for part in body.__name__.split("_"))

    def call(self: Any, *args: Any, **tensors: Any) -> Any:
        return body(*args, **{**{key: getattr(self, key) for key in self.fields}, **tensors})

    options = [one for one in parameters[tensors:] if one.name not in optional]
    members: dict = {
        parameter.name: parameter.default
        for parameter in options
        if parameter.default is not inspect.Parameter.empty
    }
    if spec is not None:
        members["compute_output_spec"] = lambda self, *args: spec(
            *args, **{key: getattr(self, key) for key in self.fields}
        )
    operation = type(
        class_name,
        (_Composite,),
        {
            "__doc__": body.__doc__,
            "__module__": body.__module__,
            "__annotations__": {parameter.name: "Any" for parameter in options},
            "call": call,
            **members,
        },
    )

    @functools.wraps(body)
    def public(*args: Any, **kwargs: Any) -> Any:
        if any_symbolic(args) or (kwargs and any_symbolic(kwargs)):
            arguments = _bind(signature, args, kwargs)
            given = [arguments.pop(key) for key in inputs if key in arguments]
            # Optional tensors go with the call, not into the configuration.
            more = {
                key: arguments.pop(key)
                for key, value in list(arguments.items())
                if key in optional or isinstance(value, (Operators, np.ndarray))
            }
            more = {**dict.fromkeys(optional), **more}
            return operation(**arguments).symbolic_call(*given, **more)
        return body(*args, **kwargs)

    public.operation = operation  # type: ignore[attr-defined]
    return public


class _Composite(Kernel):
    """What `composite` makes."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return Operation.__call__(self, *args, **kwargs)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def backward(self, ctx: Any, *douts: Any) -> Any:
        raise AssertionError("A composite is walked back through its parts.")


# All others are in `numpy`.
_HOMES = {
    "core": (
        "AssociativeScan Cast Cond ConvertToTensor ForiLoop Map SaturateCast Scan Scatter"
        " ScatterUpdate Slice SliceUpdate StopGradient Switch Unstack VectorizedMap WhileLoop"
    ),
    "nn": (
        "AdaptiveAveragePool AdaptiveMaxPool AveragePool BatchNorm BinaryCrossentropy CTCDecode"
        " CTCLoss CategoricalCrossentropy Celu Conv ConvTranspose DepthToSpace DepthwiseConv"
        " DotProductAttention Elu Fold Gelu Glu HardShrink HardSigmoid HardSilu HardTanh LayerNorm"
        " LeakyRelu LogSigmoid LogSoftmax MaxPool Moments MultiHot Normalize OneHot PSNR Polar"
        " RMSNorm Relu Relu6 Selu SeparableConv Sigmoid Silu SoftShrink Softmax Softplus Softsign"
        " SpaceToDepth SparseCategoricalCrossentropy SparsePlus SparseSigmoid Sparsemax Squareplus"
        " TanhShrink Threshold Unfold"
    ),
    "linalg": (
        "Cholesky CholeskyInverse Det Eig Eigh Inv JVP Lstsq LuFactor MatrixRank Norm Pinv Qr SVD"
        " Solve SolveTriangular"
    ),
    "math": (
        "CDist Erf Erfc Erfinv ExtractSequences FFT FFT2 IFFT2 IRFFT ISTFT InTopK Logdet Logsumexp"
        " RFFT Rsqrt STFT SegmentMax SegmentMin SegmentProd SegmentSum TopK ViewAsComplex"
        " ViewAsReal"
    ),
    "image": (
        "AffineTransform CropImages ElasticTransform ExtractPatches GaussianBlur HSVToRGB"
        " MapCoordinates PadImages PerspectiveTransform RGBToGrayscale RGBToHSV Resize SSIM"
        " ScaleAndTranslate SobelEdges"
    ),
    "einops": "Rearrange",
}


def settle() -> None:
    """Tell every operation registered so far its home."""
    homes = {name: home for home, names in _HOMES.items() for name in names.split()}
    for name, kind in operations.objects().items():
        if "_keras_module" not in kind.__dict__:
            kind._keras_module = f"keras.src.ops.{homes.get(name, 'numpy')}"

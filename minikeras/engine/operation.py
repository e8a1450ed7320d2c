"""Operations: the unit of computation, forward and backward side by side.

There are exactly two ways to get a backward, one per class:

- a *kernel* class defines `forward(ctx, *arrays, **options)` and `backward(ctx, *douts)`;
- a *composite* class defines `call(...)` in terms of other operations.

A subclass that overrides `call` and uses `super().call(x)` on a kernel class reaches that kernel's
own forward and backward.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from minikeras.engine import dtypes, tree
from minikeras.engine.arena import assert_small
from minikeras.engine.context import INFERENCE, Context, state
from minikeras.engine.recording import Node, Paused
from minikeras.engine.registry import auto_name
from minikeras.engine.symbolic import KerasTensor, Tensor
from minikeras.engine.variable import Variable


def as_input(x: Any, float_dtype: np.dtype | None = None, kinds: str = "f") -> Any:
    """`x` as a tensor if it is array-like, with floats cast to `float_dtype`.

    Structures, strings, numbers and None pass through. `kinds` are those of the dtypes to cast.
    """
    if isinstance(x, Tensor):
        dtype = x.array.dtype
        if float_dtype is not None and dtype is not float_dtype and dtype.kind in kinds:
            if dtype != float_dtype or dtype.metadata != float_dtype.metadata:
                cast = cast_tensor(x, float_dtype)
                cast._keras_mask = x._keras_mask
                return cast
        return x
    if isinstance(x, KerasTensor):
        return x
    if isinstance(x, np.ndarray) or hasattr(x, "__array__"):
        array = x.array if isinstance(x, Variable) else np.asarray(x)
        if isinstance(x, Variable) and (state.recording is not None or state.autocast is not None):
            return as_input(x.value, float_dtype)
        if array.dtype.kind == "V":
            array = standard_array(array)
        if float_dtype is not None and array.dtype is not float_dtype and array.dtype.kind == "f":
            array = _as_dtype(array, float_dtype)
        return Tensor(array)
    return x


def call_kernel(operation: Any, leaves: list, options: dict, nested: Any = None) -> Any:
    """Run the forward of a kernel class on `leaves`; record it if a recording follows one.

    Args:
        operation: Object with `forward` and `backward`.
        leaves: Flat inputs: tensors, variables, arrays; anything else is passed through.
        options: Keyword arguments of `forward`.
    """
    recording = state.recording
    arrays: list = []
    slots: list = []
    tracked = narrow = False
    for leaf in leaves:
        slot = None
        if state.autocast is not None and isinstance(leaf, Variable):
            leaf = leaf.value
        if type(leaf) is Tensor or isinstance(leaf, Tensor):
            arrays.append(leaf.array)
            if leaf.array.dtype.metadata is not None:
                narrow = True
            if recording is not None and leaf.recording is recording:
                slot = leaf.slot
                tracked = True
        elif isinstance(leaf, Variable):
            arrays.append(leaf.array)
            if leaf._dtype in dtypes.NARROW:
                narrow = True
            if recording is not None and leaf.trainable:
                slot = recording.slot_of_variable(leaf)
                tracked = True
        else:
            arrays.append(leaf)
        slots.append(slot)
    run = state.run or INFERENCE
    if recording is None:
        context = Context(run)
        result = operation.forward(context, *arrays, **options)
        return wrap(_named(operation, leaves, options, result) if narrow else result)
    record = tracked or operation.has_trainable_variables()
    context = Context(run, record, [slot is not None for slot in slots] if record else ())
    result = operation.forward(context, *arrays, **options)
    if narrow:
        result = _named(operation, leaves, options, result)
    if not record:
        return wrap(result)
    if isinstance(result, (tuple, list)):
        outputs = [None if array is None else recording.track(array) for array in result]
        recording.add(
            operation.backward,
            context,
            slots,
            [recording.new_slot() if out is None else out.slot for out in outputs],
        )
        return type(result)(outputs)
    output = recording.track(result)
    recording.add(operation.backward, context, slots, (output.slot,))
    return output


def _named(operation: Any, leaves: list, options: dict, result: Any) -> Any:
    """Results in float32, under the name that results of these operands have.

    That matters where NumPy does not have the type: bfloat16.
    """
    name = getattr(operation, "compute_dtype", None) or options.get("dtype")
    name = name or getattr(operation, "dtype", None)
    if name is None:
        kinds = [
            leaf._dtype if isinstance(leaf, Variable) else getattr(leaf, "dtype", type(leaf))
            for leaf in leaves[operation.named_by]
            if hasattr(leaf, "dtype") or isinstance(leaf, (bool, int, float, complex))
        ]
        narrow = {kind for kind in kinds if kind in dtypes.FLOAT8}
        name = narrow.pop() if len(narrow) == 1 else dtypes.result_type(*kinds)
    name = dtypes.standardize_dtype(name)
    name = name if name in dtypes.NARROW else None

    def named(array: Any) -> Any:
        is_float32 = isinstance(array, np.ndarray) and array.dtype == np.float32
        return dtypes.labelled(array, name) if is_float32 else array

    if isinstance(result, (tuple, list)):
        return type(result)(named(array) for array in result)
    return named(np.asarray(result) if isinstance(result, np.generic) else result)


def standard_array(array: np.ndarray) -> np.ndarray:
    """An array of a type from outside of NumPy (`ml_dtypes`) in float32, under its name."""
    dtype = dtypes.to_numpy_dtype(array.dtype)
    return array.astype("float32").view(dtype) if dtypes.label(dtype) else array.astype(dtype)


def _as_dtype(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    array = array.astype(dtype, copy=False)
    return dtypes.labelled(array, dtypes.label(dtype)) if dtype == np.float32 else array


def wrap(result: Any) -> Any:
    """Arrays, alone or in a flat tuple or list, as tensors."""
    if isinstance(result, (tuple, list)):
        return type(result)(None if array is None else Tensor(array) for array in result)
    return Tensor(result)


class Operation:
    """Something that computes outputs from inputs, and carries gradients back.

    Args:
        name: String. Defaults to an automatic name from the class.
    """

    composite = True
    # The operands that decide whether the result is of a type that NumPy does not have.
    named_by = slice(None)
    # A method `infer(run, array)` that gives what `forward` gives in inference, without a context.
    infer: Any = None
    _init_args: tuple = ((), {})
    _inbound_nodes: list
    _outbound_nodes: list

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        instance = object.__new__(cls)
        instance._init_args = (args, kwargs)
        return instance

    def __init__(self, name: str | None = None) -> None:
        if name is not None and (not isinstance(name, str) or "/" in name):
            raise ValueError(
                "Argument `name` must be a string and cannot contain character `/`. Received:"
                f" name={name!r} (of type {type(name)})"
            )
        self._name = name

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "infer" not in cls.__dict__ and {"call", "forward"} & cls.__dict__.keys():
            cls.infer = None
        for base in cls.__mro__:
            if "call" in base.__dict__ and not getattr(
                base.__dict__["call"], "_calls_kernel", False
            ):
                cls.composite = True
                break
            if "forward" in base.__dict__:
                cls.composite = False
                break

    @property
    def name(self) -> str:
        """The name; made up when first asked for."""
        if self._name is None:
            self._name = auto_name(type(self).__name__)
        return self._name

    @name.setter
    def name(self, value: str) -> None:
        self._name = value

    # What a class defines

    def forward(self, ctx: Context, *arrays: Any, **options: Any) -> Any:
        """Compute an array (or a tuple of arrays) from arrays. Kernel classes define it."""
        raise NotImplementedError(f"{type(self).__name__} does not define `forward`.")

    def backward(self, ctx: Context, *douts: Any) -> Any:
        """Gradients of the array inputs, in order, from those of the outputs."""
        raise NotImplementedError(
            f"{type(self).__name__} has no gradient. Do not use it between a loss and a trainable"
            " variable, or stop the gradient before it with `ops.stop_gradient`."
        )

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute from tensors. Composite classes define it."""
        if type(self).forward is Operation.forward:
            raise self._lacks("call")
        return self.call_own_kernel(*args, **kwargs)

    call._calls_kernel = True  # type: ignore[attr-defined]

    def _lacks(self, method: str) -> NotImplementedError:
        hint = " Define `call(self, ...)`, or `forward` and `backward`."
        return NotImplementedError(
            f"{type(self).__name__} does not have a `{method}` method implemented."
            + hint * (method in ("call", "compute_output_shape"))
        )

    def call_own_kernel(self, *args: Any, **kwargs: Any) -> Any:
        """Run `forward`, recorded where a recording is open."""
        leaves: list = []
        for argument in args:
            if isinstance(argument, (list, tuple, dict)):
                tree._flatten(argument, leaves)
            else:
                leaves.append(argument)
        for key, value in kwargs.items():
            if isinstance(value, (Tensor, Variable)):
                kwargs[key] = value.array
        return call_kernel(self, leaves, kwargs)

    def has_trainable_variables(self) -> bool:
        """Whether a backward is needed for the sake of the operation's own variables."""
        return False

    def bind(self, shape: tuple, dtype: Any, needs_input: bool, target: Any, logits: bool) -> Any:
        """This operation bound to inputs of one shape (see `kernels.bound`), or None.

        Args:
            shape: Shape of its one input, with the rows of a batch.
            dtype: Dtype of the input.
            needs_input: Whether the gradient to the input is wanted.
            target: Function from the `id` of a variable to the array for its gradient, or None.
            logits: Whether to stop before the activation: the loss goes on from there.
        """
        return None

    def joined_with(self, following: Any) -> Any:
        """One operation that does this one and then `following` faster, or None.

        A graph asks where `following` alone reads the output.
        """
        return None

    # Use

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if any_symbolic(args) or kwargs and any_symbolic(kwargs):
            return self.symbolic_call(*args, **kwargs)
        if state.inferring:
            tried = type(self).compute_output_spec is Operation.compute_output_spec
            assert_small(self, args, kwargs, tried)
        return self.call(*args, **kwargs)

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Add a node to the graph that the symbolic inputs belong to."""
        outputs = self.compute_output_spec(*args, **kwargs)
        Node(self, args, kwargs, outputs)
        return outputs

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The outputs as `KerasTensor`s, from symbolic inputs."""
        return infer_spec(self.call, args, kwargs, self)

    # Configuration

    def get_config(self) -> dict:
        """The constructor's arguments, with defaults for those that were not given.

        Raises:
            NotImplementedError: if an argument cannot be written down; define `get_config` then.
        """
        parameters = _parameters(type(self))
        takes_name = "name" in parameters or any(
            one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()
        )
        config = {"name": self.name} if takes_name else {}
        try:
            bound = inspect.signature(type(self).__init__).bind(
                self, *self._init_args[0], **self._init_args[1]
            )
        except TypeError as error:
            raise NotImplementedError(
                f"Class {type(self).__name__} must override `get_config()`, because its constructor"
                " arguments could not be recorded."
            ) from error
        bound.apply_defaults()
        for key, value in list(bound.arguments.items())[1:]:
            kind = bound.signature.parameters[key].kind
            if kind is inspect.Parameter.VAR_KEYWORD:
                config.update(value)
            elif kind is inspect.Parameter.VAR_POSITIONAL:
                if value:
                    raise NotImplementedError(
                        f"Class {type(self).__name__} takes `*{key}`: define `get_config()`."
                    )
            elif key != "name":
                config[key] = value
        for value in tree.flatten(config):
            if not _is_plain(value):
                raise NotImplementedError(
                    f"Class {type(self).__name__} was created with arguments that cannot be written"
                    f" to a config ({value!r}). Override `get_config()` (and `from_config()`),"
                    " e.g.\n\n"
                    "    def get_config(self):\n"
                    "        return {**super().get_config(), 'my_argument': self.my_argument}\n"
                )
        return config

    @classmethod
    def from_config(cls, config: dict) -> Any:
        """The operation that `config` describes."""
        config = dict(config)
        if isinstance(config.get("dtype"), dict):
            from minikeras.engine import dtype_policy

            policy = dtype_policy.get(config["dtype"])
            # Constructors of one's own may look for a name, as Keras gives them.
            config["dtype"] = policy.name if type(policy) is dtype_policy.DTypePolicy else policy
        rest = _take_unaccepted(cls, config)
        try:
            made = cls(**config)
            for key, value in rest.items():
                setattr(made, key, value)
            return made
        except TypeError as error:
            raise TypeError(
                f"Could not make a {cls.__name__} from config={config}. {error}. Does its"
                " constructor"
                " take all that `get_config()` returns?"
            ) from error

    # Symbolic connections

    def _nodes(self, kind: str) -> list:
        try:
            return self.__dict__[kind]
        except KeyError:
            nodes: list = []
            object.__setattr__(self, kind, nodes)
            return nodes

    def __getattr__(self, name: str) -> Any:
        if name in ("_inbound_nodes", "_outbound_nodes"):
            return self._nodes(name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def input(self) -> Any:
        """The symbolic input(s) of the first symbolic call."""
        return self._of_first_node("arguments_inputs", "input")

    @property
    def output(self) -> Any:
        """The symbolic output(s) of the first symbolic call."""
        return self._of_first_node("outputs_structure", "output")

    def _of_first_node(self, attribute: str, what: str) -> Any:
        if not self._inbound_nodes:
            raise AttributeError(
                f"The {type(self).__name__} {self.name!r} has never been called and thus has no"
                f" defined {what}."
            )
        return getattr(self._inbound_nodes[0], attribute)

    def __repr__(self) -> str:
        return f"<Operation name={self.name}>"

    def __reduce_ex__(self, protocol: Any) -> Any:
        return (_new_instance, (type(self),), self.__getstate__())

    def __getstate__(self) -> Any:
        return self.__dict__.copy()


def _new_instance(cls: type) -> Any:
    return cls.__new__(cls)  # type: ignore[call-overload]


def _parameters(cls: type) -> Any:
    return inspect.signature(cls.__init__).parameters  # type: ignore[misc]


def _take_unaccepted(cls: type, config: dict) -> dict:
    """What the default `get_config` wrote and a constructor without `**kwargs` does not take."""
    if not getattr(cls.get_config, "_is_default", False):  # type: ignore[attr-defined]
        return {}
    accepted = inspect.signature(cls.__init__).parameters.values()  # type: ignore[misc]
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in accepted):
        return {}
    names = {parameter.name for parameter in accepted}
    attributes = {"name": "name", "trainable": "trainable", "dtype": "dtype_policy"}
    return {
        attribute: config.pop(key)
        for key, attribute in attributes.items()
        if key in config and key not in names
    }


def _is_plain(value: Any) -> bool:
    if isinstance(value, Operation):
        # It may hold weights, and what is made from the config must not share them.
        return False
    return (
        value is None
        or isinstance(value, (str, int, float, bool, np.generic))
        or hasattr(value, "get_config")
        or isinstance(value, np.dtype)
        or (isinstance(value, type) and issubclass(value, np.generic))
        or value is Ellipsis
        or isinstance(value, slice)
    )


def any_symbolic(structure: Any) -> bool:
    """Whether a `KerasTensor` is among the leaves of `structure`."""
    if isinstance(structure, KerasTensor):
        return True
    if isinstance(structure, (list, tuple)):
        for item in structure:
            kind = type(item)
            if kind is Tensor or kind is np.ndarray:
                continue
            if kind is KerasTensor or any_symbolic(item):
                return True
        return False
    if isinstance(structure, dict):
        return any(any_symbolic(item) for item in structure.values())
    return False


def cast_tensor(x: Tensor, dtype: np.dtype) -> Tensor:
    """A tensor in another dtype; recorded."""
    return call_kernel(CAST, [x], {"dtype": dtype})


class Cast(Operation):
    """Convert to another dtype."""

    def forward(self, ctx: Context, x: Any, dtype: Any = None) -> Any:
        ctx.source = x.dtype  # type: ignore[attr-defined]
        return _as_dtype(x, np.dtype(dtype))

    def backward(self, ctx: Context, dy: Any) -> Any:
        if ctx.source.kind not in "fc":  # type: ignore[attr-defined]
            return None
        return dy.astype(ctx.source, copy=False)  # type: ignore[attr-defined]


CAST = Cast()


# Shapes without values: evaluate twice, with different sizes for what is unknown

_FIRST, _SECOND = (2, 37), (3, 41)


def infer_spec(function: Any, args: tuple, kwargs: dict, operation: Any = None) -> Any:
    """The outputs of `function` as `KerasTensor`s, found by evaluating it on made-up values.

    Sizes that are None are tried with two values each; what differs in the outputs is None.
    """
    assert_small(operation, args, kwargs, tried=True)
    leaves = [
        leaf for leaf in tree.flatten([list(args), dict(kwargs)]) if isinstance(leaf, KerasTensor)
    ]
    if any(None in leaf.shape for leaf in leaves):
        first, second = _evaluate_twice(function, args, kwargs, leaves)
    else:
        first = second = _evaluate(function, args, kwargs, _plain_fill(*_FIRST))

    def spec(a: Any, b: Any) -> Any:
        if a is None:
            return None
        if not hasattr(a, "shape"):
            a, b = np.asarray(a), np.asarray(b)
        if len(a.shape) != len(b.shape):
            raise ValueError("The number of axes of an output depends on sizes that are unknown.")
        shape = tuple(m if m == n else None for m, n in zip(a.shape, b.shape))
        return KerasTensor(shape, dtype=dtypes.standardize_dtype(a.dtype))

    return tree.map_structure(spec, first, second)


def trace_once(function: Any, *args: Any) -> None:
    """Run `function` once on made-up values in the place of `KerasTensor`s."""
    _evaluate(function, args, {}, _plain_fill(*_FIRST))


def _plain_fill(rows: int, others: int) -> Any:
    """The sizes that unknown axes are given: the first axis one, the others another."""
    return lambda shape, axis: rows if axis == 0 else others


def _matching_fill(leaves: list, from_axis: int, rows: int, others: int) -> Any:
    """As `_plain_fill`, but what another tensor of this rank knows of an axis is taken from it."""

    def fill(shape: tuple, axis: int) -> int:
        known = {
            leaf.shape[axis]
            for leaf in leaves
            if axis >= from_axis and len(leaf.shape) == len(shape)
        } - {None}
        return known.pop() if len(known) == 1 else (rows if axis == 0 else others)

    return fill


def _evaluate_twice(function: Any, args: tuple, kwargs: dict, leaves: list) -> tuple:
    """What comes of unknown axes of two sizes each.

    The sizes are primes, so that none is mistaken for another. Where the function does not take
    them, they are divisible by much, or those of the other tensors.
    """
    ways = [(_plain_fill(*_FIRST), _plain_fill(*_SECOND)), (_plain_fill(4, 36), _plain_fill(8, 48))]
    for axis in (1, 0):
        ways.append(
            (
                _matching_fill(leaves, axis, *_FIRST),
                _matching_fill(leaves, axis, *_SECOND),
            )
        )
    # Cropping needs large images, padding to a size small ones.
    ways.append((_plain_fill(360, 480), _plain_fill(420, 600)))
    ways.append((_plain_fill(2, 3), _plain_fill(3, 4)))
    # What is unknown may be the same everywhere.
    ways.append((_plain_fill(7, 7), _plain_fill(11, 11)))
    problem: Exception | None = None
    for way in ways:
        try:
            first, second = (_evaluate(function, args, kwargs, fill) for fill in way)
            return first, second
        except (ValueError, IndexError) as error:
            problem = problem or error
    try:  # A reshape may count on a batch size that nothing here tells.
        first, second = (_evaluate(function, args, kwargs, fill, "loosely") for fill in ways[0])
        return first, second
    except (ValueError, IndexError):
        raise problem from None  # type: ignore[misc]


def _evaluate(
    function: Any, args: tuple, kwargs: dict, fill: Any, inferring: bool | str = True
) -> Any:
    def concrete(leaf: Any) -> Any:
        if not isinstance(leaf, KerasTensor):
            return leaf
        shape = tuple(
            fill(leaf.shape, axis) if size is None else size for axis, size in enumerate(leaf.shape)
        )
        dtype = dtypes.to_numpy_dtype(leaf.dtype)
        if dtype.kind == "O":
            array = np.full(shape, "", dtype=object)
        else:
            array = np.ones(shape, dtype) if dtype.kind in "fc" else np.zeros(shape, dtype)
        tensor = Tensor(array)
        if leaf._keras_mask is not None:
            tensor._keras_mask = Tensor(np.ones(shape[: leaf._keras_mask.ndim], dtype=bool))
        return tensor

    before = state.inferring
    state.inferring = inferring
    try:
        with Paused(training=None), np.errstate(all="ignore"):
            return function(
                *tree.map_structure(concrete, tuple(args)),
                **tree.map_structure(concrete, dict(kwargs)),
            )
    finally:
        state.inferring = before


def unknown_batch(shape: tuple) -> tuple:
    """`shape` with a made-up batch size taken back to None (while shapes are inferred)."""
    if state.inferring and shape and shape[0] in (_FIRST[0], _SECOND[0]):
        shape = (None, *shape[1:])
        return tuple(None if size in (_FIRST[1], _SECOND[1]) else size for size in shape)
    return shape

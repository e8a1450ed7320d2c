"""A training step bound to batches of one shape: only arithmetic is left in it.

Models that are one chain of layers, with one loss, train through this from the third batch of a
shape on. Whatever it has looked up beforehand it checks at every step; when something changed, the
general step of `Stepper` runs, and binds anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minikeras.engine import dtypes
from minikeras.engine.context import Context, Run
from minikeras.engine.variable import trainable_version
from minikeras.kernels.bound import (
    Bound,
    bound_sigmoid_crossentropy,
    bound_softmax_crossentropy,
    bound_squared_error,
)


def fusion_for(operation: Any, loss: Any) -> Callable | None:
    """The fused loss of an activation that ends `operation`, or None if there is none.

    The function takes `(loss, y_true, logits, sample_weight, mask, output)` and returns the value
    and the gradient to the logits.
    """
    if not getattr(type(operation), "ends_in_activation", False):
        return None
    activation = getattr(operation, "activation", None)
    if getattr(activation, "kernel", None) is None:
        return None
    from minikeras import activations, losses

    if getattr(operation, "axis", -1) not in (-1,):
        return None
    options = getattr(loss, "_fn_kwargs", {})
    if options.get("from_logits") or options.get("axis", -1) != -1:
        return None
    if options.get("ignore_class") is not None:
        return None
    kind = type(loss)
    if activation is activations.softmax:
        if kind is losses.CategoricalCrossentropy or _wraps(loss, losses.categorical_crossentropy):
            return _categorical
        if kind is losses.SparseCategoricalCrossentropy or _wraps(
            loss, losses.sparse_categorical_crossentropy
        ):
            return _sparse
    if activation is activations.sigmoid:
        if kind is losses.BinaryCrossentropy or _wraps(loss, losses.binary_crossentropy):
            return _binary
    return None


def _wraps(loss: Any, function: Any) -> bool:
    from minikeras import losses

    return type(loss) is losses.LossFunctionWrapper and loss.fn is function


def _smoothing(loss: Any) -> float:
    return float(getattr(loss, "_fn_kwargs", {}).get("label_smoothing") or 0.0)


def _categorical(
    loss: Any, y: Any, logits: Any, weight: Any, mask: Any, output: Any
) -> tuple[Any, Any]:
    import minikeras.losses.function as fused

    values, gradient = fused.softmax_crossentropy(
        logits, y, sparse=False, label_smoothing=_smoothing(loss)
    )
    return _reduce(loss, values, gradient, weight, mask, y, logits)


def _sparse(loss: Any, y: Any, logits: Any, weight: Any, mask: Any, output: Any) -> tuple[Any, Any]:
    import minikeras.losses.function as fused

    values, gradient = fused.softmax_crossentropy(logits, y, sparse=True)
    return _reduce(loss, values, gradient, weight, mask, y, logits)


def _binary(loss: Any, y: Any, logits: Any, weight: Any, mask: Any, output: Any) -> tuple[Any, Any]:
    import minikeras.losses.function as fused

    values, gradient = fused.sigmoid_crossentropy(logits, y, _smoothing(loss), output)
    return _reduce(loss, values, gradient, weight, mask, y, logits)


def _reduce(
    loss: Any, values: Any, gradient: Any, weight: Any, mask: Any, y: Any, logits: Any
) -> tuple[Any, Any]:
    """Apply the loss's reduction to per-sample values and to the gradients of each."""
    if weight is None and mask is None and loss.reduction in ("sum_over_batch_size", "mean"):
        gradient *= logits.dtype.type(1.0 / max(values.size, 1))
        return np.add.reduce(values, axis=None) / max(values.size, 1), gradient
    value, factors = loss.reduce_with_gradient(values, weight, mask)
    factors = np.asarray(factors, dtype=logits.dtype)
    return value, gradient * factors.reshape(factors.shape + (1,) * (gradient.ndim - factors.ndim))


def bind_step(stepper: Any, x: Any, y: Any) -> BoundStep | None:
    """The bound step for batches like these, or None if the model has none."""
    graph, model = stepper.program.graph, stepper.model
    if graph is None or not graph.chain or type(x) is not np.ndarray or type(y) is not np.ndarray:
        return None
    if len(stepper.terms) != 1 or stepper.terms[0].weight is not None:
        return None
    if x.dtype is not stepper.program.dtype or x.shape[1:] != stepper.program.row_shape:
        return None
    if model._regularized_variables() or not model.trainable_weights:
        return None
    run = Run(True, True, model.optimizer.sink)
    operations = _bind_chain(graph, graph.plan(), x.shape, run)
    if operations is None:
        return None
    loss = _bind_loss(stepper, graph, x.shape[0], y)
    return BoundStep(stepper, run, operations, loss, x, y)


def _bind_chain(graph: Any, plan: Any, x_shape: tuple, run: Run) -> list[Bound] | None:
    sink: Any = run.sink
    operations: list[Bound] = []
    found = False
    for step, (records, needs, _) in zip(graph.joined, plan.steps):
        tensor = graph.tensors[step.ins[0]]
        shape = (x_shape[0], *tensor.shape[1:])
        dtype = dtypes.numpy_dtype(tensor.dtype)
        bound = None
        if records and None not in shape and not step.options:
            bound = step.operation.bind(shape, dtype, bool(needs[0]), sink.views.get, step.marked)
        if bound is None:
            if step.marked:
                return None
            bound = _unbound(step, run, records, needs)
        else:
            found = True
        operations.append(bound)
    return operations if found else None


def _unbound(step: Any, run: Run, records: bool, needs: Any) -> Bound:
    """An operation as it is, in the place of a bound one."""
    operation, options = step.operation, step.options
    kept: list = []

    def forward(x: Any) -> Any:
        context = Context(run, records, needs)
        if records:
            kept[:] = [context]  # one that an error left behind goes
        return operation.forward(context, x, **options)

    def backward(dy: Any) -> Any:
        dx = operation.backward(kept.pop(), dy)
        return dx[0] if type(dx) in (tuple, list) else dx

    return Bound(forward, backward if records else None)


def _bind_loss(stepper: Any, graph: Any, rows: int, y: Any) -> Callable:
    """`(y_true, outputs or logits) -> (value, gradient, outputs)`."""
    term = stepper.terms[0]
    loss, function = term.loss, stepper.fused.get(term.output)
    tensor = graph.tensors[graph.output_slots[0]]
    shape, dtype = (rows, *tensor.shape[1:]), dtypes.numpy_dtype(tensor.dtype)
    plain = (
        loss.reduction in ("sum_over_batch_size", "mean")
        and len(shape) == 2
        and None not in shape
        and not _smoothing(loss)
    )
    same = y.shape == shape and y.dtype == dtype
    if function is None:
        from minikeras import losses

        if plain and same and shape[1] == 1:
            if type(loss) is losses.MeanSquaredError or _wraps(loss, losses.mean_squared_error):
                return bound_squared_error(shape, dtype)
        return lambda t, z: (*loss.value_and_gradient(t, z, None), z)
    activate = graph.joined[-1].operation.activation.kernel.forward

    def general(t: Any, z: Any) -> tuple:
        p = activate(z.copy())
        return (*function(loss, t, z, None, None, p), p)

    if plain and same and function is _binary and shape[1] == 1:
        return bound_sigmoid_crossentropy(shape, dtype)
    if plain and same and function is _categorical:
        return bound_softmax_crossentropy(shape, dtype, labels=False)
    if plain and function is _sparse and y.dtype.kind in "iu" and y.size == rows:
        inner = bound_softmax_crossentropy(shape, dtype, labels=True)
        classes = shape[1]

        def of_labels(t: Any, z: Any) -> tuple:
            if t.min() < 0 or t.max() >= classes:
                return general(t, z)  # it says what is wrong with them
            return inner(t, z)

        return of_labels
    return general


def _is_ours(thing: Any) -> bool:
    """Whether code is the package's own, which keeps no array that it is shown."""
    module = getattr(thing, "__module__", None) or ""
    return module.split(".", 1)[0] == __name__.split(".", 1)[0]


class BoundStep:
    """One training step on batches of the shapes of `x` and `y`."""

    def __init__(
        self,
        stepper: Any,
        run: Run,
        operations: list[Bound],
        loss: Callable,
        x: np.ndarray,
        y: np.ndarray,
    ) -> None:
        self.stepper, self.run, self.loss = stepper, run, loss
        self.sink: Any = run.sink
        self.optimizer = stepper.model.optimizer
        self.x_shape, self.y_shape, self.y_dtype = x.shape, y.shape, y.dtype
        self.x_dtype = x.dtype
        self.forwards = [one.forward for one in operations]
        self.backwards = [one.backward for one in reversed(operations) if one.backward is not None]
        variables = [variable for one in operations for variable in one.variables]
        self.arrays = [(variable, variable.array) for variable in variables]
        self.touched = [id(variable) for variable in variables if variable.trainable]
        self.version = trainable_version()
        self.step = self.optimizer._step
        objects = [stepper.terms[0].loss, *self._metrics()]
        objects += [getattr(one, "fn", None) or getattr(one, "_fn", None) for one in objects]
        self.copies = not all(
            _is_ours(one if callable(one) and hasattr(one, "__name__") else type(one))
            for one in objects
            if one is not None
        )

    def _metrics(self) -> list:
        compiled = self.stepper.compiled_metrics
        groups = (compiled.groups if compiled is not None else None) or ()
        return [metric for group in groups for metric in group.metrics]

    def fits(self, x: Any, y: Any) -> bool:
        """Whether the step is for batches like these."""
        return (
            type(x) is np.ndarray
            and type(y) is np.ndarray
            and x.shape == self.x_shape
            and y.shape == self.y_shape
            and x.dtype is self.x_dtype
            and y.dtype is self.y_dtype
        )

    def holds(self) -> bool:
        """Whether all is as it was when the step was bound."""
        if (
            self.version != trainable_version()
            or self.optimizer is not self.stepper.model.optimizer
        ):
            return False
        if self.step is not self.optimizer._step or self.sink is not self.optimizer._sink:
            return False
        for variable, array in self.arrays:
            if variable.array is not array:
                return False
        return True

    def __call__(self, x: np.ndarray, y: np.ndarray) -> None:
        sink = self.sink
        sink.begin()
        value: Any = x
        for forward in self.forwards:
            value = forward(value)
        loss, gradient, outputs = self.loss(y, value)
        for backward in self.backwards:
            gradient = backward(gradient)
        sink.touched.update(self.touched)
        self.step()
        if self.copies:
            outputs = outputs.copy()
        self.stepper.track(float(loss), (outputs,), (y,), (None,), None)

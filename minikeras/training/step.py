"""One step: forward, loss, backward, update, metrics. The inner loop of training."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from minikeras.engine import tree
from minikeras.engine.arena import keep_freed_memory
from minikeras.engine.context import Gradients, Run
from minikeras.engine.recording import Recording
from minikeras.engine.symbolic import Tensor
from minikeras.losses.loss import Loss
from minikeras.training.bound import bind_step
from minikeras.training.programs import GraphLosses


class Stepper:
    """The steps of a compiled model, with everything resolved beforehand.

    Args:
        model: Built model.
        program: Its `GraphProgram` or `CallProgram`.
    """

    def __init__(self, model: Any, program: Any) -> None:
        keep_freed_memory()
        self.model, self.program = model, program
        self.compiled_loss = model._compile_loss
        self.compiled_metrics = model._compile_metrics
        self.tracker = model._loss_tracker
        self.fused: dict[int, Any] = {}
        self.ready = False
        self.joint: Any = None
        self.values: list = []
        self.bound: Any = None
        self.bindable = True
        self.shapes: Any = None

    def __getstate__(self) -> dict:
        # Closures over buffers are made anew where they are wanted.
        return {**self.__dict__, "bound": None, "shapes": None}

    def prepare(self, y: Any, packed: Any) -> None:
        """Resolve losses and metrics, for the targets and outputs of the first batch."""
        names = self.program.names
        if self.compiled_loss is not None and not self.compiled_loss.built:
            self.compiled_loss.build(y, packed, names)
        if self.compiled_metrics is not None and not self.compiled_metrics.built:
            self.compiled_metrics.build(y, packed, names)
        self.terms = self.compiled_loss.terms if self.compiled_loss is not None else []
        self.wanted = sorted({index for term in self.terms for index in term.outputs})
        spreader = self.compiled_loss or self.compiled_metrics
        self.outputs = spreader.outputs if spreader is not None else None
        self.one = len(tree.flatten(packed)) == 1
        if self.program.graph is not None:
            self.join(y)
        self.mark_fusions()
        self.ready = True

    def join(self, y: Any) -> None:
        """Let losses and metrics that use tensors of the model be outputs of its graph."""
        metrics = self.compiled_metrics.groups if self.compiled_metrics is not None else None
        targets = [] if y is None else self.spread(y, None)[0]
        joint = GraphLosses(self.program, self.terms, metrics or [], targets)
        if joint.graph is not None:
            self.joint = joint
            self.program = joint.program(self.program)

    def spread(self, y: Any, sample_weight: Any) -> tuple[list, list]:
        """Targets and weights as flat lists, one entry per output."""
        if self.one and not isinstance(y, (list, tuple, dict)):
            targets, weights = [y], [sample_weight]
            if isinstance(sample_weight, (list, tuple, dict)):
                weights = self.outputs.spread(sample_weight, "sample_weight")  # type: ignore[union-attr]
            return targets, weights
        if self.outputs is None:
            return [y], [sample_weight]
        return (
            self.outputs.spread(y, "y_true", self.wanted),
            self.outputs.spread(sample_weight, "sample_weight"),
        )

    def run_forward(self, run: Run, x: Any, y: Any) -> tuple[list, Any, Any]:
        """The outputs of the model, what `backward` needs, and the masks of the outputs."""
        joint = self.joint
        if joint is None:
            return self.program.forward(run, x)
        joint.give(self.program, [] if y is None else self.spread(y, None)[0])
        outputs, state, masks = self.program.forward(run, x)
        self.values = outputs[joint.count :]
        return outputs[: joint.count], state, masks

    def mark_fusions(self) -> None:
        """Find activations that are fused with the loss behind them."""
        graph = self.program.graph
        self.fused = {}
        if graph is None:
            return
        from minikeras.training.bound import fusion_for

        for term in self.terms:
            slot = graph.output_slots[term.output]
            alone = sum(term.output in other.outputs for other in self.terms) == 1
            maker = [step for step in graph.steps if step.outs == [slot]]
            used = any(slot in step.ins for step in graph.steps)
            again = graph.output_slots.count(slot) > 1
            if term.parts is not None or used or again:
                continue
            if alone and len(maker) == 1 and maker[0].simple:
                function = fusion_for(maker[0].operation, term.loss)
                if function is not None:
                    maker[0].marked = True
                    self.fused[term.output] = function

    def loss(
        self, run: Run, y: Any, outputs: list, sample_weight: Any, masks: Any, gradients: bool
    ) -> tuple[float, list, list, list]:
        """The total loss, the gradients to the outputs, the flat targets and weights."""
        targets, weights = self.spread(y, sample_weight)
        total = 0.0
        joint = self.joint
        douts: list = [None] * (len(outputs) + len(self.values))
        dout: Any
        for position, term in enumerate(self.terms):
            index = term.output
            mask = masks[index] if masks else None
            target, output, weight = targets[index], outputs[index], weights[index]
            if mask is not None and self.model._mask_is_weight:
                weight, mask = mask_as_weight(mask, weight, output.dtype), None
            if target is None:
                raise ValueError(
                    f"The model was compiled with the loss {term.loss.name!r}, but there are no"
                    " targets. Pass `y`, or batches of (inputs, targets)."
                )
            if joint is not None and position in joint.losses:
                place = joint.losses[position]
                values = self.values[place]
                value, factors = term.loss.reduce_with_gradient(values, weight, mask)
                dout = np.broadcast_to(np.asarray(factors, values.dtype), values.shape)
                place += len(outputs)
                total += self.add_term(position, value, dout, place, douts, len(output))
                continue
            if term.parts is not None:
                total += self.add_structured(position, targets, outputs, weights, douts)
                continue
            fused = self.fused.get(index)
            logits = run.logits.get(self.program.graph.output_slots[index]) if fused else None
            if fused is not None and logits is not None:
                value, dout = fused(term.loss, target, logits, weight, mask, output)
            elif gradients:
                if mask is None:
                    value, dout = term.loss.value_and_gradient(target, output, weight)
                else:
                    value, dout = term.loss.value_and_gradient(target, output, weight, mask=mask)
            else:
                tensor = Tensor(output)
                if mask is not None:
                    tensor._keras_mask = Tensor(mask)
                value, dout = term.loss(target, tensor, weight).array, None
            total += self.add_term(position, value, dout, index, douts, len(output))
        for place in joint.added if joint is not None else ():
            total += float(self.values[place].sum())
            douts[len(outputs) + place] = np.ones_like(self.values[place])
        return total, douts, targets, weights

    def add_structured(
        self, position: int, targets: list, outputs: list, weights: list, douts: list
    ) -> float:
        """Add the loss of several outputs together, and its gradients."""
        term = self.terms[position]
        weight = term.pick_weight(weights)
        value, found = Loss.value_and_gradient(
            term.loss, term.pick(targets), term.pick(outputs), weight
        )
        first, *others = zip(term.outputs, tree.flatten(found))
        for index, dout in others:
            factor = dout.dtype.type(1.0 if term.weight is None else term.weight)
            before = douts[index]
            douts[index] = dout * factor if before is None else before + dout * factor
        index, dout = first
        return self.add_term(position, value, dout, index, douts, len(outputs[index]))

    def add_term(
        self, position: int, value: Any, dout: Any, index: int, douts: list, rows: int
    ) -> float:
        """Track and weigh the value of one loss; add its gradient to that of output `index`."""
        term = self.terms[position]
        trackers = self.compiled_loss.trackers if self.compiled_loss is not None else ()
        if trackers:
            trackers[position].update_arrays(np.asarray(value), np.asarray(rows))
        if term.weight is not None:
            value = value * term.weight
            if dout is not None:
                dout = dout * dout.dtype.type(term.weight)
        if dout is not None:
            before = douts[index]
            douts[index] = dout if before is None else before + dout
        return float(value)

    def train(self, x: Any, y: Any, sample_weight: Any) -> None:
        """One training step."""
        bound = self.bound
        if bound is not None and sample_weight is None and bound.fits(x, y):
            if bound.holds():
                self.shapes = None
                bound(x, y)
                return
            self.bound = self.shapes = None
        optimizer = self.model.optimizer
        sink = optimizer.sink
        sink.begin()
        run = Run(True, True, sink)
        run.fuse = self.program.graph
        if not self.ready and self.program.graph is not None:
            self.prepare(y, self.program.symbolic)
        outputs, state, masks = self.run_forward(run, x, y)
        if not self.ready:
            self.prepare(y, self.program.pack(outputs))
        loss, douts, targets, weights = self.loss(run, y, outputs, sample_weight, masks, True)
        scale = optimizer_scale(optimizer)
        if scale != 1.0:
            douts = [None if dout is None else dout * dout.dtype.type(scale) for dout in douts]
        self.program.backward(state, douts, run)
        loss += self.extra(run, sink, scale)
        self.finish_update(optimizer, sink)
        self.track(loss, outputs, targets, weights, masks)
        if self.bindable and sample_weight is None and scale == 1.0 and not run.losses:
            self.bind_if_again(x, y)

    def bind_if_again(self, x: Any, y: Any) -> None:
        """Bind the step when two batches of one shape have come."""
        shapes = (getattr(x, "shape", None), getattr(y, "shape", None))
        if shapes != self.shapes:
            self.shapes = shapes
            return
        self.bound = bind_step(self, x, y)
        self.bindable = self.bound is not None

    def finish_update(self, optimizer: Any, sink: Any) -> None:
        """Apply what the sink collected."""
        if sink.others:
            raise ValueError(
                "The model has trainable variables that the optimizer does not know, because they"
                " were made or unfrozen after it was built. Call `compile()` again before training."
            )
        if not sink.touched and not self.model.trainable_weights:
            warnings.warn("The model does not have any trainable weights.", stacklevel=4)
            return
        optimizer.apply_sink()

    def extra(self, run: Run, sink: Any, scale: float = 1.0) -> float:
        """Losses added on the way, and weight penalties; their gradients go to `sink`."""
        total = 0.0
        if sink is None and self.model._penalties_in_training_only:
            return total
        for term in run.losses:
            total += float(np.sum(term.array if isinstance(term, Tensor) else term))
        regularized = self.model._regularized_variables()
        added = self.joint is not None and self.joint.added
        if not self.terms and not run.losses and not regularized and not added:
            raise ValueError(
                "No loss to compute. Provide a `loss` argument in `compile()`, or let a layer call"
                " `add_loss()`."
            )
        for variable in regularized:
            value, gradient = penalty(variable, sink is not None)
            total += value
            if sink is not None:
                sink.add(
                    variable, gradient if scale == 1.0 else gradient * gradient.dtype.type(scale)
                )
        if run.losses:
            _check_recorded(run)
        return total

    def track(self, loss: float, outputs: list, targets: list, weights: list, masks: Any) -> None:
        """Update the loss tracker and the metrics."""
        count = len(outputs[0]) if outputs and outputs[0].ndim else 1
        tracker = self.tracker
        if tracker is not None:
            total = tracker.total.array
            kind = total.dtype.type
            total[()] = kind(total.item()) + kind(loss) * kind(count)
            tracker.count.array[()] = tracker.count.array.item() + count
        given = None
        if self.joint is not None:
            given = {key: self.values[place] for key, place in self.joint.metrics.items()}
            for metric, place in self.joint.means:
                metric.accumulate_values(self.values[place], None)
        if self.compiled_metrics is not None and self.compiled_metrics.groups:
            unmasked = self.model._metrics_unmasked
            if unmasked is True or unmasked and all(one is None for one in weights):
                masks = None
            self.compiled_metrics.update_flat(targets, outputs, weights, masks, given)

    def test(self, x: Any, y: Any, sample_weight: Any) -> None:
        """One evaluation step."""
        run = Run(False)
        run.fuse = self.program.graph
        if not self.ready and self.program.graph is not None:
            self.prepare(y, self.program.symbolic)
        outputs, _, masks = self.run_forward(run, x, y)
        if not self.ready:
            self.prepare(y, self.program.pack(outputs))
        loss, _, targets, weights = self.loss(run, y, outputs, sample_weight, masks, False)
        loss += self.extra(run, None)
        self.track(loss, outputs, targets, weights, masks)


def mask_as_weight(mask: Any, weight: Any, dtype: Any) -> np.ndarray:
    """A mask as sample weights, as Keras 2.3 and tf.keras up to 2.10 took it."""
    mask = np.asarray(mask).astype(dtype)
    if weight is None:
        return mask
    weight = np.asarray(weight, dtype)
    return mask * weight.reshape(weight.shape + (1,) * (mask.ndim - weight.ndim))


def optimizer_scale(optimizer: Any) -> float:
    """The factor that the optimizer expects gradients to carry (loss scaling)."""
    scale = getattr(optimizer, "gradient_scale", None)
    return 1.0 if scale is None else float(scale() if callable(scale) else scale)


def _check_recorded(run: Run) -> None:
    for term in run.losses:
        if isinstance(term, Tensor) and term.array.size != 1:
            raise ValueError(
                f"`add_loss` takes scalars. Received a tensor of shape {term.shape}: take its mean"
                " or"
                " sum."
            )


def penalty(variable: Any, gradient: bool) -> tuple[float, Any]:
    """The value of a variable's regularizer, and its gradient."""
    regularizer = variable.regularizer
    fast = getattr(regularizer, "value_and_gradient", None)
    if fast is not None:
        return fast(variable.array)
    run = Run(True, True, Gradients())
    with Recording(run) as recording:
        value = regularizer(variable.value)
    if not isinstance(value, Tensor):
        raise ValueError(
            f"The regularizer {regularizer!r} must return a scalar tensor made with"
            " `minikeras.ops`."
            f" Received: {value!r}"
        )
    result = float(value.array)
    if gradient and value.recording is recording:
        recording.reverse([(value.slot, np.ones((), value.array.dtype))])
    found = run.sink.get(variable)
    return result, np.zeros_like(variable.array) if found is None else found

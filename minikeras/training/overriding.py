"""The steps of training, and the points where users override them."""

from __future__ import annotations

import warnings
import weakref
from typing import Any

import numpy as np

from minikeras.engine import dtypes, tree
from minikeras.engine.operation import trace_once
from minikeras.engine.recording import Paused
from minikeras.engine.symbolic import KerasTensor, Tensor
from minikeras.engine.variable import plain, trainable_changed
from minikeras.training.compiling import Compiled


class Steps(Compiled):
    """How one batch is trained on, tested on, predicted for."""

    # Steps that users override

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The total loss of a batch, as a scalar tensor. May be overridden.

        Raises:
            ValueError: if there is no loss.
        """
        total: Any = None
        if self._compile_loss is not None:
            names = getattr(self, "output_names", None) if hasattr(self, "_graph_model") else None
            total = self._compile_loss(y, y_pred, sample_weight, names)
        for loss in self.losses:  # type: ignore[attr-defined]
            total = loss if total is None else total + loss
        if total is None:
            raise ValueError("No loss to compute. Provide a `loss` argument in `compile()`.")
        return total

    def _compute_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> Any:
        import inspect

        if "training" in inspect.signature(self.compute_loss).parameters:
            return self.compute_loss(
                x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training
            )
        return self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict:
        """Update the metrics with a batch and return their values by name. May be overridden."""
        if self._compile_metrics is not None:
            if not self._compile_metrics.built:
                names = (
                    getattr(self, "output_names", None) if hasattr(self, "_graph_model") else None
                )
                self._compile_metrics.build(y, y_pred, names)
            self._compile_metrics.update_state(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def train_step(self, data: Any) -> dict:
        """One training step on `(x, y, sample_weight)`; returns logs. May be overridden.

        A step of your own records the forward pass and applies the gradients:

            x, y = data
            with minikeras.GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = self.compute_loss(y=y, y_pred=y_pred)
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
        """
        from minikeras.gradient_tape import GradientTape
        from minikeras.training.data import unpack_x_y_sample_weight

        x, y, sample_weight = unpack_x_y_sample_weight(data)
        with GradientTape() as tape:
            y_pred = self._call_model(x, training=True)
            loss = self._compute_loss(x, y, y_pred, sample_weight, True)
            if self.optimizer is not None:
                scaled = self.optimizer.scale_loss(loss)
        self._track_loss(loss, x)
        variables = self.trainable_weights  # type: ignore[attr-defined]
        if variables:
            gradients = tape.gradient(scaled, variables)
            self.optimizer.apply_gradients(zip(gradients, variables))
        else:
            warnings.warn("The model does not have any trainable weights.", stacklevel=2)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def test_step(self, data: Any) -> dict:
        """One evaluation step on `(x, y, sample_weight)`; returns logs. May be overridden."""
        from minikeras.training.data import unpack_x_y_sample_weight

        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self._call_model(x, training=False)
        loss = self._compute_loss(x, y, y_pred, sample_weight, False)
        self._track_loss(loss, x)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def predict_step(self, data: Any) -> Any:
        """One prediction step; returns the outputs. May be overridden."""
        from minikeras.training.data import unpack_x_y_sample_weight

        x, _, _ = unpack_x_y_sample_weight(data)
        return self._call_model(x, training=False)

    def _call_model(self, x: Any, training: bool) -> Any:
        from minikeras.engine.layer import _accepts

        if self.composite and not _accepts(type(self), "training"):  # type: ignore[attr-defined]
            return self(x)  # type: ignore[operator]
        return self(x, training=training)  # type: ignore[operator]

    def _track_loss(self, loss: Any, x: Any) -> None:
        if self._loss_tracker is not None:
            leaves = tree.flatten(x)
            shape = np.shape(plain(leaves[0])) if leaves else ()
            self._loss_tracker.update_state(
                np.asarray(plain(loss)), sample_weight=np.asarray(shape[0] if shape else 1)
            )

    def _overrides(self, *names: str) -> bool:
        for name in names:
            own = getattr(type(self), name)
            if own is not getattr(Steps, name) or name in self.__dict__:
                return True
        return False

    # Programs

    def _get_program(self) -> Any:
        own = self.__dict__
        program = own.get("_program")
        if program is not None and own.get("_functional", self) is getattr(
            program, "functional", None
        ):
            return program
        graph_model = self._planned_model()
        if program is not None and (
            graph_model is None or getattr(program, "functional", None) is graph_model
        ):
            return program
        from minikeras.training.programs import CallProgram, GraphProgram

        program = CallProgram(self) if graph_model is None else GraphProgram(self)
        self.__dict__.update(_program=program, _stepper=None)
        return program

    def _planned_model(self) -> Any:
        """The functional model whose graph says all that `call` does, or None."""
        from minikeras.models.functional import Functional, GraphModel
        from minikeras.models.sequential import Sequential

        if not isinstance(self, GraphModel):
            return None
        if type(self).call not in (Functional.call, Sequential.call):  # type: ignore[attr-defined]
            return None
        if self.activity_regularizer is not None:  # type: ignore[attr-defined]
            return None
        if isinstance(self, Sequential) and self.__dict__.get("_functional") is None:
            return None
        return self._graph_model

    def _get_stepper(self) -> Any:
        from minikeras.training.step import Stepper

        program = self._get_program()
        stepper = self.__dict__.get("_stepper")
        if stepper is None:
            stepper = Stepper(self, program)
            self.__dict__["_stepper"] = stepper
        return stepper

    def _regularized_variables(self) -> list:
        from minikeras.engine.variable import trainable_version

        cached = self.__dict__.get("_regularized")
        if cached is None or cached[0] != trainable_version():
            found = [
                v
                for v in self.trainable_weights  # type: ignore[attr-defined]
                if v.regularizer is not None
            ]
            cached = self.__dict__["_regularized"] = (trainable_version(), found)
        return cached[1]

    def _ensure_built(self, x: Any, source: Any = None) -> None:
        """Build the model and nothing else, from the shapes of a batch, or of two."""
        if self.built and all(layer.built for layer in self._flatten_layers()):  # type: ignore[attr-defined]
            return
        if getattr(type(self).call, "_undefined", False):  # type: ignore[attr-defined]
            return  # a model that is nothing but its `train_step`, made of models that have theirs
        # A training step of one's own may call what it likes with what it likes.
        own_step = self._overrides("train_step")
        second = source.peek_second() if source is not None else None
        specs = tree.map_structure(_spec, x, x if second is None else second[0])
        try:
            trace_once(lambda inputs: self._call_model(inputs, training=False), specs)
        except ValueError:
            if own_step:
                return
            # Open axes have made-up sizes, which need not fit; the data tell.
            if second is None or not self.built:
                raise
        except Exception:
            if own_step:
                return
            # Shapes may depend on values: then real rows have to do.
            with Paused(training=False):
                self._call_model(_first_rows(x), training=False)

    def _build_optimizer(self) -> None:
        optimizer = self.optimizer
        if optimizer is None:
            raise ValueError(
                "The model was compiled without an optimizer. Pass `optimizer` to `compile()`."
            )
        builder = optimizer.__dict__.get("_builder")
        if builder is not None and builder() is not self:
            known = {id(variable) for variable in optimizer._trainable_variables}
            if any(
                variable.trainable and id(variable) not in known
                for variable in self.variables  # type: ignore[attr-defined]
            ):
                # One optimizer for several models, as in the GANs of Keras 2.
                optimizer = self.optimizer = optimizer.twin()
        optimizer.__dict__["_builder"] = weakref.ref(self)
        if not optimizer.built:
            if self._overrides("train_step") and not all(
                layer.built
                for layer in self._flatten_layers(include_self=False)  # type: ignore[attr-defined]
            ):
                return  # what the step applies first says the variables
            # Also what was trainable when `compile` was called: parts of a model that are frozen
            # and thawed in turn (the discriminator of a GAN) keep their optimizer.
            known = {id(variable) for variable in self._trainable_when_compiled}
            optimizer.build(
                [
                    variable
                    for variable in self.variables  # type: ignore[attr-defined]
                    if variable.trainable or id(variable) in known
                ]
            )

    def _make_train(self) -> Any:
        """The function of a batch that `fit` calls; it returns logs or None."""
        step = self._make_step()
        variables = self._trainable_when_compiled
        if not variables or self.trainable_variables:  # type: ignore[attr-defined]
            return step
        # All of it was frozen since: to train another model, as the discriminator of a GAN is.
        # What `compile` saw counts.
        layers = self._layers_when_compiled

        def set_trainable(value: bool) -> None:
            for layer in layers:
                layer.__dict__["_trainable"] = value
            for variable in variables:
                variable.trainable = value
            trainable_changed()

        def thawed(x: Any, y: Any, sample_weight: Any) -> Any:
            set_trainable(True)
            try:
                return step(x, y, sample_weight)
            finally:
                set_trainable(False)

        return thawed

    def _make_step(self) -> Any:
        if self._overrides("train_step", "compute_loss", "compute_metrics"):

            def custom(x: Any, y: Any, sample_weight: Any) -> Any:
                return self.train_step(as_data(x, y, sample_weight))

            return custom
        return self._get_stepper().train

    def _make_test(self) -> Any:
        if self._overrides("test_step", "compute_loss", "compute_metrics"):

            def custom(x: Any, y: Any, sample_weight: Any) -> Any:
                return self.test_step(as_data(x, y, sample_weight))

            return custom
        return self._get_stepper().test


def as_tensors(x: Any) -> Any:
    return tree.map_structure(lambda leaf: None if leaf is None else Tensor(leaf), x)


def as_data(x: Any, y: Any, sample_weight: Any) -> Any:
    from minikeras.training.data import pack_x_y_sample_weight

    return pack_x_y_sample_weight(as_tensors(x), as_tensors(y), as_tensors(sample_weight))


def _spec(leaf: Any, other: Any) -> KerasTensor:
    """A symbolic batch, open along the axes in which two batches differ."""
    sizes = leaf.shape[1:]
    if len(other.shape) == len(leaf.shape):
        sizes = (one if one == two else None for one, two in zip(sizes, other.shape[1:]))
    return KerasTensor((None, *sizes), dtypes.standardize_dtype(leaf.dtype))


def _first_rows(x: Any) -> Any:
    return tree.map_structure(lambda leaf: None if leaf is None else Tensor(leaf[:1]), x)

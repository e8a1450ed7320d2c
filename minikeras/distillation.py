"""`keras.distillation`: a small model (the student) learns what a large one (the teacher) says."""

from __future__ import annotations

from typing import Any

import numpy as np

from minikeras import losses, metrics, ops, tree
from minikeras.engine import registry, serialization
from minikeras.engine.variable import plain
from minikeras.models import Model, Sequential

__all__ = ["DistillationLoss", "Distiller", "FeatureDistillation", "LogitsDistillation"]

_FINAL = "final_output"


def _resolve(loss: Any, owner: str) -> Any:
    """Names of losses as losses, in their structure; None stays."""
    found = tree.map_structure(
        lambda one: losses.get(one) if isinstance(one, (str, dict)) else one, loss
    )
    if all(one is None for one in tree.flatten(found)):
        raise ValueError(
            f"Argument `loss` of {owner} must hold at least one loss that is not None. Received:"
            f" loss={loss!r}"
        )
    return found


def _has_graph(model: Any) -> bool:
    return getattr(model, "inputs", None) is not None


class DistillationLoss:
    """Base class of what a student learns from a teacher.

    A subclass defines `compute_loss(teacher_outputs, student_outputs)`, which returns a scalar,
    computed with `minikeras.ops`. With the attributes `teacher_layer_name` and
    `student_layer_name` it gets the outputs of these layers, otherwise those of the models.
    """

    teacher_layer_name: str | None = None
    student_layer_name: str | None = None
    loss: Any

    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any) -> Any:
        """The loss, a scalar tensor; a subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} must define `compute_loss`.")

    def validate_outputs(self, teacher_outputs: Any, student_outputs: Any) -> None:
        """Check that the outputs have one structure.

        Raises:
            ValueError: if they have not.
        """
        tree.assert_same_structure(teacher_outputs, student_outputs)

    def validate_model_compatibility(self, teacher: Any, student: Any) -> None:
        """Check that the layers that are named are there.

        Raises:
            ValueError: if they are not, or a model has no graph to take them from.
        """
        for who, model, name in (
            ("teacher", teacher, self.teacher_layer_name),
            ("student", student, self.student_layer_name),
        ):
            if name is None:
                continue
            if not _has_graph(model):
                raise ValueError(
                    f"{type(self).__name__} takes the outputs of layer {name!r} of the {who}, which"
                    " needs a functional or built Sequential model. Leave out the layer's name to"
                    " learn from final outputs."
                )
            try:
                model.get_layer(name=name)
            except ValueError as error:
                raise ValueError(f"In the {who}: {error}") from error

    def _apply(self, function: Any, *outputs: Any) -> Any:
        """The sum of what `function(loss, teacher's, student's)` gives for each output."""
        values = tree.map_structure(
            lambda loss, *pair: 0.0 if loss is None else ops.mean(function(loss, *pair)),
            self.loss,
            *outputs,
        )
        return sum(tree.flatten(values))

    @classmethod
    def from_config(cls, config: dict) -> Any:
        """The loss that `config` describes."""
        config = dict(config)
        if "loss" in config:
            config["loss"] = _loss_from(config["loss"])
        return cls(**config)


def _loss_from(config: Any) -> Any:
    if isinstance(config, dict) and "class_name" not in config:
        return {key: _loss_from(one) for key, one in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(_loss_from(one) for one in config)
    return losses.deserialize(config) if isinstance(config, dict) else config


@registry.distillations.register("FeatureDistillation")
class FeatureDistillation(DistillationLoss):
    """The student's features shall be those of the teacher.

    Args:
        loss: Loss, its name, or a structure of them like that of the outputs; None leaves an output
            out. Defaults to `"mse"`.
        teacher_layer_name: Name of a layer of the teacher, whose outputs are taken. Defaults to
            None: the outputs of the model.
        student_layer_name: The same for the student.

    Example:

    >>> import minikeras
    >>> loss = minikeras.distillation.FeatureDistillation("mae")
    >>> float(loss.compute_loss(minikeras.ops.ones((2, 3)), minikeras.ops.zeros((2, 3))))
    1.0
    """

    def __init__(
        self,
        loss: Any = "mse",
        teacher_layer_name: str | None = None,
        student_layer_name: str | None = None,
    ) -> None:
        self.loss = _resolve(loss, "FeatureDistillation")
        self.teacher_layer_name = teacher_layer_name
        self.student_layer_name = student_layer_name

    def validate_outputs(self, teacher_outputs: Any, student_outputs: Any) -> None:
        super().validate_outputs(teacher_outputs, student_outputs)
        try:
            tree.assert_same_structure(self.loss, teacher_outputs)
        except ValueError as error:
            raise ValueError(
                f"Argument `loss` of FeatureDistillation must be built like the outputs: {error}"
            ) from error

    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any) -> Any:
        return self._apply(lambda loss, *pair: loss(*pair), teacher_outputs, student_outputs)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            "loss": tree.map_structure(losses.serialize, self.loss),
            "teacher_layer_name": self.teacher_layer_name,
            "student_layer_name": self.student_layer_name,
        }


@registry.distillations.register("LogitsDistillation")
class LogitsDistillation(DistillationLoss):
    """The student's logits shall be those of the teacher, both divided by a temperature.

    Args:
        temperature: Positive number, default 3. The higher, the more the classes count that are not
            the likeliest.
        loss: As in `FeatureDistillation`. Defaults to `"kl_divergence"`, which compares the
            probabilities and is multiplied by the square of the temperature.

    Example:

    >>> import minikeras
    >>> loss = minikeras.distillation.LogitsDistillation(temperature=2.0)
    >>> float(loss.compute_loss(minikeras.ops.ones((2, 3)), minikeras.ops.zeros((2, 3))))
    0.0
    """

    def __init__(self, temperature: float = 3.0, loss: Any = "kl_divergence") -> None:
        number = isinstance(temperature, (int, float)) and not isinstance(temperature, bool)
        if not number or temperature <= 0:
            raise ValueError(
                "Argument `temperature` must be a positive number. Received:"
                f" temperature={temperature!r}"
            )
        if loss == "kl_divergence":
            loss = losses.KLDivergence()
        self.temperature, self.loss = temperature, _resolve(loss, "LogitsDistillation")

    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any) -> Any:
        def compare(loss: Any, teacher: Any, student: Any) -> Any:
            teacher, student = teacher / self.temperature, student / self.temperature
            if isinstance(loss, losses.KLDivergence) or loss is losses.kl_divergence:
                scale = self.temperature**2
                return loss(ops.softmax(teacher), ops.softmax(student)) * scale
            return loss(teacher, student)

        return self._apply(compare, teacher_outputs, student_outputs)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            "temperature": self.temperature,
            "loss": tree.map_structure(losses.serialize, self.loss),
        }


@registry.distillations.register("Distiller")
class Distiller(Model):
    """Trains a student on targets and on what a teacher says.

    Called, it is the student. The loss is `student_loss_weight` times the loss that `compile` was
    given, plus the rest of 1 times the weighted sum of the distillation losses.

    Args:
        teacher: Trained model; it is frozen.
        student: Model to train.
        distillation_losses: `DistillationLoss`, or a list of them.
        distillation_loss_weights: List of numbers, one a distillation loss. Defaults to ones.
        student_loss_weight: Number from 0 to 1, default 0.5.
        name: String. Defaults to `"distiller"`.

    Raises:
        ValueError: for models whose inputs or outputs differ, and for arguments that do not fit.

    Example:

    >>> import minikeras, numpy as np
    >>> make = lambda units: minikeras.Sequential([
    ...     minikeras.Input((3,)), minikeras.layers.Dense(units), minikeras.layers.Dense(2)])
    >>> from minikeras.distillation import Distiller, LogitsDistillation
    >>> distiller = Distiller(make(16), make(4), LogitsDistillation(temperature=2.0))
    >>> distiller.compile("adam", "sparse_categorical_crossentropy")
    >>> history = distiller.fit(np.ones((8, 3)), np.zeros(8, int), verbose=0)
    >>> sorted(history.history)
    ['distillation_loss', 'loss', 'student_loss', 'total_loss']
    """

    def __init__(
        self,
        teacher: Any,
        student: Any,
        distillation_losses: Any,
        distillation_loss_weights: Any = None,
        student_loss_weight: float = 0.5,
        name: str = "distiller",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        _check_models(teacher, student)
        number = isinstance(student_loss_weight, (int, float))
        if not number or not 0.0 <= student_loss_weight <= 1.0:
            raise ValueError(
                "Argument `student_loss_weight` must be a number between 0 and 1. Received:"
                f" student_loss_weight={student_loss_weight!r}"
            )
        if not isinstance(distillation_losses, (list, tuple)):
            distillation_losses = [distillation_losses]
        if None in distillation_losses or not distillation_losses:
            raise ValueError(
                "Argument `distillation_losses` must be a distillation loss or a list of them,"
                f" such as LogitsDistillation(). Received: {distillation_losses!r}"
            )
        weights = distillation_loss_weights
        weights = [1.0] * len(distillation_losses) if weights is None else list(weights)
        if len(weights) != len(distillation_losses):
            raise ValueError(
                "Argument `distillation_loss_weights` must have one entry a distillation loss,"
                f" {len(distillation_losses)}. Received: distillation_loss_weights={weights}"
            )
        for one in distillation_losses:
            one.validate_model_compatibility(teacher, student)
        self.teacher, self.student = teacher, student
        self.distillation_losses, self.distillation_loss_weights = [*distillation_losses], weights
        self.student_loss_weight = student_loss_weight
        self._teacher_feature_extractor = self._extractor(teacher, "teacher_layer_name")
        self._student_feature_extractor = self._extractor(student, "student_layer_name")
        teacher.trainable = False
        self.student_loss_tracker = metrics.Mean(name="student_loss")
        self.distillation_loss_tracker = metrics.Mean(name="distillation_loss")
        self.total_loss_tracker = metrics.Mean(name="total_loss")
        self._student_loss: Any = None

    def _extractor(self, model: Any, attribute: str) -> Any:
        """A model of the outputs of the layers that are named, and the final ones; or None."""
        names = [getattr(one, attribute, None) for one in self.distillation_losses]
        found = {name: model.get_layer(name=name).output for name in names if name}
        if not found:
            return None
        final = model.layers[-1].output if isinstance(model, Sequential) else model.output
        name = f"{model.name}_multi_feature_extractor"
        return Model(model.inputs, {_FINAL: final, **found}, name=name)

    def compile(  # type: ignore[override]
        self, optimizer: Any = "adam", loss: Any = None, metrics: Any = None, **kwargs: Any
    ) -> None:
        """Say how to train the student.

        Args:
            optimizer: Optimizer, or its name. Defaults to `"adam"`.
            loss: Loss of the student's outputs against the targets, or a structure of losses.
            metrics: List of metrics of the student.
            **kwargs: As in `Model.compile`.

        Raises:
            ValueError: if there is no loss.
        """
        self._student_loss = _resolve(loss, "compile")
        if metrics is not None and not isinstance(metrics, (list, tuple)):
            raise ValueError(
                f"Argument `metrics` must be a list. Received: metrics={metrics!r} of type"
                f" {type(metrics)}"
            )
        super().compile(optimizer=optimizer, loss=None, metrics=metrics, **kwargs)

    def get_compile_config(self) -> dict | None:
        config = super().get_compile_config()
        if config is not None:
            config["loss"] = tree.map_structure(losses.serialize, self._student_loss)
        return config

    def compile_from_config(self, config: dict) -> None:
        config = {
            key: serialization.deserialize(value)
            for key, value in config.items()
            if key not in ("loss", "jit_compile")
        } | {"loss": _loss_from(config["loss"])}
        self.compile(**config)
        if self.student.built:
            self.optimizer.build(self.trainable_variables)

    def call(self, inputs: Any, training: bool | None = None, **kwargs: Any) -> Any:
        """What the student says."""
        return self.student(inputs, training=training, **kwargs)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The weighted sum of the student's loss and the distillation losses, a scalar tensor."""
        if y_pred is None:
            y_pred = self(x, training=training)
        share = self.student_loss_weight
        student_loss: Any = 0.0
        if share > 0 and y is not None:
            student_loss = sum(
                tree.flatten(
                    tree.map_structure(
                        lambda loss, *pair: _supervised(loss, sample_weight, *pair),
                        self._student_loss,
                        y,
                        y_pred,
                    )
                )
            )
        distillation_loss: Any = 0.0
        if share < 1:
            teacher, student = self._teacher_feature_extractor, self._student_feature_extractor
            said = {_FINAL: self.teacher(x, training=False)} if teacher is None else None
            said = teacher(x, training=False) if said is None else said
            heard = {} if student is None else student(x, training=training)
            heard[_FINAL] = y_pred
            for one, weight in zip(self.distillation_losses, self.distillation_loss_weights):
                pair = (
                    said[getattr(one, "teacher_layer_name", None) or _FINAL],
                    heard[getattr(one, "student_layer_name", None) or _FINAL],
                )
                one.validate_outputs(*pair)
                value = one.compute_loss(*pair)
                if len(getattr(value, "shape", ())):
                    raise ValueError(
                        f"`{type(one).__name__}.compute_loss` must return a scalar tensor. Received"
                        f" shape {value.shape}"
                    )
                distillation_loss = distillation_loss + weight * value
        total = share * student_loss + (1.0 - share) * distillation_loss
        for tracker, value in (
            (self.student_loss_tracker, student_loss),
            (self.distillation_loss_tracker, distillation_loss),
            (self.total_loss_tracker, total),
        ):
            tracker.update_state(np.asarray(plain(value)))
        return total

    def get_config(self) -> dict:
        config = super().get_config()
        config.update(
            teacher=self.teacher,
            student=self.student,
            distillation_losses=self.distillation_losses,
            distillation_loss_weights=self.distillation_loss_weights,
            student_loss_weight=self.student_loss_weight,
        )
        return {key: serialization.serialize(value) for key, value in config.items()}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Any:
        with registry.custom_objects(custom_objects):
            return cls(**{key: serialization.deserialize(value) for key, value in config.items()})


def _supervised(loss: Any, weight: Any, y_true: Any, y_pred: Any) -> Any:
    """The mean loss of one output; of a function, the weighted mean of its values."""
    if loss is None:
        return 0.0
    if isinstance(loss, losses.Loss):
        return ops.mean(loss(y_true, y_pred, weight))
    return losses.LossFunctionWrapper(loss)(y_true, y_pred, weight)


def _check_models(teacher: Any, student: Any) -> None:
    for who, model in (("teacher", teacher), ("student", student)):
        if not isinstance(model, Model):
            raise ValueError(
                f"Argument `{who}` must be a model. Received: {model!r} of type {type(model)}"
            )
    if not (_has_graph(teacher) and _has_graph(student)):
        return
    for what in ("inputs", "outputs"):
        pairs = zip(getattr(teacher, what), getattr(student, what))
        if len(getattr(teacher, what)) != len(getattr(student, what)) or not all(
            _fits(one, other) for one, other in pairs
        ):
            raise ValueError(
                f"Teacher and student must have the same {what}. Received: teacher"
                f" {getattr(teacher, what)}, student {getattr(student, what)}"
            )


def _fits(one: Any, other: Any) -> bool:
    return (
        one.dtype == other.dtype
        and len(one.shape) == len(other.shape)
        and all(a == b or None in (a, b) for a, b in zip(one.shape, other.shape))
    )

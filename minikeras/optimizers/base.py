"""The base of all optimizers: options, variables, learning rate, files, one update."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from minikeras import config as settings
from minikeras.engine import dtypes, registry, serialization
from minikeras.engine.arena import ArenaGradients, Chunk, aligned, gather
from minikeras.engine.recording import Paused
from minikeras.engine.registry import auto_name, name_scope
from minikeras.engine.symbolic import Tensor
from minikeras.engine.variable import Variable, plain
from minikeras.optimizers.plan import Plan, norm
from minikeras.optimizers.schedules import LearningRateSchedule

COMMON = """weight_decay: Float or None (default). Each update first takes
            `learning_rate * weight_decay` of its own value from every variable (see
            `exclude_from_weight_decay`).
        clipnorm: Float or None (default). The gradient of each variable is scaled down to this
            norm.
        clipvalue: Float or None (default). Gradients are cut to `[-clipvalue, clipvalue]`.
        global_clipnorm: Float or None (default). All gradients together are scaled down to this
            norm.
        use_ema: Boolean, default False. Keeps an exponential moving average of the variables,
            which replaces them at the end of training.
        ema_momentum: Float, default 0.99. How much of the old average a step keeps.
        ema_overwrite_frequency: Integer or None (default). Every so many steps the average
            replaces the variables; with None, at the end of training.
        loss_scale_factor: Float or None (default). The loss was multiplied by it; gradients are
            divided by it.
        gradient_accumulation_steps: Integer of at least 2, or None (default). Gradients of so
            many steps are averaged into one update.
        name: String. Defaults to an automatic name."""

_RATE_ERROR = (
    "Argument `learning_rate` should be float, or an instance of LearningRateSchedule, or a"
    " callable (that takes no argument and returns the learning rate). Received instead:"
    " learning_rate={!r}"
)


def warn_old_spelling(text: str) -> None:
    """Warn that an argument of an older Keras was understood."""
    from minikeras.dialects import tell_once

    tell_once(text, text)


class Optimizer:
    """Base class of optimizers, the user's own ones too.

    An own optimizer makes its variables in `build(variables)` and defines
    `update_step(gradient, variable, learning_rate)`, which is called for every variable in turn.

    Args:
        learning_rate: Float, `LearningRateSchedule`, or callable without arguments.
        {common}

    Raises:
        ValueError: for options that are unknown, out of range or exclude each other.

    Example:

    >>> import numpy as np
    >>> import minikeras
    >>> class SignDescent(minikeras.optimizers.Optimizer):
    ...     def update_step(self, gradient, variable, learning_rate):
    ...         self.assign_sub(variable, learning_rate * np.sign(gradient))
    >>> v = minikeras.Variable(np.array([1.0, 2.0]))
    >>> count = SignDescent(learning_rate=0.5).apply_gradients([(np.array([3.0, -3.0]), v)])
    >>> v.numpy().tolist()
    [0.5, 2.5]
    """

    _variables: list
    _trainable_variables: list
    _indices: dict
    _chunks: Any
    _sink: Any
    _plans: dict
    _places: dict
    _step: Any

    # Whether slots only scale a step, so that a value too small to matter may be taken for 0.
    fades = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__doc__ and "{common}" in cls.__doc__:
            cls.__doc__ = cls.__doc__.replace("{common}", COMMON)

    def __init__(
        self,
        learning_rate: Any,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        # Set first and directly: `__setattr__` looks at them.
        self.__dict__.update(
            _variables=[],
            _trainable_variables=[],
            _indices={},
            _chunks=None,
            _plans={},
            _step=None,
        )
        old_rate, decay = kwargs.pop("lr", None), kwargs.pop("decay", None)
        if old_rate is not None:
            warn_old_spelling("Argument `lr` is now called `learning_rate`.")
            learning_rate = old_rate if callable(old_rate) else float(old_rate)
        if decay:
            warn_old_spelling(
                "Argument `decay` is that of Keras 2: the learning rate is divided by"
                " `1 + decay * iterations`. Today it is written"
                " `learning_rate=schedules.InverseTimeDecay(learning_rate, 1, decay)`."
            )
        if kwargs:
            raise ValueError(f"Argument(s) not recognized: {kwargs}")
        self.decay = float(decay or 0.0)
        self.name = auto_name(type(self).__name__) if name is None else name
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.global_clipnorm = global_clipnorm
        self.clipvalue = clipvalue
        self.use_ema = use_ema
        self.loss_scale_factor = loss_scale_factor
        if gradient_accumulation_steps and not gradient_accumulation_steps >= 2:
            raise ValueError(
                "`gradient_accumulation_steps` must be an integer >= 2. Received:"
                f" gradient_accumulation_steps={gradient_accumulation_steps}"
            )
        self.gradient_accumulation_steps = gradient_accumulation_steps
        if use_ema:
            if not 0 <= ema_momentum <= 1:
                raise ValueError(
                    "`ema_momentum` must be in the range [0, 1]. Received:"
                    f" ema_momentum={ema_momentum}"
                )
            if ema_overwrite_frequency and (
                not isinstance(ema_overwrite_frequency, int) or ema_overwrite_frequency < 1
            ):
                raise ValueError(
                    "`ema_overwrite_frequency` must be an integer >= 1 or None. Received:"
                    f" ema_overwrite_frequency={ema_overwrite_frequency}"
                )
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        if sum(one is not None for one in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ValueError(
                "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. Received:"
                f" clipnorm={clipnorm}, clipvalue={clipvalue}, global_clipnorm={global_clipnorm}"
            )
        self.built = False
        self._excluded: list = []
        self._excluded_pattern: Any = None
        self._iterations = self._scalar(0, "iteration", "int")
        if not callable(learning_rate):
            if not isinstance(learning_rate, (float, np.floating)):
                raise ValueError(_RATE_ERROR.format(learning_rate))
            learning_rate = self._scalar(learning_rate, "learning_rate", settings.floatx())
        self._learning_rate = learning_rate

    def _scalar(self, value: Any, name: str, dtype: str) -> Variable:
        with name_scope(self.name, caller=self):
            return Variable(
                value, name=name, dtype=dtype, trainable=False, aggregation="only_first_replica"
            )

    def __setattr__(self, name: str, value: Any) -> None:
        state = self.__dict__
        if "_variables" not in state:
            raise RuntimeError(
                f"In optimizer {type(self).__name__!r}, you forgot to call `super().__init__()`"
                " as the first statement in the `__init__()` method."
            )
        # Whatever was prepared may depend on what is set now.
        state["_step"] = None
        self._track(value)
        object.__setattr__(self, name, value)

    def _track(self, value: Any) -> None:
        if isinstance(value, Variable):
            if not any(one is value for one in self._variables):
                self._variables.append(value)
        elif isinstance(value, (list, tuple)):
            for item in value:
                self._track(item)
        elif isinstance(value, dict):
            for item in value.values():
                self._track(item)

    # Copies and pickles: flat buffers are made anew from the variables.

    def __getstate__(self) -> dict:
        state = dict(self.__dict__)
        for name in ("_indices", "_sink", "_places", "_builder"):
            state.pop(name, None)
        state.update(_chunks=None, _step=None, _plans={})
        return state

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self.__dict__["_indices"] = {
            id(variable): index for index, variable in enumerate(self._trainable_variables)
        }

    # Variables

    def build(self, variables: list) -> None:
        """Make the optimizer's variables.

        Args:
            variables: List of the variables that will be updated.
        """
        variables = list(variables)
        self.__dict__["_trainable_variables"] = variables
        self.__dict__["_indices"] = {id(one): index for index, one in enumerate(variables)}
        self.__dict__["_chunks"] = None
        if self.use_ema:
            self._model_variables_moving_average = self.add_optimizer_variables(
                variables, "average"
            )
        if self.gradient_accumulation_steps:
            self._accumulated_gradients = [
                self.add_variable_from_reference(one, name="gradient_accumulator")
                for one in variables
            ]
        self.built = True

    def twin(self) -> Any:
        """An optimizer for other variables, with the learning rate and count of updates of this."""
        made = type(self).from_config(self.get_config())
        for name in ("_iterations", "_learning_rate"):
            own, ours = made.__dict__[name], self.__dict__[name]
            made._variables[:] = [ours if one is own else one for one in made._variables]
            made.__dict__[name] = ours
        return made

    @property
    def variables(self) -> list:
        """All variables of the optimizer, in the order of files."""
        return self._variables[:]

    weights = variables  # as Keras 1 and 2 called them

    def _get_variable_index(self, variable: Any) -> int:
        return self._indices[id(variable)]

    @property
    def iterations(self) -> Any:
        """How many updates there were, as a Variable (a tensor with gradient accumulation)."""
        if self.gradient_accumulation_steps:
            return Tensor(self._iterations.array // self.gradient_accumulation_steps)
        return self._iterations

    @iterations.setter
    def iterations(self, variable: Any) -> None:
        self._iterations.assign(plain(variable))

    def add_variable(
        self,
        shape: Any,
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str | None = "none",
        layout: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Make a variable that belongs to the optimizer.

        Args:
            shape: Tuple.
            initializer: Initializer or its name. Defaults to `"zeros"`.
            dtype: Dtype name. Defaults to `floatx()`.
            aggregation: Kept for Keras's signature.
            layout: Kept for Keras's signature.
            name: String.
        """
        with name_scope(self.name, caller=self):
            variable = Variable(
                _initializer(initializer),
                shape=shape,
                dtype=dtype,
                trainable=False,
                aggregation=aggregation,
                name=name,
            )
        self._track(variable)
        return variable

    def add_variable_from_reference(
        self, reference_variable: Any, name: str | None = None, initializer: Any = "zeros"
    ) -> Variable:
        """Make a variable of the shape and dtype of `reference_variable`.

        Args:
            reference_variable: The variable it goes with.
            name: String. Ends the new variable's name. Defaults to `"var"`.
            initializer: Initializer or its name. Defaults to `"zeros"`.
        """
        return self.add_variable(
            shape=reference_variable.shape,
            initializer=initializer,
            dtype=reference_variable.dtype,
            name=f"{reference_variable.path.replace('/', '_')}_{name or 'var'}",
        )

    def add_optimizer_variables(
        self, trainable_variables: list, name: Any, initializer: Any = "zeros"
    ) -> Any:
        """Make one variable per trainable variable, or several: one per name.

        Args:
            trainable_variables: List of variables.
            name: String, or list of strings.
            initializer: Initializer or its name, or a list of them. Defaults to `"zeros"`.

        Returns:
            A list of variables, or for several names a tuple of lists. A variable that its
            gradient overwrites has None.

        Raises:
            ValueError: if there are not as many initializers as names.
        """
        names = [name] if isinstance(name, str) else list(name)
        if isinstance(initializer, (list, tuple)):
            initializers = list(initializer)
        else:
            initializers = [initializer] * len(names)
        if len(names) != len(initializers):
            raise ValueError(
                "The number of provided names must match the number of provided initializers."
                f" Received: name={name}, initializer={initializer}"
            )
        lists: tuple[list, ...] = tuple([] for _ in names)
        for variable in trainable_variables:
            for one, start, into in zip(names, initializers, lists):
                if getattr(variable, "overwrite_with_gradient", False):
                    into.append(None)
                else:
                    into.append(self.add_variable_from_reference(variable, one, start))
        return lists[0] if isinstance(name, str) else lists

    def assign(self, variable: Any, value: Any) -> None:
        """Set a variable."""
        variable.assign(value)

    def assign_add(self, variable: Any, value: Any) -> None:
        """Add to a variable."""
        variable.assign_add(value)

    def assign_sub(self, variable: Any, value: Any) -> None:
        """Subtract from a variable."""
        variable.assign_sub(value)

    # Flat buffers

    @property
    def chunks(self) -> list[Chunk]:
        """The trainable variables in flat chunks, with the optimizer's slots aligned to them."""
        if self._chunks is None:
            self._link()
        return self._chunks

    @property
    def sink(self) -> ArenaGradients:
        """Where the gradients for the next `apply_sink` are collected."""
        if self._chunks is None:
            self._link()
        return self._sink

    def _slot_lists(self) -> dict[str, list]:
        """The optimizer's variables that go with trainable variables, by name."""
        return {}

    def _link(self) -> None:
        variables = self._trainable_variables
        chunks = gather(variables)
        extra: dict[str, list] = {}
        if self.use_ema:
            extra["average"] = self._model_variables_moving_average
        if self.gradient_accumulation_steps:
            extra["gradient_accumulator"] = self._accumulated_gradients
        for chunk in chunks:
            chunk.slots["all"] = self._flatten(chunk, self._slot_lists())
            self._flatten(chunk, extra)
        places = {}
        for chunk in chunks:
            for position, variable in enumerate(chunk.variables):
                places[id(variable)] = (chunk, position)
        self.__dict__.update(
            _chunks=chunks, _sink=ArenaGradients(chunks), _plans={}, _places=places, _step=None
        )

    def _flatten(self, chunk: Chunk, lists: dict[str, list]) -> np.ndarray:
        """Move the slots in `lists` into the rows of one matrix, aligned like the chunk."""
        size = chunk.values.size
        matrix = aligned(len(lists) * size, chunk.arena.dtype).reshape(len(lists), size)
        for row, (name, slots) in zip(matrix, lists.items()):
            chunk.slots[name] = row
            for position, variable in enumerate(chunk.variables):
                slot = slots[self._indices[id(variable)]]
                if slot is None or slot.shape != variable.shape or slot.array.dtype != row.dtype:
                    continue
                if position == 0 and slot.array.size:
                    # Padding holds what keeps the update rule finite there.
                    row[...] = slot.array.flat[0]
                view = chunk.part(row, position)
                view[...] = slot.array
                slot.array = view
        return matrix

    # Learning rate

    @property
    def learning_rate(self) -> Any:
        """The learning rate: a Variable, or what the schedule or callable gives now."""
        rate = self._learning_rate
        if isinstance(rate, LearningRateSchedule):
            return rate(self._iterations)
        return rate if isinstance(rate, Variable) else rate()

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        current = self._learning_rate
        if callable(learning_rate):
            self._learning_rate = learning_rate
            self._variables[:] = [one for one in self._variables if one is not current]
        elif isinstance(current, Variable):
            current.assign(learning_rate)
        else:
            raise TypeError(
                "This optimizer was created with a `LearningRateSchedule` object or a callable as"
                " its `learning_rate` constructor argument, hence its learning rate is not"
                " settable. If you need the learning rate to be settable, you should instantiate"
                " the optimizer with a float `learning_rate` argument."
            )

    lr = learning_rate

    def _rate(self) -> float:
        """The learning rate of the next update, as a Python float."""
        rate = self._learning_rate
        if type(rate) is Variable:
            value = rate.array.item()
        elif isinstance(rate, LearningRateSchedule):
            value = rate.at(self._iterations)
        else:
            value = float(plain(rate()))
        if self.decay:
            value *= 1.0 / (1.0 + self.decay * self._iterations.array.item())
        return value

    # Updates

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable. Override it.

        Args:
            gradient: Tensor of the variable's shape.
            variable: The variable.
            learning_rate: Variable or scalar tensor.
        """
        raise NotImplementedError(
            f"Optimizer {type(self).__name__} must define"
            " `update_step(gradient, variable, learning_rate)`."
        )

    def _update_rule(self) -> Any:
        """The flat kernel, or None where every variable has its `update_step` called."""
        return None

    def apply_gradients(self, grads_and_vars: Iterable) -> Variable:
        """Update variables.

        Args:
            grads_and_vars: Iterable of pairs (gradient, variable).

        Returns:
            The count of iterations, a Variable.
        """
        pairs = list(grads_and_vars)
        self.apply([gradient for gradient, _ in pairs], [variable for _, variable in pairs])
        return self._iterations

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Update variables.

        Args:
            grads: List of gradients. None where a variable has none.
            trainable_variables: List of the variables. Defaults to those of `build`; the first
                call builds.

        Raises:
            ValueError: if the variables are not those of `build`, there are not as many
                gradients, or none at all.
        """
        grads = list(grads)
        if not grads:
            return
        if trainable_variables is None:
            if not self.built:
                raise ValueError(
                    "When passing `grads` without `variables`, the optimizer must already be"
                    " built on a list of variables. Call `optimizer.build(trainable_variables)`"
                    " first."
                )
            trainable_variables = self._trainable_variables
        else:
            trainable_variables = list(trainable_variables)
            if not self.built:
                with name_scope(self.name, caller=self):
                    self.build(trainable_variables)
                self.built = True
        if len(grads) != len(trainable_variables):
            raise ValueError(
                "The gradients must match the trainable variables one to one. Received"
                f" {len(grads)} gradients and {len(trainable_variables)} variables."
            )
        for variable in trainable_variables:
            if id(variable) not in self._indices:
                raise ValueError(
                    f"Unknown variable: {variable}. This optimizer can only be called for the"
                    " variables it was originally built with. When working with a new set of"
                    " variables, you should recreate a new optimizer instance."
                )
        self._collect(grads, trainable_variables)
        with np.errstate(all="ignore"):
            self._update()

    def _collect(self, grads: list, variables: list) -> None:
        """Put given gradients into the sink; those that lie there already stay."""
        sink = self.sink
        sink.begin()
        for gradient, variable in zip(grads, variables):
            if gradient is None:
                continue
            array = plain(gradient)
            if not isinstance(array, np.ndarray):
                array = np.asarray(array)
            if array.shape != variable.shape:
                raise ValueError(
                    f"The gradient of variable {variable.path!r} must have its shape,"
                    f" {variable.shape}. Received: shape {array.shape}"
                )
            view = sink.get(variable)
            if view is not None:
                view += array
                continue
            view = sink.target(variable)
            assert view is not None
            if view is not array and not np.may_share_memory(view, array):
                view[...] = array
            elif view is not array:
                view[...] = array.copy()

    def apply_sink(self) -> None:
        """Do one update with the gradients that `sink` collected.

        Overflow here is not an error: callers keep NumPy quiet with `np.errstate`.

        Raises:
            ValueError: if no variable has a gradient.
        """
        (self._step or self._prepare())()

    def _prepare(self) -> Any:
        """Choose what `apply_sink` does, until an attribute changes."""
        kind = type(self)
        sink = self.sink
        step = self._update
        if kind.apply is not Optimizer.apply or kind.apply_gradients is not (
            Optimizer.apply_gradients
        ):

            def step() -> None:
                variables = self._trainable_variables
                grads = [sink.get(variable) for variable in variables]
                tensors = [None if one is None else Tensor(one.copy()) for one in grads]
                self.apply_gradients(zip(tensors, variables))

        self._plans.clear()
        self.__dict__["_step"] = step
        return step

    def _plan(self) -> Plan:
        """The plan for the variables that have a gradient now."""
        sink = self._sink
        touched = sink.touched
        complete = len(touched) == len(sink.views) and not sink.others
        key = None if complete else frozenset(touched)
        plan = self._plans.get(key)
        if plan is None:
            variables = [one for one in self._trainable_variables if id(one) in touched]
            missing = [
                one.path
                for one in self._trainable_variables
                if id(one) not in touched and one.trainable
            ]
            if not variables:
                raise ValueError("No gradients provided for any variable.")
            if missing:
                warnings.warn(
                    f"Gradients do not exist for variables {missing} when minimizing the loss. If"
                    " using `model.compile()`, did you forget to provide a `loss` argument?",
                    stacklevel=3,
                )
            plan = self._plans[key] = Plan(self, variables, self._update_rule())
        return plan

    def _update(self) -> None:
        if self._step is None:
            self._prepare()
        count = self._iterations.array
        plan = self._plan()
        plan.run(self._rate(), count.item())
        count[()] += 1

    def _decay_of(self, variable: Any) -> float | None:
        """The weight decay that applies to one variable."""
        if self.weight_decay is None or not self._use_weight_decay(variable):
            return None
        return self.weight_decay

    def _clip_gradients(self, grads: list) -> list:
        """Gradients, clipped by whichever of the three limits is set."""
        arrays = [None if grad is None else np.array(plain(grad)) for grad in grads]
        present = [array for array in arrays if array is not None]
        together = bool(self.global_clipnorm and self.global_clipnorm > 0)
        if self.clipnorm and self.clipnorm > 0 or together:
            limit = float((self.global_clipnorm if together else self.clipnorm) or 0.0)
            for group in [present] if together else [[array] for array in present]:
                size = math.sqrt(sum(float(norm(array)) ** 2 for array in group))
                if not size <= limit:
                    for array in group:
                        array *= limit / size
        elif self.clipvalue and self.clipvalue > 0:
            for array in present:
                np.clip(array, -self.clipvalue, self.clipvalue, out=array)
        return [None if array is None else Tensor(array) for array in arrays]

    def _apply_weight_decay(self, variables: list) -> None:
        """Decay variables by their share of the current learning rate."""
        for variable in variables:
            decay = self._decay_of(variable)
            if decay is not None:
                variable.array -= variable.array * (decay * float(plain(self.learning_rate)))

    def _var_key(self, variable: Any) -> Any:
        """What a variable is known by in a dict."""
        return id(variable)

    def exclude_from_weight_decay(
        self, var_list: list | None = None, var_names: list | None = None
    ) -> None:
        """Exempt variables from weight decay. To be called before `build`.

        Args:
            var_list: List of variables.
            var_names: List of strings (regular expressions). A variable with one of them in its
                name is exempt, such as `["bias"]`.

        Raises:
            ValueError: if the optimizer is built already.
        """
        if self.built:
            raise ValueError(
                "`exclude_from_weight_decay()` can only be configured before the optimizer is"
                " built."
            )
        # Not by attribute: these are the model's variables, not the optimizer's.
        self.__dict__["_excluded"] = list(var_list or [])
        self._excluded_pattern = re.compile("|".join(sorted(set(var_names)))) if var_names else None

    def _use_weight_decay(self, variable: Any) -> bool:
        if any(one is variable for one in self._excluded):
            return False
        pattern = self._excluded_pattern
        return pattern is None or pattern.search(variable.name) is None

    def finalize_variable_values(self, var_list: list) -> None:
        """Set the variables to their moving average, with `use_ema`; called when training ends.

        Args:
            var_list: List of the model's trainable variables.
        """
        if self.use_ema:
            self._overwrite_with_average(list(var_list))

    def _overwrite_with_average(self, variables: list) -> None:
        averages = self._model_variables_moving_average
        if len(variables) != len(averages):
            raise ValueError(
                f"The length of model variables ({len(variables)}) to override does not match the"
                " length of model variables stored in the optimizer"
                f" ({len(averages)}). Please check if the optimizer was called on your model."
            )
        for variable, average in zip(variables, averages):
            if average is not None:
                variable.assign(average)

    def stateless_apply(
        self, optimizer_variables: list, grads: list, trainable_variables: list
    ) -> tuple[list, list]:
        """What `apply` would give from other values; no variable changes.

        Args:
            optimizer_variables: Values for `variables`.
            grads: List of gradients.
            trainable_variables: Values for the variables the optimizer was built with.

        Returns:
            Tuple (new trainable variables, new optimizer variables), lists of tensors.

        Raises:
            ValueError: if the optimizer is not built or a list has another length.
        """
        if not self.built:
            raise ValueError(
                f"To call `stateless_apply`, {type(self).__name__} must be built (i.e. its"
                " variables must have been created). You can build it via"
                " `optimizer.build(trainable_variables)`."
            )
        own, theirs = self.variables, self._trainable_variables
        for argument, values, expected in (
            ("optimizer_variables", optimizer_variables, own),
            ("trainable_variables", trainable_variables, theirs),
        ):
            if len(values) != len(expected):
                raise ValueError(
                    f"Argument `{argument}` must be a list of tensors corresponding one to one to"
                    f" the {len(expected)} variables the optimizer has or was built with."
                    f" Received a list of length {len(values)}."
                )
        before = [variable.numpy() for variable in (*theirs, *own)]
        try:
            for variable, value in zip(
                (*theirs, *own), (*trainable_variables, *optimizer_variables)
            ):
                variable.assign(value)
            self.apply(grads)
            return (
                [Tensor(variable.numpy()) for variable in theirs],
                [Tensor(variable.numpy()) for variable in own],
            )
        finally:
            for variable, value in zip((*theirs, *own), before):
                variable.assign(value)

    def scale_loss(self, loss: Any) -> Any:
        """The loss multiplied by `loss_scale_factor`, if there is one."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    @property
    def gradient_scale(self) -> float:
        """What `scale_loss` multiplies by: gradients in the sink are to be as much larger."""
        if type(self).scale_loss is Optimizer.scale_loss:
            return 1.0 if self.loss_scale_factor is None else float(self.loss_scale_factor)
        return float(plain(self.scale_loss(1.0)))

    # Files

    def get_weights(self) -> list[np.ndarray]:
        """The values of `variables`, as NumPy arrays."""
        return [variable.numpy() for variable in self.variables]

    def set_weights(self, weights: list) -> None:
        """Set `variables` from a list of arrays.

        Raises:
            ValueError: if the optimizer is not built, or a shape differs.
        """
        if not self.built:
            raise ValueError(
                "You are calling `set_weights()` on an optimizer that has not yet been built."
                " Please call `optimizer.build(trainable_variables)` to create the optimizer"
                " weights before calling `set_weights()`."
            )
        for variable, weight in zip(self.variables, weights):
            if variable.shape != np.shape(plain(weight)):
                raise ValueError(
                    f"Optimizer variable {variable.path!r} has shape {variable.shape} not"
                    f" compatible with provided weight shape {np.shape(plain(weight))}."
                )
            variable.assign(weight)

    def save_own_variables(self, store: Any) -> None:
        """Put the variables into the dict `store`."""
        for index, variable in enumerate(self.variables):
            store[str(index)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Take the variables from the dict `store`; warns and skips if their number differs."""
        own = self.variables
        if len(store.keys()) != len(own):
            warnings.warn(
                f"Skipping variable loading for optimizer {self.name!r}, because it has"
                f" {len(own)} variables whereas the saved optimizer has {len(store.keys())}"
                " variables.",
                stacklevel=2,
            )
            return
        for index, variable in enumerate(own):
            variable.assign(np.asarray(store[str(index)]))

    def get_config(self) -> dict:
        """The arguments of the constructor."""
        rate = self._learning_rate
        rate = float(rate.array) if isinstance(rate, Variable) else serialization.serialize(rate)
        config = {
            "name": self.name,
            "learning_rate": rate,
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "global_clipnorm": self.global_clipnorm,
            "clipvalue": self.clipvalue,
            "use_ema": self.use_ema,
            "ema_momentum": self.ema_momentum,
            "ema_overwrite_frequency": self.ema_overwrite_frequency,
            "loss_scale_factor": self.loss_scale_factor,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
        }
        if self.decay:
            config["decay"] = self.decay
        return config

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Any:
        """The optimizer that `get_config` described."""
        config = dict(config)
        if isinstance(config.get("learning_rate"), dict):
            config["learning_rate"] = registry.schedules.deserialize(
                config["learning_rate"], custom_objects
            )
        return cls(**config)


Optimizer.__doc__ = (Optimizer.__doc__ or "").replace("{common}", COMMON)


def _initializer(identifier: Any) -> Any:
    # Zeros need no registry, and slots are made in great number.
    if identifier == "zeros":
        return _zeros
    return registry.initializers.get(identifier)


def _zeros(shape: Any, dtype: Any = None) -> np.ndarray:
    return np.zeros(shape, dtype=dtypes.to_numpy_dtype(dtype))


def run_update_steps(optimizer: Optimizer, pairs: list) -> None:
    """Call the user's `update_step` for pairs of gradient and variable."""
    with Paused():
        rate: Any = optimizer.learning_rate
        if optimizer.decay:
            rate = Tensor(np.asarray(optimizer._rate(), dtype=settings.floatx()))
        for gradient, variable in pairs:
            optimizer.update_step(Tensor(gradient.copy()), variable, rate)

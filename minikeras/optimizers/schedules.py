"""Learning rates that change with the number of updates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minikeras import config as settings
from minikeras.engine import registry
from minikeras.engine.symbolic import Tensor
from minikeras.engine.variable import plain


class LearningRateSchedule:
    """Base class of learning rate schedules, the user's own ones too.

    An own schedule defines `__call__(step)`, and `get_config` to be saved. Pass it to an
    optimizer as its `learning_rate`.

    Example:

    >>> import minikeras
    >>> class Halving(minikeras.optimizers.schedules.LearningRateSchedule):
    ...     def __call__(self, step):
    ...         return 0.1 * 0.5 ** float(step)
    >>> optimizer = minikeras.optimizers.SGD(Halving())
    >>> optimizer.learning_rate
    0.1
    """

    def __call__(self, step: Any) -> Any:
        """The learning rate after `step` updates."""
        raise NotImplementedError(
            f"Learning rate schedule {type(self).__name__!r} must override `__call__(self, step)`."
        )

    def at(self, iterations: Any) -> float:
        """The learning rate as a Python float; `iterations` is the optimizer's Variable."""
        return float(plain(self(iterations)))

    def get_config(self) -> dict:
        """The arguments of the constructor."""
        raise NotImplementedError(
            f"Learning rate schedule {type(self).__name__!r} must override `get_config()` in"
            " order to be serializable."
        )

    @classmethod
    def from_config(cls, config: dict) -> Any:
        """The schedule that `get_config` described."""
        return cls(**config)


class _Formula(LearningRateSchedule):
    """A schedule given by `_value(step, cast)`, in plain floats.

    `cast` rounds to `floatx()`: what Keras computes with is rounded at the same places.
    """

    def __call__(self, step: Any) -> Any:
        steps = np.asarray(plain(step))
        cast = _cast()
        values = [self._value(cast(one), cast) for one in steps.reshape(-1).tolist()]
        return Tensor(np.array(values, dtype=settings.floatx()).reshape(steps.shape))

    def at(self, iterations: Any) -> float:
        """The learning rate as a Python float; `iterations` is the optimizer's Variable."""
        if type(self).__call__ is not _Formula.__call__:
            return super().at(iterations)
        cast = _cast()
        return cast(self._value(cast(iterations.array.item()), cast))

    def _value(self, step: float, cast: Any) -> float:
        raise NotImplementedError

    # Names of the constructor's arguments, in the order of the config.
    _arguments: tuple[str, ...] = ()

    def get_config(self) -> dict:
        """The arguments of the constructor."""
        return {name: getattr(self, name) for name in self._arguments}

    def _check_positive(self, name: str) -> None:
        value = getattr(self, name)
        if not value > 0:
            raise ValueError(f"Argument `{name}` must be > 0. Received: {name}={value}")


def _round32(value: float) -> float:
    return float(np.float32(value))


def _cast() -> Any:
    return float if settings.floatx() == "float64" else _round32


@registry.schedules.register("ExponentialDecay")
class ExponentialDecay(_Formula):
    """`initial_learning_rate * decay_rate ** (step / decay_steps)`.

    Args:
        initial_learning_rate: Float.
        decay_steps: Integer > 0.
        decay_rate: Float.
        staircase: Boolean, default False. Whether the exponent is rounded down.
        name: String. Defaults to `"ExponentialDecay"`.

    Raises:
        ValueError: if `decay_steps` is not positive.

    Example:

    >>> import minikeras
    >>> schedule = minikeras.optimizers.schedules.ExponentialDecay(0.5, 10, 0.5)
    >>> round(float(schedule(20)), 6)
    0.125
    """

    _arguments = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase", "name")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name
        self._check_positive("decay_steps")

    def _value(self, step: float, cast: Any) -> float:
        exponent = cast(step / cast(self.decay_steps))
        if self.staircase:
            exponent = math.floor(exponent)
        return cast(self.initial_learning_rate) * cast(cast(self.decay_rate) ** exponent)


@registry.schedules.register("PiecewiseConstantDecay")
class PiecewiseConstantDecay(LearningRateSchedule):
    """`values[i]` up to and including step `boundaries[i]`, then the next value.

    Args:
        boundaries: List of numbers that grow.
        values: List of floats, one longer.
        name: String. Defaults to `"PiecewiseConstant"`.

    Raises:
        ValueError: if `values` is not one longer than `boundaries`.

    Example:

    >>> import minikeras
    >>> schedule = minikeras.optimizers.schedules.PiecewiseConstantDecay([2, 5], [1.0, 0.5, 0.1])
    >>> [round(float(schedule(step)), 6) for step in (0, 2, 3, 6)]
    [1.0, 1.0, 0.5, 0.1]
    """

    def __init__(self, boundaries: list, values: list, name: str = "PiecewiseConstant") -> None:
        if len(boundaries) != len(values) - 1:
            raise ValueError(
                "The length of boundaries should be 1 less than the length of values. Received:"
                f" boundaries={boundaries} of length {len(boundaries)}, and values={values} of"
                f" length {len(values)}."
            )
        self.boundaries = boundaries
        self.values = values
        self.name = name

    def __call__(self, step: Any) -> Any:
        steps = np.asarray(plain(step))
        values = np.asarray(self.values)
        if values.dtype.kind == "f":
            values = values.astype(settings.floatx())
        # A boundary is compared in the dtype of the step, as Keras does.
        boundaries = np.asarray(self.boundaries).astype(steps.dtype)
        return Tensor(values[np.searchsorted(boundaries, steps, side="left")])

    def get_config(self) -> dict:
        """The arguments of the constructor."""
        return {"boundaries": self.boundaries, "values": self.values, "name": self.name}


@registry.schedules.register("PolynomialDecay")
class PolynomialDecay(_Formula):
    """From `initial_learning_rate` to `end_learning_rate` in `decay_steps`, by a power.

    `(initial - end) * (1 - step / decay_steps) ** power + end`, `step` being at most
    `decay_steps`; with `cycle`, `decay_steps` is replaced by its next multiple instead.

    Args:
        initial_learning_rate: Float.
        decay_steps: Integer > 0.
        end_learning_rate: Float. Defaults to 0.0001.
        power: Float. Defaults to 1.0.
        cycle: Boolean, default False.
        name: String. Defaults to `"PolynomialDecay"`.

    Raises:
        ValueError: if `decay_steps` is not positive.
    """

    _arguments = (
        "initial_learning_rate",
        "decay_steps",
        "end_learning_rate",
        "power",
        "cycle",
        "name",
    )

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = name
        self._check_positive("decay_steps")

    def _value(self, step: float, cast: Any) -> float:
        steps = cast(self.decay_steps)
        if self.cycle:
            steps *= math.ceil(cast(step / steps)) if step else 1.0
        else:
            step = min(step, steps)
        start, end = cast(self.initial_learning_rate), cast(self.end_learning_rate)
        return cast(start - end) * (1.0 - cast(step / steps)) ** cast(self.power) + end


@registry.schedules.register("InverseTimeDecay")
class InverseTimeDecay(_Formula):
    """`initial_learning_rate / (1 + decay_rate * step / decay_steps)`.

    Args:
        initial_learning_rate: Float.
        decay_steps: Integer > 0.
        decay_rate: Float.
        staircase: Boolean, default False. Whether `step / decay_steps` is rounded down.
        name: String. Defaults to `"InverseTimeDecay"`.

    Raises:
        ValueError: if `decay_steps` is not positive.
    """

    _arguments = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase", "name")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name
        self._check_positive("decay_steps")

    def _value(self, step: float, cast: Any) -> float:
        part = cast(step / cast(self.decay_steps))
        if self.staircase:
            part = math.floor(part)
        return cast(self.initial_learning_rate) / (1.0 + cast(self.decay_rate) * part)


@registry.schedules.register("CosineDecay")
class CosineDecay(_Formula):
    """Half a cosine from `initial_learning_rate` down to `alpha` times it (Loshchilov, 2016).

    With `warmup_target`, first a straight line of `warmup_steps` from `initial_learning_rate` to
    `warmup_target`, and the cosine begins there.

    Args:
        initial_learning_rate: Float.
        decay_steps: Integer > 0. Steps of the cosine.
        alpha: Float. Defaults to 0.0. The end, as a part of the start.
        name: String. Defaults to `"CosineDecay"`.
        warmup_target: Float, or None (default) for no warm-up.
        warmup_steps: Integer. Defaults to 0.

    Raises:
        ValueError: if `decay_steps` is not positive.
    """

    _arguments = (
        "initial_learning_rate",
        "decay_steps",
        "alpha",
        "name",
        "warmup_target",
        "warmup_steps",
    )

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.alpha = alpha
        self.name = name
        self.warmup_steps = warmup_steps
        self.warmup_target = warmup_target
        self._check_positive("decay_steps")

    def _value(self, step: float, cast: Any) -> float:
        steps, start = cast(self.decay_steps), cast(self.initial_learning_rate)
        if self.warmup_target is not None:
            target, warmup = cast(self.warmup_target), cast(self.warmup_steps)
            if step < warmup:
                return cast(target - start) * cast(step / warmup) + start
            step, start = step - warmup, target
        done = cast(min(step, steps) / steps)
        wave = 0.5 * (1.0 + math.cos(math.pi * done))
        return start * ((1.0 - self.alpha) * wave + self.alpha)


@registry.schedules.register("CosineDecayRestarts")
class CosineDecayRestarts(_Formula):
    """Cosine decay that starts anew again and again (Loshchilov, 2016).

    Args:
        initial_learning_rate: Float.
        first_decay_steps: Integer > 0. Length of the first period.
        t_mul: Float. Defaults to 2.0. Each period is so many times as long as the one before.
        m_mul: Float. Defaults to 1.0. Each period starts at so many times the one before.
        alpha: Float. Defaults to 0.0. The end of a period, as a part of
            `initial_learning_rate`.
        name: String. Defaults to `"SGDRDecay"`.

    Raises:
        ValueError: if `first_decay_steps` is not positive.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = first_decay_steps
        self._t_mul = t_mul
        self._m_mul = m_mul
        self.alpha = alpha
        self.name = name
        self._check_positive("first_decay_steps")

    def _value(self, step: float, cast: Any) -> float:
        done = cast(step / cast(self.first_decay_steps))
        growth, alpha = cast(self._t_mul), cast(self.alpha)
        if growth == 1.0:
            period = math.floor(done)
            done -= period
        else:
            # Logarithms may fall just short of an integer where a period begins.
            period = math.floor(math.log(1.0 - done * (1.0 - growth)) / math.log(growth) + 1e-9)
            before = (1.0 - growth**period) / (1.0 - growth)
            done = (done - before) / growth**period
        wave = 0.5 * cast(self._m_mul) ** period * (1.0 + math.cos(math.pi * done))
        return cast(self.initial_learning_rate) * ((1.0 - alpha) * wave + alpha)

    def get_config(self) -> dict:
        """The arguments of the constructor."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "first_decay_steps": self.first_decay_steps,
            "t_mul": self._t_mul,
            "m_mul": self._m_mul,
            "alpha": self.alpha,
            "name": self.name,
        }


def serialize(learning_rate_schedule: Any) -> dict:
    """The config of a schedule, as a dict."""
    return registry.schedules.serialize(learning_rate_schedule)


def deserialize(config: Any, custom_objects: dict | None = None) -> Any:
    """The schedule that `serialize` described.

    Args:
        config: dict.
        custom_objects: dict of names to the user's own classes.
    """
    return registry.schedules.deserialize(config, custom_objects)

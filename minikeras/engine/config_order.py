"""The order of the keys in the configs of layers: that of Keras, so that files are the same."""

from __future__ import annotations

_KINDS = ("kernel", "depthwise", "pointwise", "recurrent", "bias")


def _of(ending: str) -> tuple:
    return tuple(f"{kind}_{ending}" for kind in _KINDS)


ORDER = (
    "activation", "recurrent_activation", "use_bias", *_of("initializer"), "unit_forget_bias",
    *_of("regularizer"), "activity_regularizer", *_of("constraint"), "dropout",
    "recurrent_dropout", "reset_after", "seed",
)  # fmt: skip
# A cell says first how it starts to forget.
LSTM_CELL_ORDER = (
    *ORDER[:3],
    "unit_forget_bias",
    *(name for name in ORDER[3:] if name != "unit_forget_bias"),
)
BATCH_NORMALIZATION_ORDER = (
    "beta_initializer", "gamma_initializer", "moving_mean_initializer",
    "moving_variance_initializer", "beta_regularizer", "gamma_regularizer", "beta_constraint",
    "gamma_constraint",
)  # fmt: skip


def in_order(config: dict, order: tuple = ORDER) -> dict:
    """The config with the keys that `order` names in that order, where the first of them is.

    Args:
        config: dict.
        order: Names.
    """
    keys = list(config)
    if config.get("activity_regularizer") is not None:
        # What every layer says stands in front.
        order = tuple(name for name in order if name != "activity_regularizer")
    found = [name for name in order if name in config]
    if not found:
        return config
    start = min(keys.index(name) for name in found)
    rest = [name for name in keys if name not in found]
    before = [name for name in rest if keys.index(name) < start]
    after = rest[len(before) :]
    return {name: config[name] for name in (*before, *found, *after)}

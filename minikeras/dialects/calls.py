"""Arguments of functions and methods as Keras 1 and 2 spelled them, and methods that are gone."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from minikeras.dialects import warn_once

# Old name -> today's. One table for all: no old name has two meanings.
RENAMED: dict[str, str] = {
    "nb_epoch": "epochs",
    "nb_classes": "num_classes",
    "nb_words": "num_words",
    "nb_val_samples": "validation_steps",
    "samples_per_epoch": "steps_per_epoch",
    "val_samples": "steps",
    "max_q_size": "max_queue_size",
    "nb_worker": "workers",
    "pickle_safe": "use_multiprocessing",
    "dim_ordering": "data_format",
    "text": "input_text",
}
_ORDERS = {"th": "channels_first", "tf": "channels_last", "default": None}
# Of one function or class alone: its name -> old name -> today's.
RENAMED_OF: dict[str, dict[str, str]] = {
    "L1": {"l": "l1"},
    "L2": {"l": "l2"},
    "MaxNorm": {"m": "max_value"},
    "to_categorical": {"y": "x"},
}
# Done to the result: name of the function -> old name of an argument -> method of the result.
FINISHED_BY: dict[str, dict[str, str]] = {"to_categorical": {"dtype": "astype"}}
# Said how to compute or what to print; results were the same without.
GONE = (
    "workers",
    "use_multiprocessing",
    "max_queue_size",
    "class_mode",
    "sample_weight_mode",
    "experimental_run_tf_function",
    "wait_time",
)
# Of one function or class alone: its name -> old name -> what to do instead where it is not in the
# state that makes no difference, which is None or False. None: any state is harmless.
GONE_OF: dict[str, dict[str, str | None]] = {
    "TensorBoard": {
        "batch_size": None,
        "embeddings_data": None,
        "embeddings_layer_names": None,
        "write_grads": None,
    },
    "ModelCheckpoint": {"load_weights_on_restart": "the callback `BackupAndRestore`"},
    "compile": {
        "target_tensors": "data: pass the targets to `fit`",
        "distribute": "one machine: leave it out",
        "cloning": None,
    },
    "train_on_batch": {"accuracy": "`compile(metrics=['accuracy'])`"},
    "test_on_batch": {"accuracy": "`compile(metrics=['accuracy'])`"},
}


def _home(function: Any) -> str:
    """The name of a function or method; of a constructor, that of its class."""
    owner, _, name = function.__qualname__.rpartition(".")
    return owner.rpartition(".")[2] if name == "__init__" else name


def translate(function: Any, args: tuple, kwargs: dict) -> tuple[tuple, dict, Any]:
    """The arguments of a function or method, in today's spelling; and what to do with the result.

    The last is a function, or None.
    """
    name = _home(function)
    renamed = {**RENAMED, **RENAMED_OF.get(name, {})}
    gone = {**dict.fromkeys(GONE), **GONE_OF.get(name, {})}
    new, finish = {}, None
    for key, value in kwargs.items():
        method = FINISHED_BY.get(name, {}).get(key)
        if method is not None:
            warn_once(f"{name}({key}=...)", f"{name}().{method}({key})")
            finish = operator.methodcaller(method, value)
            continue
        special = _SPECIAL.get((name, key))
        if special is not None:
            # No object: the call is only read, not made.
            special(args[0] if args else None, value)
            continue
        target = renamed.get(key, key)
        if target != key:
            if target in kwargs:
                raise ValueError(f"{name}() received both `{target}` and `{key}`. Pass `{target}`.")
            warn_once(f"{name}({key}=...)", f"{name}({target}=...)")
        if target in gone:
            instead = gone[target]
            if instead is not None and value not in (None, False):
                raise ValueError(f"Argument `{key}` of `{name}` is gone. Use {instead}.")
            warn_once(f"{name}({key}=...)", f"{name}() without `{key}`")
            continue
        new[target] = _ORDERS.get(value, value) if key == "dim_ordering" else value
    return args, new, finish


def _save_every(callback: Any, period: Any) -> None:
    warn_once("ModelCheckpoint(period=...)", 'ModelCheckpoint(save_freq="epoch")')
    if callback is not None:
        callback.period = int(period)


def _show_accuracy(model: Any, shown: Any) -> None:
    """What Keras 0 asked for in `fit` is a metric to compile."""
    warn_once("fit(show_accuracy=True)", 'compile(metrics=["accuracy"])')
    if model is None or not shown:
        return
    if model.compiled and not {"acc", "accuracy"} & set(model.metrics_names):
        model.compile(optimizer=model.optimizer, loss=model.loss, metrics=["accuracy"])


def _warm_up(optimizer: Any, schedule_decay: Any) -> None:
    """Nadam as Keras 1 and 2 computed it, whose momentum warms up so fast."""
    from minikeras.dialects.optimizers import Nadam

    warn_once("Nadam(schedule_decay=...)", "Nadam(), whose warm-up is fixed")
    if optimizer is None:
        return
    optimizer.__dict__["schedule_decay"] = float(schedule_decay)
    object.__setattr__(optimizer, "__class__", Nadam)


_SPECIAL: dict[tuple[str, str], Callable] = {
    ("ModelCheckpoint", "period"): _save_every,
    ("fit", "show_accuracy"): _show_accuracy,
    ("evaluate", "show_accuracy"): _show_accuracy,
    ("Nadam", "schedule_decay"): _warm_up,
}


# Methods of models that are gone


def fit_generator(
    model: Any,
    generator: Any,
    steps_per_epoch: int | None = None,
    epochs: int | None = None,
    verbose: Any = 1,
    callbacks: Any = None,
    validation_data: Any = None,
    validation_steps: int | None = None,
    validation_freq: Any = 1,
    class_weight: Any = None,
    shuffle: bool = True,
    initial_epoch: int = 0,
    samples_per_epoch: int | None = None,
    nb_epoch: int | None = None,
    nb_val_samples: int | None = None,
    **gone: Any,
) -> Any:
    """`fit` on a generator. The counts of samples of Keras 1 become counts of batches."""
    _check_gone("fit_generator", gone)
    warn_once("model.fit_generator(...)", "model.fit(...)")
    in_keras_1 = nb_epoch is not None or nb_val_samples is not None
    if in_keras_1 and samples_per_epoch is None:
        # By position it is the count of samples, in a call with other words of Keras 1.
        samples_per_epoch, steps_per_epoch = steps_per_epoch, None
    if samples_per_epoch is not None:
        steps_per_epoch, generator = _batches_in(generator, samples_per_epoch)
    if nb_val_samples is not None:
        if _is_stream(validation_data):
            validation_steps, validation_data = _batches_in(validation_data, nb_val_samples)
        else:
            validation_steps = None
    if steps_per_epoch is not None and hasattr(generator, "on_epoch_end"):
        generator = _endless(generator)
    return model.fit(
        generator,
        steps_per_epoch=steps_per_epoch,
        epochs=next((one for one in (epochs, nb_epoch) if one is not None), 1),
        verbose=verbose,
        callbacks=callbacks,
        validation_data=validation_data,
        validation_steps=validation_steps,
        validation_freq=validation_freq,
        class_weight=class_weight,
        shuffle=shuffle,
        initial_epoch=initial_epoch,
    )


def evaluate_generator(
    model: Any,
    generator: Any,
    steps: int | None = None,
    callbacks: Any = None,
    verbose: Any = 0,
    val_samples: int | None = None,
    **gone: Any,
) -> Any:
    """`evaluate` on a generator."""
    _check_gone("evaluate_generator", gone)
    warn_once("model.evaluate_generator(...)", "model.evaluate(...)")
    if val_samples is not None:
        steps, generator = _batches_in(generator, val_samples)
    return model.evaluate(generator, steps=steps, callbacks=callbacks, verbose=verbose)


def predict_generator(
    model: Any,
    generator: Any,
    steps: int | None = None,
    callbacks: Any = None,
    verbose: Any = 0,
    val_samples: int | None = None,
    **gone: Any,
) -> Any:
    """`predict` on a generator."""
    _check_gone("predict_generator", gone)
    warn_once("model.predict_generator(...)", "model.predict(...)")
    if val_samples is not None:
        steps, generator = _batches_in(generator, val_samples)
    return model.predict(generator, steps=steps, callbacks=callbacks, verbose=verbose)


def predict_classes(model: Any, x: Any, batch_size: int | None = 32, verbose: Any = 0) -> Any:
    """The likeliest class of each row; 0 or 1, in a column, where the output is one number."""
    warn_once("model.predict_classes(x)", "np.argmax(model.predict(x), axis=-1)")
    y = model.predict(x, batch_size=batch_size, verbose=verbose)
    return y.argmax(axis=-1) if y.shape[-1] > 1 else (y > 0.5).astype("int32")


def predict_proba(model: Any, x: Any, batch_size: int | None = 32, verbose: Any = 0) -> Any:
    """`predict` by another name."""
    warn_once("model.predict_proba(x)", "model.predict(x)")
    return model.predict(x, batch_size=batch_size, verbose=verbose)


def reset_states(model: Any) -> None:
    """Set the states of all stateful layers to zero."""
    warn_once("model.reset_states()", "layer.reset_state() of each stateful layer")
    for layer in model._flatten_layers(include_self=False):
        if getattr(layer, "stateful", False) and hasattr(layer, "reset_state"):
            layer.reset_state()


def to_yaml(model: Any, **_: Any) -> None:
    """Not available: it was removed for its security holes.

    Raises:
        RuntimeError: always.
    """
    raise RuntimeError(
        "`to_yaml` was removed from Keras, since loading YAML could run code. Use `to_json`."
    )


METHODS: dict[str, Callable] = {
    one.__name__: one
    for one in (
        fit_generator,
        evaluate_generator,
        predict_generator,
        predict_classes,
        predict_proba,
        reset_states,
        to_yaml,
    )
}


def _check_gone(name: str, gone: dict) -> None:
    unknown = sorted(key for key in gone if RENAMED.get(key, key) not in GONE)
    if unknown:
        raise TypeError(f"{name}() got unexpected keyword arguments: {unknown}")


def _is_stream(data: Any) -> bool:
    return (
        hasattr(data, "__next__")
        or hasattr(data, "__getitem__")
        and not isinstance(data, (tuple, list, np.ndarray))
    )


def _endless(batches: Any) -> Any:
    """The batches of a `Sequence` again and again: an epoch of Keras 2 went on in the next pass."""
    while True:
        for index in range(len(batches)):
            yield batches[index]
        batches.on_epoch_end()


def _batches_in(generator: Any, samples: int) -> tuple[int, Any]:
    """How many batches hold so many samples, by the size of the first one; and all batches."""
    import itertools

    size = getattr(generator, "batch_size", None)
    if size is None:
        iterator = iter(generator)
        first = next(iterator)
        x = first[0]
        while isinstance(x, (list, tuple, dict)):
            x = next(iter(x.values())) if isinstance(x, dict) else x[0]
        size, generator = len(x), itertools.chain([first], iterator)
    return max(1, -(-int(samples) // int(size))), generator

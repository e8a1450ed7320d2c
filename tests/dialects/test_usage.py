"""What tutorials of all three generations use, by name and keyword, is there or says what is.

`usage.tsv` counts by syntax tree, over 718 scripts and notebooks of 37 public repositories, the
names and keywords of Keras that at least two files use.
"""

import importlib
import inspect
from pathlib import Path

import pytest

import minikeras
from minikeras import dialects
from minikeras.dialects import calls, configs, constructors
from minikeras.engine import spelling

ROWS = [
    line.split("\t") for line in Path(__file__).with_name("usage.tsv").read_text().splitlines()[1:]
]
# Where names of each kind live.
HOMES = {
    "activation_fn": "activations",
    "application": "applications",
    "backend": "backend",
    "callback": "callbacks",
    "config": "config",
    "constraint": "constraints",
    "dataset": "datasets",
    "engine": "engine",
    "initializer": "initializers",
    "layer": "layers",
    "layer_fn": "layers",
    "loss": "losses",
    "lr_schedule": "optimizers.schedules",
    "metric": "metrics",
    "mixed_precision": "mixed_precision",
    "model": "models",
    "ops": "ops",
    "optimizer": "optimizers",
    "preprocessing": "preprocessing",
    "random": "random",
    "regularizer": "regularizers",
    "sklearn_wrapper": "wrappers.scikit_learn",
    "util": "utils",
}
# Functions of a shape in Keras 1; methods.
MORE_HOMES = ("initializations", "preprocessing.image.ImageDataGenerator", "layers.Layer")
# Names that are given as strings, and what resolves them.
STRINGS = {
    "activation_str": "activations",
    "initializer_str": "initializers",
    "loss_str": "losses",
    "metric_str": "metrics",
    "optimizer_str": "optimizers",
}
# Of other packages, of the scripts themselves, or of TensorFlow alone.
NOT_OF_KERAS = {
    "compile(d_optimizer)", "compile(g_optimizer)",
    "compile(loss_fn)",
}  # fmt: skip


@pytest.fixture(autouse=True)
def quiet():
    dialects.silence()
    yield
    dialects.silence(False)


def reach(path):
    """The thing at a dotted path below `minikeras`; modules are imported on the way."""
    found = minikeras
    parts = path.split(".")
    for position, part in enumerate(parts):
        try:
            found = getattr(found, part)
        except AttributeError:
            name = ".".join(["minikeras", *parts[: position + 1]])
            try:
                found = importlib.import_module(name)
            except ImportError:
                return None
    return found


def kinds(*wanted):
    return [(kind, name) for kind, name, _ in ROWS if kind in wanted]


@pytest.mark.parametrize(("kind", "name"), kinds(*HOMES))
def test_names(kind, name):
    assert reach(f"{HOMES[kind]}.{name}") is not None


@pytest.mark.parametrize(("kind", "name"), kinds(*STRINGS))
def test_names_as_strings(kind, name):
    if kind == "metric_str" and name in ("accuracy", "acc"):
        return  # `compile` chooses among several
    assert reach(STRINGS[kind]).get(name) is not None


@pytest.mark.parametrize(("kind", "name"), kinds("model_method"))
def test_methods_of_models(kind, name):
    name, _, assigned = name.partition(" ")
    model = minikeras.Sequential([minikeras.Input((3,)), minikeras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    if name in ("compiled_loss", "compiled_metrics"):
        pytest.skip("of TensorFlow's training loops: `compute_loss` takes their place")
    assert hasattr(model, name)
    if assigned and name == "trainable":
        model.trainable = False


@pytest.mark.parametrize(("kind", "name"), kinds("monitor_str"))
def test_monitored_names(kind, name):
    from minikeras.callbacks.callback import resolve_monitor_name

    logs = dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy", "mae", "val_mae"), 0.0)
    assert resolve_monitor_name(name, logs) in logs


@pytest.mark.parametrize(("kind", "name"), kinds("merge_mode_str"))
def test_modes_of_merging(kind, name):
    x = minikeras.Input((3, 4))
    assert minikeras.layers.merge([x, x], mode=name, dot_axes=2, concat_axis=1).shape[0] is None


def owners_of(name):
    """What a keyword may have been given to: classes, functions and methods of that name."""
    found = [calls.METHODS[name]] if name in calls.METHODS else []
    found += [getattr(minikeras.Model, name)] if hasattr(minikeras.Model, name) else []
    for home in (*HOMES.values(), *MORE_HOMES):
        found.append(reach(f"{home}.{name}"))
    # `imdb(num_words)` is of its `load_data`.
    found = [getattr(one, "load_data", one) for one in found if one is not None]
    return [one for one in found if callable(one)]


def takes(owner, keyword):
    """Whether a call with the keyword is understood, today's way or by a table."""
    if isinstance(owner, type) and issubclass(owner, minikeras.layers.Layer):
        known = spelling.known_keywords(owner) or ()
        _, renamed = constructors._table(owner)
        gone = {**configs._GONE, **configs._GONE_OF.get(owner.__name__, {})}
        leftovers = ("batch_input_shape", "weights")
        special = ("nb_row", "nb_col", "forget_bias_init", "implementation", "ragged")
        return (
            keyword in known
            or keyword in renamed
            or keyword in gone
            or keyword in leftovers
            or keyword in special
        )
    function = owner.__init__ if isinstance(owner, type) else owner
    parameters = inspect.signature(function).parameters
    table = {*calls.RENAMED, *calls.GONE, *calls.GONE_OF.get(owner.__name__, ())}
    table |= set(calls.FINISHED_BY.get(owner.__name__, ()))
    table |= {key for name, key in calls._SPECIAL if name == owner.__name__}
    anything = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    return keyword in parameters or keyword in table or anything


@pytest.mark.parametrize(("kind", "name"), kinds("kwarg"))
def test_keywords(kind, name):
    if name in NOT_OF_KERAS:
        return
    owner_name, _, keyword = name.rstrip(")").partition("(")
    owners = owners_of(owner_name)
    assert owners, f"{owner_name} is nowhere"
    if owners[0].__module__.startswith("minikeras.applications") and isinstance(owners[0], type):
        with pytest.raises(NotImplementedError, match="is not here. Use "):
            owners[0](**{keyword: None})
        return
    assert any(takes(owner, keyword) for owner in owners)

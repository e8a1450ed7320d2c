"""What a script uses of Keras and TensorFlow, read from its syntax tree: nothing of it runs."""

from __future__ import annotations

import ast
import inspect
import re
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from minikeras import dialects
from minikeras.dialects import calls, configs, constructors, names
from minikeras.engine.layer import Layer
from minikeras.engine.spelling import known_keywords
from minikeras.optimizers import Optimizer
from minikeras.standin.finder import _BY_LENGTH, ROOTS, StandIn, hint, normalized

# Packages that compute with TensorFlow, whatever `tensorflow` means to the script.
_ON_TENSORFLOW = frozenset(
    "keras_cv keras_hub keras_nlp keras_tuner kerastuner tensorflow_addons tensorflow_datasets"
    " tensorflow_docs tensorflow_examples tensorflow_hub tensorflow_model_optimization"
    " tensorflow_probability tensorflow_serving tensorflow_text tensorflow_transform tf_agents"
    " tflearn".split()
)
# Old method -> today's, on models that are not known as such to a reader of the tree.
_METHODS = {
    "fit_generator": "fit",
    "evaluate_generator": "evaluate",
    "predict_generator": "predict",
    "predict_proba": "predict",
    "predict_classes": "predict, then numpy.argmax(..., axis=-1)",
    "reset_states": "reset_state, of each stateful layer",
}
# Function of `keras.backend` -> today's, where the name differs.
_BACKEND = {
    "batch_dot": "ops.matmul or ops.einsum",
    "batch_flatten": "layers.Flatten",
    "constant": "ops.convert_to_tensor",
    "eval": "ops.convert_to_numpy",
    "flatten": "ops.ravel",
    "function": "Model(inputs, outputs)",
    "gather": "ops.take",
    "get_value": "ops.convert_to_numpy",
    "image_dim_ordering": "config.image_data_format",
    "int_shape": "ops.shape",
    "l2_normalize": "ops.normalize",
    "permute_dimensions": "ops.transpose",
    "placeholder": "Input",
    "pow": "ops.power",
    "random_normal": "random.normal",
    "random_uniform": "random.uniform",
    "repeat_elements": "ops.repeat",
    "reverse": "ops.flip",
    "set_image_dim_ordering": "config.set_image_data_format",
    "set_learning_phase": "nothing: pass `training=` to the call",
    "learning_phase": "nothing: pass `training=` to the call",
    "set_value": "Variable.assign",
    "switch": "ops.where",
    "variable": "Variable",
}
_TRAINING = frozenset("compile fit evaluate predict train_on_batch test_on_batch".split())
_HISTORY = {"acc": "accuracy", "val_acc": "val_accuracy"}
# What an old class with sizes one by one is today.
_ONE_BY_ONE = {
    name: getattr(constructors, name).__mro__[1]
    for name in names._OLD_ORDER
    if inspect.isclass(getattr(constructors, name))
}


_SPELLING = re.compile(r"`(.+)` is the spelling of an older Keras. Today: `(.+)`")


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        line: The line of the script.
        kind: `"old"` or `"missing"`.
        what: What the script says.
        instead: Today's spelling, or why it is missing and what to do.
    """

    line: int
    kind: str
    what: str
    instead: str


class _Source:
    """The value of an argument that is only known by its text."""

    def __init__(self, node: ast.AST) -> None:
        self._node = node

    def __repr__(self) -> str:
        return ast.unparse(self._node)


def _value(node: ast.AST) -> Any:
    try:
        return ast.literal_eval(node)  # type: ignore[arg-type]
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return _Source(node)


def _told(action: Callable[[], Any]) -> tuple[Any, list[tuple[str, str]]]:
    """What an action returns, and the old spellings it warned of."""
    dialects.silence(False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = action()
    found = []
    for one in caught:
        parts = re.match(
            r"`(.+)` is the spelling of an older Keras. Today: `(.+)`", str(one.message)
        )
        if parts:
            found.append((parts[1], parts[2]))
    return result, found


class _Absent(Exception):
    """A name is not there: (the name, what to do)."""


def _resolve(name: str) -> Any:
    """The object of a dotted name.

    Raises:
        _Absent: there is none.
    """
    parts = name.split(".")
    found: Any = import_module(parts[0])
    for place, part in enumerate(parts[1:], 1):
        whole = ".".join(parts[: place + 1])
        if not isinstance(found, (StandIn, types.ModuleType, type)):
            return None  # an instance: nobody knows before it is made
        try:
            found = getattr(found, part)
        except (AttributeError, ImportError):
            if isinstance(found, StandIn):
                raise _Absent(whole, hint(whole, dir(found))) from None
            if isinstance(found, type) and found.__module__.startswith("minikeras."):
                if part in _old_members() or part.startswith("_"):
                    return None
                raise _Absent(whole, hint(whole, dir(found))) from None
            return None
    if inspect.isclass(found) and (found.__doc__ or "").startswith("Not here. Use "):
        raise _Absent(name, str(found.__doc__).removeprefix("Not here. "))
    return found


def _old_members() -> frozenset:
    """Names of methods and attributes that models and layers had once."""
    return frozenset({*calls.METHODS, *calls.NAMES, *calls.MODEL_NAMES})


def _backend_today(name: str) -> str:
    """Where a function of `keras.backend` is in Keras 3."""
    for home in ("ops", "random", "config"):
        if name in getattr(
            import_module(f"minikeras.{home}"), "__all__", dir(import_module("minikeras.ops"))
        ):
            return f"keras.{home}.{name}"
    today = _BACKEND.get(name)
    return f"keras.{today}" if today else "keras.ops, which has no function of that name"


def _path_today(name: str) -> str | None:
    """Today's path of a name that is imported by an old one, or None."""
    prefix = next((one for one in _BY_LENGTH if name == one or name.startswith(one + ".")), None)
    if prefix is None:
        return None
    today = "tensorflow.keras" if prefix.startswith("tensorflow") else "keras"
    if prefix in ("tensorflow.keras", "keras", "tf_keras"):
        today = prefix
    path = name[len(prefix) + 1 :]
    module, _, last = path.rpartition(".")
    for old, rest in ((path, ""), (module, last)):
        for home in names.PATHS.get(old, ()):
            if not rest or hasattr(import_module(f"minikeras.{home}"), rest):
                return ".".join(filter(None, (today, home, rest)))
    if module.startswith("layers."):
        module = "layers"
    found = ".".join(filter(None, (today, module, last)))
    return None if found == name else found


class _Reader(ast.NodeVisitor):
    """Walks a tree, with what the names in it mean."""

    def __init__(self) -> None:
        self.bound: dict[str, str] = {}
        self.found: list[Finding] = []
        self._seen: set[Finding] = set()

    def add(self, node: ast.AST, kind: str, what: str, instead: str) -> None:
        """Adds a line to the report, once."""
        finding = Finding(getattr(node, "lineno", 0), kind, what, instead)
        if finding not in self._seen:
            self._seen.add(finding)
            self.found.append(finding)

    def check(self, node: ast.AST, name: str) -> Any:
        """The object of a dotted name; what is to be said of it is added."""
        try:
            value, told = _told(lambda: _resolve(name))
        except _Absent as error:
            self.add(node, "missing", error.args[0], error.args[1])
            return None
        for old, today in told:
            if old not in names.PATHS:  # said of imports, each time
                self.add(node, "old", old, today)
        module, _, last = name.rpartition(".")
        if value is not None and normalized(module) == "keras.backend":
            if last not in import_module("minikeras.backend").__all__:
                self.add(node, "old", name, _backend_today(last))
        return value

    # Imports

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            root = alias.name.partition(".")[0]
            if root in _ON_TENSORFLOW:
                self._needs_tensorflow(node, root)
            if root not in ROOTS:
                continue
            self.bound[alias.asname or root] = alias.name if alias.asname else root
            self._import(node, alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        root = module.partition(".")[0]
        if node.level:
            return
        if root in _ON_TENSORFLOW:
            self._needs_tensorflow(node, root)
        if root not in ROOTS:
            return
        self._import(node, module, quiet=True)
        for alias in node.names:
            if alias.name == "*":
                self._star(module)
                continue
            name = f"{module}.{alias.name}"
            self.bound[alias.asname or alias.name] = name
            self._import(node, name)

    def _import(self, node: ast.AST, name: str, quiet: bool = False) -> None:
        missing = sum(one.kind == "missing" for one in self.found)
        self.check(node, name)
        today = _path_today(name)
        if (
            today is not None
            and not quiet
            and missing == sum(one.kind == "missing" for one in self.found)
        ):
            self.add(node, "old", name, today)

    def _star(self, module: str) -> None:
        try:
            found = import_module(module)
        except ImportError:
            return
        self.bound.update({name: f"{module}.{name}" for name in getattr(found, "__all__", ())})

    def _needs_tensorflow(self, node: ast.AST, root: str) -> None:
        self.add(node, "missing", root, f"`{root}` needs TensorFlow or Keras itself.")

    # Names and what they are

    def dotted(self, node: ast.AST) -> str | None:
        """The dotted name of an expression, if it is one and begins at an import."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self.bound:
            return None
        return ".".join([self.bound[node.id], *reversed(parts)])

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        name = self.dotted(node.value)
        for target in node.targets:
            for one in ast.walk(target):
                if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
                    if name is not None and one is target:
                        self.bound[one.id] = name
                    else:
                        self.bound.pop(one.id, None)

    def _scope(self, node: Any) -> None:
        """A function: its parameters hide what they are named like, inside."""
        outer = dict(self.bound)
        arguments = node.args
        for one in (
            *arguments.posonlyargs,
            *arguments.args,
            *arguments.kwonlyargs,
            *filter(None, (arguments.vararg, arguments.kwarg)),
        ):
            self.bound.pop(one.arg, None)
        self.generic_visit(node)
        self.bound = outer

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _scope

    def visit_Attribute(self, node: ast.Attribute) -> None:
        name = self.dotted(node)
        if name is None:
            self.generic_visit(node)
        else:
            self.check(node, name)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        key = getattr(node.slice, "value", None)
        of = node.value
        named = getattr(of, "attr", getattr(of, "id", ""))
        if isinstance(key, str) and key in _HISTORY and "hist" in named.lower():
            self.add(node, "old", f"history[{key!r}]", f"history[{_HISTORY[key]!r}]")
        self.generic_visit(node)

    # Calls

    def visit_Call(self, node: ast.Call) -> None:
        name = self.dotted(node.func)
        if name is not None:
            target = self.check(node.func, name)
            if target is not None:
                self._call(node, name, target)
        elif isinstance(node.func, ast.Attribute):
            self._method(node, node.func.attr)
            self.visit(node.func)
        else:
            self.visit(node.func)
        for argument in (*node.args, *(one.value for one in node.keywords)):
            self.visit(argument)

    def _call(self, node: ast.Call, name: str, target: Any) -> None:
        if any(one.arg is None for one in node.keywords) or any(
            isinstance(one, ast.Starred) for one in node.args
        ):
            return
        arguments = tuple(_value(one) for one in node.args)
        keywords = {str(one.arg): _value(one.value) for one in node.keywords}
        short = name.rpartition(".")[2]
        left = set(keywords)
        if short in _ONE_BY_ONE and inspect.isclass(target):
            today = _ONE_BY_ONE[short]
            count = 3 if today.__name__.startswith("Conv3D") else 2
            if len(arguments) > count:
                shape = ", ".join(map(repr, arguments[1 : count + 1]))
                first = repr(arguments[0])
                self.add(
                    node,
                    "old",
                    f"{short}({first}, {shape})",
                    f"{today.__name__}({first}, ({shape}))",
                )
            target, arguments = today, ()
        if inspect.isclass(target):
            left -= self._construction(node, target, arguments, keywords)
        elif inspect.isfunction(target) and target.__module__.startswith("minikeras."):
            known = set(inspect.signature(target).parameters)
            if not known.issuperset(keywords):
                left = self._translated(
                    node, lambda: calls.translate(target, arguments, dict(keywords)), left
                )
            if _takes_any(target):
                return
            left -= known
        else:
            return
        for key in sorted(left):
            self.add(node, "missing", f"{short}({key}=...)", f"`{short}` has no argument `{key}`.")

    def _construction(self, node: ast.Call, cls: type, args: tuple, kwargs: dict) -> set:
        """Which keywords are understood."""
        if not cls.__module__.startswith("minikeras."):
            return set(kwargs)
        strict = issubclass(cls, (Layer, Optimizer))
        if not strict and any(
            _takes_any(vars(one)["__init__"])
            for one in cls.__mro__
            if "__init__" in vars(one) and one is not object
        ):
            return set(kwargs)  # it passes them on
        known = set(known_keywords(cls) or ()) | {"name", "dtype", "trainable", "weights"}
        known |= {"batch_input_shape", "self"}
        old = {key for key in kwargs if key not in known}
        if issubclass(cls, Optimizer):
            for key, today in (
                ("lr", "learning_rate=..."),
                ("decay", "learning_rate=schedules.InverseTimeDecay(rate, 1, decay)"),
            ):
                if key in kwargs:
                    self.add(node, "old", f"{cls.__name__}({key}=...)", f"{cls.__name__}({today})")
                    known.add(key)
        for key, today in (
            ("batch_input_shape", "batch_shape"),
            ("weights", "set_weights, once built"),
        ):
            if key in kwargs and hasattr(cls, "get_weights"):
                self.add(node, "old", f"{cls.__name__}({key}=...)", today)
        name = cls.__name__
        for key in [key for home, key in configs.OTHER_LAYERS if home == name and key in kwargs]:
            self.add(node, "old", f"{name}({key}=...)", f"{name}() without it, which is gone")
            known.add(key)
        if (name, "period") in calls._SPECIAL and "period" in kwargs:
            self.add(node, "old", "ModelCheckpoint(period=...)", "ModelCheckpoint(save_freq=...)")
        known |= {key for home, key in calls._SPECIAL if home == name}
        for key in old & {*calls.RENAMED, *calls.RENAMED_OF.get(name, ())}:
            today = {**calls.RENAMED, **calls.RENAMED_OF.get(name, {})}[key]
            if today in known:
                self.add(node, "old", f"{name}({key}=...)", f"{name}({today}=...)")
                known.add(key)
        for key in old & {*calls.GONE_OF.get(name, ())}:
            instead = calls.GONE_OF[name][key] or f"{name}() without `{key}`"
            self.add(node, "old", f"{name}({key}=...)", instead)
            known.add(key)
        left = old - known
        if old or args or hasattr(cls, "settings"):
            left = self._translated(
                node, lambda: constructors.translate(cls, args, dict(kwargs)), old
            )
        return set(kwargs) - (left - known)

    def _translated(self, node: ast.AST, translate: Callable[[], Any], left: set) -> set:
        """Adds what a translation says; returns the keywords that it left as they were."""
        try:
            result, told = _told(translate)
        except Exception:  # of a value that is not known: the tree does not say
            return set()
        for old, today in told:
            self.add(node, "old", old, today)
        return left if result is None else left & set(result[1])

    def _method(self, node: ast.Call, method: str) -> None:
        """A method of something that is not known: judged by its name."""
        if method in _METHODS:
            self.add(node, "old", f".{method}(...)", f".{_METHODS[method]}")
        elif method == "to_yaml":
            self.add(node, "missing", ".to_yaml(...)", "loading YAML could run code: use to_json.")
        keywords = [one.arg for one in node.keywords if one.arg]
        if method not in _TRAINING and method not in calls.METHODS:
            return
        for key in keywords:
            today = calls.RENAMED.get(key)
            gone = {**dict.fromkeys(calls.GONE), **calls.GONE_OF.get(method, {})}
            if today is not None and today not in gone:
                self.add(node, "old", f".{method}({key}=...)", f".{method}({today}=...)")
            elif (today or key) in gone:
                instead = gone[today or key] or f".{method}(...) without it"
                self.add(node, "old", f".{method}({key}=...)", instead)
            elif key == "show_accuracy":
                self.add(node, "old", f".{method}({key}=...)", '.compile(metrics=["accuracy"])')


def _takes_any(function: Any) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(one.kind is one.VAR_KEYWORD for one in parameters)


def findings(source: str, filename: str = "<script>") -> Iterator[Finding]:
    """What is to be said of a script, by line.

    Args:
        source: Its text.
        filename: Its name, for syntax errors.

    Raises:
        SyntaxError: it is not Python 3.

    `keras` and `tensorflow` must mean minikeras while it reads (`install_as_keras`).
    """
    tree = ast.parse(source, filename)
    reader = _Reader()
    reader.visit(tree)
    yield from sorted(reader.found, key=lambda one: one.line)

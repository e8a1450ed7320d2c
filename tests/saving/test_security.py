"""Every published attack on Keras's loaders, through every door: refused, and nothing happens."""

import base64
import copy
import io
import json
import marshal
import resource
import warnings
import zipfile

import h5py
import numpy as np
import pytest

import minikeras as keras
from minikeras import cli
from minikeras.engine import registry, serialization
from minikeras.saving import guard


def small():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="d")])
    model.compile("sgd", "mse")
    return model


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "marker"


def bytecode(marker):
    code = compile(f"lambda x: open({str(marker)!r}, 'w').write('x')", "x", "eval").co_consts[0]
    return base64.b64encode(marshal.dumps(code)).decode()


def lambda_config(marker, form):
    code = bytecode(marker)
    return {
        "list": [code, None, None],
        "code": {
            "class_name": "__lambda__",
            "config": {"code": code, "defaults": None, "closure": None},
        },
        "value": {"class_name": "__lambda__", "config": {"value": [code, None, None]}},
        "load_model": {"module": "keras.models", "class_name": "function", "config": "load_model"},
        "get_file": {"module": "keras.utils", "class_name": "function", "config": "get_file"},
        "unsafe": {
            "module": "keras.config",
            "class_name": "function",
            "config": "enable_unsafe_deserialization",
        },
        "global": {
            "module": "keras.src.backend.common.global_state",
            "class_name": "function",
            "config": "set_global_attribute",
        },
        "popen": {"module": "subprocess", "class_name": "function", "config": "Popen"},
        "eval": {"module": "builtins", "class_name": "function", "config": "eval"},
    }[form]


def layer_record(name, config, **extra):
    return {
        "module": "keras.layers",
        "class_name": name,
        "registered_name": None,
        "config": config,
        **extra,
    }


def sequential(*records):
    head = layer_record("InputLayer", {"batch_shape": [None, 3], "dtype": "float32", "name": "x"})
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "s", "layers": [head, *records]},
        "registered_name": None,
    }


def functional(*records):
    head = {
        **layer_record("InputLayer", {"batch_shape": [None, 3], "dtype": "float32", "name": "x"}),
        "name": "x",
        "inbound_nodes": [],
    }
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": {
            "name": "f",
            "layers": [head, *records],
            "input_layers": [["x", 0, 0]],
            "output_layers": [[records[-1]["name"], 0, 0]],
        },
        "registered_name": None,
    }


def write_keras(path, config, weights=None, **members):
    if weights is None:
        buffer = io.BytesIO()
        with h5py.File(buffer, "w"):
            pass
        weights = buffer.getvalue()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr(
            "config.json", config if isinstance(config, (str, bytes)) else json.dumps(config)
        )
        archive.writestr("model.weights.h5", weights)
        for name, content in members.items():
            archive.writestr(name, content)


def write_h5(path, config, version="3.15.1"):
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = version
        file.attrs["model_config"] = json.dumps(config)
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = np.zeros((0,))


DOORS = ("keras", "h5", "old_h5", "json", "from_config", "deserialize")


def through(door, config, folder):
    path = folder / f"evil.{door}"
    if door == "keras":
        write_keras(path, config)
        return keras.saving.load_model(path)
    if door in ("h5", "old_h5"):
        write_h5(path, config, "2.3.1" if door == "old_h5" else "3.15.1")
        return keras.saving.load_model(path, compile=False)
    if door == "json":
        return keras.models.model_from_json(json.dumps(config))
    if door == "from_config":
        cls = keras.Sequential if config["class_name"] == "Sequential" else keras.Model
        return cls.from_config(config["config"])
    return keras.saving.deserialize_keras_object(config)


def refused(call, *args, match=None):
    """The call raises a ValueError or TypeError, cheaply, and leaves the safe mode alone."""
    before, peak = serialization.safe_mode(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises((ValueError, TypeError), match=match):
            call(*args)
    assert serialization.safe_mode() is before
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 600_000  # KiB


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "form",
    ["list", "code", "value", "load_model", "get_file", "unsafe", "global", "popen", "eval"],
)
def test_lambda_layers_run_nothing(door, form, marker, tmp_path):
    record = layer_record(
        "Lambda",
        {
            "name": "l",
            "trainable": True,
            "dtype": "float32",
            "function": lambda_config(marker, form),
            "arguments": {"safe_mode": False},
        },
    )
    refused(through, door, sequential(record), tmp_path)
    assert not marker.exists()


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "key", ["activation", "kernel_initializer", "kernel_regularizer", "output_shape"]
)
def test_lambdas_elsewhere_run_nothing(door, key, marker, tmp_path):
    name = "Lambda" if key == "output_shape" else "Dense"
    config = {"name": "l", key: lambda_config(marker, "value")}
    config.update({"function": "relu"} if name == "Lambda" else {"units": 2})
    refused(through, door, sequential(layer_record(name, config)), tmp_path)
    assert not marker.exists()


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("subprocess", "function"),
        ("os", "function"),
        ("subprocess", "Popen"),
        ("builtins", "eval"),
        ("numpy", "load"),
        ("keras.utils", "get_file"),
        ("keras.src.saving.saving_lib", "load_model"),
        ("importlib", "import_module"),
    ],
)
def test_functions_in_a_graph_are_not_called(door, module, name, marker, tmp_path):
    record = {
        "module": module,
        "class_name": name,
        "config": "Popen" if name == "function" else {"args": ["touch", str(marker)]},
        "registered_name": name,
        "name": "g",
        "inbound_nodes": [{"args": [["touch", str(marker)]], "kwargs": {}}],
    }
    refused(through, door, functional(record), tmp_path)
    assert not marker.exists()


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("TorchModuleWrapper", {"module": base64.b64encode(b"x").decode(), "name": "t"}),
        ("TFSMLayer", {"filepath": "/tmp/model", "name": "t"}),
        ("JaxLayer", {"name": "t"}),
        ("FlaxLayer", {"name": "t"}),
    ],
)
def test_layers_of_other_frameworks_are_refused(door, name, config, tmp_path):
    refused(through, door, sequential(layer_record(name, config)), tmp_path)


@pytest.mark.parametrize("door", DOORS)
def test_registered_names_do_not_reach_builtins(door, tmp_path):
    record = layer_record("Dense", {"units": 2, "name": "d"}) | {"registered_name": "builtins.eval"}
    refused(through, door, sequential(record), tmp_path)


@pytest.mark.parametrize("door", DOORS)
def test_sizes_are_bounded_before_anything_is_allocated(door, tmp_path):
    wide = layer_record("Dense", {"units": 2_000_000_000, "name": "d"})
    refused(through, door, sequential(wide), tmp_path)
    built = layer_record(
        "Dense", {"units": 8, "name": "d"}, build_config={"input_shape": [None, 10**9]}
    )
    config = {**sequential(), "config": {"name": "s", "layers": [built]}}
    refused(through, door, config, tmp_path)
    embedding = layer_record("Embedding", {"input_dim": 2**40, "output_dim": 2**10, "name": "e"})
    refused(through, door, sequential(embedding), tmp_path)


@pytest.mark.parametrize("dtype", ["(1000000000,)f8", "O", "V1000000000", "U1000000000", "object"])
def test_arrays_in_configs_have_plain_dtypes(dtype):
    record = {"class_name": "__numpy__", "config": {"value": [0], "dtype": dtype}}
    refused(keras.saving.deserialize_keras_object, record)


@pytest.mark.parametrize("door", ["keras", "h5", "json", "deserialize"])
@pytest.mark.parametrize("name", ["StringLookup", "IntegerLookup"])
def test_vocabularies_are_not_read_from_files(door, name, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("1\n2\n")
    record = layer_record(name, {"name": "v", "vocabulary": str(secret)})
    refused(through, door, sequential(record), tmp_path)


@pytest.mark.parametrize("door", DOORS)
def test_cycles_are_refused(door, tmp_path):
    def dense(name, source):
        node = {
            "class_name": "__keras_tensor__",
            "config": {"shape": [None, 2], "dtype": "float32", "keras_history": [source, 0, 0]},
        }
        return layer_record("Dense", {"units": 2, "name": name}) | {
            "name": name,
            "inbound_nodes": [{"args": [node], "kwargs": {}}],
        }

    refused(through, door, functional(dense("a", "b"), dense("b", "a")), tmp_path)
    refused(through, door, functional(dense("a", "a")), tmp_path)


@pytest.mark.parametrize("depth", [2_000, 200_000])
def test_deep_json_is_refused(depth, tmp_path):
    text = '{"a":' * depth + "1" + "}" * depth
    refused(keras.models.model_from_json, text)
    write_keras(tmp_path / "deep.keras", text)
    refused(keras.saving.load_model, tmp_path / "deep.keras")


# HDF5


def weights_file(path, change):
    model = small()
    model.save_weights(path)
    with h5py.File(path, "r+") as file:
        change(file)
    return model


@pytest.fixture
def victim(tmp_path):
    path = tmp_path / "victim.h5"
    with h5py.File(path, "w") as file:
        for name in ("layers/dense/vars/0", "0", "d/d/kernel"):
            file.create_dataset(name, data=np.ones((3, 2), "f4"))
    return path


def _replace(file, name, make):
    del file[name]
    make(file, name)


ATTACKS = {
    "external storage": lambda victim: (
        lambda f, n: f.create_dataset(n, (3, 2), "f4", external=[(str(victim), 0, 24)])
    ),
    "virtual": lambda victim: lambda f, n: _virtual(f, n, victim),
    "external link": lambda victim: (
        lambda f, n: f.__setitem__(n, h5py.ExternalLink(str(victim), "0"))
    ),
    "soft link": lambda victim: lambda f, n: f.__setitem__(n, h5py.SoftLink("/elsewhere")),
    "shape bomb": lambda victim: (
        lambda f, n: f.create_dataset(
            n, (2**50,), "f8", chunks=(1024,), compression="gzip", fillvalue=0
        )
    ),
    "sparse": lambda victim: lambda f, n: f.create_dataset(n, (2**28,), "f4", chunks=(2**20,)),
    "text": lambda victim: (
        lambda f, n: f.create_dataset(n, data=[["a", "b"]] * 3, dtype=h5py.string_dtype())
    ),
    "references": lambda victim: lambda f, n: f.create_dataset(n, (3, 2), dtype=h5py.ref_dtype),
}


def _virtual(file, name, victim):
    layout = h5py.VirtualLayout((3, 2), "f4")
    layout[...] = h5py.VirtualSource(str(victim), "0", (3, 2))
    file.create_virtual_dataset(name, layout)


@pytest.mark.parametrize("attack", sorted(ATTACKS))
@pytest.mark.parametrize("layout", [".weights.h5", ".h5", "model.h5", "model.keras"])
def test_hdf5_tricks_are_refused(attack, layout, victim, tmp_path):
    make = ATTACKS[attack](victim)
    path = tmp_path / f"w{layout}"
    model = small()
    if layout == "model.keras":
        inner = tmp_path / "inner.weights.h5"
        weights_file(inner, lambda f: _replace(f, "layers/dense/vars/0", make))
        write_keras(path, serialization.serialize(model), inner.read_bytes())
        refused(keras.saving.load_model, path)
        return
    if layout == "model.h5":
        model.save(path)
        prefix = "model_weights/"
    else:
        model.save_weights(path)
        prefix = ""
    with h5py.File(path, "r+") as file:
        found = []
        file.visititems(
            lambda n, o: (
                found.append(n)
                if isinstance(o, h5py.Dataset) and o.shape == (3, 2) and n.startswith(prefix)
                else None
            )
        )
        _replace(file, found[0], make)
    before = model.get_weights()
    if layout == "model.h5":
        refused(keras.saving.load_model, path)
    else:
        refused(model.load_weights, path)
        for a, b in zip(before, model.get_weights()):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ["layers", "layers/dense", "layers/dense/vars"])
@pytest.mark.parametrize("kind", ["external", "soft"])
def test_links_on_the_way_are_refused(name, kind, victim, tmp_path):
    link = h5py.ExternalLink(str(victim), "/" + name) if kind == "external" else h5py.SoftLink("/x")

    def change(file):
        file.move("layers", "x")
        if "/" in name:
            file.require_group(name.rpartition("/")[0])
        file[name] = link

    path = tmp_path / "w.weights.h5"
    model = weights_file(path, change)
    refused(model.load_weights, path, match="link")


def test_groups_that_hold_themselves_do_no_harm(tmp_path):
    def change(file):
        file["layers"]["self"] = file["layers"]
        file["layers/dense/layers"] = file["layers"]

    path = tmp_path / "w.weights.h5"
    weights_file(path, change).load_weights(path)


def bush(file):
    """A few groups, each of which is in two places of the one above: 2 to the 40 ways."""
    above = file.create_group("layers")
    for _ in range(40):
        below = above.create_group("a")
        above["b"] = below
        above = below
    above["x"] = 1.0


def many_names(file):
    """One array under many names: more than the size of its file accounts for."""
    file["big"] = np.zeros(2**18, "f4")
    for number in range(300):
        file[f"layers/x{number}"] = file["big"]


def ring(file):
    file["layers"]["self"] = file["layers"]


WALKS = {"bush": bush, "ring": ring, "many names": many_names}


@pytest.mark.parametrize("attack", ["external storage", "external link", "soft link", "sparse"])
def test_editor_refuses_hdf5_tricks(attack, victim, tmp_path):
    path = tmp_path / "w.weights.h5"
    change = ATTACKS[attack](victim)
    weights_file(path, lambda f: _replace(f, "layers/dense/vars/0", change))
    refused(keras.saving.KerasFileEditor, path)
    write_keras(tmp_path / "m.keras", serialization.serialize(small()), path.read_bytes())
    refused(keras.saving.KerasFileEditor, tmp_path / "m.keras")


@pytest.mark.parametrize("attack", sorted(WALKS))
def test_editor_ends_its_walk(attack, tmp_path):
    path = tmp_path / "w.weights.h5"
    weights_file(path, lambda f: (f.pop("layers") if attack == "bush" else None, WALKS[attack](f)))
    refused(keras.saving.KerasFileEditor, path)


@pytest.mark.parametrize("attack", sorted([*ATTACKS, "bush", "ring"]))
def test_info_reads_nothing_elsewhere_and_ends(attack, victim, tmp_path, capsys):
    path = tmp_path / "w.weights.h5"
    if attack in ATTACKS:
        change = ATTACKS[attack](victim)
        weights_file(path, lambda f: _replace(f, "layers/dense/vars/0", change))
    else:
        weights_file(path, lambda f: (f.pop("layers") if attack == "bush" else 0, WALKS[attack](f)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert cli.main(["info", str(path)]) in (0, 1, 2)
    if attack in ("external storage", "external link", "soft link", "virtual", "bush", "ring"):
        assert "not opened" in capsys.readouterr().err
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


@pytest.mark.parametrize("kind", ["keras", "h5", "old_h5", "json"])
@pytest.mark.parametrize("form", ["list", "code", "load_model", "unsafe", "popen"])
def test_info_runs_nothing(kind, form, marker, tmp_path, capsys):
    record = layer_record("Lambda", {"name": "l", "function": lambda_config(marker, form)})
    path = tmp_path / f"evil.{kind}"
    if kind == "keras":
        write_keras(path, sequential(record))
    elif kind == "json":
        path.write_text(json.dumps(sequential(record)))
    else:
        write_h5(path, sequential(record), "2.3.1" if kind == "old_h5" else "3.15.1")
    before = serialization.safe_mode()
    assert cli.main(["info", str(path)]) == 1
    assert "evil" in capsys.readouterr().out
    assert serialization.safe_mode() is before
    assert not marker.exists()


def test_long_texts_that_lead_in_circles_are_refused(tmp_path):
    # HDF5 reads a heap of more than 4096 bytes in two parts; the damage is in the second.
    path = tmp_path / "m.h5"
    write_h5(path, sequential(layer_record("Dense", {"units": 2, "name": "d" * 6000})))
    content = bytearray(path.read_bytes())
    heap = next(
        at
        for at in range(len(content))
        if content[at : at + 4] == b"GCOL"
        and int.from_bytes(content[at + 8 : at + 16], "little") > 4096
    )
    free = heap + 16
    while content[free : free + 2] != b"\0\0":  # each has a header of 16 bytes and is padded to 8
        free += 16 + -(-int.from_bytes(content[free + 8 : free + 16], "little") // 8) * 8
    assert free > heap + 6000
    content[free + 8 : free + 16] = bytes(8)
    path.write_bytes(content)
    with pytest.raises(OSError, match="circles"):
        keras.saving.load_model(path, compile=False)


# Archives


def test_zip_bombs_are_refused(tmp_path):
    path = tmp_path / "bomb.keras"
    config = json.dumps(serialization.serialize(small()))
    write_keras(path, config + " " * 2**28)
    refused(keras.saving.load_model, path)
    write_keras(path, config, **{"assets/bomb.bin": bytes(2**27)})
    refused(keras.saving.load_model, path)
    write_keras(path, config, **{f"assets/{i}.bin": bytes(2**24) for i in range(8)})
    refused(keras.saving.load_model, path)


@pytest.mark.parametrize("name", ["../x", "/x", "..\\x", "assets/../../x", "config.json"])
def test_members_stay_inside_and_are_unique(name, tmp_path):
    path = tmp_path / "m.keras"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write_keras(path, serialization.serialize(small()), **{name: b"{}"})
    refused(keras.saving.load_model, path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["m.keras"]


def test_pickled_weights_are_not_loaded(tmp_path):
    path = tmp_path / "m.keras"
    buffer = io.BytesIO()
    np.savez(buffer, a=np.array([print], dtype=object))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", json.dumps(serialization.serialize(small())))
        archive.writestr("model.weights.npz", buffer.getvalue())
    refused(keras.saving.load_model, path)


# Switches


def test_trust_is_given_by_argument_or_for_the_process(marker, tmp_path):
    record = layer_record(
        "Lambda",
        {
            "name": "l",
            "function": {
                "class_name": "__lambda__",
                "config": {"value": [bytecode(marker), None, None]},
            },
            "output_shape": [3],
        },
    )
    write_keras(tmp_path / "m.keras", sequential(record))
    refused(keras.saving.load_model, tmp_path / "m.keras", match="lambda")
    keras.saving.load_model(tmp_path / "m.keras", safe_mode=False)
    assert serialization.safe_mode() is None
    keras.config.enable_unsafe_deserialization()
    try:
        keras.saving.load_model(tmp_path / "m.keras")
    finally:
        serialization.set_default_safe_mode(None)


def test_unset_safe_mode_is_safe_for_clones(marker):
    record = {"name": "l", "function": lambda_config(marker, "code")}
    refused(keras.layers.Lambda.from_config, record, match="lambda|Lambda")
    refused(registry.layers.deserialize, layer_record("Lambda", record), match="lambda|Lambda")
    assert not marker.exists()


@pytest.mark.parametrize("door", DOORS)
def test_a_second_lambda_finds_no_open_door(door, marker, tmp_path):
    records = [
        layer_record("Lambda", {"name": form, "function": lambda_config(marker, form)})
        for form in ("unsafe", "code")
    ]
    refused(through, door, sequential(*records), tmp_path)
    assert not marker.exists()


@pytest.mark.parametrize("key", ["loss", "metrics", "optimizer"])
def test_compile_settings_run_nothing(key, marker, tmp_path):
    config = serialization.serialize(small())
    config["compile_config"][key] = lambda_config(marker, "value")
    write_keras(tmp_path / "m.keras", config)
    refused(keras.saving.load_model, tmp_path / "m.keras", match="m.keras")
    assert not marker.exists()


@pytest.mark.parametrize("door", ["keras", "h5", "json", "deserialize"])
@pytest.mark.parametrize("vocabulary", ["/etc/passwd", "http://localhost/words"])
def test_text_layers_read_no_files(door, vocabulary, tmp_path):
    record = layer_record("TextVectorization", {"name": "v", "vocabulary": vocabulary})
    refused(through, door, sequential(record), tmp_path)


def test_pickles_are_not_loaded_as_weights(tmp_path):
    np.savez(tmp_path / "w.npz", a=np.array([print], dtype=object))
    refused(small().load_weights, tmp_path / "w.npz")


NPY = b"\x93NUMPY\x01\x00"


@pytest.mark.parametrize(
    "header",
    [
        "{" * 9000,
        "(" * 200 + ")" * 200,
        "-" * 9000 + "1",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "9" * 5000 + ",)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -6)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (6,) * 10**9}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': " + str((1,) * 500) + "}",
        "{'descr': '|V1000000000', 'fortran_order': False, 'shape': ()}",
        "{'descr': '(1000000000,)f8', 'fortran_order': False, 'shape': ()}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
        "__import__('os').abort()",
    ],
)
def test_headers_of_npz_do_no_harm(header, tmp_path):
    path = tmp_path / "w.npz"
    text = header.encode()
    with zipfile.ZipFile(path, "w") as archive:
        content = NPY + len(text).to_bytes(2, "little") + text + bytes(24)
        archive.writestr("layers/dense/vars/0.npy", content)
    refused(small().load_weights, path, match="w.npz")


def test_members_that_lie_over_each_other_count_once(tmp_path):
    # 300 names of one member: together they would unpack to 19 GB.
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("assets/0", bytes(2**26))
        (first,) = archive.filelist
        for number in range(1, 300):
            other = copy.copy(first)
            other.filename = f"assets/{number}"
            archive.filelist.append(other)
        archive.writestr("config.json", json.dumps(serialization.serialize(small())))
    refused(keras.saving.load_model, path, match="claims")


@pytest.mark.parametrize(
    "name",
    ["../m_00000.weights.h5", "sub/m_00000.weights.h5", "..\\m_00000.weights.h5", "/dev/zero",
     "C:\\m.h5", "", ".", "..", "m\0.h5", 3, [["m_00000.weights.h5"]], {}],
)  # fmt: skip
def test_shards_lie_beside_their_index(name, tmp_path):
    folder = tmp_path / "here"
    (folder / "sub").mkdir(parents=True)
    model = small()
    model.save_weights(folder / "m.weights.json", max_shard_size=1)
    shard = (folder / "m_00000.weights.h5").read_bytes()
    for place in (tmp_path, folder / "sub"):
        (place / "m_00000.weights.h5").write_bytes(shard)
    index = json.loads((folder / "m.weights.json").read_text())
    index["weight_map"] = dict.fromkeys(index["weight_map"], name)
    (folder / "m.weights.json").write_text(json.dumps(index))
    refused(model.load_weights, folder / "m.weights.json", match="index of weights")


def test_a_shard_named_often_is_looked_at_once(tmp_path, monkeypatch):
    model, path = small(), tmp_path / "m.weights.json"
    model.save_weights(path, max_shard_size=1)
    index = json.loads(path.read_text())
    index["weight_map"] = dict.fromkeys(index["weight_map"], ["m_00000.weights.h5"] * 100_000)
    path.write_text(json.dumps(index))
    looked = []
    group_at = guard.group_at
    monkeypatch.setattr(guard, "group_at", lambda *args: looked.append(args) or group_at(*args))
    model.load_weights(path)
    assert len(looked) <= 3

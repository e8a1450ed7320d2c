"""The damage that `fuzz.py` does to files, every piece of it drawn from a `random.Random`."""

from __future__ import annotations

import io
import json
import random
import struct
import warnings
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
from fuzz_operations import change

_NUMBERS = [0, 1, -1, 2, 3, 7, 255, 65536, 2**31 - 1, 2**31, 2**32, 2**53, 2**63, 10**9, 10**30]
_VALUES = [
    None, True, False, 0.5, -0.0, 1e-30, 1e308, float("nan"), float("inf"), "", "x", "None",
    "float32", "string", "int8", "valid", "same", "/etc/passwd", "../../x", "\x00", "é" * 300,
    [], {}, [[]], [None], [None, 3], [0], [-1, -1], [10**9], [None, 10**9], [3, 3, 3, 3],
    {"class_name": "Dense", "config": {}},
    {"class_name": "Dense", "config": {"units": 3}},
    {"class_name": "__numpy__", "config": {"value": [1], "dtype": "float32"}},
    {"class_name": "__lambda__", "config": {"value": ["4wAA", None, None]}},
    {"class_name": "__keras_tensor__", "config": {"shape": [None, 3], "dtype": "float32"}},
    {"class_name": "function", "config": "relu", "module": "builtins"},
    {"class_name": "__tuple__", "config": {"value": [1, 2]}},
]  # fmt: skip
_CLASSES = (
    "Dense Conv2D LSTM GRU Embedding Lambda Functional Sequential Model InputLayer Reshape Flatten"
    " UpSampling2D RepeatVector ZeroPadding2D TimeDistributed Bidirectional Dropout Permute RNN"
    " TextVectorization StringLookup Normalization Resizing MultiHeadAttention Masking Cropping2D"
    " Adam SGD L2 Zeros Orthogonal MeanSquaredError Accuracy DTypePolicy function __numpy__"
    " Discretization CategoryEncoding Hashing SeparableConv2D Conv3DTranspose ConvLSTM2D Add Dot"
    " StackedRNNCells LSTMCell GlobalAveragePooling2D AveragePooling3D GroupNormalization"
    " MelSpectrogram RandomZoom EinsumDense SpectralNormalization NotThere Variable Tensor"
).split()
_SIZES = [0, 1, 4, 8, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63, 2**64 - 1]


def mutate(rng: random.Random, format: str, content: bytes, other: bytes) -> bytes:
    """`content` damaged; `other` is another valid file of the format."""
    share = rng.random()
    if format == "sharded":
        return damage_shards(rng, content, other)
    if format == "operations":
        changed = change(rng, content)
        return damage_json(rng, changed, other) if share < 0.3 else changed
    if share < 0.3:
        return damage_bytes(rng, content, other)
    if format == "json":
        return damage_json(rng, content, other)
    if format == "keras":
        return damage_archive(rng, content, other)
    if format == "npz":
        return damage_arrays(rng, content, other)
    return damage_hdf5(rng, content, other)


# Bytes


def damage_bytes(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """Flip bits, cut, splice, overwrite."""
    data = bytearray(content)
    kind = rng.choice(["flip", "flip", "cut", "splice", "overwrite", "delete", "repeat", "size"])
    if not data:
        return bytes(data)
    if kind == "flip":
        for _ in range(rng.choice([1, 1, 2, 8, 64])):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == "cut":
        del data[rng.randrange(len(data)) :]
    elif kind == "splice":
        at = rng.randrange(len(data))
        data[at:] = other[(at if rng.random() < 0.5 else rng.randrange(len(other) + 1)) :]
    elif kind == "overwrite":
        at, size = rng.randrange(len(data)), rng.choice([1, 4, 16, 256])
        fill = rng.choice([b"\x00", b"\xff", b"A", None])
        piece = rng.randbytes(size) if fill is None else fill * size
        data[at : at + size] = piece
    elif kind == "delete":
        at = rng.randrange(len(data))
        del data[at : at + rng.choice([1, 2, 8, 100])]
    elif kind == "repeat":
        at = rng.randrange(len(data))
        data[at:at] = data[at : at + rng.choice([1, 8, 100, 1000])]
    else:
        width = rng.choice([2, 4, 8])
        at = rng.randrange(max(1, len(data) - width))
        value = rng.choice(_SIZES) % 2 ** (8 * width)
        data[at : at + width] = value.to_bytes(width, "little")
    return bytes(data)


# JSON


def damage_json(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """Change, drop, copy and swap parts of a document."""
    try:
        value = json.loads(content)
        donor = json.loads(other)
    except ValueError:
        return damage_bytes(rng, content, other)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        value = _damage_value(rng, value, donor)
    if rng.random() < 0.02:
        text = json.dumps(value)
        depth = rng.choice([100, 1000, 5000])
        return ('{"class_name":"Sequential","config":' * depth + text + "}" * depth).encode()
    return json.dumps(value).encode()


def _places(value: Any) -> list[tuple[Any, Any]]:
    """(container, key) of every part of a document."""
    found, pending = [], [value]
    while pending:
        one = pending.pop()
        items = one.items() if isinstance(one, dict) else enumerate(one)
        for key, part in items:
            found.append((one, key))
            if isinstance(part, (dict, list)):
                pending.append(part)
    return found


def _damage_value(rng: random.Random, value: Any, donor: Any) -> Any:
    if not isinstance(value, (dict, list)):
        return rng.choice(_VALUES)
    places = _places(value)
    if not places:
        return rng.choice(_VALUES)
    holder, key = rng.choice(places)
    kind = rng.choice(["value", "number", "drop", "copy", "donor", "class", "swap", "key", "scale"])
    if kind == "class":
        named = [(h, k) for h, k in places if k == "class_name"]
        if named:
            holder, key = rng.choice(named)
            holder[key] = rng.choice(_CLASSES)
            return value
        kind = "value"
    if kind == "scale":
        numbers = [
            (h, k)
            for h, k in places
            if isinstance(h[k], (int, float)) and not isinstance(h[k], bool)
        ]
        if numbers:
            holder, key = rng.choice(numbers)
            holder[key] = rng.choice(
                [*_NUMBERS, -holder[key], holder[key] * 1000, str(holder[key])]
            )
            return value
        kind = "number"
    if kind == "value":
        holder[key] = json.loads(json.dumps(rng.choice(_VALUES)))
    elif kind == "number":
        holder[key] = rng.choice(_NUMBERS)
    elif kind == "drop":
        del holder[key]
    elif kind in ("copy", "swap"):
        source, name = rng.choice(places)
        holder[key] = json.loads(json.dumps(source[name]))
    elif kind == "donor" and isinstance(donor, (dict, list)) and _places(donor):
        source, name = rng.choice(_places(donor))
        holder[key] = json.loads(json.dumps(source[name]))
    elif isinstance(holder, dict):
        holder[rng.choice(["units", "shape", "name", "config", str(key) + "_"])] = holder.pop(key)
    else:
        holder.insert(rng.randrange(len(holder) + 1), json.loads(json.dumps(holder[key])))
    return value


# HDF5


def damage_hdf5(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """Change attributes, datasets, groups and links of a file."""
    import h5py

    buffer = io.BytesIO(content)
    try:
        with h5py.File(buffer, "r+") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(rng.choice([1, 1, 2, 4])):
                _damage_object(rng, file, h5py)
    except (KeyError, OSError, RuntimeError, ValueError, TypeError):
        return damage_bytes(rng, content, other)
    return buffer.getvalue()


def _damage_object(rng: random.Random, file: Any, h5py: Any) -> None:
    names: list[str] = []
    file.visit(names.append)
    texts = [k for k in file.attrs if k.endswith("_config")]
    if texts and rng.random() < 0.4:
        name = rng.choice(texts)
        text = file.attrs[name]
        text = text.encode() if isinstance(text, str) else bytes(text)
        changed = damage_json(rng, text, text)
        if rng.random() < 0.1:
            changed = damage_bytes(rng, text, text)
        del file.attrs[name]
        file.attrs[name] = np.bytes_(changed) if rng.random() < 0.5 else np.void(changed or b" ")
        if rng.random() < 0.8:
            file.attrs[name] = changed.decode("utf-8", "replace").replace("\x00", " ")
        return
    target = file[rng.choice([*names, "/"])]
    kind = rng.choice(["attribute", "dataset", "delete", "link", "move", "copy", "group"])
    if kind == "attribute" and len(target.attrs) == 0:
        holders = [file[name] for name in [*names, "/"] if len(file[name].attrs)]
        target = rng.choice(holders) if holders else target
    if kind == "attribute" and len(target.attrs):
        _damage_attribute(rng, target, rng.choice(sorted(target.attrs)), h5py)
    elif kind == "dataset" and isinstance(target, h5py.Dataset):
        _damage_dataset(rng, file, target, h5py)
    elif names:
        name = rng.choice(names)
        if kind == "delete":
            del file[name]
        elif kind == "link":
            elsewhere = rng.choice(names)
            link = rng.choice(
                [
                    h5py.SoftLink("/" + elsewhere),
                    h5py.ExternalLink("/etc/passwd", "/"),
                    h5py.ExternalLink("other.h5", "/" + elsewhere),
                    file[elsewhere],
                    file,
                ]
            )
            del file[name]
            file[name] = link
        elif kind == "move":
            file.move(name, rng.choice(names) + rng.choice(["x", "_1", "/vars", "é"]))
        elif kind == "copy":
            file.copy(name, rng.choice(names) + "_copy")
        elif kind == "group":
            del file[name]
            file.create_group(name)


def _damage_attribute(rng: random.Random, target: Any, name: str, h5py: Any) -> None:
    old = target.attrs[name]
    kind = rng.choice(["drop", "number", "text", "empty", "rename", "reorder", "array", "ref"])
    del target.attrs[name]
    if kind == "drop":
        return
    if kind == "number":
        target.attrs[name] = rng.choice([0, 1.5, np.uint8(3), np.inf, True])
    elif kind == "text":
        target.attrs[name] = rng.choice(["", "x", "1.0", "9.9.9", "2.3.1", "é", "[]", "theano"])
    elif kind == "empty":
        target.attrs[name] = rng.choice([h5py.Empty("f"), np.zeros((0,)), np.zeros((0, 3))])
    elif kind == "rename":
        target.attrs[name + rng.choice(["0", "_", "x"])] = old
    elif kind == "reorder" and np.ndim(old):
        rows = list(old)
        rng.shuffle(rows)
        drop = rng.random() < 0.5
        target.attrs[name] = rows[: len(rows) - 1] if drop else rows + rows[:1]
    elif kind == "ref":
        target.attrs.create(name, target.ref, dtype=h5py.ref_dtype)
    else:
        values = [[1, 2], [b"a", b"\xff"], ["a", "../x"], [["a"], ["b"]], [b"a/b/c"] * 40]
        target.attrs[name] = rng.choice(values)


def _damage_dataset(rng: random.Random, file: Any, target: Any, h5py: Any) -> None:
    name, shape = target.name, tuple(min(size, 2**20) for size in target.shape)
    data = target[()] if target.size is not None and target.size < 2**20 else 0.0
    attributes = dict(target.attrs)
    del file[name]
    kind = rng.choice(
        ["shape", "dtype", "huge", "sparse", "text", "scalar", "external", "virtual", "packed"]
    )
    made: dict[str, Any] = {"data": data}
    if kind == "shape":
        made = {"data": np.zeros(rng.choice([(), (0,), (1,), (*shape, 1), shape[::-1], (5, 5)]))}
    elif kind == "dtype":
        made = {"data": np.asarray(data).astype(rng.choice("f2 f8 i1 u8 c8 ? >f4".split()))}
    elif kind == "huge":
        made = {"shape": (2**50,), "dtype": "f8", "chunks": (1024,), "compression": "gzip"}
    elif kind == "sparse":
        made = {"shape": rng.choice([(2**28,), (2**14, 2**14)]), "dtype": "f4", "chunks": True}
    elif kind == "text":
        made = {"data": rng.choice([np.array([b"a"]), "text", [["a", "b"]]])}
    elif kind == "scalar":
        made = {"data": rng.choice([1.0, np.nan, 2**40])}
    elif kind == "external":
        made = {"shape": shape, "dtype": "f4", "external": [("/etc/passwd", 0, 8)]}
    elif kind == "virtual":
        layout = h5py.VirtualLayout(shape, "f4")
        file.create_virtual_dataset(name, layout)
        return
    elif kind == "packed" and shape:
        made = {"data": data, "compression": "gzip", "chunks": True}
    made = file.create_dataset(name, **made)
    for key, value in attributes.items():
        made.attrs[key] = value


# Archives


def damage_archive(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """Change the members of a zip, or its directory."""
    members, foreign = unpacked(content), unpacked(other)
    kind = rng.choice(["json", "json", "json", "weights", "weights", "directory", "members"])
    if kind == "directory":
        return _damage_directory(rng, content)
    names = list(members)
    if kind == "json":
        name = rng.choice([n for n in names if n.endswith(".json")])
        members[name] = damage_json(rng, members[name], foreign.get(name, b"{}"))
    elif kind == "weights":
        name = "model.weights.h5"
        if name in members:
            change: Callable = damage_hdf5 if rng.random() < 0.7 else damage_bytes
            members[name] = change(rng, members[name], foreign.get(name, b"x"))
    else:
        name = rng.choice(names)
        how = rng.choice(["drop", "rename", "foreign", "empty", "bytes", "add"])
        if how == "drop":
            del members[name]
        elif how == "rename":
            new = rng.choice(
                ["../x", "/x", "assets/../x", "x", name.upper(), "é", "config.json", ""]
            )
            members[new] = members.pop(name)
        elif how == "foreign":
            members[name] = foreign.get(name, b"")
        elif how == "empty":
            members[name] = b""
        elif how == "bytes":
            members[name] = damage_bytes(rng, members[name] or b"x", b"other")
        else:
            members[rng.choice(["assets/x", "assets/vocabulary.txt", "model.weights.npz"])] = b"x\n"
    return _zipped(rng, members)


def unpacked(content: bytes) -> dict[str, bytes]:
    """The members of a zip archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def packed(members: dict[str, bytes]) -> bytes:
    """Files as a zip archive that is the same whenever it is made."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data)
    return buffer.getvalue()


def _zipped(rng: random.Random, members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    how = rng.choice([zipfile.ZIP_STORED] * 6 + [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
    with zipfile.ZipFile(buffer, "w", how) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, data in members.items():
            # A fixed date: cases repeat themselves.
            info = zipfile.ZipInfo(name or "/", (2020, 1, 1, 0, 0, 0))
            info.compress_type = how
            archive.writestr(info, data)
        if rng.random() < 0.03:
            info = zipfile.ZipInfo(rng.choice(list(members)) or "/", (2020, 1, 1, 0, 0, 0))
            archive.writestr(info, b"{}")
    return buffer.getvalue()


def damage_arrays(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """Change the members of an `.npz`: their headers, bytes and names."""
    members, foreign = unpacked(content), unpacked(other)
    kind = rng.choice(["header", "header", "header", "bytes", "directory", "members"])
    if kind == "directory" or not members:
        return _damage_directory(rng, content)
    name = rng.choice(list(members))
    if kind == "header":
        members[name] = _damage_header(rng, members[name])
    elif kind == "bytes":
        members[name] = damage_bytes(rng, members[name], rng.choice([*foreign.values(), b"x"]))
    else:
        how = rng.choice(["drop", "rename", "foreign", "empty", "add"])
        new = rng.choice(["../x.npy", "/x.npy", "a.npy", "arr_0.npy", "arr_999999.npy", "é.npy",
                          "layers/dense/vars/0/0.npy", "vars.npy", "x/" * 500 + "a.npy", ".npy",
                          "x\\y.npy", "config.json", "arr_1"])  # fmt: skip
        if how == "drop":
            del members[name]
        elif how == "rename":
            members[new] = members.pop(name)
        elif how == "foreign":
            members[name] = rng.choice([*foreign.values(), b""])
        elif how == "empty":
            members[name] = b""
        else:
            members[new] = members[name]
    return _zipped(rng, members)


def _damage_header(rng: random.Random, content: bytes) -> bytes:
    """Lie about version, length, dtype, order or shape of an array."""
    kind = rng.choice(["version", "length", "dtype", "order", "shape", "shape", "text", "extra"])
    data = bytearray(content)
    end = 10 + int.from_bytes(data[8:10], "little")
    if kind == "version":
        data[6:8] = rng.choice([b"\x00\x00", b"\x02\x00", b"\x03\x00", b"\xff\xff"])
        return bytes(data)
    if kind == "length":
        data[8:10] = rng.choice([0, 1, 8, 0x7FFF, 0xFFFF]).to_bytes(2, "little")
        return bytes(data)
    text = data[10:end].decode("latin1")
    if kind == "dtype":
        dtype = rng.choice(
            ["'|O'", "'<U9'", "'|S4'", "'<f8'", "'>f4'", "'<M8[s]'", "'|V99'", "'|V0'", "'<c16'",
             "'|b1'", "[('a', '<f4')]", "'(9999999,)f8'", "7", "None", "'x'", "'<f4,<f4'"]
        )  # fmt: skip
        text = text.replace("'<f4'", dtype, 1)
    elif kind == "order":
        text = text.replace("False", rng.choice(["True", "1", "None", "'C'"]), 1)
    elif kind == "shape":
        number = rng.choice([*_NUMBERS, "'3'", "None", "1.5", "True", "()", "9" * 400])
        shape = rng.choice([f"({number},)", f"({number}, {number})", "()", f"{number}", "(1,) * 9"])
        start = text.index("(", text.index("shape")) if "(" in text else 0
        text = text[:start] + shape + text[text.find(")", start) + 1 :]
    elif kind == "extra":
        text = rng.choice(["{" * 3000, "[" * 9000, "{}", "", "-" * 5000 + "1", "{'a':1}", "()"])
    else:
        at = rng.randrange(max(1, len(text)))
        text = text[:at] + rng.choice(["", "(", "}", "\0", "é", "9"]) + text[at + 1 :]
    header = text.encode("latin1", "replace")[:0xFFFF]
    return bytes(data[:8]) + len(header).to_bytes(2, "little") + header + bytes(data[end:])


def damage_shards(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """Change an index of weights or the shards beside it, all of which are one archive here."""
    members, foreign = unpacked(content), unpacked(other)
    index = next(name for name in members if name.endswith(".json"))
    shards = sorted(set(members) - {index})
    kind = rng.choice(["index", "index", "names", "shard", "shard", "bytes", "drop", "swap"])
    name = rng.choice(shards)
    if kind == "index":
        members[index] = damage_json(rng, members[index], foreign.get(index, b"{}"))
    elif kind == "names":
        document = json.loads(members[index])
        places = document["weight_map"]
        place = rng.choice(sorted(places))
        places[place] = rng.choice(
            ["../case_00000.weights.h5", "/etc/passwd", ".", "..", "", "x/y", "x\\y", index,
             "\x00", "case_99999.weights.h5", [], [[]], {}, 3, None, [name, name], [None],
             [*shards, *shards], [name] * 5000, name.upper(), f"./{name}"]
        )  # fmt: skip
        members[index] = json.dumps(document).encode()
    elif kind == "shard":
        members[name] = damage_hdf5(rng, members[name], foreign.get(name, b"x"))
    elif kind == "bytes":
        target = rng.choice([name, name, index])
        members[target] = damage_bytes(rng, members[target], foreign.get(target, b"x"))
    elif kind == "drop":
        del members[name]
    else:
        members[name] = rng.choice([*foreign.values(), b"", members[rng.choice(shards)]])
    return packed(members)


def _damage_directory(rng: random.Random, content: bytes) -> bytes:
    """Lie in a header: sizes, offsets, methods, flags, checksums."""
    data = bytearray(content)
    starts = []
    for mark, fields in (
        (b"PK\x01\x02", [(6, 2), (8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (42, 4)]),
        (b"PK\x03\x04", [(4, 2), (6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2)]),
        (b"PK\x05\x06", [(4, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2)]),
    ):
        at = data.find(mark)
        while at >= 0:
            starts.append((at, fields))
            at = data.find(mark, at + 4)
    for _ in range(rng.choice([1, 1, 2, 3])):
        at, fields = rng.choice(starts)
        offset, width = rng.choice(fields)
        if rng.random() < 0.5:
            value = rng.choice(_SIZES) % 2 ** (8 * width)
        else:
            (old,) = struct.unpack_from("<H" if width == 2 else "<I", data, at + offset)
            value = (old + rng.choice([-1, 1, 8, -100, 1000])) % 2 ** (8 * width)
        struct.pack_into("<H" if width == 2 else "<I", data, at + offset, value)
    return bytes(data)

"""Data files from strangers run no code, and say so."""

import io
import pickle
import pickletools
import zipfile

import numpy as np
import pytest

from minikeras.datasets.npz import load_npz, load_pickle
from tests.datasets.conftest import lists


class Gadget:
    """Calls a function when it is unpickled."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def npz_with(path, payload):
    """Writes an `.npz` whose one member is an object array with this pickle behind its header."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|O", "fortran_order": False, "shape": (1,)}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", header.getvalue() + payload)
    return path


def gadgets(marker):
    return [
        Gadget(open, str(marker), "w"),
        Gadget(eval, f"open({str(marker)!r}, 'w')"),
        Gadget(np.load, str(marker)),
        Gadget(np.ndarray, (2**40,)),
    ]


@pytest.mark.parametrize("number", range(4))
def test_pickles_that_call_functions_are_refused(tmp_path, number):
    marker = tmp_path / "marker"
    payload = pickle.dumps(gadgets(marker)[number])
    with pytest.raises(ValueError, match="cannot be read"):
        load_npz(npz_with(tmp_path / "x.npz", payload))
    (tmp_path / "batch").write_bytes(pickle.dumps({b"data": gadgets(marker)[number]}))
    with pytest.raises(ValueError):
        load_pickle(tmp_path / "batch")
    assert not marker.exists()


@pytest.mark.parametrize(
    "content",
    [
        lists(["text"]),
        np.array([{"a": 1}], dtype=object),
        lists([[1], [2]]),
        np.array([[1, None]], dtype=object),
    ],
)
def test_object_arrays_of_other_than_lists_of_integers_are_refused(tmp_path, content):
    np.savez(tmp_path / "x.npz", x=content)
    with pytest.raises(ValueError, match="object array"):
        load_npz(tmp_path / "x.npz")


def test_arrays_of_every_plain_kind(tmp_path):
    arrays = {
        kind.replace("<", "l").replace(">", "b"): np.arange(6).reshape(2, 3).astype(kind)
        for kind in ("u1", "i4", "<i8", ">i2", "f2", "f4", ">f8", "?")
    }
    arrays["fortran"] = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    arrays["lists"] = lists([1, 2], [], [3])
    np.savez(tmp_path / "x.npz", **arrays)
    found = load_npz(tmp_path / "x.npz")
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("protocol", [3, 4])  # those of `numpy.save`
@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_arrays_of_old_and_new_numpy(tmp_path, protocol, module):
    payload = pickle.dumps(lists([1, 2], [3]), protocol=protocol, fix_imports=False)
    if protocol < 4:  # where names are written as lines of text
        payload = payload.replace(b"numpy._core.multiarray", module.encode())
    assert any(op.name in ("GLOBAL", "STACK_GLOBAL") for op, *_ in pickletools.genops(payload))
    assert load_npz(npz_with(tmp_path / "x.npz", payload))["x"].tolist() == [[1, 2], [3]]


def test_a_batch_as_python_2_wrote_it(tmp_path):
    # {"data": array of uint8 [[1, 2]], "labels": [7]}, protocol 2, with byte strings.
    payload = (
        b"\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85"
        b"U\x01btR(K\x01K\x01K\x02\x86cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNN"
        b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x02\x01\x02tbU\x06labels]K\x07au."
    )
    (tmp_path / "batch").write_bytes(payload)
    batch = load_pickle(tmp_path / "batch")
    assert batch["data"].tolist() == [[1, 2]] and batch["data"].dtype == np.uint8
    assert batch["labels"] == [7]


def test_a_header_that_declares_too_much_is_refused(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (2**50,)}
    )
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x.npy", header.getvalue())
    with pytest.raises(ValueError, match="declares"):
        load_npz(tmp_path / "x.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"<html>not found</html>"])
def test_files_that_are_something_else(tmp_path, content):
    path = tmp_path / "x"
    path.write_bytes(content)
    for load in (load_npz, load_pickle):
        with pytest.raises(ValueError, match="cannot be read"):
            load(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_npz(tmp_path / "x.npz")

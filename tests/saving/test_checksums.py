"""Large weights in an archive are read in their place; damage to them is found all the same."""

import random
import zipfile
import zlib

import numpy as np
import pytest

import minikeras as keras
from minikeras.saving import window


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "m.keras"
    model = keras.Sequential([keras.Input((600,)), keras.layers.Dense(600)])
    model.save(path)
    return path, model


def test_large_archives_load(archive):
    path, model = archive
    loaded = keras.saving.load_model(path)
    for a, b in zip(model.get_weights(), loaded.get_weights()):
        np.testing.assert_array_equal(a, b)
    other = keras.models.clone_model(model)
    other.load_weights(path)
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])


def test_a_flipped_bit_is_found(archive, tmp_path):
    path, model = archive
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "x.keras").write_bytes(content)
    for call in (keras.saving.load_model, keras.models.clone_model(model).load_weights):
        with pytest.raises(ValueError, match="x.keras.*checksum"):
            call(tmp_path / "x.keras")


def test_compressed_archives_load(archive, tmp_path):
    path, model = archive
    packed = tmp_path / "packed.keras"
    with zipfile.ZipFile(path) as source:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
            for name in source.namelist():
                target.writestr(name, source.read(name))
    loaded = keras.saving.load_model(packed)
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])


def test_weights_from_files_wait_and_are_whole(archive):
    path, model = archive
    restored = keras.models.model_from_json(model.to_json())
    kernel = restored.weights[0]
    assert kernel.shape == (600, 600) and kernel._pending is not None
    assert float(np.abs(kernel.numpy()).max()) > 0
    again = keras.models.model_from_json(model.to_json())
    assert again.weights[0]._pending is not None
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])


def test_sums_of_pieces_make_the_sum_of_the_file(tmp_path):
    # Large writes are summed on their own, unless something is written over them.
    rng = random.Random(1)
    path = tmp_path / "m"
    path.write_bytes(b"before")
    with window.Summed(path, 6) as output:
        for _ in range(40):
            output.seek(rng.choice([output.size, rng.randrange(output.size + 1)]))
            output.write(rng.randbytes(rng.choice([1, 500, 2**18, 2**18 + 7])))
        output.truncate(output.size + 5)
        found = output.checksum()
    content = path.read_bytes()
    assert content[:6] == b"before"
    assert found == zlib.crc32(content[6:])
    assert len(output.pieces) > 1


def test_archives_are_as_other_programs_read_them(archive, tmp_path):
    path = tmp_path / "m.keras"
    archive[1].save(path)
    with zipfile.ZipFile(path) as opened:
        assert opened.testzip() is None
        assert opened.namelist() == ["metadata.json", "config.json", "model.weights.h5"]
        # The headers in front of the members say the same as the directory at the end.
        for info in opened.infolist():
            at = info.header_offset
            head = path.read_bytes()[at : at + 30]
            assert head[:4] == b"PK\3\4"
            assert int.from_bytes(head[14:18], "little") == info.CRC

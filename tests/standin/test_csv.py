"""CSV files as data sets. That the rows are TensorFlow's is compared in compat/."""

import gzip

import numpy as np
import pytest

import minikeras
from minikeras import dialects

TABLE = "kind,size,name\n" + "".join(f"{row % 2},{row}.5,n{row}\n" for row in range(6))


@pytest.fixture
def tf():
    dialects.silence()
    with minikeras.install_as_keras():
        import tensorflow

        yield tensorflow
    dialects.silence(False)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    return str(path)


def test_rows(tf, table, tmp_path):
    kinds = [tf.int32, tf.float32, tf.string]
    rows = list(tf.data.experimental.CsvDataset(table, kinds, header=True))
    assert len(rows) == 6 and [one.dtype.name for one in rows[0][:2]] == ["int32", "float32"]
    assert rows[3][1].numpy() == 3.5 and rows[3][2].numpy() == b"n3"
    zipped = tmp_path / "table.csv.gz"
    zipped.write_bytes(gzip.compress(b"1,,\n2,5,x\n"))
    rows = tf.data.experimental.CsvDataset(
        [str(zipped)], [[0.0], 7.0], compression_type="GZIP", exclude_cols=[2]
    )
    assert [[float(x) for x in row] for row in rows] == [[1, 7], [2, 5]]
    with pytest.raises(ValueError, match="required but missing"):
        list(tf.data.experimental.CsvDataset(str(zipped), [tf.float32] * 3, "GZIP"))
    with pytest.raises(ValueError, match="Expected 2 fields"):
        list(tf.data.experimental.CsvDataset(table, [tf.float32] * 2))
    with pytest.raises(ValueError, match="GZIP"):
        list(tf.data.experimental.CsvDataset(table, kinds, "ZLIB"))


def test_batches_of_columns(tf, table):
    make = tf.data.experimental.make_csv_dataset
    batches = list(make(table, 4, label_name="kind", num_epochs=1, shuffle=False))
    features, labels = batches[0]
    assert list(features) == ["size", "name"] and len(batches) == 2
    assert labels.numpy().tolist() == [0, 1, 0, 1] and labels.dtype == "int32"
    assert features["size"].dtype == "float32" and features["name"].numpy()[1] == b"n1"
    endless = make(table, 4, select_columns=["size", 0], shuffle_seed=1)
    seen = [batch for batch, _ in zip(endless, range(6))]
    assert all(len(batch["kind"]) == 4 and list(batch) == ["kind", "size"] for batch in seen)
    with pytest.raises(ValueError, match="`label_name` must be one of"):
        make(table, 4, label_name="other")
    with pytest.raises(ValueError, match="no columns"):
        make(table, 4, select_columns=["other"])
    with pytest.raises(ValueError, match="No files fit"):
        make(table + ".missing", 4)
    with pytest.raises(ValueError, match="column_names"):
        make(table, 4, header=False)


def test_kinds_are_guessed(tf, tmp_path):
    path = tmp_path / "kinds.csv"
    path.write_text("a,b,c,d\n1,5000000000,1.5,x\n,2,3,4\n")
    (batch,) = tf.data.experimental.make_csv_dataset(str(path), 2, num_epochs=1, shuffle=False)
    kinds = {name: np.asarray(column).dtype.kind for name, column in batch.items()}
    assert kinds == {"a": "i", "b": "i", "c": "f", "d": "S"}
    assert batch["b"].numpy()[0] == 5_000_000_000 and batch["a"].numpy()[1] == 0

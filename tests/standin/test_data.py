"""`tf.data.Dataset`. That its elements are TensorFlow's is compared in compat/."""

import gzip

import numpy as np
import pytest

from minikeras import Input, Sequential, layers
from minikeras.standin.tf import data
from minikeras.standin.tf.data import Dataset
from minikeras.standin.tf.tensors import TensorSpec

X = np.arange(40, dtype="float32").reshape(20, 2)
Y = np.arange(20)


def test_models_take_it():
    model = Sequential([Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    start = model.get_weights()
    arrays = model.fit(X / 40, Y / 20.0, batch_size=5, shuffle=False, epochs=2, verbose=0)
    model.set_weights(start)
    rows = Dataset.from_tensor_slices((X / 40, Y / 20.0)).batch(5)
    sets = model.fit(rows, epochs=2, validation_data=rows.take(2), verbose=0)
    np.testing.assert_allclose(sets.history["loss"], arrays.history["loss"], rtol=1e-6)
    np.testing.assert_allclose(
        model.evaluate(rows, verbose=0),
        model.evaluate(X / 40, Y / 20.0, batch_size=5, verbose=0),
        rtol=1e-6,
    )
    inputs = rows.map(lambda x, y: x)
    np.testing.assert_array_equal(
        model.predict(inputs, verbose=0), model.predict(X / 40, batch_size=5, verbose=0)
    )
    endless = rows.repeat()
    history = model.fit(endless, steps_per_epoch=3, epochs=2, verbose=0)
    assert len(history.history["loss"]) == 2


def test_dictionaries_of_inputs():
    a, b = Input((2,), name="a"), Input((1,), name="b")
    from minikeras import Model

    model = Model([a, b], layers.Dense(1, name="out")(layers.concatenate([a, b])))
    model.compile("sgd", "mse")
    rows = Dataset.from_tensor_slices(({"a": X, "b": Y[:, None]}, {"out": Y})).shuffle(20).batch(8)
    assert set(rows.element_spec[0]) == {"a", "b"}
    model.fit(rows, verbose=0)
    assert model.predict(rows, verbose=0).shape == (20, 1)


def test_columns_of_a_frame():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"age": [1.5, 2.5], "name": ["a", "b"]})
    first, _ = list(Dataset.from_tensor_slices((dict(frame), [0, 1])))
    assert float(first[0]["age"]) == 1.5 and first[0]["name"].numpy() == b"a"
    assert int(first[1]) == 0


def test_lengths():
    rows = Dataset.from_tensor_slices(X)
    assert len(rows) == 20 and int(rows.cardinality()) == 20
    assert len(rows.batch(8)) == 3 and len(rows.batch(8, drop_remainder=True)) == 2
    assert len(rows.shuffle(5).take(7).skip(3).repeat(2)) == 8
    assert int(rows.repeat().cardinality()) == data.INFINITE_CARDINALITY
    assert len(rows.repeat().take(50)) == 50
    assert int(rows.filter(lambda x: x[0] > 3).cardinality()) == data.UNKNOWN_CARDINALITY
    with pytest.raises(TypeError, match="infinite"):
        len(rows.repeat())
    with pytest.raises(TypeError, match="not known"):
        len(rows.filter(lambda x: True))
    known = rows.filter(lambda x: True).apply(data.assert_cardinality(20))
    assert len(known) == 20 and rows


def test_batches_of_rows_in_order_are_views():
    rows = Dataset.from_tensor_slices(X)
    first, second = next(iter(rows.batch(4))), next(iter(rows.batch(4)))
    assert np.shares_memory(first.array, second.array)


def test_walks_are_independent_and_lazy():
    calls = []

    def note(x):
        calls.append(int(x))
        return x

    rows = Dataset.range(5).map(note)
    assert calls == []
    one, two = iter(rows), iter(rows)
    assert int(next(one)) == int(next(two)) == 0 and calls == [0, 0]
    kept = rows.cache()
    assert [int(x) for x in kept] == [int(x) for x in kept] == list(range(5))
    assert len(calls) == 7


def test_shuffling_differs_each_time_and_is_whole():
    rows = Dataset.from_tensor_slices((X, Y)).shuffle(100, seed=3)
    first, second = ([int(y) for _, y in rows] for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(20)) and first != second
    for x, y in rows.batch(3):
        np.testing.assert_array_equal(x, X[y.numpy()])


def test_from_generator():
    def generate(count=3):
        for number in range(int(count)):
            yield {"a": number}, [number, number]

    signature = ({"a": TensorSpec((), "int32")}, TensorSpec((2,), "float32"))
    rows = Dataset.from_generator(generate, output_signature=signature)
    assert rows.element_spec == signature
    assert [float(y[0]) for _, y in rows] == [0, 1, 2]
    typed = Dataset.from_generator(lambda: iter([(1, 2.0)]), (("int64"), ("float32")), ((), ()))
    assert [one.dtype.name for one in next(iter(typed))] == ["int64", "float32"]
    assert len(list(Dataset.from_generator(generate, args=(2,), output_signature=signature))) == 2


def test_text_lines(tmp_path):
    plain, packed = tmp_path / "a.txt", tmp_path / "b.gz"
    plain.write_text("one\ntwo\r\n")
    packed.write_bytes(gzip.compress(b"three\n"))
    assert [x.numpy() for x in data.TextLineDataset(str(plain))] == [b"one", b"two"]
    lines = data.TextLineDataset([str(packed)], compression_type="GZIP")
    assert list(lines.as_numpy_iterator()) == [b"three"]


def test_sampling_from_several():
    mixed = Dataset.sample_from_datasets([Dataset.range(5), Dataset.range(100, 105)], seed=1)
    found = [int(x) for x in mixed]
    assert sorted(found) == [*range(5), *range(100, 105)] and found != sorted(found)


def test_what_is_wrong_is_said():
    with pytest.raises(ValueError, match="equally many rows"):
        Dataset.from_tensor_slices((X, Y[:3]))
    with pytest.raises(ValueError, match="different shapes"):
        list(Dataset.from_tensor_slices([1, 2]).map(lambda n: np.zeros(int(n))).batch(2))
    with pytest.raises(ValueError, match="batch_size"):
        Dataset.range(3).batch(0)
    with pytest.raises(ValueError, match="No files matched"):
        Dataset.list_files("/nowhere/*.nothing")
    with pytest.raises(ValueError, match="one element"):
        Dataset.range(2).get_single_element()
    assert int(Dataset.range(1).get_single_element()) == 0


def test_windows_of_pairs():
    parts = Dataset.from_tensor_slices((X, Y)).window(4, drop_remainder=True)
    x, y = next(iter(parts))
    assert [int(one) for one in y] == [0, 1, 2, 3] and len(list(x)) == 4

"""Data of every kind become batches."""

import warnings

import h5py
import numpy as np
import pytest

import minikeras
from minikeras import config
from minikeras.training.data import (
    class_weight_to_sample_weights,
    make_batches,
    one_batch,
    pack_x_y_sample_weight,
    train_validation_split,
    unpack_x_y_sample_weight,
)

X = np.arange(30, dtype="float32").reshape(10, 3)
Y = np.arange(10)


def rng(seed=0):
    return np.random.default_rng(seed)


def rows(source):
    """The batches of an epoch as lists of first features."""
    return [x[:, 0].tolist() for x, _, _ in source.epoch()]


def firsts(*indices):
    return [[float(3 * i) for i in part] for part in indices]


class Batches(minikeras.utils.PyDataset):
    def __init__(self, count=4, **kwargs):
        super().__init__(**kwargs)
        self.count, self.events = count, []

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return np.full((2, 1), index, "float32"), np.full((2,), index)

    def on_epoch_begin(self):
        self.events.append("begin")

    def on_epoch_end(self):
        self.events.append("end")


class TestArrays:
    def test_batches_in_order(self):
        source = make_batches(X, Y, batch_size=4)
        assert (source.num_batches, source.batch_size) == (3, 4)
        batches = list(source.epoch())
        assert [len(x) for x, _, _ in batches] == [4, 4, 2]
        np.testing.assert_array_equal(np.concatenate([x for x, _, _ in batches]), X)
        np.testing.assert_array_equal(np.concatenate([y for _, y, _ in batches]), Y)
        assert all(sw is None for _, _, sw in batches)
        assert len(list(source.epoch())) == 3

    def test_default_batch_size_is_32(self):
        assert make_batches(np.zeros((65, 1))).num_batches == 3

    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    def test_floats_become_floatx(self, dtype):
        x, y, sw = next(make_batches(X.astype(dtype), X.astype(dtype), Y.astype(dtype)).epoch())
        assert x.dtype == y.dtype == sw.dtype == np.float32

    @pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "bool"])
    def test_integers_stay(self, dtype):
        assert next(make_batches(X.astype(dtype)).epoch())[0].dtype == dtype

    def test_dtype_and_floatx(self):
        assert next(make_batches(X, dtype="float64").epoch())[0].dtype == np.float64
        config.set_floatx("float64")
        try:
            assert next(make_batches(X).epoch())[0].dtype == np.float64
        finally:
            config.set_floatx("float32")

    @pytest.mark.parametrize("shuffle", [False, True])
    def test_batches_are_contiguous_and_read_only(self, shuffle):
        x = np.asfortranarray(np.arange(60.0, dtype="float32").reshape(20, 3))[::2]
        for batch, _, _ in make_batches(x, batch_size=3, shuffle=shuffle, rng=rng()).epoch():
            assert batch.flags.c_contiguous
            with pytest.raises(ValueError):
                batch[0, 0] = 1.0
        assert x.flags.writeable

    def test_shuffle_draws_a_new_order_each_epoch(self):
        source = make_batches(X, Y, X[:, :1], batch_size=3, shuffle=True, rng=rng())
        orders = []
        for _ in range(2):
            batches = list(source.epoch())
            order = np.concatenate([y for _, y, _ in batches])
            assert sorted(order) == list(range(10))
            np.testing.assert_array_equal(np.concatenate([x for x, _, _ in batches]), X[order])
            np.testing.assert_array_equal(
                np.concatenate([w for _, _, w in batches]), X[order][:, :1]
            )
            orders.append(order.tolist())
        assert orders[0] != orders[1]
        again = make_batches(X, Y, batch_size=3, shuffle=True, rng=rng())
        assert [np.concatenate([y for _, y, _ in again.epoch()]).tolist()] == orders[:1]

    def test_shuffle_in_chunks(self):
        x = np.arange(5000 * 500, dtype="float32").reshape(5000, 500)  # ten chunks of gathering
        source = make_batches(x, np.arange(5000), batch_size=7, shuffle=True, rng=rng())
        seen = []
        for batch, y, _ in source.epoch():
            np.testing.assert_array_equal(batch, x[y])
            seen += y.tolist()
        assert sorted(seen) == list(range(5000))

    @pytest.mark.parametrize("shuffle", [False, True])
    def test_large_arrays_are_cast_by_pieces(self, monkeypatch, shuffle):
        monkeypatch.setattr("minikeras.training.arrays._CAST_AT_ONCE_BYTES", 100)
        x = X.astype("float64")
        source = make_batches(x, Y, batch_size=4, shuffle=shuffle, rng=rng())
        assert source._columns[0].array is x  # no copy of it all
        for batch, y, _ in source.epoch():
            assert batch.dtype == np.float32 and batch.flags.c_contiguous
            np.testing.assert_array_equal(batch, X[y])

    def test_shuffle_within_batches(self):
        source = make_batches(X, Y, batch_size=5, shuffle="batch", rng=rng())
        first, second = [y.tolist() for _, y, _ in source.epoch()]
        assert sorted(first) == [0, 1, 2, 3, 4] and sorted(second) == [5, 6, 7, 8, 9]
        assert first + second != list(range(10))

    def test_seed_decides_the_order_without_rng(self):
        orders = []
        for _ in range(2):
            minikeras.utils.set_random_seed(7)
            orders.append(rows(make_batches(X, shuffle=True)))
        assert orders[0] == orders[1]

    def test_structures_stay(self):
        x = {"a": X, "b": (X[:, 0], [X[:, 1], None])}
        batch, y, sw = next(make_batches(x, [Y, X], [Y, X], batch_size=2).epoch())
        assert list(batch) == ["a", "b"] and isinstance(batch["b"], tuple)
        assert batch["b"][1][1] is None and isinstance(y, list) and isinstance(sw, list)
        np.testing.assert_array_equal(batch["b"][1][0], X[:2, 1])

    def test_lists_of_numbers(self):
        x, y, _ = next(make_batches([[1, 2.5], [3, 4]], [0, 1]).epoch())
        assert x.tolist() == [[1, 2.5], [3, 4]] and x.dtype == np.float32
        assert y.dtype == np.int64
        (x, (other, numbers)), _, _ = next(make_batches((X, [X, [1.0] * 10])).epoch())
        assert numbers.shape == (10,)

    def test_one_sample_weight_for_all_outputs(self):
        _, y, sw = next(make_batches(X, {"p": Y, "q": Y}, Y).epoch())
        assert set(sw) == {"p", "q"}
        np.testing.assert_array_equal(sw["q"], Y)

    def test_memory_map_is_read_by_pieces(self, tmp_path):
        np.save(tmp_path / "x.npy", np.arange(40.0).reshape(20, 2))
        mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
        for shuffle in (False, True):
            source = make_batches(mapped, np.arange(20), batch_size=6, shuffle=shuffle, rng=rng())
            for x, y, _ in source.epoch():
                assert type(x) is np.ndarray and x.dtype == np.float32
                np.testing.assert_array_equal(x, mapped[y])
        part, _ = train_validation_split((mapped,), 0.5)
        assert isinstance(part[0], np.memmap)

    def test_hdf5_is_read_by_pieces(self, tmp_path):
        with h5py.File(tmp_path / "x.h5", "w") as file:
            file["x"] = np.arange(40.0).reshape(20, 2)
            (train,), (valid,) = train_validation_split((file["x"],), 0.25)
            for data, start, count in ((file["x"], 0, 20), (train, 0, 15), (valid, 15, 5)):
                for shuffle in (False, True):
                    source = make_batches(
                        data, np.arange(count), batch_size=4, shuffle=shuffle, rng=rng()
                    )
                    for x, y, _ in source.epoch():
                        np.testing.assert_array_equal(x[:, 0], 2.0 * (start + y))

    def test_sparse_matrices_become_dense_by_batches(self):
        sparse = pytest.importorskip("scipy.sparse")
        for kind in (sparse.coo_matrix, sparse.csr_matrix, sparse.csc_array):
            source = make_batches(
                kind(X.astype("float64")), Y, batch_size=4, shuffle=True, rng=rng()
            )
            for x, y, _ in source.epoch():
                assert type(x) is np.ndarray and x.dtype == np.float32
                np.testing.assert_array_equal(x, X[y])
        train, valid = train_validation_split((sparse.csr_matrix(X), Y), 0.2)
        assert train[0].shape == (8, 3) and valid[0].shape == (2, 3)

    def test_peek_takes_nothing(self):
        source = make_batches(X, Y, batch_size=4)
        x, y, sw = source.peek()
        assert x.shape == (4, 3) and y.shape == (4,) and sw is None
        assert len(list(source.epoch())) == 3


class TestTables:
    pandas = property(lambda self: pytest.importorskip("pandas"))

    def test_numbers_of_all_kinds(self):
        frame = self.pandas.DataFrame(
            {"a": [1, 2], "b": [True, False], "c": [0.5, None]},
        )
        frame["d"] = self.pandas.array([1, None], dtype="Int64")
        frame["e"] = self.pandas.Series([1, 2.5], dtype=object)
        x, _, _ = next(make_batches(frame).epoch())
        assert x.dtype == np.float32
        np.testing.assert_array_equal(x, [[1, 1, 0.5, 1, 1], [2, 0, np.nan, np.nan, 2.5]])

    def test_integers_stay_integers(self):
        frame = self.pandas.DataFrame({"a": [1, 2], "b": [3, 4]})
        assert next(make_batches(frame).epoch())[0].dtype == np.int64

    def test_a_series_is_a_column(self):
        series = self.pandas.Series([1.0, 2.0], index=[7, 9])
        x, y, _ = next(make_batches(series, series.astype("int64"), shuffle=True).epoch())
        assert x.shape == y.shape == (2, 1)

    def test_dict_of_series(self):
        frame = self.pandas.DataFrame({"a": [1, 2], "b": [3, 4]})
        x, _, _ = next(make_batches(dict(frame)).epoch())
        assert x["b"].tolist() == [[3], [4]]

    def test_split(self):
        frame = self.pandas.DataFrame({"a": range(10)}, index=range(10, 20))
        (train, series), (valid, _) = train_validation_split((frame, frame["a"]), 0.3)
        assert list(train["a"]) == list(range(7)) and list(valid["a"]) == [7, 8, 9]
        assert len(series) == 7

    @pytest.mark.parametrize(
        "values, message",
        [
            (["x", "y"], r"Column 'city' of `x` holds text, for example 'x'.*encode"),
            ([[1], [2, 3]], r"Column 'city' of `x` holds lists"),
            ([{}, {}], r"Column 'city' of `x` holds objects of type dict"),
        ],
    )
    def test_a_column_that_holds_no_numbers_is_named(self, values, message):
        frame = self.pandas.DataFrame({"ok": [1, 2], "city": values})
        for strings in (False, True):
            with pytest.raises(ValueError, match=message):
                make_batches(frame, strings=strings)

    def test_a_frame_of_text_alone(self):
        frame = self.pandas.DataFrame({"a": ["x", "y"], "b": ["u", "v"]})
        assert next(make_batches(frame, strings=True).epoch())[0].tolist() == [
            ["x", "u"],
            ["y", "v"],
        ]

    def test_categories_and_dates_are_named(self):
        frame = self.pandas.DataFrame({"kind": ["x", "y"]}).astype("category")
        with pytest.raises(ValueError, match="'kind' of `x` is categorical"):
            make_batches(frame)
        frame = self.pandas.DataFrame({"day": self.pandas.to_datetime(["2020-01-01"])})
        with pytest.raises(ValueError, match="'day' of `x` holds dates"):
            make_batches(frame)


class TestSteps:
    def test_batch_size_from_steps(self):
        source = make_batches(X, steps_per_epoch=3)
        assert (source.num_batches, source.batch_size) == (3, 4)

    def test_an_epoch_goes_on_where_the_last_stopped(self):
        source = make_batches(X, batch_size=2, steps_per_epoch=2)
        assert rows(source) == firsts([0, 1], [2, 3])
        assert rows(source) == firsts([4, 5], [6, 7])
        with pytest.warns(UserWarning, match="ran out of data"):
            assert rows(source) == firsts([8, 9])
        assert not source.exhausted
        assert rows(source) == firsts([0, 1], [2, 3])

    def test_reset(self):
        source = make_batches(X, batch_size=2, steps_per_epoch=2)
        for _ in range(3):
            source.reset()
            assert rows(source) == firsts([0, 1], [2, 3])
        source = make_batches(((X[i : i + 1],) for i in range(4)), steps_per_epoch=2)
        assert rows(source) == firsts([0], [1])
        source.reset()
        assert rows(source) == firsts([2], [3])

    def test_no_warning_where_epochs_fill_the_data(self):
        source = make_batches(X, batch_size=2, steps_per_epoch=5)
        for _ in range(3):
            assert len(rows(source)) == 5

    def test_more_steps_than_data(self):
        source = make_batches(X, batch_size=5, steps_per_epoch=4)
        for _ in range(2):
            with pytest.warns(UserWarning, match="ran out of data"):
                assert len(rows(source)) == 2

    def test_generator_with_steps(self):
        source = make_batches(((X[:2], Y[:2]) for _ in range(5)), steps_per_epoch=2)
        assert source.num_batches == 2
        assert source.peek()[0].shape == (2, 3)
        assert len(rows(source)) == len(rows(source)) == 2
        with pytest.warns(UserWarning, match="ran out of data"):
            assert len(rows(source)) == 1
        assert not source.exhausted
        assert rows(source) == [] and source.exhausted

    def test_nothing_at_all(self):
        for empty in ((b for b in ()), type("Empty", (), {"__iter__": lambda self: iter(())})()):
            with pytest.raises(ValueError, match="hold no batch"):
                make_batches(empty).peek()

    def test_leaving_an_epoch_of_a_generator_loses_nothing(self):
        source = make_batches((np.full((1, 1), i) for i in range(5)), steps_per_epoch=3)
        for _ in source.epoch():
            break
        assert [x.item() for x, _, _ in source.epoch()] == [1, 2, 3]

    def test_limit_of_the_configuration(self):
        config.set_max_steps_per_epoch(2)
        try:
            assert len(rows(make_batches(X, batch_size=1))) == 2
        finally:
            config.set_max_steps_per_epoch(None)

    @pytest.mark.parametrize("steps", [-1, -2.5, float("nan"), float("inf"), "3", True])
    def test_bad_steps(self, steps):
        with pytest.raises(ValueError, match="steps"):
            make_batches(X, steps_per_epoch=steps)

    def test_steps_that_are_no_whole_number(self):
        with pytest.warns(DeprecationWarning, match="steps of 3"):
            assert len(rows(make_batches(X, batch_size=1, steps_per_epoch=2.5))) == 3
        assert make_batches(X, batch_size=1, steps_per_epoch=2.0).num_batches == 2


class TestStreams:
    def test_generator(self):
        source = make_batches((X[i : i + 2], Y[i : i + 2]) for i in range(0, 10, 2))
        assert source.num_batches is None and source.peek()[0][0, 0] == 0
        assert len(rows(source)) == 5
        with pytest.warns(UserWarning, match="ran out of data"):
            assert rows(source) == []
        assert source.exhausted

    @pytest.mark.parametrize(
        "batch, parts",
        [((X,), 1), ((X, Y), 2), ((X, Y, Y), 3), (X, 1), ({"a": X}, 1), (([X, X], Y), 2)],
    )
    def test_kinds_of_batches(self, batch, parts):
        got = next(make_batches(b for b in [batch]).epoch())
        assert [part is not None for part in got] == [i < parts for i in range(3)]

    def test_batches_are_cast(self):
        x, y, _ = next(make_batches(b for b in [(X.astype("float64"), [1, 2])]).epoch())
        assert x.dtype == np.float32 and y.tolist() == [1, 2]

    @pytest.mark.parametrize("batch", [[X, Y], (), (1, 2, 3, 4), "text", None])
    def test_batches_that_are_none(self, batch):
        with pytest.raises(ValueError, match="must yield batches that are tuples"):
            next(make_batches(b for b in [batch]).epoch())

    def test_iterable_begins_anew(self):
        class Loader:
            def __iter__(self):
                return iter([[X[:2], Y[:2]], [X[2:4], Y[2:4]]])  # torch loaders yield lists

        source = make_batches(Loader())
        assert source.num_batches is None
        assert rows(source) == rows(source) == firsts([0, 1], [2, 3])
        assert source.num_batches == 2
        source = make_batches(Loader(), steps_per_epoch=2)
        assert rows(source) == rows(source) == firsts([0, 1], [2, 3])

    def test_tensors_of_other_libraries(self):
        class Tensor:
            shape = (2, 3)

            def numpy(self):
                return X[:2].astype("float64")

            def __array__(self, dtype=None, copy=None):
                return self.numpy()

        class DataSet:
            def cardinality(self):
                return np.int64(1)

            def __iter__(self):
                return iter([(Tensor(), Tensor())])

        source = make_batches(DataSet())
        assert source.num_batches == 1
        x, y, _ = next(source.epoch())
        np.testing.assert_array_equal(x, X[:2])
        assert x.dtype == np.float32
        np.testing.assert_array_equal(next(make_batches(Tensor()).epoch())[0], X[:2])

    def test_sequence_of_batches(self):
        class Plain:
            def __len__(self):
                return 2

            def __getitem__(self, index):
                return X[index : index + 1], Y[index : index + 1]

        source = make_batches(Plain())
        assert source.num_batches == 2
        assert rows(source) == firsts([0], [1])


class TestPyDataset:
    def test_epoch(self):
        data = Batches()
        source = make_batches(data)
        assert source.num_batches == 4 and source.peek()[0][0, 0] == 0
        assert rows(source) == [[i, i] for i in range(4)]
        assert data.events == ["begin", "end"]

    def test_leaving_early_ends_the_epoch(self):
        data = Batches()
        source = make_batches(data)
        for _ in source.epoch():
            break
        assert data.events == ["begin", "end"]
        assert len(rows(source)) == 4

    def test_shuffle(self):
        source = make_batches(Batches(20), shuffle=True, rng=rng())
        first, second = rows(source), rows(source)
        assert first != second and sorted(first) == sorted(second) == [[i, i] for i in range(20)]

    @pytest.mark.parametrize("workers, processes", [(3, False), (2, True)])
    def test_workers_keep_the_order(self, workers, processes):
        data = Batches(8, workers=workers, use_multiprocessing=processes, max_queue_size=3)
        source = make_batches(data)
        with warnings.catch_warnings():
            # Newer Pythons warn of any fork in a process that has threads, as BLAS makes.
            warnings.simplefilter("ignore", DeprecationWarning)
            assert rows(source) == [[i, i] for i in range(8)]
            assert rows(source) == [[i, i] for i in range(8)]

    def test_an_error_in_a_worker_arrives(self):
        class Broken(Batches):
            def __getitem__(self, index):
                raise RuntimeError(f"no batch {index}")

        with pytest.raises(RuntimeError, match="no batch 0"):
            rows(make_batches(Broken(workers=2)))

    def test_endless(self):
        class Endless(Batches):
            num_batches = None

        with pytest.raises(TypeError):
            len(object())
        source = make_batches(Endless(), steps_per_epoch=3)
        assert rows(source) == [[0, 0], [1, 1], [2, 2]]
        assert rows(source) == [[3, 3], [4, 4], [5, 5]]

    def test_length_may_change(self):
        class Growing(Batches):
            def on_epoch_end(self):
                self.count += 1

        source = make_batches(Growing(2))
        assert [len(rows(source)) for _ in range(3)] == [2, 3, 4]

    def test_iteration_and_defaults(self):
        assert [x[0, 0] for x, _ in Batches(3)] == [0, 1, 2]
        assert minikeras.utils.Sequence is minikeras.utils.PyDataset

        class Forgetful(minikeras.utils.PyDataset):
            def __init__(self):
                pass

        data = Forgetful()
        with pytest.warns(UserWarning, match="super"):
            assert data.workers == 1
        assert data.max_queue_size == 10 and data.use_multiprocessing is False
        with pytest.raises(NotImplementedError):
            _ = data.num_batches
        with pytest.raises(NotImplementedError):
            data[0]

    def test_class_weight(self):
        _, y, sw = list(make_batches(Batches(), class_weight={1: 3.0}).epoch())[1]
        assert y.tolist() == [1, 1] and sw.tolist() == [3.0, 3.0]

    def test_empty(self):
        with pytest.raises(ValueError, match="length 0"):
            make_batches(Batches(0))


class TestClassWeight:
    @pytest.mark.parametrize(
        "y",
        [
            np.array([0, 1, 2]),
            np.array([[0.0], [1.0], [2.0]]),
            np.eye(3, dtype="float32"),
            [0, 1, 2],
        ],
    )
    def test_labels_of_all_shapes(self, y):
        source = make_batches(X[:3], y, class_weight={0: 0.5, 2: 4})
        assert next(source.epoch())[2].tolist() == [0.5, 1.0, 4.0]

    def test_needs_whole_numbers_for_classes(self):
        with pytest.raises(ValueError, match="dict from class"):
            class_weight_to_sample_weights(Y, {"a": 1.0})
        with pytest.raises(ValueError, match="dict from class"):
            class_weight_to_sample_weights(Y, [1.0, 2.0])

    def test_does_not_go_with(self):
        with pytest.raises(ValueError, match="at the same time"):
            make_batches(X, Y, sample_weight=Y, class_weight={0: 1.0})
        with pytest.raises(ValueError, match="single output"):
            make_batches(X, [Y, Y], class_weight={0: 1.0})
        with pytest.raises(ValueError, match="needs targets"):
            make_batches(X, class_weight={0: 1.0})
        with pytest.raises(ValueError, match=r"shape \(2, 2, 2\)"):
            class_weight_to_sample_weights(np.zeros((2, 2, 2)), {0: 1.0})

    def test_generators(self):
        source = make_batches((b for b in [(X, Y)]), class_weight={3: 2.0})
        assert next(source.epoch())[2].tolist() == [2.0 if i == 3 else 1.0 for i in range(10)]


class TestErrors:
    def test_lengths(self):
        with pytest.raises(ValueError, match=r"'x' sizes: 10; 'y' sizes: 4"):
            make_batches(X, Y[:4])
        with pytest.raises(ValueError, match=r"'sample_weight' sizes: 3"):
            make_batches(X, Y, np.ones(3))
        with pytest.raises(ValueError, match=r"'x' sizes: 10, 9"):
            make_batches([X, X[:9]])

    @pytest.mark.parametrize("x", [X[:0], [], np.zeros((0,))])
    def test_empty(self, x):
        with pytest.raises(ValueError, match="empty"):
            make_batches(x)

    @pytest.mark.parametrize(
        "x, message",
        [
            (None, "no data"),
            (3, "Unrecognized data type"),
            ("text", "Unrecognized data type"),
            (np.float32(3), "Unrecognized data type"),
            (np.array(3.0), "at least one axis"),
            ([[1, 2], [3]], "different lengths.*pad_sequences"),
            (np.array([[1, 2], [3]], dtype=object), "holds lists, not numbers"),
            (np.array(["a", "b"]), "holds text"),
            (["a", "b"], "items of type str|holds text"),
            (np.array(["2020-01-01"], dtype="datetime64[D]"), "datetime64"),
            (np.ma.array([1.0, 2.0], mask=[True, False]), "masked"),
        ],
    )
    def test_no_arrays(self, x, message):
        with pytest.raises(ValueError, match=message):
            make_batches(x)

    @pytest.mark.parametrize("size", [0, -1, 2.5, "8", True])
    def test_batch_size(self, size):
        with pytest.raises(ValueError, match="`batch_size` must be a positive integer"):
            make_batches(X, batch_size=size)

    def test_shuffle(self):
        with pytest.raises(ValueError, match="`shuffle` must be"):
            make_batches(X, shuffle="epoch")

    @pytest.mark.parametrize("name", ["y", "sample_weight"])
    def test_targets_beside_batches(self, name):
        for x in (Batches(), (b for b in [(X, Y)])):
            with pytest.raises(ValueError, match=f"`{name}` should not be passed"):
                make_batches(x, **{name: Y})

    def test_sample_weight_structure(self):
        with pytest.raises(ValueError, match="one `sample_weight` array per output"):
            make_batches(X, [Y, Y], [Y])
        with pytest.raises(ValueError, match="one `sample_weight` array per output"):
            make_batches(X, {"a": Y, "b": Y}, {"a": Y, "c": Y})
        with pytest.raises(ValueError, match=r"shape \(10, 3\)"):
            make_batches(X, [Y, Y], X)

    @pytest.mark.parametrize("split", [1.5, -0.1, 1.0, "half", None])
    def test_validation_split(self, split):
        with pytest.raises(ValueError, match="`validation_split` must be a number from 0 to 1"):
            train_validation_split((X, Y, None), split)

    def test_validation_split_leaves_nothing(self):
        with pytest.raises(ValueError, match="contains 10 samples, which is not sufficient"):
            train_validation_split((X, Y, None), 0.999)

    def test_validation_split_of_a_stream(self):
        for x in (Batches(), (b for b in [(X, Y)])):
            with pytest.raises(ValueError, match="only supported for arrays.*validation_data"):
                train_validation_split((x, None, None), 0.2)


def test_text_where_it_is_allowed():
    for x in (np.array(["a", "b"]), np.array(["a", "b"], dtype=object), ["a", "b"]):
        assert next(make_batches(x, strings=True).epoch())[0].tolist() == ["a", "b"]


def test_validation_split_takes_the_last_rows():
    (x, y, sw), (vx, vy, vsw) = train_validation_split((X, [Y, Y], None), 0.25)
    assert len(x) == 7 and vx[0, 0] == 21 and vy[1].tolist() == [7, 8, 9]
    assert sw is None and vsw is None
    assert np.shares_memory(x, X)


def test_one_batch():
    x, y, sw = one_batch(X.astype("float64"), [0] * 10, class_weight={0: 2.0})
    assert x.dtype == np.float32 and y.shape == (10,) and sw.tolist() == [2.0] * 10
    assert one_batch(X)[0] is X
    with pytest.raises(ValueError, match="sizes"):
        one_batch(X, Y[:2])
    with pytest.raises(ValueError, match="empty"):
        one_batch(X[:0])


def test_a_source_is_a_source():
    source = make_batches(X)
    assert make_batches(source) is source


def test_pack_and_unpack():
    for data in ((1,), (1, 2), (1, 2, 3), ([1],)):
        assert pack_x_y_sample_weight(*unpack_x_y_sample_weight(data)) in (data, data[0])
    assert pack_x_y_sample_weight([1]) == ([1],)
    assert unpack_x_y_sample_weight([1, 2]) == (1, 2, None)
    assert unpack_x_y_sample_weight({"a": 1}) == ({"a": 1}, None, None)
    with pytest.raises(ValueError, match="found"):
        unpack_x_y_sample_weight((1, 2, 3, 4))


def test_two_batches_say_which_axes_of_a_new_model_are_open():
    def batches(*lengths):
        for length in lengths:
            yield (np.ones((2, length, 3), "float32"),)

    def model():
        return minikeras.Sequential([minikeras.layers.Conv1D(2, 2)])

    open_ended, fixed = model(), model()
    assert open_ended.predict(batches(6, 6), verbose=0).shape == (4, 5, 2)
    assert open_ended.input_shape == (None, 6, 3)
    with pytest.raises(ValueError):
        fixed.predict(batches(6, 6, 9), verbose=0)

    pooled = minikeras.Sequential(
        [minikeras.layers.Conv1D(2, 2), minikeras.layers.GlobalMaxPooling1D()]
    )
    assert pooled.predict(batches(6, 9, 12), verbose=0).shape == (6, 2)
    assert pooled.input_shape == (None, None, 3)


def test_a_generator_of_one_batch_is_used_up_once():
    model = minikeras.Sequential([minikeras.layers.Dense(1)])
    model.compile("sgd", "mse")
    seen = []

    def one():
        seen.append(0)
        yield np.ones((2, 3)), np.ones((2, 1))

    assert len(model.fit(one(), epochs=1, verbose=0).history["loss"]) == 1
    assert seen == [0]


def test_open_axes_that_not_every_size_fits():
    def batches():
        yield np.ones((1, 12, 2)), np.zeros((1, 3, 8))
        yield np.ones((1, 20, 2)), np.zeros((1, 5, 8))

    model = minikeras.Sequential([minikeras.layers.Reshape((-1, 8))])
    model.compile(loss="mse")
    with pytest.warns(UserWarning, match="trainable weights"):
        model.fit(batches(), steps_per_epoch=2, verbose=0)
    assert model(np.ones((1, 24, 2))).shape == (1, 6, 8)


def test_columns_that_a_model_does_not_name_may_hold_text():
    x = minikeras.Input((2,), name="numbers")
    model = minikeras.Model(x, minikeras.layers.Dense(1)(x))
    model.compile("sgd", "mse")
    data = {"numbers": np.ones((4, 2)), "words": ["a", "b", "c", "d"]}

    def batches():
        while True:
            yield data, np.ones(4)

    model.fit(data, np.ones(4), verbose=0)
    model.fit(batches(), steps_per_epoch=2, verbose=0)
    model.train_on_batch(data, np.ones(4))
    assert model.predict(data, verbose=0).shape == (4, 1)
    with pytest.raises(ValueError, match="'numbers' of model .* expects numbers"):
        model.fit({"numbers": np.array([["a", "b"]] * 4)}, np.ones(4), verbose=0)

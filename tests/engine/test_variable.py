"""Variables, arenas and the seeds of random streams."""

import copy
import pickle

import numpy as np
import pytest

import minikeras as keras
from minikeras.engine import rng
from minikeras.engine.arena import ArenaGradients, gather
from minikeras.engine.variable import Variable


def variables(*shapes, dtype="float32"):
    return [Variable(np.full(shape, i, dtype), name=f"v{i}") for i, shape in enumerate(shapes)]


def test_variables_of_an_arena_are_views_of_one_buffer():
    group = variables((2, 3), (5,), ())
    (chunk,) = gather(group)
    assert [v.array.base is not None for v in group] == [True] * 3
    assert [v.numpy().tolist() for v in group] == [[[0.0] * 3] * 2, [1.0] * 5, 2.0]
    chunk.values[...] = 7
    assert all((v.numpy() == 7).all() for v in group)
    # every variable begins at a cache line
    assert all(v.array.ctypes.data % 64 == 0 for v in group)


def test_assignment_keeps_a_variable_in_its_arena():
    group = variables((2,), (3,))
    (chunk,) = gather(group)
    group[1].assign([1.0, 2.0, 3.0])
    group[0].assign_add([5.0, 5.0])
    assert chunk.part(chunk.values, 1).tolist() == [1, 2, 3]
    assert chunk.part(chunk.values, 0).tolist() == [5, 5]


def test_a_part_of_an_arena_is_a_chunk_of_its_own():
    group = variables((2,), (3,), (4,))
    gather(group)
    chunks = gather([group[0], group[2]])
    assert [chunk.variables for chunk in chunks] == [[group[0]], [group[2]]]
    other = Variable(np.zeros(2, "float32"))
    assert len(gather([group[1], other])) == 2


def test_dtypes_get_arenas_of_their_own():
    group = variables((2,)) + variables((2,), dtype="float64")
    assert sorted(chunk.values.dtype.name for chunk in gather(group)) == ["float32", "float64"]


def test_the_first_gradient_is_written_and_the_next_are_added():
    group = variables((2,), (3,))
    chunks = gather(group)
    chunks[0].gradients[...] = np.nan
    sink = ArenaGradients(chunks)
    sink.begin()
    target = sink.target(group[0])
    target[...] = 1.0
    assert sink.target(group[0]) is None
    sink.add(group[0], np.array([2.0, 2.0], "float32"))
    assert sink.get(group[0]).tolist() == [3.0, 3.0]
    assert sink.get(group[1]) is None
    sink.begin()
    assert sink.get(group[0]) is None


def test_shapes_cannot_change():
    variable = Variable(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(3, 2\)"):
        variable.assign(np.zeros((3, 2)))


def test_a_callable_needs_a_shape():
    with pytest.raises(ValueError, match="shape"):
        Variable(lambda shape, dtype: np.zeros(shape, dtype))


def test_names_have_no_slash():
    with pytest.raises(ValueError, match="name"):
        Variable(np.zeros(2), name="a/b")


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))])
def test_copies_are_independent(copied):
    (variable,) = variables((2,))
    gather([variable])
    twin = copied(variable)
    twin.assign([9.0, 9.0])
    assert variable.numpy().tolist() == [0.0, 0.0]
    assert twin.path == variable.path


def test_default_seeds_follow_from_the_global_seed():
    rng.set_global_seed(7)
    first = [rng.make_default_seed() for _ in range(3)]
    rng.set_global_seed(7)
    assert [rng.make_default_seed() for _ in range(3)] == first
    assert len(set(first)) == 3
    rng.set_global_seed(None)


def test_the_seed_of_numpy_is_honoured_and_its_stream_not_advanced():
    rng.set_global_seed(None)
    np.random.seed(3)
    first = [rng.make_default_seed() for _ in range(2)]
    drawn = np.random.rand()
    np.random.seed(3)
    assert np.random.rand() == drawn
    np.random.seed(4)
    assert rng.make_default_seed() not in first


def test_a_random_stream_goes_on_where_its_state_says():
    generator = keras.random.SeedGenerator(5)
    draws = [generator.generator().random() for _ in range(3)]
    again = keras.random.SeedGenerator(5)
    again.state.assign(np.array([5, 1], "uint32"))
    assert again.generator().random() == draws[1]
    assert len(set(draws)) == 3

"""`keras.tree` against Keras."""

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minikeras

LEAVES = st.one_of(st.integers(-3, 3), st.none(), st.text("ab", max_size=2))
NESTED = st.recursive(
    LEAVES,
    lambda parts: st.one_of(
        st.lists(parts, max_size=3),
        st.lists(parts, max_size=3).map(tuple),
        st.dictionaries(st.sampled_from("cab"), parts, max_size=3),
    ),
    max_leaves=8,
)


def outcome(call):
    try:
        return "result", call()
    except (TypeError, ValueError):
        return ("error",)


def compare(name, *arguments, **options):
    ours, theirs = (
        outcome(lambda module=module: getattr(module.tree, name)(*arguments, **options))
        for module in (minikeras, keras)
    )
    assert ours == theirs


@given(NESTED)
def test_one_structure(structure):
    compare("is_nested", structure)
    compare("flatten", structure)
    compare("flatten_with_path", structure)
    compare("lists_to_tuples", structure)
    compare("map_structure", str, structure)
    compare("map_structure", str, structure, none_is_leaf=False)
    compare("map_shape_structure", repr, structure)
    compare("pack_sequence_as", structure, range(len(keras.tree.flatten(structure))))


@given(NESTED, NESTED)
def test_two_structures(a, b):
    compare("map_structure", lambda x, y: (x, y), a, b)
    compare("map_structure", lambda x, y: (x, y), a, a)
    compare("assert_same_structure", a, b)
    compare("assert_same_paths", a, b)
    if None not in keras.tree.flatten(a):  # which Keras refuses to take for a leaf here alone
        compare("map_structure_up_to", a, lambda x, y: [x, y], b, b)


@pytest.mark.parametrize("top_down", [True, False])
@given(structure=NESTED)
def test_traverse(top_down, structure):
    def replace(module):
        def change(x):
            if isinstance(x, int):
                return module.tree.MAP_TO_NONE if x == 0 else x + 1
            return tuple(x) if isinstance(x, list) and len(x) == 2 else None

        return change

    assert minikeras.tree.traverse(replace(minikeras), structure, top_down) == keras.tree.traverse(
        replace(keras), structure, top_down
    )

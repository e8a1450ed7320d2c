"""How much of Keras's public interface is there, and that `COVERAGE.md` says so."""

import functools

import api
import pytest

rows = functools.cache(api.rows)

# The share of names that are there with an equal signature, and compared. It may only grow.
SHARE = dict.fromkeys(api.MATTER, 0.97)


@pytest.mark.parametrize("space", api.MATTER)
def test_share_of_names(space):
    found = {
        name: state == "same" and bool(files)
        for name, state, _, files in rows()
        if api.namespace(name) == space
    }
    share = sum(found.values()) / len(found)
    assert share >= SHARE[space], [name for name, same in found.items() if not same]


def test_the_table_is_up_to_date():
    assert (api.HERE / "COVERAGE.md").read_text() == api.table(rows())


def test_reasons_are_for_names_that_exist():
    names = api.manifest()
    for prefix in (*api.NOT_OFFERED, *api.OTHER_SIGNATURE):
        assert any(name == prefix or name.startswith(prefix + ".") for name in names), prefix

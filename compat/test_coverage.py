"""How much of Keras's public interface is there, and that `COVERAGE.md` says so."""

from collections import Counter

import api
import pytest

# The share of names that are there with an equal signature. It may only grow.
SHARE = dict.fromkeys(api.MATTER, 0.97)


@pytest.mark.parametrize("space", api.MATTER)
def test_share_of_names(space):
    states = Counter(api.status(name)[0] for name in api.manifest() if api.namespace(name) == space)
    assert states["same"] / states.total() >= SHARE[space], states


def test_the_table_is_up_to_date():
    assert (api.HERE / "COVERAGE.md").read_text() == api.table(api.rows())


def test_reasons_are_for_names_that_exist():
    names = api.manifest()
    for prefix in (*api.NOT_OFFERED, *api.OTHER_SIGNATURE):
        assert any(name == prefix or name.startswith(prefix + ".") for name in names), prefix

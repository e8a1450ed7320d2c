"""Every public operation has a docstring whose example runs."""

import doctest

import pytest

from minikeras import ops

SPACES = {"ops": ops, "image": ops.image, "linalg": ops.linalg}
NAMES = sorted(
    (space, name)
    for space, module in SPACES.items()
    for name in getattr(module, "__all__", dir(module))
    if not name.startswith("_") and callable(getattr(module, name))
)


@pytest.mark.parametrize("space, name", NAMES)
def test_example(space, name):
    function = getattr(SPACES[space], name)
    assert function.__doc__, name
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    runner = doctest.DocTestRunner(optionflags=flags)
    for test in doctest.DocTestFinder(recurse=False).find(function, name, globs={}):
        runner.run(test, clear_globs=True)
    assert not runner.failures
    assert runner.tries, f"{name} has no example"

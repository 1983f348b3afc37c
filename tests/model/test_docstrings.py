"""The examples in the docstrings of the public layers."""

import doctest

import pytest

from lgn_tf.model import lgn_net, memory

pytestmark = pytest.mark.latest


@pytest.mark.parametrize(
    ("module", "name"),
    [(lgn_net, "LGNNet"), (memory, "PrototypeMemory")],
    ids=["LGNNet", "PrototypeMemory"],
)
def test_the_example_gives_what_it_shows(module, name):
    finder = doctest.DocTestFinder(recurse=False)
    (example,) = finder.find(getattr(module, name), name)
    found = doctest.DocTestRunner().run(example)
    assert found.attempted > 3 and found.failed == 0

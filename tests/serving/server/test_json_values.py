"""Values of a request become arrays, and are quoted where they do not."""

import numpy as np
import pytest

from lgn_serving.failure import Failure
from lgn_serving.protocols.json_values import text_of, to_array


def nested(value, depth):
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(("dtype", "value"), [("float32", 2.5), ("string", "")])
def test_ranks(dtype, value):
    assert to_array(nested(value, 31), dtype).ndim == 31
    for rank in (65, 254):
        with pytest.raises(Failure, match=f"rank {rank}: maximum supported"):
            to_array(nested(value, rank), dtype)
    with pytest.raises(Failure, match="at most 254 but got: 255"):
        to_array(nested(value, 255), dtype)


def test_a_value_is_quoted():
    assert text_of({"a": [1, "ä"]}) == (
        '{\n    "a": [\n        1,\n        "ä"\n    ]\n}'
    )


def test_a_long_value_is_cut_and_not_read_to_its_end():
    read = []

    class Noted(list):
        def __iter__(self):
            for element in super().__iter__():
                read.append(element)
                yield element

    text = text_of(Noted(range(100_000)))
    assert len(text) == 4096 + len("...")
    assert text.startswith("[\n    0,") and text.endswith("...")
    assert len(read) < 4096


def test_integers_keep_all_their_digits():
    found = to_array([2**63 - 1, -(2**63)], "int64")
    np.testing.assert_array_equal(found, [2**63 - 1, -(2**63)])

"""Archives of arrays: what is read, what is mapped, and what is refused."""

import numpy as np
import pytest

from lgn_tf.files import arrays, atomic
from tests.helpers import hostile_files

FOUND = {
    "a": np.arange(24, dtype="f4").reshape(2, 3, 4),
    "b": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "c": np.array(["x", "é"]),
    "d": np.array(3),
    "e": np.zeros((0, 4), "f4"),
}
READERS = (arrays.read_arrays, arrays.map_arrays)


@pytest.fixture(params=[True, False], ids=["compressed", "plain"])
def path(request, tmp_path):
    path = tmp_path / "a.npz"
    atomic.write_arrays(path, FOUND, compressed=request.param)
    return path


@pytest.mark.parametrize("read", READERS)
def test_what_is_written_comes_back(path, read):
    found = read(path)
    assert list(found) == list(FOUND)
    for name, array in FOUND.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_plain_arrays_stay_in_the_file(tmp_path):
    path = tmp_path / "a.npz"
    atomic.write_arrays(path, FOUND)
    assert not arrays.map_arrays(path)["a"].flags.owndata
    assert not arrays.map_arrays(path)["a"].flags.writeable


def test_arrays_of_numpy_itself(tmp_path):
    np.savez(tmp_path / "a.npz", **FOUND)
    for read in READERS:
        np.testing.assert_array_equal(read(tmp_path / "a.npz")["a"], FOUND["a"])


def test_headers_are_shown_first(path):
    def accept(headers):
        assert headers["a"].shape == (2, 3, 4)
        assert headers["b"].by_columns
        assert headers["c"].bytes == 8
        raise ValueError("another shape is wanted")

    for read in READERS:
        with pytest.raises(ValueError, match=r"^another shape is wanted$"):
            read(path, accept=accept)


def test_no_more_than_is_wanted(path):
    size = sum(array.nbytes for array in FOUND.values())
    assert arrays.read_arrays(path, most=size)
    with pytest.raises(
        ValueError, match=rf"{size} bytes, more than {size - 1}"
    ):
        arrays.read_arrays(path, most=size - 1)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    "damage", ["empty", "numbers", "cut", "array", "comment"]
)
def test_a_damaged_archive_is_named(path, damage, read):
    contents = bytearray(path.read_bytes())
    if damage == "empty":
        contents = b""
    elif damage == "numbers":
        contents[contents.index(b"\n") + 30] ^= 255
    elif damage == "cut":
        del contents[-50:]
    elif damage == "array":
        with path.open("wb") as file:
            np.save(file, FOUND["a"])
        contents = path.read_bytes()
    else:
        contents += b" "
    path.write_bytes(contents)
    with pytest.raises(ValueError, match=r"a\.npz: must be an \.npz archive"):
        read(path)


def test_a_missing_archive(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a\.npz"):
        arrays.read_arrays(tmp_path / "a.npz")


def test_a_long_list_of_members_is_not_read(tmp_path):
    path = tmp_path / "a.npz"
    hostile_files.many_members(path)
    with pytest.raises(ValueError, match=r"a list of members of 2,\d+,\d+ b"):
        arrays.read_arrays(path)

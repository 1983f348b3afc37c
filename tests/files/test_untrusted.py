"""Files that are none, files that are too large, and text for a terminal."""

import re

import pytest

from lgn_tf.files import untrusted
from tests.helpers import hostile_files


@pytest.mark.parametrize("make", hostile_files.NO_FILES)
def test_what_is_no_file_is_not_opened(tmp_path, make):
    path = tmp_path / "a"
    make(path)
    with pytest.raises((ValueError, OSError), match=re.escape(str(path))):
        untrusted.opened(path)


def test_a_link_to_a_file_is_one(tmp_path):
    (tmp_path / "a").write_bytes(b"text")
    (tmp_path / "b").symlink_to("a")
    assert untrusted.read_bytes(tmp_path / "b", 4) == b"text"


def test_a_larger_file_is_not_read(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(1001))
    with pytest.raises(ValueError, match=r"at most 1,000 b.* there: 1,001"):
        untrusted.read_bytes(path, 1000)
    assert len(untrusted.read_bytes(path, 1001)) == 1001


def test_text_is_utf_8(tmp_path):
    path = tmp_path / "a"
    path.write_bytes("é".encode())
    assert untrusted.read_text(path, 9) == "é"
    path.write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"a: must be text in UTF-8"):
        untrusted.read_text(path, 9)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("runs/Ärger 1: found [x]", "runs/Ärger 1: found [x]"),
        ("one\n  two\r\nthree\n", "one two three"),
        ("a\x1b[2Jb\x07\t", r"a\x1b[2Jb\x07"),
        ("a\udcffb", r"a\udcffb"),
        ("a\u202eb\u2028c", r"a\u202eb\u2028c"),
    ],
)
def test_one_line(text, line):
    assert untrusted.one_line(text) == line


@pytest.mark.parametrize("number", [1e13, -1e13, float("nan"), 10**400])
def test_numbers_that_nothing_measures(number):
    untrusted.require_moderate({"a": [1, 2.5, None, "x", (1e12,)]})
    with pytest.raises(ValueError, match="beyond 1e"):
        untrusted.require_moderate({"a": [1, {"b": (number,)}]})

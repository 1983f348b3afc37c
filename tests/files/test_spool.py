"""Rows in memory and in a file."""

import errno
import tempfile

import numpy as np
import pytest

from lgn_tf.files import spool


@pytest.mark.parametrize("limit", [0, 100, 10_000])
def test_all_rows_come_back_in_order(limit):
    drawn = np.random.default_rng(0).standard_normal((11, 3, 2), np.float32)
    held = spool.Spool(limit)
    for start in range(0, 11, 4):
        # Not contiguous, as a column of a larger array is.
        held.append(np.repeat(drawn[start : start + 4], 2, axis=2)[..., ::2])
    found = held.array()
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, drawn)


def test_what_is_large_leaves_memory():
    held = spool.Spool(limit=1 << 20)
    for _ in range(20):
        held.append(np.ones((1, 1 << 18), np.float32))  # 1 MiB
        assert sum(rows.nbytes for rows in held._held) <= 1 << 20
    assert held.array().sum() == 20 << 18


def test_rows_stay_when_the_spool_is_gone():
    held = spool.Spool(limit=0)
    held.append(np.arange(5.0))
    found = held.array()
    del held
    np.testing.assert_array_equal(found, np.arange(5.0))


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    held = spool.Spool(limit=0)
    held.append(np.arange(5.0))
    assert not list(tmp_path.iterdir())


def test_a_full_disk_names_the_folder(tmp_path, monkeypatch):
    class Full:
        def close(self):
            pass

        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Full())
    with pytest.raises(OSError, match=str(tmp_path)):
        spool.Spool(limit=0).append(np.arange(5.0))


def test_an_empty_spool_is_refused():
    with pytest.raises(ValueError, match="must hold rows"):
        spool.Spool().array()

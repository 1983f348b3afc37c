"""Files of calibrations: written, read, outdated and damaged."""

import errno
import os

import numpy as np
import pytest

from lgn_tf.scores.calibration import WEIGHTS, Calibration
from lgn_tf.scores.calibration_files import OutdatedError
from tests.scores.normal_clips import BOTH, VIDEOS, fitted, video


@pytest.mark.parametrize("memory", [True, False])
def test_save_and_load(tmp_path, memory):
    videos = [video("é 1", 9, 1, memory), video("b", 5, 2, memory)]
    moved = [np.ones((9, 3, 4), "f4"), np.ones((5, 3, 4), "f4")]
    one = fitted(videos, in_sample=memory, motion=moved if memory else None)
    path = tmp_path / "calibration.npz"
    one.save(path)
    again = Calibration.load(path)
    assert again.weights == WEIGHTS
    again = Calibration.load(path, BOTH)
    assert again.weights == BOTH
    assert (again.names, again.lengths) == (one.names, one.lengths)
    assert again.in_sample == one.in_sample
    for ours, theirs in (
        (one.cues, again.cues),
        (one.quantiles, again.quantiles),
        (one.scales, again.scales),
    ):
        assert list(ours) == list(theirs)
        for name, values in ours.items():
            assert values.dtype == theirs[name].dtype
            np.testing.assert_array_equal(values, theirs[name])


def test_a_full_disk_leaves_the_old_calibration(tmp_path, monkeypatch):
    path = tmp_path / "calibration.npz"
    fitted().save(path)
    before = path.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        fitted(VIDEOS[:1]).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("damage", ["text", "cut", "other", "format"])
def test_load_names_a_file_that_is_none(tmp_path, damage):
    path = tmp_path / "calibration.npz"
    fitted().save(path)
    if damage == "text":
        path.write_text("none")
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:200])
    elif damage == "other":
        np.savez(path, values=np.zeros(2))
    else:
        with np.load(path) as archive:
            found = {name: archive[name] for name in archive.files}
        np.savez(path, **(found | {"format": 99}))
    with pytest.raises(ValueError, match=r"calibration\.npz: must be a"):
        Calibration.load(path)


def test_load_knows_a_file_of_an_older_version(tmp_path):
    path = tmp_path / "calibration.npz"
    np.savez(path, format=2, knots=np.zeros(3))
    with pytest.raises(OutdatedError, match="measures it again"):
        Calibration.load(path)


def test_load_names_a_file_that_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="no calibration there"):
        Calibration.load(tmp_path / "calibration.npz")

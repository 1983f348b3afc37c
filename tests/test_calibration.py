"""The fit of the online score, on arrays that can be checked by hand."""

import dataclasses
import errno
import os

import numpy as np
import pytest

from lgn_tf import calibration, grids
from lgn_tf.measures import VideoScores

SIZE = (40, 24)
"""Small enough for error maps of full size; a grid of 5 x 3 cells."""


def video(name, frames, seed, memory=True, **replaced):
    random = np.random.default_rng(seed)
    distances = random.gamma(2.0, 1e-3, (frames, 5, 3)).astype(np.float32)
    values = {
        "name": name,
        "first": 4,
        "psnr": random.normal(30, 2, frames),
        "distance": distances.mean(axis=(1, 2)) if memory else None,
        "regular_score": random.random(frames),
        "updated": np.zeros(frames, bool),
        "online": None,
        "error_map": random.gamma(2.0, 1e-2, (frames, *SIZE)),
        "distance_map": distances if memory else None,
    }
    return VideoScores(**(values | replaced))


VIDEOS = [video("a", 30, 1), video("b", 21, 2), video("c", 40, 3)]


def fitted(videos=VIDEOS, in_sample=False):
    return calibration.fit(videos, SIZE, in_sample=in_sample)


def arrays(one):
    error, distance, *rest = one.statistics
    return [*error, *distance, *rest, *one.quantiles.values()]


def boxed(videos, kind):
    if kind == "error":
        maps = [grids.pooled(one.error_map, 8) for one in videos]
        return [grids.filtered(m, grids.ERROR_SHARE) for m in maps]
    maps = [one.distance_map for one in videos]
    return [grids.filtered(m, grids.DISTANCE_SHARE) for m in maps]


def evidence_of(kind):
    """Each clip against the others, in deviations from what is usual."""
    maps = [one.astype(np.float64) for one in boxed(VIDEOS, kind)]
    found = []
    for place in range(len(maps)):
        rest = np.concatenate(maps[:place] + maps[place + 1 :])
        scale = rest.std(axis=0) + rest.std(axis=0).mean()
        z = (maps[place] - rest.mean(axis=0)) / scale
        found.append(z.max(axis=(1, 2)))
    return np.concatenate(found)


def spread(evidence):
    return np.quantile(evidence, 0.95) - np.median(evidence)


def test_no_map_drowns_the_other():
    """A map that is more unusual on normal video counts no more."""
    louder = [
        dataclasses.replace(one, error_map=one.error_map**3) for one in VIDEOS
    ]
    found = fitted(louder).statistics
    for videos, kind in ((louder, "error"), (louder, "distance")):
        places = getattr(found, kind)
        z = [(m - places.mean) / places.scale for m in boxed(videos, kind)]
        evidence = np.concatenate([one.max(axis=(1, 2)) for one in z])
        assert spread(evidence) == pytest.approx(1, abs=0.35)


@pytest.mark.parametrize("kind", ["error", "distance"])
def test_mean_and_scale_of_each_place(kind):
    maps = np.concatenate(boxed(VIDEOS, kind)).astype(np.float64)
    found = getattr(fitted().statistics, kind)
    np.testing.assert_allclose(found.mean, maps.mean(axis=0), rtol=1e-6)
    deviation = maps.std(axis=0)
    scale = (deviation + deviation.mean()) * spread(evidence_of(kind))
    np.testing.assert_allclose(found.scale, scale, rtol=1e-5)


def test_other_clips_help_to_say_what_is_usual():
    maps = np.concatenate(boxed(VIDEOS, "error")).astype(np.float64)
    found = calibration.fit(
        VIDEOS[:1], SIZE, in_sample=False, others=VIDEOS[1:]
    )
    np.testing.assert_allclose(
        found.statistics.error.mean, maps.mean(axis=0), rtol=1e-6
    )
    # And have no part in the distributions.
    assert (found.names, found.frames) == (("a",), 30)
    assert found.quantile("psnr", 1) == VIDEOS[0].psnr.max()


def test_evidence_of_a_clip_compares_it_with_the_others():
    expected = 0.0
    for kind in ("error", "distance"):
        evidence = evidence_of(kind)
        expected = expected + evidence / spread(evidence)
    expected = np.sort(expected)
    found = fitted()
    assert found.quantile("evidence", 0) == pytest.approx(expected[0], rel=1e-4)
    assert found.quantile("evidence", 0.5) == pytest.approx(
        np.median(expected), rel=1e-4
    )
    # So that of the frames in hand as many are above each knot as are said.
    for level, knot in zip(*found.statistics[2:4], strict=True):
        assert np.mean(expected < knot) == pytest.approx(level, abs=0.02)


def test_quantiles_are_those_of_all_frames():
    psnr = np.concatenate([one.psnr for one in VIDEOS])
    found = fitted()
    assert found.frames == 91
    assert found.quantile("psnr", 0) == psnr.min()
    assert found.quantile("psnr", 1) == psnr.max()
    np.testing.assert_allclose(
        found.quantile("psnr", 0.503), np.quantile(psnr, 0.503), rtol=1e-2
    )
    regular = np.concatenate([one.regular_score for one in VIDEOS])
    gamma = found.update_threshold(0.9)
    assert np.mean(regular < gamma) == pytest.approx(0.9, abs=0.02)


def test_knots_rise_and_levels_stay_within():
    levels, knots = fitted().statistics.levels, fitted().statistics.knots
    assert np.all(np.diff(knots) > 0) and np.all(np.diff(levels) > 0)
    assert 0 < levels[0] < levels[-1] < 1


def test_places_of_a_map_that_never_changes():
    still = video("still", 9, 1, error_map=np.full((9, *SIZE), 0.02))
    found = fitted([still]).statistics.error
    np.testing.assert_allclose(found.scale, 0.02 * 1e-2, rtol=1e-5)
    black = video("black", 9, 1, error_map=np.zeros((9, *SIZE)))
    assert np.all(fitted([black]).statistics.error.scale > 0)


def test_without_memory_the_error_alone():
    found = fitted([video("a", 30, 1, memory=False)])
    assert found.statistics.distance == ()
    assert set(found.quantiles) == {"psnr", "regular_score", "evidence"}


def test_save_and_load(tmp_path):
    for name, videos in (
        ("with", VIDEOS),
        ("without", [video("é 1", 9, 1, memory=False)]),
    ):
        one = fitted(videos, in_sample=name == "with")
        path = tmp_path / f"{name}.npz"
        one.save(path)
        again = calibration.load(path)
        assert (again.names, again.frames) == (one.names, one.frames)
        assert again.in_sample == one.in_sample
        assert list(again.quantiles) == list(one.quantiles)
        for ours, theirs in zip(arrays(one), arrays(again), strict=True):
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)


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
        calibration.load(path)


def test_load_names_a_file_that_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="no calibration there"):
        calibration.load(tmp_path / "calibration.npz")


def test_fit_needs_frames():
    with pytest.raises(ValueError, match="must hold scored frames"):
        fitted([])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("loss", 0.5), "`measure` must be one of"),
        (("psnr", 1.5), "`level` must lie in"),
    ],
)
def test_quantile_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        fitted().quantile(*arguments)

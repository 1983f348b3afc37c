"""Maps against masks."""

import dataclasses
import re

import numpy as np
import pytest

from lgn_tf.evaluation import pixel_level, regions, roc, tracks
from lgn_tf.scores import video_scores
from tests.helpers.drawn_scores import draw

LABELS = np.zeros(30, np.uint8)
LABELS[10:20] = 1


def masks_of(name, height=24, width=40):
    """A square that walks while the video is abnormal."""
    masks = np.zeros((30, height, width), bool)
    if name != "03":
        for k in np.flatnonzero(LABELS):
            masks[k, 3:11, k : k + 7] = True
    return masks


VIDEOS = [draw(name, LABELS) for name in ("01", "02", "03")]


def enlarged(maps, height, width):
    """Each cell becomes a block of pixels; sizes divide."""
    rows, columns = height // maps.shape[1], width // maps.shape[2]
    return maps.repeat(rows, axis=1).repeat(columns, axis=2)


def test_the_pixel_area_is_that_of_the_enlarged_map():
    """Sizes that divide: every pixel is counted, on 24 x 48 for 8 x 16."""
    result = pixel_level.evaluate_maps(VIDEOS, lambda n: masks_of(n, 24, 48))
    for name, attribute in pixel_level.MAPS.items():
        pixels = [
            enlarged(getattr(video, attribute), 24, 48) for video in VIDEOS
        ]
        wanted = [masks_of(video.name, 24, 48)[4:] for video in VIDEOS]
        exact = roc.area(
            np.concatenate(wanted).ravel(), np.concatenate(pixels).ravel()
        )
        assert result.maps[name].pixel_auc == pytest.approx(exact, abs=1e-4)


def test_a_map_that_is_the_mask_is_perfect():
    # The online map is half as large as the error map, 4 x 8 on 24 x 40.
    videos = [
        dataclasses.replace(
            video,
            error_map=1e-3 * masks_of(video.name)[4:],
            online_map=-1.0 * masks_of(video.name)[4:],
        )
        for video in VIDEOS
    ]
    result = pixel_level.evaluate_maps(videos, masks_of)
    error, online = result.maps["error"], result.maps["online"]
    assert (error.pixel_auc, error.rbdc, error.tbdc) == (1, 1, 1)
    assert error.region_curve.y[-1] == error.track_curve.y[-1] == 1
    assert (online.pixel_auc, online.rbdc) == (0, 0)
    assert (result.regions, result.tracks) == (20, 2)


def test_regions_and_tracks_are_those_of_the_maps():
    result = pixel_level.evaluate_maps(VIDEOS, masks_of)
    for name, size in (("error", (8, 16)), ("online", (4, 8))):
        maps = [getattr(v, pixel_level.MAPS[name]) for v in VIDEOS]
        ground_truth = [
            tracks.on_grid(tracks.find_tracks(masks_of(v.name)[4:]), size)
            for v in VIDEOS
        ]
        expected = regions.evaluate_regions(maps, ground_truth)
        found = result.maps[name]
        assert (found.rbdc, found.tbdc) == (expected.rbdc, expected.tbdc)
        assert found.region_curve == expected.region_curve


def test_videos_without_masks_are_left_out(tmp_path):
    for video in VIDEOS:
        video_scores.write_scores(video, tmp_path)
    folder = video_scores.ScoreFolder(tmp_path)
    given = {"01": masks_of("01"), "03": masks_of("03")}
    some = pixel_level.evaluate_maps(folder, given.get)
    assert some == pixel_level.evaluate_maps([VIDEOS[0], VIDEOS[2]], masks_of)
    assert (some.regions, some.tracks) == (10, 1)
    none = pixel_level.evaluate_maps(folder, lambda _: None)
    assert (none.maps, none.regions, none.tracks) == ({}, 0, 0)


def test_masks_of_nothing():
    result = pixel_level.evaluate_maps(
        VIDEOS, lambda _: np.zeros((30, 4, 4), bool)
    )
    for found in result.maps.values():
        assert (found.pixel_auc, found.rbdc, found.tbdc) == (None, None, None)


def test_a_map_that_some_videos_lack():
    videos = [*VIDEOS[:2], draw("03", LABELS, online=False)]
    result = pixel_level.evaluate_maps(videos, masks_of)
    assert list(result.maps) == ["error"]


@pytest.mark.parametrize("shape", [(26, 4, 4), (30, 4), (30, 0, 4)])
def test_masks_that_do_not_fit(shape):
    message = re.escape(
        "01: masks must be (frames, height, width) of the 30 frames of the "
        f"video. Received: {shape}"
    )
    with pytest.raises(ValueError, match=message):
        pixel_level.evaluate_maps(VIDEOS, lambda _: np.zeros(shape, bool))

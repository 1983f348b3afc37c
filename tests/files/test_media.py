"""Pictures and videos of more pixels than are decoded."""

import numpy as np
import pytest

from lgn_client import footage as client_footage
from lgn_tf.data.datasets import masks
from lgn_tf.data.datasets.dataset import Video
from lgn_tf.data.video import decoding, footage
from lgn_tf.files import media
from tests.soak import damage


# Beyond our bound, beyond OpenCV's own, and beyond its longest side.
@pytest.mark.parametrize("side", [8193, 60_000, 1_100_000])
def test_a_small_file_of_a_large_picture_is_refused(tmp_path, side):
    path = tmp_path / "1.png"
    damage.wide_picture(path, side)
    words = r"1\.png: a frame must have at most 67,108,864 pixels"
    if side > 1_000_000:
        # The library for PNG refuses it first.
        words = r"1\.png: (a frame must have|not a readable)"
    with pytest.raises(ValueError, match=words) as caught:
        decoding.decode(path.read_bytes(), str(path))
    assert decoding.unreadable_in(
        ValueError(f"ValueError: {caught.value}")
    ) == str(caught.value)
    with pytest.raises(ValueError, match=words):
        masks.read_masks(Video("v", "test", tmp_path, mask=tmp_path))
    with pytest.raises(ValueError, match=r"1\.png: .* too large"):
        client_footage.decode_picture(path)


def test_the_bound_of_the_environment_holds(tmp_path, monkeypatch):
    path = tmp_path / "v.avi"
    media.write_video(path, np.zeros((3, 32, 64, 3), np.uint8))
    assert len(list(footage.read_video(path))) == 3
    monkeypatch.setenv("OPENCV_IO_MAX_IMAGE_PIXELS", "2047")
    with pytest.raises(ValueError, match=r"v\.avi: .* at most 2,047 pixels"):
        list(footage.read_video(path))
    for read in (client_footage.decoded, client_footage.open_footage):
        with pytest.raises(ValueError, match=r"v\.avi: .* too large"):
            read(path)
    monkeypatch.setenv("OPENCV_IO_MAX_IMAGE_PIXELS", "as many as you like")
    assert len(list(footage.read_video(path))) == 3
    assert len(list(client_footage.decoded(path))) == 3

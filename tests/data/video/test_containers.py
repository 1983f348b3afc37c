"""A clip that hides frames is whole; a file that lacks bytes is not."""

import numpy as np
import pytest

from lgn_tf.data.datasets.dataset import Video
from lgn_tf.data.video import containers, footage
from lgn_tf.files import media


def box(kind, contents=b"", length=None):
    length = 8 + len(contents) if length is None else length
    return length.to_bytes(4) + kind + contents


def long_box(kind, contents):
    return (1).to_bytes(4) + kind + (16 + len(contents)).to_bytes(8) + contents


WHOLE = box(b"ftyp", b"isom") + box(b"moov", bytes(90))


@pytest.mark.parametrize("suffix", ["mp4", "MOV", "m4v"])
@pytest.mark.parametrize(
    ("contents", "cut"),
    [
        (WHOLE + box(b"mdat", bytes(900)), False),
        (WHOLE + box(b"mdat", bytes(900))[:-1], True),
        (WHOLE + long_box(b"mdat", bytes(900)), False),
        (WHOLE + long_box(b"mdat", bytes(900))[:-1], True),
        # Of no length: it reaches to the end of the file.
        (WHOLE + box(b"mdat", bytes(900), length=0), False),
        (WHOLE + box(b"mdat", bytes(900)) + b"junk", False),
    ],
)
def test_boxes_that_end_behind_the_file(tmp_path, suffix, contents, cut):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(contents)
    assert containers.is_cut_short(path, 100, 99) is cut
    # What could be decoded is what matters, where nothing is missing.
    assert not containers.is_cut_short(path, 100, 100)


def test_few_frames_of_an_mp4_may_be_hidden(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(WHOLE)
    assert not containers.is_cut_short(path, 540, 535)
    assert not containers.is_cut_short(path, 100, 95)
    assert containers.is_cut_short(path, 100, 94)


def test_an_avi_hides_none_and_others_only_estimate(tmp_path):
    assert containers.is_cut_short(tmp_path / "a.avi", 100, 99)
    assert not containers.is_cut_short(tmp_path / "a.avi", 100, 100)
    assert not containers.is_cut_short(tmp_path / "a.mkv", 100, 9)


def test_an_mp4_that_hides_its_first_frames_is_read(tmp_path):
    """As a clip does that was cut out of a longer video between key frames."""
    path = tmp_path / "a.mp4"
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (60, 32, 32, 3), dtype=np.uint8)
    media.write_video(path, frames, "mp4v")
    contents = path.read_bytes()
    place = contents.index(b"elst")
    assert len(list(footage.read_video(path))) == 60
    # Version, flags, number; duration; then the time at which it begins.
    start = place + 4 + 8 + 4
    scale = contents.index(b"mdhd") + 4 + 4 + 8
    ticks = int.from_bytes(contents[scale : scale + 4])
    hidden = (2 * ticks // 25).to_bytes(4)
    path.write_bytes(contents[:start] + hidden + contents[start + 4 :])
    assert len(list(footage.read_video(path))) == 58


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXTINF:1,\nfile://{other}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {other}\n",
        "v=0\n",
        "",
    ],
)
@pytest.mark.parametrize("suffix", [".avi", ".mp4", ".mkv", ".mpg"])
def test_a_list_of_videos_is_no_video(tmp_path, text, suffix):
    other = tmp_path / "other.avi"
    media.write_video(other, np.zeros((9, 16, 24, 3), np.uint8))
    path = tmp_path / f"list{suffix}"
    path.write_text(text.format(other=other))
    with pytest.raises(ValueError, match=rf"list\{suffix}: not a readable vi"):
        list(footage.read_video(path))
    assert footage.promised_frames(Video("a", "test", path)) == 0
    assert len(list(footage.read_video(other))) == 9

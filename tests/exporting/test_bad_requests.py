"""Requests that cannot be answered, or not in full."""

import re

import cv2
import numpy as np
import pytest

from lgn_serving.failure import Failure
from tests.exporting.expected import (
    CLOSE,
    Expected,
    colourful,
    decode,
    encode,
)


def test_memory_that_is_no_number(served):
    frames = colourful(2, 5, 20, 30)
    items = np.zeros((2, 4, 32), np.float32)
    items[0, 1, 2] = np.nan
    found = served.run(
        "score_with_memory",
        {"frames": frames, "items": items, "gamma": np.float32([1, np.nan])},
    )
    np.testing.assert_array_equal(found["valid"], [False, False])
    for name in set(found) - {"valid"}:
        assert np.isfinite(found[name]).all(), name


def bomb(suffix):
    """Returns a small file whose header promises a large picture."""
    contents = bytearray(encode(colourful(1, 1, 16, 16), suffix).item())
    if suffix == ".png":
        contents[16:24] = (100_000).to_bytes(4, "big") * 2
    else:
        place = contents.index(b"\xff\xc0")
        contents[place + 5 : place + 9] = (60_000).to_bytes(2, "big") * 2
    return bytes(contents)


def disguised():
    """Returns a large JPEG with the size 20 x 30 inside a text.

    It stands where a reader arrives that takes a length from behind a marker
    that has none.
    """
    large = np.zeros((4097, 4097, 3), np.uint8)
    contents = cv2.imencode(".jpg", large)[1].tobytes()
    size = bytes.fromhex("ffc0 0011 08 0014 001e 03")
    # The marker FF E1, read as a length, counts itself and the length as well.
    text = b"t" * (0xFFE1 - 4) + size
    length = (len(text) + 2).to_bytes(2, "big")
    return b"\xff\xd8\xff\xd0\xff\xe1" + length + text + contents[2:]


WHOLE = encode(colourful(1, 1, 20, 30), ".jpg").item()
BAD = {
    "empty": b"",
    "text": b"no picture",
    "cut short": WHOLE[: len(WHOLE) // 2],
    "magic bytes alone": b"\xff\xd8\xff",
    "no end of segments": b"\xff\xd8" + b"\xff" * 500,
    "broken tables": WHOLE.replace(b"\xff\xc4", b"\xff\xc4\x00", 1),
    "PNG bomb": bomb(".png"),
    "JPEG bomb": bomb(".jpg"),
    "JPEG bomb in disguise": disguised(),
    "PNG header alone": bomb(".png")[:30],
    "gif": b"GIF89a" + b"\x01" * 30,
    "another size": encode(colourful(1, 1, 24, 30), ".jpg").item(),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("place", [0, 3, 4])
def test_a_bad_picture_harms_only_its_row(served, exported_run, name, place):
    frames = colourful(3, 5, 20, 30)
    files = encode(frames, ".jpg")
    expected = Expected(exported_run, decode(files)).measures
    files[1, place] = BAD[name]
    found = served.run("score_encoded", {"encoded_frames": files})
    np.testing.assert_array_equal(found["valid"], [True, False, True])
    for key in set(found) - {"valid"}:
        assert np.isfinite(found[key]).all(), key
        np.testing.assert_allclose(found[key][::2], expected[key][::2], **CLOSE)


def test_a_batch_of_nothing_but_bad_pictures(served):
    files = np.full((2, 5), b"", object)
    found = served.run("predict_encoded", {"encoded_frames": files})
    assert not found["valid"].any()


def test_a_bad_picture_in_a_video_harms_only_its_windows(served):
    files = encode(colourful(1, 14, 20, 30), ".png")
    for place in (0, 6):
        broken = files.copy()
        broken[0, place] = b""
        inputs = {"encoded_frames": broken}
        valid = served.run("score_video_encoded", inputs)["valid"][0]
        wanted = [not start <= place <= start + 4 for start in range(10)]
        np.testing.assert_array_equal(valid, wanted)


FRAMES = colourful(2, 5, 16, 24)
FILES = np.full((2, 5), WHOLE, object)
ITEMS = np.zeros((2, 4, 32), np.float32)
GAMMA = np.zeros(2, np.float32)


def other_rank(shape, rank):
    found, wanted = ",".join(map(str, shape)), ",".join("?" * rank)
    text = f"[{found}] is not compatible with expected shape [{wanted}]."
    return re.escape(text)


@pytest.mark.parametrize(
    ("name", "inputs", "text"),
    [
        ("", {"frames": FRAMES[:, :4]}, "a row must have 5 frames"),
        ("", {"frames": FRAMES[:, [0, *range(5)]]}, "a row must have 5 frames"),
        ("", {"frames": FRAMES[..., :1]}, "frames must have 3 channels"),
        ("", {"frames": FRAMES[:, :, :0]}, "frames must not be empty"),
        ("", {"frames": FRAMES[0]}, other_rank([5, 16, 24, 3], 5)),
        (
            "",
            {"frames": FRAMES[..., None]},
            other_rank([2, 5, 16, 24, 3, 1], 5),
        ),
        (
            "score_encoded",
            {"encoded_frames": FILES[..., None]},
            other_rank([2, 5, 1], 2),
        ),
        ("score_encoded", {"encoded_frames": FILES[0]}, other_rank([5], 2)),
        (
            "score_video_encoded",
            {"encoded_frames": FILES[..., None]},
            other_rank([2, 5, 1], 2),
        ),
        (
            "score_with_memory",
            {"frames": FRAMES, "items": ITEMS, "gamma": GAMMA[:, None]},
            other_rank([2, 1], 1),
        ),
        (
            "score_with_memory",
            {"frames": FRAMES, "items": ITEMS, "gamma": GAMMA[0]},
            other_rank([], 1),
        ),
        (
            "score_encoded",
            {"encoded_frames": FILES[:, :4]},
            "a row must have 5 frames",
        ),
        (
            "score_video",
            {"frames": FRAMES[:, :4]},
            "a video must have 5 to 256 frames",
        ),
        (
            "score_video",
            {"frames": np.zeros((1, 257, 2, 2, 3), np.uint8)},
            "a video must have 5 to 256 frames",
        ),
        (
            "score_with_memory",
            {"frames": FRAMES, "items": ITEMS[:, :3], "gamma": GAMMA},
            r"\[2,3,32\] is not compatible with expected shape \[\?,4,32\]",
        ),
        (
            "score_with_memory",
            {"frames": FRAMES, "items": ITEMS[:1], "gamma": GAMMA},
            "frames and items must have as many rows",
        ),
        (
            "score_with_memory",
            {"frames": FRAMES, "items": ITEMS, "gamma": GAMMA[:1]},
            "gamma must be one a row",
        ),
    ],
)
def test_inputs_of_another_shape(served, name, inputs, text):
    with pytest.raises(Failure, match=text) as caught:
        served.run(name, inputs)
    assert caught.value.http_status == 400

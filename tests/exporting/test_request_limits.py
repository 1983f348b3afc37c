"""An exported graph refuses requests that are too large, by itself."""

import json
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf

from lgn_serving.failure import Failure
from lgn_tf.exporting import memory_cost, model_card, request_limits
from lgn_tf.exporting.intake import Intake
from lgn_tf.exporting.request_limits import RequestLimits
from tests.exporting.expected import colourful, encode


def blank(height, width):
    """Returns a PNG file of a size, whose pixels take almost no bytes."""

    def chunk(kind, contents):
        body = kind + contents
        return (
            struct.pack(">I", len(contents))
            + body
            + struct.pack(">I", zlib.crc32(body))
        )

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((1 + (width + 7) // 8) * height), 9)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", rows)
        + chunk(b"IEND", b"")
    )


FILE = encode(colourful(1, 1, 8, 8), ".png").item()
LARGE = blank(4096, 4096)


def refused(served, name, inputs, text):
    with pytest.raises(Failure) as caught:
        served.run(name, inputs)
    assert caught.value.code == "INVALID_ARGUMENT"
    assert text in caught.value.message


@pytest.mark.parametrize(
    ("name", "frames", "text"),
    [
        (
            "serving_default",
            np.zeros((65, 5, 1, 1, 3), np.uint8),
            "a request must have at most 64 rows",
        ),
        (
            "score_encoded",
            np.full((65, 5), FILE, object),
            "a request must have at most 64 rows",
        ),
        (
            "score_video",
            np.zeros((4, 81, 1, 1, 3), np.uint8),
            "all videos of a request must have at most 320 frames together",
        ),
        (
            "score_video_encoded",
            np.full((4, 81), FILE, object),
            "all videos of a request must have at most 320 frames together",
        ),
        (
            "score_encoded",
            # 42 pictures have 705 million pixels.
            np.full((9, 5), LARGE, object),
            "must have at most 700000000 pixels together",
        ),
        (
            "score_video_encoded",
            np.full((1, 42), LARGE, object),
            "must have at most 700000000 pixels together",
        ),
    ],
)
def test_a_request_that_is_too_large(served, name, frames, text):
    key = "encoded_frames" if frames.dtype == object else "frames"
    refused(served, name, {key: frames}, text)


@pytest.mark.parametrize(("pixels", "fits"), [(320, True), (319, False)])
def test_pixels_of_raw_frames(exported_run, pixels, fits):
    intake = Intake(exported_run[2], RequestLimits(pixels=pixels))
    prepare = tf.function(intake.from_raw, autograph=False)
    frames = tf.zeros((1, 5, 8, 8, 3), tf.uint8)
    if fits:
        assert prepare(frames)[0].shape == (1, 5, 16, 24, 3)
        return
    with pytest.raises(tf.errors.InvalidArgumentError, match="319 pixels"):
        prepare(frames)


def test_pictures_that_are_never_decoded_have_no_pixels(served):
    files = np.full((64, 5), blank(4097, 4097), object)
    found = served.run("score_encoded", {"encoded_frames": files})
    assert not found["valid"].any()


def test_eight_merged_rows_are_never_refused():
    pixels = 8 * 5 * 4096**2
    assert pixels <= request_limits.MAX_PIXELS_M * 10**6


def test_a_video_of_full_hd_is_allowed():
    assert 256 * 1920 * 1080 <= RequestLimits().pixels
    assert RequestLimits().frames(5) == 320
    assert RequestLimits(video_frames=500).frames(5) == 500


def test_the_card_says_what_a_request_needs(exported):
    extra = exported.path / "assets.extra"
    card = json.loads((extra / model_card.JSON).read_text())
    assert card["limits"] == {
        "video_frames": 256,
        "rows": 64,
        "pixels": 700_000_000,
    }
    names = {each["name"] for each in card["endpoints"]}
    assert set(card["memory"]) == names
    window, video = (
        card["memory"][name] for name in ("score_encoded", "score_video")
    )
    assert window["frames"] == "encoded_frames" and video["row"] == 0
    # A frame of 16 x 24 x 3.
    assert window["row"] >= 5 * 5 * 16 * 24 * 3
    assert window["frame"] == video["frame"] == 16 * 16 * 24 * 3
    text = (extra / model_card.TEXT).read_text()
    assert f"| `score_encoded` | {window['request']} | {window['row']}" in text
    assert "| most rows of a request | 64 |" in text


def test_the_most_bytes_at_a_time():
    from tensorflow.core.framework import step_stats_pb2

    stats = step_stats_pb2.StepStats()
    memory = stats.dev_stats.add().node_stats.add().memory.add()
    for when, size in ((3, 7), (1, 10), (2, -10), (4, 5), (5, -12)):
        memory.allocation_records.add(alloc_micros=when, alloc_bytes=size)
    assert memory_cost._peak(stats) == 12
    assert memory_cost._peak(step_stats_pb2.StepStats()) == 0

"""What requests are charged with, and the headers that it is read from."""

import json
import random

import numpy as np
import pytest
import tensorflow as tf

from lgn_serving import costs
from lgn_serving.costs import Cost, Memory
from lgn_serving.picture_headers import picture_size
from lgn_tf.data.video import untrusted_images
from tests.exporting.expected import colourful, encode
from tests.exporting.test_bad_requests import BAD
from tests.serving.server.test_bad_pictures import mutated

MEMORY = Memory(
    frames="x", request=1000, row=100, frame=10, pixel=2, line=3, side=64
)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_headers_are_read_as_the_graph_reads_them(suffix):
    graph = tf.function(untrusted_images.picture_size).get_concrete_function(
        tf.TensorSpec((), tf.string)
    )
    rng = random.Random(0)
    whole = encode(colourful(1, 1, 20, 30), suffix).item()
    files = [*BAD.values(), whole, b"\xff\xd8" + b"\xff" * 1000]
    files += [mutated(rng, whole) for _ in range(200)]
    sizes = set()
    for contents in files:
        found, expected = picture_size(contents), graph(tf.constant(contents))
        if max(found) < 2**16:
            assert found == tuple(expected.numpy()), contents
        else:
            # The graph has no larger numbers.
            assert max(expected.numpy()) >= 2**16
        sizes.add(found)
    assert (20, 30) in sizes and (0, 0) in sizes and len(sizes) > 3


def test_a_long_header_costs_no_time():
    # Each is as long as a message may be.
    for part in (b"\xff", b"\xff\xe1\x00\x02"):
        contents = b"\xff\xd8" + part * (2**26 // len(part))
        assert picture_size(contents) == (0, 0)


def test_frames():
    frames = np.zeros((2, 5, 8, 4, 3), np.uint8)
    memory = frames.nbytes + 1000 + 2 * 100 + 10 * 10 + 32 * 2 + 8 * 3
    assert costs.cost(MEMORY, {"x": frames}) == Cost(2, 320, memory, 10)
    assert costs.cost(None, {"x": frames}) == Cost(2, 0, frames.nbytes)


def test_pictures():
    files = np.full((1, 5), b"none", object)
    files[0, :2] = encode(colourful(1, 1, 20, 30), ".png").item()
    # One that is too large for the graph is never decoded.
    files[0, 2] = encode(colourful(1, 1, 65, 10), ".png").item()
    found = costs.cost(MEMORY, {"x": files})
    size = sum(map(len, files.flat)) + 5 * 8
    memory = size + 1000 + 100 + 50 + 600 * 2 + 20 * 3
    assert found == Cost(1, 1200, memory, 5)


@pytest.mark.parametrize(
    ("shape", "short"),
    [
        ((2, 16, 8, 8, 3), True),
        ((1, 33, 8, 8, 3), False),
        ((33, 1, 8, 8, 3), False),
        ((1, 1, 4096, 4096, 3), True),
        ((1, 1, 4096, 4097, 3), False),
        ((3,), True),
        ((1000,), False),
    ],
)
def test_few_frames_and_pixels_are_short(shape, short):
    frames = np.lib.stride_tricks.as_strided(
        np.zeros(1, np.uint8), shape, (0,) * len(shape)
    )
    assert costs.cost(MEMORY, {"x": frames}).is_short == short
    assert not costs.cost(None, {"x": frames}).is_short
    assert not costs.cost(MEMORY, {"y": frames}).is_short


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"x": np.float32(1)},
        {"x": np.zeros(3, np.uint8)},
        {"x": np.zeros((3, 2), np.uint8)},
        {"x": np.full((), b"a", object)},
        {"y": np.zeros((3, 5, 1, 1, 3), np.uint8)},
    ],
)
def test_inputs_of_another_shape_are_charged_too(inputs):
    arrays = {name: np.asarray(each) for name, each in inputs.items()}
    found = costs.cost(MEMORY, arrays)
    assert found.memory >= 1000 and found.pixels == 0
    assert found.rows in (0, 1, 3)


def write_card(folder, text):
    path = folder / costs.CARD
    path.parent.mkdir()
    path.write_text(text)
    return path


def test_the_card_of_an_export(exported):
    found = costs.read_card(exported.path)
    assert found["score_encoded"].frames == "encoded_frames"
    assert found["score_video"].row == 0 < found["serving_default"].row


def test_a_version_without_a_card(tmp_path, caplog):
    assert costs.read_card(tmp_path) == {}
    write_card(tmp_path, '{"run": "of an earlier release"}')
    assert costs.read_card(tmp_path) == {}
    assert not caplog.text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"memory": {"a": {}}}',
        '{"memory": {"a": 1}}',
        '{"memory": 1}',
        json.dumps({"memory": {"a": vars(MEMORY) | {"row": -1}}}),
        json.dumps({"memory": {"a": vars(MEMORY) | {"row": "1"}}}),
    ],
)
def test_a_damaged_card_is_logged(tmp_path, caplog, text):
    path = write_card(tmp_path, text)
    assert costs.read_card(tmp_path) == {}
    assert f"{path}: must be a model card" in caplog.text

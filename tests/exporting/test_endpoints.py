"""Every endpoint of an exported model gives what the Keras model gives.

The SavedModel runs in a session of TensorFlow 1's kind, as in TensorFlow
Serving; what is expected comes from the layers, OpenCV and NumPy.
"""

import re

import cv2
import numpy as np
import pytest
import tensorflow as tf

from lgn_serving.failure import Failure
from lgn_tf.data.video import preprocessing
from lgn_tf.exporting import tensors
from lgn_tf.exporting.endpoints import Endpoints
from lgn_tf.model.lgn_net import LGNNet
from lgn_tf.scores import frame_scores

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def colourful(rows, count, height, width, seed=0):
    """Draws frames whose red, green and blue are far apart."""
    rng = np.random.default_rng(seed)
    made = np.zeros((rows, count, height, width, 3), np.uint8)
    for row in range(rows):
        for place in range(count):
            small = rng.integers(0, 60, (4, 4, 3)).astype(np.uint8)
            made[row, place] = cv2.resize(small, (width, height))
            made[row, place, ..., 0] += 150
            made[row, place, :, place : place + 5, 1] = 255
    return made


def encode(frames, suffix):
    """Encodes red, green, blue frames (..., h, w, 3) one by one."""
    flat = frames.reshape(-1, *frames.shape[-3:])
    files = np.array(
        [
            cv2.imencode(suffix, np.ascontiguousarray(each[..., ::-1]))[
                1
            ].tobytes()
            for each in flat
        ],
        object,
    )
    return files.reshape(frames.shape[:-3])


def decode(files):
    flat = [
        cv2.imdecode(np.frombuffer(each, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        for each in files.ravel()
    ]
    return np.stack(flat).reshape(*files.shape, *flat[0].shape)


class Expected:
    """The measures of windows by the layers themselves."""

    def __init__(self, run, frames, items=None):
        _, config, model, statistics = run
        size, channels = config.model.image_size, config.model.channels
        prepared = np.stack(
            [
                preprocessing.prepare(
                    np.ascontiguousarray(each[..., ::-1]), size, channels
                )
                for each in frames.reshape(-1, *frames.shape[-3:])
            ]
        ).reshape(*frames.shape[:2], *size, channels)
        values = preprocessing.to_float(prepared)
        self.encoding = model.encode(values[:, :-1])
        self.readout = model.read(self.encoding, items)
        self.prediction = model.decode(self.encoding, self.readout)
        target = values[:, -1]
        self.error = frame_scores.error_map(target, self.prediction).numpy()
        evidence, _ = frame_scores.online_evidence(
            frame_scores.stored_error_map(target, self.prediction),
            self.readout.distance,
            statistics,
            size,
        )
        online = frame_scores.online_score(evidence, statistics).numpy()
        self.measures = {
            "psnr": frame_scores.psnr(target, self.prediction).numpy(),
            "regular_score": frame_scores.regular_score(
                target, self.prediction
            ).numpy(),
            "distance": self.readout.distance.numpy().mean((1, 2)),
            "anomaly_score": online,
            "normality": 1 - online,
        }


def check(found, expected, valid=True):
    for name, values in expected.items():
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], values, **CLOSE, err_msg=name)
    assert found["valid"].dtype == bool
    assert (found["valid"] == valid).all()


@pytest.mark.parametrize("size", [(16, 24), (37, 53)])
def test_raw_frames(served, exported_run, size):
    frames = colourful(3, 5, *size)
    expected = Expected(exported_run, frames).measures
    assert np.ptp(expected["psnr"]) > 1e-3
    check(served.run("", {"frames": frames}), expected)
    # Red first matters: the same frames in blue first score otherwise.
    other = served.run("", {"frames": frames[..., ::-1]})
    assert not np.allclose(other["psnr"], expected["psnr"], atol=1e-3)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_picture_files(served, exported_run, suffix):
    files = encode(colourful(2, 5, 37, 53), suffix)
    expected = Expected(exported_run, decode(files)).measures
    check(served.run("score_encoded", {"encoded_frames": files}), expected)


def test_two_sizes_in_one_batch(served, exported_run):
    small, large = colourful(1, 5, 20, 30), colourful(1, 5, 61, 47, seed=1)
    files = np.concatenate([encode(small, ".png"), encode(large, ".png")])
    found = served.run("score_encoded", {"encoded_frames": files})
    for row, frames in enumerate((small, large)):
        expected = Expected(exported_run, frames).measures
        check({name: found[name][row : row + 1] for name in found}, expected)


def test_maps(served, exported_run):
    frames = colourful(2, 5, 37, 53)
    expected = Expected(exported_run, frames)
    found = served.run("predict", {"frames": frames})
    check(found, expected.measures)
    picture = (np.asarray(expected.prediction)[..., ::-1] + 1) / 2
    for name, values in (
        ("predicted_frame", picture),
        ("error_map", expected.error.mean(-1)),
        ("distance_map", expected.readout.distance),
    ):
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], values, **CLOSE)


def test_pictures(served, exported_run):
    files = encode(colourful(2, 5, 37, 53), ".png")
    expected = Expected(exported_run, decode(files))
    found = served.run("predict_encoded", {"encoded_frames": files})
    check(found, expected.measures)
    assert found["predicted_frame_bytes"].shape == (2,)
    picture = decode(found["predicted_frame_bytes"]).astype(int)
    wanted = preprocessing.to_uint8(np.asarray(expected.prediction))
    # One level off where 1e-6 decides the rounding.
    assert np.abs(picture - wanted[..., ::-1]).max() <= 1
    levels = np.sqrt(expected.error.mean(-1)) / tensors.PICTURE_SCALE
    levels = np.rint(np.minimum(levels, 1) * 255).astype(np.uint8)
    colours = decode(found["error_map_bytes"])
    assert colours.shape == (2, 16, 24, 3)
    for row in range(2):
        drawn = cv2.applyColorMap(levels[row], cv2.COLORMAP_INFERNO)
        off = np.abs(colours[row].astype(int) - drawn[..., ::-1])
        assert off.max() <= 12 and off.mean() < 0.1


@pytest.mark.parametrize("count", [5, 13])
@pytest.mark.parametrize("encoded", [False, True])
def test_videos(served, exported_run, count, encoded):
    frames = colourful(2, count, 20, 30)
    if encoded:
        inputs = {"encoded_frames": encode(frames, ".png")}
        found = served.run("score_video_encoded", inputs)
    else:
        found = served.run("score_video", {"frames": frames})
    for row in range(2):
        windows = np.stack(
            [frames[row, start : start + 5] for start in range(count - 4)]
        )
        expected = Expected(exported_run, windows).measures
        check({name: found[name][row] for name in found}, expected)


def test_a_video_is_encoded_once_and_in_chunks(exported_run, monkeypatch):
    sizes = {"encode_frames": [], "encode_windows": []}

    def watched(name):
        original = getattr(LGNNet, name)

        def encode(self, values, *others):
            # Where it runs in a graph: what happens, not what is traced.
            values = tf.ensure_shape(
                tf.numpy_function(note, [values], values.dtype), values.shape
            )
            return original(self, values, *others)

        def note(values):
            sizes[name].append(len(values))
            return values

        return encode

    for name in sizes:
        monkeypatch.setattr(LGNNet, name, watched(name))
    endpoints = Endpoints(*exported_run[2:], chunk=3)
    score = tf.function(endpoints.functions()["score_video"], autograph=False)
    found = score(tf.constant(colourful(1, 14, 20, 30)))
    assert found["psnr"].shape == (1, 10)
    assert sizes["encode_windows"] == [3, 3, 3, 1]
    # Three at first, then one more for each window: every frame but the last,
    # which is only compared with. The graph may begin with any of them.
    assert sorted(sizes["encode_frames"]) == [1, 3, 3, 3, 3]


def own_items(run):
    return np.asarray(run[2].memory.items)


@pytest.mark.parametrize("encoded", [False, True])
def test_memory_of_each_row(served, exported_run, encoded):
    model = exported_run[2]
    frames = colourful(4, 5, 20, 30)
    rng = np.random.default_rng(3)
    items = rng.random((4, *own_items(exported_run).shape)).astype(np.float32)
    items /= np.linalg.norm(items, axis=-1, keepdims=True)
    items[3] = 0
    gamma = np.array([0, 10, 10, 10], np.float32)
    inputs = {"items": items, "gamma": gamma}
    if encoded:
        inputs["encoded_frames"] = encode(frames, ".png")
        found = served.run("score_with_memory_encoded", inputs)
    else:
        found = served.run("score_with_memory", inputs | {"frames": frames})
    for row in range(4):
        start = items[row] if row < 3 else own_items(exported_run)
        expected = Expected(exported_run, frames[row : row + 1], start)
        check(
            {name: found[name][row : row + 1] for name in expected.measures}
            | {"valid": found["valid"][row : row + 1]},
            expected.measures,
        )
        wanted = start
        if gamma[row]:
            queries = expected.encoding.queries
            wanted = np.asarray(model.memory.updated(queries, start))
            assert np.abs(wanted - start).max() > 1e-3
        np.testing.assert_allclose(found["items"][row], wanted, **CLOSE)


def test_gamma_decides_by_the_regular_score(served, exported_run):
    frames = colourful(1, 5, 20, 30)
    score = Expected(exported_run, frames).measures["regular_score"]
    items = own_items(exported_run)[None]
    for factor, changes in ((0.9, False), (1.1, True)):
        found = served.run(
            "score_with_memory",
            {"frames": frames, "items": items, "gamma": score * factor},
        )
        assert np.array_equal(found["items"], items) != changes


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

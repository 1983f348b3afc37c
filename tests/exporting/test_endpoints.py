"""Every endpoint of an exported model gives what the Keras model gives.

The SavedModel runs in a session of TensorFlow 1's kind, as in TensorFlow
Serving; what is expected comes from the layers, OpenCV and NumPy.
"""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from lgn_tf.data.video import preprocessing
from lgn_tf.exporting import tensors
from lgn_tf.exporting.endpoints import Endpoints
from lgn_tf.model.lgn_net import LGNNet
from tests.exporting.expected import (
    CLOSE,
    Expected,
    check,
    colourful,
    decode,
    encode,
)


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

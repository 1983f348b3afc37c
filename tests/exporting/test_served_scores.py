"""The endpoints that are told the motion, and those that are not."""

import json
import re

import numpy as np
import pytest
import tensorflow as tf

from lgn_serving.failure import Failure
from lgn_serving.models.graph_session import read_warm_up
from lgn_tf.exporting import model_card, signatures, warm_up
from lgn_tf.exporting.served_scores import ServedScores
from lgn_tf.scores import frame_scores, grids
from lgn_tf.scores.cue_values import CUES, IN_GRAPH
from tests.exporting.expected import Expected, colourful, decode, encode
from tests.helpers import by_hand

CLOSE = {"rtol": 1e-4, "atol": 1e-5}
TOLD = list(signatures.TOLD_MOTION.values())


@pytest.fixture(scope="module")
def told(moving_server):
    """Returns the version with motion as the server has loaded it."""
    with moving_server.catalogue.borrow("lgn_net") as (_, servable):
        return servable


@pytest.fixture(scope="module")
def run_like_exported(moving_run):
    """Returns the run as `Expected` takes it."""
    run_dir, config, model, known = moving_run
    return run_dir, config, model, known.statistics


def cells(*values):
    """Returns float32 (rows, ...) that move so fast everywhere."""
    fast = np.array(values, np.float32)
    return np.tile(fast[..., None, None], (*[1] * fast.ndim, 40, 60))


def with_motion(run, known, frames, motion):
    """Returns what windows score: the cues one by one, added in NumPy."""
    expected = Expected(run, frames)
    errors = np.sqrt(expected.error).mean(axis=-1)
    cues = {
        "error": grids.largest(
            by_hand.pool_cells(errors, grids.factor(errors.shape[1:])),
            grids.ERROR_SHARE,
            known.scales["error"],
        ),
        "distance": grids.largest(
            np.asarray(expected.readout.distance), grids.DISTANCE_SHARE
        ),
        "motion": [known.strength(one) for one in motion],
    }
    online = known.score(cues, CUES)
    # The motion counts for more than what passes for equal.
    without = known.score(cues, IN_GRAPH)
    assert np.all(np.abs(online - without) > 1e-2)
    return expected.measures | {
        "anomaly_score": online,
        "normality": 1 - online,
    }


def check(found, expected):
    assert found["valid"].dtype == bool and found["valid"].all()
    assert set(found) == {"valid", *expected}
    for name, values in expected.items():
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], values, **CLOSE, err_msg=name)


@pytest.mark.parametrize("encoded", [False, True])
def test_each_row_has_its_motion(told, moving_run, run_like_exported, encoded):
    frames = colourful(4, 5, 37, 53)
    random = np.random.default_rng(8)
    motion = random.uniform(0.05, 0.2, (4, 40, 60)).astype(np.float32)
    if encoded:
        files = encode(frames, ".jpg")
        frames = decode(files)
        found = told.run(
            "score_with_motion_encoded",
            {"encoded_frames": files, "motion": motion},
        )
    else:
        inputs = {"frames": frames, "motion": motion}
        found = told.run("score_with_motion", inputs)
    expected = with_motion(run_like_exported, moving_run[3], frames, motion)
    check(found, expected)


@pytest.mark.parametrize("count", [5, 14])
@pytest.mark.parametrize("encoded", [False, True])
def test_each_window_has_its_motion(
    told, moving_run, run_like_exported, count, encoded
):
    """Also where a video takes more chunks than one."""
    frames = colourful(2, count, 20, 30)
    random = np.random.default_rng(1)
    motion = random.uniform(0.05, 0.2, (2, count - 4, 40, 60))
    motion = motion.astype(np.float32)
    inputs = {"motion": motion}
    if encoded:
        inputs["encoded_frames"] = encode(frames, ".png")
        found = told.run("score_video_with_motion_encoded", inputs)
    else:
        inputs["frames"] = frames
        found = told.run("score_video_with_motion", inputs)
    for row in range(2):
        windows = np.stack(
            [frames[row, start : start + 5] for start in range(count - 4)]
        )
        expected = with_motion(
            run_like_exported, moving_run[3], windows, motion[row]
        )
        check({name: found[name][row] for name in found}, expected)


@pytest.mark.slow
def test_the_other_endpoints_answer_as_without(told, served):
    """Bit for bit: whether a motion could be told as well changes nothing."""
    window, video = colourful(3, 5, 37, 53), colourful(2, 13, 20, 30)
    memory = {
        "items": np.zeros((3, 4, 32), np.float32),
        "gamma": np.array([0, 10, 0.01], np.float32),
    }
    names = [name for name in served.signatures if name[0] != "_"]
    assert len(names) == 8
    for name in names:
        frames = video if "video" in name else window
        inputs = {"frames": frames}
        if name.endswith("encoded"):
            inputs = {"encoded_frames": encode(frames, ".png")}
        inputs |= memory if "memory" in name else {}
        found, wanted = told.run(name, inputs), served.run(name, inputs)
        assert set(found) == set(wanted)
        for key, values in wanted.items():
            np.testing.assert_array_equal(found[key], values, strict=True)


WRONG = [np.nan, np.inf, -np.inf, -1e-6]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_motion_that_is_none_harms_only_its_row(told, wrong):
    frames = colourful(3, 5, 20, 30)
    motion = cells(0.01, 0.03, 0.02)
    motion[1, 39, 7] = wrong
    found = told.run("score_with_motion", {"frames": frames, "motion": motion})
    motion[1, 39, 7] = 0.03
    wanted = told.run("score_with_motion", {"frames": frames, "motion": motion})
    np.testing.assert_array_equal(found["valid"], [True, False, True])
    for name in set(found) - {"valid"}:
        assert np.isfinite(found[name]).all(), name
        np.testing.assert_array_equal(found[name][::2], wanted[name][::2])


@pytest.mark.parametrize("wrong", WRONG)
def test_a_motion_that_is_none_harms_only_its_window(told, wrong):
    files = encode(colourful(1, 14, 20, 30), ".png")
    files[0, 0] = b""
    motion = cells([0.01] * 10)
    motion[0, 7, 3, 2] = wrong
    inputs = {"encoded_frames": files, "motion": motion}
    found = told.run("score_video_with_motion_encoded", inputs)
    # The first is the window of the picture that is none.
    wanted = [place not in (0, 7) for place in range(10)]
    np.testing.assert_array_equal(found["valid"][0], wanted)
    for name in set(found) - {"valid"}:
        assert np.isfinite(found[name]).all(), name


def test_the_largest_motion_is_the_most_abnormal(told):
    frames = np.repeat(colourful(1, 5, 20, 30), 4, axis=0)
    motion = cells(0.0, 0.5, 1e10, 1e36)
    found = told.run("score_with_motion", {"frames": frames, "motion": motion})
    assert found["valid"].all()
    score = found["anomaly_score"]
    assert 0 < score[0] < score[1] <= score[2] <= score[3] <= 1


FRAMES = colourful(2, 5, 16, 24)
VIDEO = colourful(1, 7, 16, 24)
MOTION = np.zeros((2, 40, 60), np.float32)


@pytest.mark.parametrize(
    ("name", "inputs", "text"),
    [
        (
            "score_with_motion",
            {"frames": FRAMES, "motion": MOTION[:1]},
            "motion must be one map a row",
        ),
        (
            "score_with_motion",
            {"frames": FRAMES, "motion": MOTION[:, None]},
            re.escape("[2,1,40,60] is not compatible with expected shape"),
        ),
        (
            "score_with_motion",
            {"frames": FRAMES[:, :4], "motion": MOTION},
            "a row must have 5 frames",
        ),
        (
            "score_video_with_motion",
            {"frames": VIDEO, "motion": np.zeros((1, 7, 40, 60), np.float32)},
            "motion must be one map a window",
        ),
        (
            "score_video_with_motion",
            {"frames": VIDEO, "motion": np.zeros((1, 3, 9, 9), np.float32)},
            re.escape("[1,3,9,9] is not compatible with expected shape"),
        ),
        (
            "score_with_motion",
            {"frames": FRAMES, "motion": MOTION.astype(np.float64)},
            "to be float32 but float64 is provided",
        ),
        (
            "score_with_motion",
            {"frames": FRAMES},
            re.escape("Missing but required: {motion}"),
        ),
        ("", {"frames": FRAMES, "motion": MOTION}, r"Sent extra: {motion}"),
    ],
)
def test_a_motion_of_another_shape(told, name, inputs, text):
    with pytest.raises(Failure, match=text) as caught:
        told.run(name, inputs)
    assert caught.value.http_status == 400


def described_by(run):
    return signatures.endpoints(run[1].model, True, 32, run[3].motion_cells)


def test_the_version_says_so(exported_moving, moving_run, told):
    described = described_by(moving_run)
    assert {name for name in told.signatures if name[0] != "_"} == {
        endpoint.name for endpoint in described
    }
    for endpoint in described[-4:]:
        assert endpoint.name in TOLD
        inputs = told.signatures[endpoint.name].inputs
        assert set(inputs) == {tensor.name for tensor in endpoint.inputs}
        shape = [d.size for d in inputs["motion"].tensor_shape.dim]
        wanted = endpoint.inputs[-1].shape
        assert shape == [-1 if size is None else size for size in wanted]
        outputs = told.signatures[endpoint.name].outputs
        assert set(outputs) == {tensor.name for tensor in endpoint.outputs}
    extra = exported_moving.path / "assets.extra"
    card = json.loads((extra / model_card.JSON).read_text())
    assert [each["name"] for each in card["endpoints"]][-4:] == TOLD
    text = (extra / model_card.TEXT).read_text()
    for name in TOLD:
        assert f"### `{name}`" in text


def test_warm_up_requests_of_several_rows(told, moving_run, tmp_path):
    described = described_by(moving_run)[-4:]
    path = tmp_path / warm_up.FILE
    warm_up.write_requests(path, described, moving_run[1].model, (3,))
    for name, inputs in read_warm_up(path):
        outputs = told.run(name, inputs)
        assert {len(each) for each in outputs.values()} == {3}
        assert outputs["valid"].all()


def test_names_are_those_of_the_answer(moving_run):
    """Whether there is a memory, and a calibration, or not."""
    _, config, model, known = moving_run
    target = np.zeros((2, *config.model.image_size, 3), np.float32)
    prediction = tf.constant(target + 0.1)
    readout = model.read(model.encode(np.zeros((2, 4, 16, 24, 3), np.float32)))
    for statistics in (None, known.statistics):
        answer = ServedScores(model, statistics)
        assert list(answer(target, prediction, readout)) == answer.names
        assert ("anomaly_score" in answer.names) == (statistics is not None)
    assert frame_scores.psnr(target, prediction).shape == (2,)

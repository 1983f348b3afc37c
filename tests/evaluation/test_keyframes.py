"""Which frames of a video are shown."""

import numpy as np
import pytest

from lgn_tf.evaluation import keyframes


def test_the_most_abnormal_apart_and_the_median():
    abnormal = np.zeros(60)
    abnormal[[20, 21, 40, 5]] = [9, 8, 7, 6]
    # Of a series with ties the first ones come first: 26 is the 30th of them.
    order = sorted(range(60), key=lambda place: -abnormal[place])
    assert keyframes.choose(abnormal) == sorted({5, 20, 40, order[30]})


def test_a_single_frame():
    assert keyframes.choose(np.array([0.3])) == [0]


def test_write_and_read(tmp_path):
    random = np.random.default_rng(0)
    frame, prediction = random.integers(0, 256, (2, 6, 4, 3), np.uint8)
    keyframes.write_keyframe(tmp_path, "a b", 12, frame, prediction)
    keyframes.write_keyframe(tmp_path, "a b", 3, prediction, frame)
    assert keyframes.places(tmp_path, "a b") == [3, 12]
    found = keyframes.read_keyframe(tmp_path, "a b", 12)
    np.testing.assert_array_equal(found.frame, frame)
    np.testing.assert_array_equal(found.prediction, prediction)
    assert found.motion is None
    assert keyframes.places(tmp_path, "other") == []
    with pytest.raises(FileNotFoundError, match="000004"):
        keyframes.read_keyframe(tmp_path, "a b", 4)


def test_the_motion_of_a_frame_is_added_later(tmp_path):
    random = np.random.default_rng(1)
    frame, prediction = random.integers(0, 256, (2, 6, 4, 1), np.uint8)
    cells = random.uniform(size=(40, 60)).astype(np.float32)
    keyframes.write_keyframe(tmp_path, "a", 12, frame, prediction)
    keyframes.add_motion(tmp_path, "a", 12, cells)
    found = keyframes.read_keyframe(tmp_path, "a", 12)
    np.testing.assert_array_equal(found.frame, frame)
    np.testing.assert_array_equal(found.prediction, prediction)
    np.testing.assert_array_equal(found.motion, cells)
    assert found.motion.dtype == np.float32
    assert keyframes.places(tmp_path, "a") == [12]

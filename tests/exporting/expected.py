"""Frames for endpoints, and the scores that are expected of them."""

import cv2
import numpy as np

from lgn_tf.data.video import preprocessing
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

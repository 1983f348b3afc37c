"""The size of the stores of the tests, and their files."""

import numpy as np

from lgn_tf.data.video import footage, optical_flow

SIZE = (24, 32)


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def cells(video):
    frames = footage.read_frames(video)
    return np.stack([one.cells for one in optical_flow.measured(frames)])

import os
from pathlib import Path

import pytest

from lgn_tf.data.datasets import archives, layouts
from lgn_tf.data.synthetic import walkways


@pytest.fixture(scope="session")
def walkway():
    return walkways.draw(3, train=2, test=3, frames=14, size=(48, 64))


@pytest.fixture(scope="session")
def coloured():
    return walkways.draw(
        4, train=2, test=2, frames=12, size=(40, 56), channels=3
    )


@pytest.fixture
def written(tmp_path, walkway):
    """Writes the drawn videos in a layout and recognises them again."""

    def write(layout):
        root = tmp_path / layout
        archives.write_drawn(walkway, root, layout)
        return layouts.recognise(root)

    return write


@pytest.fixture(scope="session")
def real_data():
    folder = os.environ.get("LGN_DATA")
    if not folder:
        pytest.skip("LGN_DATA does not name a folder with real data")
    return Path(folder)

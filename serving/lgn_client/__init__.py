"""Scores videos on a model server; needs no TensorFlow."""

import os

# A small file can name a large picture. OpenCV reads this when it is imported.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**26))

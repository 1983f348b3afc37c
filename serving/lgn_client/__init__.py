"""Scores videos on a model server; needs no TensorFlow."""

import os

# A small file can name a large picture. OpenCV reads this when it is imported.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**26))
# What a damaged file is refused for is said once, in our words.
os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

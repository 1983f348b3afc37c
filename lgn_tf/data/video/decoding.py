"""Decodes image files, the same pixels with OpenCV and in TensorFlow's graph.

Channels are blue, green, red. TensorFlow is imported only by what works in its
graph. There JPEG and PNG have decoders of TensorFlow's own, and TIFF one of
tensorflow-io's, which runs free of Python's lock; where its native library
does not load, OpenCV takes over.
"""

import functools
import logging
import re
import warnings
from typing import Any

import cv2
import numpy as np

from lgn_tf.data.video import preprocessing
from lgn_tf.data.video.preprocessing import Frame
from lgn_tf.files import media

_log = logging.getLogger(__name__)


def decode(contents: bytes, where: str) -> Frame:
    """Decodes one JPEG, PNG, BMP or TIFF image.

    Args:
        contents: the bytes of the file.
        where: the name of the file, for errors.

    Returns:
        (height, width, 3), blue, green, red; or (height, width, 1) where the
        file is gray. Deeper pixels are cut to 8 bits.

    Raises:
        ValueError: where the file is unreadable, cut short or too large.
    """
    frame: Frame | None = None
    if _is_whole(contents):
        flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_IGNORE_ORIENTATION
        frame = media.decode_image(contents, flags, where)
    if frame is None:
        raise _unreadable(contents, where)
    return frame.reshape(*frame.shape[:2], -1)


def _unreadable(contents: bytes, where: str) -> ValueError:
    return ValueError(
        f"{where}: not a readable image, or cut short. "
        f"Found there: {len(contents)} bytes"
    )


def unreadable_in(error: Exception) -> str | None:
    """Returns what a graph says of a bad frame file; None for other errors.

    TensorFlow puts the error of a Python function, with its traceback, into
    the text of one of its own.
    """
    bad = "not a readable image|a frame must|all frames of a video must be"
    found = re.search(rf"ValueError: (.*: (?:{bad}).*)", str(error))
    return found and found[1]


def require_whole(contents: bytes, where: bytes) -> bool:
    """Refuses an image file that is cut short.

    Args:
        contents: the bytes of the file.
        where: the name of the file.

    Returns:
        True.

    Raises:
        ValueError: naming the file.
    """
    if not _is_whole(contents):
        raise _unreadable(contents, where.decode(errors="replace"))
    return True


def _is_whole(contents: bytes) -> bool:
    if not contents:
        return False
    # OpenCV fills what is missing with gray and says nothing.
    if contents.startswith(b"\xff\xd8"):
        return contents.rfind(b"\xff\xd9") > contents.rfind(b"\xff\xda") > 0
    if contents.startswith(b"\x89PNG"):
        return contents.rfind(b"IEND") > 0
    if contents.startswith(b"BM"):
        return len(contents) >= int.from_bytes(contents[2:6], "little")
    return True


def decode_tensor(contents: Any, kind: str) -> Any:
    """Decodes one image inside a TensorFlow graph.

    Args:
        contents: scalar string tensor, the bytes of the file.
        kind: the ending of the file: `.jpg`, `.png`, `.bmp` or `.tif`.

    Returns:
        uint8 tensor (height, width, 3), blue, green, red, the same pixels as
        `decode` gives (gray files repeated).
    """
    import tensorflow as tf

    if kind in (".tif", ".tiff"):
        return _tiff_decoder()(contents)
    if kind == ".bmp":
        # This decoder does not convert between gray and colour.
        return _decode_by_opencv(contents)
    # The default method is off by up to 11 levels. PNG is read here as well.
    frame = tf.io.decode_jpeg(
        contents, channels=3, dct_method="INTEGER_ACCURATE"
    )
    # An eighth of the time of a slice with a step of -1.
    return tf.reverse(frame, [-1])


@functools.cache
def _tiff_decoder() -> Any:
    """Chooses tensorflow-io where its native library works, else OpenCV."""
    import tensorflow as tf

    probe = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
    _, encoded = cv2.imencode(".tif", probe)
    try:
        with warnings.catch_warnings(), tf.init_scope():
            warnings.simplefilter("ignore")
            # The import succeeds without the native library; only the first
            # use fails.
            frame = _decode_by_tensorflow_io(tf.constant(encoded.tobytes()))
        if not np.array_equal(frame[..., :1], probe):
            raise NotImplementedError("the probe came out wrong")
    except (ImportError, NotImplementedError, tf.errors.OpError) as error:
        _log.info("TIFF is decoded by OpenCV: tensorflow-io: %s", error)
        return _decode_by_opencv
    _log.info("TIFF is decoded by tensorflow-io")
    return _decode_by_tensorflow_io


def _decode_by_tensorflow_io(contents: Any) -> Any:
    import tensorflow as tf
    import tensorflow_io

    # Red, green, blue and alpha, whatever the file holds.
    rgba = tensorflow_io.experimental.image.decode_tiff(contents)
    return tf.ensure_shape(tf.reverse(rgba[..., :3], [-1]), (None, None, 3))


def _decode_by_opencv(contents: Any) -> Any:
    import tensorflow as tf

    def decode_bytes(encoded: Any) -> Frame:
        # Bytes from a graph, an array of them from eager mode.
        found = decode(np.asarray(encoded, object).item(), "image")
        result: Frame = preprocessing.to_channels(found, 3)
        return result

    frame = tf.numpy_function(decode_bytes, [contents], tf.uint8)
    return tf.ensure_shape(frame, (None, None, 3))

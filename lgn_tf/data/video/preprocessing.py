"""The only pre-processing there is: resize, channels, [-1, 1] and back.

Frames are uint8 with the channels blue, green, red, or one gray channel. The
resize is bilinear without antialiasing and rounds to uint8, as OpenCV does;
only then come the floats x / 127.5 - 1. Every function takes NumPy arrays, for
which OpenCV works and TensorFlow is never imported, or TensorFlow tensors,
inside `tf.data` and exported graphs too; the pixels are the same.
"""

import sys
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]

TABLE = np.arange(256, dtype=np.float32) / 127.5 - 1.0
"""The model's input for each value of a pixel."""
# OpenCV's fixed-point weights of blue, green and red in gray.
_GRAY_WEIGHTS, _GRAY_BITS = (3735, 19235, 9798), 15


def is_gray(frame: Frame) -> bool:
    """Returns whether a frame (height, width, channels) holds no colour."""
    if frame.shape[-1] == 1:
        return True
    blue, green, red = cv2.split(frame)
    return np.array_equal(blue, green) and np.array_equal(green, red)


def prepare(frame: Any, size: tuple[int, int], channels: int) -> Any:
    """Resizes a frame and gives it one channel or three.

    Args:
        frame: uint8 (height, width, 1 or 3), array or tensor.
        size: (height, width) of the result.
        channels: 3, or 1.

    Returns:
        uint8 (*size, channels), array or tensor like `frame`.
    """
    return to_channels(resize(frame, size), channels)


def resize(frame: Any, size: tuple[int, int]) -> Any:
    """Resizes bilinearly without antialiasing, rounded as OpenCV rounds.

    Args:
        frame: uint8 (height, width, channels), array or tensor.
        size: (height, width) of the result.

    Returns:
        uint8 (*size, channels), array or tensor like `frame`.
    """
    height, width = size
    if not _is_tensor(frame):
        if frame.shape[:2] == (height, width):
            return frame
        smaller = cv2.resize(
            frame, (width, height), interpolation=cv2.INTER_LINEAR
        )
        return smaller.reshape(height, width, -1)
    tf = _tensorflow()
    shape = tf.shape(frame)
    left, right, near, far = _taps(shape[1], width)

    def columns(places: Any) -> Any:
        # OpenCV calculates in integers; float64 holds them exactly, and has
        # kernels on every device, which integers do not. A large frame is
        # never held in float64 as a whole.
        return tf.cast(tf.gather(frame, places, axis=1), tf.float64)

    values = tf.floor(
        (columns(left) * near[:, None] + columns(right) * far[:, None]) / 16
    )
    top, bottom, near, far = _taps(shape[0], height)
    upper = tf.gather(values, top, axis=0) * near[:, None, None]
    lower = tf.gather(values, bottom, axis=0) * far[:, None, None]
    total = tf.floor(upper / 65536) + tf.floor(lower / 65536)
    result = tf.cast(tf.floor((total + 2) / 4), tf.uint8)
    return tf.ensure_shape(result, (height, width, frame.shape[-1]))


def _taps(source: Any, target: int) -> tuple[Any, Any, Any, Any]:
    """Returns two indices and their weights, in 2048ths, for each place."""
    tf = _tensorflow()
    scale = 1.0 / (target / tf.cast(source, tf.float64))
    places = (tf.range(target, dtype=tf.float64) + 0.5) * scale - 0.5
    places = tf.cast(places, tf.float32)
    first = tf.floor(places)
    weight = places - first
    indices = tf.cast(first, tf.int32)
    return (
        tf.clip_by_value(indices, 0, source - 1),
        tf.clip_by_value(indices + 1, 0, source - 1),
        tf.cast(tf.round((1.0 - weight) * 2048.0), tf.float64),
        tf.cast(tf.round(weight * 2048.0), tf.float64),
    )


def to_channels(frame: Any, channels: int) -> Any:
    """Gives frames one channel or three.

    Args:
        frame: uint8 (..., 1 or 3), array or tensor.
        channels: 3 (a gray frame is repeated) or 1 (colour is weighted as
            OpenCV weighs it).

    Returns:
        uint8 (..., channels), array or tensor like `frame`.

    Raises:
        ValueError: for another number of channels.
    """
    require_channels(channels)
    if frame.shape[-1] == channels:
        return frame
    if _is_tensor(frame):
        tf = _tensorflow()
        if channels == 3:
            return tf.repeat(frame, 3, axis=-1)
        weights = tf.constant(_GRAY_WEIGHTS, tf.float64)
        total = tf.reduce_sum(tf.cast(frame, tf.float64) * weights, -1, True)
        half = 2 ** (_GRAY_BITS - 1)
        return tf.cast(tf.floor((total + half) / 2**_GRAY_BITS), tf.uint8)
    if channels == 3:
        return np.repeat(frame, 3, axis=-1)
    flat = np.ascontiguousarray(frame).reshape(1, -1, 3)
    gray = cv2.cvtColor(flat, cv2.COLOR_BGR2GRAY)
    return gray.reshape(*frame.shape[:-1], 1)


def require_channels(channels: int) -> None:
    """Refuses another number of channels than 1 and 3.

    Raises:
        ValueError: with the number.
    """
    if channels not in (1, 3):
        raise ValueError(
            f"`channels` must be 1 or 3. Received: channels={channels}"
        )


def to_float(frame: Any) -> Any:
    """Scales uint8 to float32 in [-1, 1]: x / 127.5 - 1.

    Args:
        frame: uint8, array or tensor of any shape.

    Returns:
        float32 of the same shape.
    """
    if _is_tensor(frame):
        tf = _tensorflow()
        return tf.cast(frame, tf.float32) / 127.5 - 1.0
    if isinstance(frame, np.ndarray) and frame.size:
        # One pass over memory, where the formula takes three.
        flat = np.ascontiguousarray(frame).reshape(len(frame), -1)
        return cv2.LUT(flat, TABLE).reshape(frame.shape)
    return frame.astype("float32") / 127.5 - 1.0


def fill(out: NDArray[np.float32], source: Frame) -> None:
    """Writes frames, scaled to [-1, 1], into an array of 1 or 3 channels.

    The same as `to_float(to_channels(source, channels))`, in one or two passes
    over memory.

    Args:
        out: float32 (frames, height, width, channels), contiguous.
        source: uint8 (frames, height, width, 1 or 3).
    """
    channels = out.shape[-1]
    if source.shape[-1] == 3 and channels == 1:
        source = to_channels(source, 1)
    for place, frame in enumerate(source):
        if frame.shape[-1] == channels:
            flat = frame.reshape(len(frame), -1)
            cv2.LUT(flat, TABLE, dst=out[place].reshape(flat.shape))
        else:
            gray = cv2.LUT(frame[..., 0], TABLE)
            cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR, dst=out[place])


def to_uint8(frame: Any) -> Any:
    """Takes [-1, 1] back to uint8, rounded; what lies outside is cut.

    Args:
        frame: float, array or tensor of any shape.

    Returns:
        uint8 of the same shape.
    """
    if _is_tensor(frame):
        tf = _tensorflow()
        levels = tf.round((tf.cast(frame, tf.float32) + 1.0) * 127.5)
        return tf.cast(tf.clip_by_value(levels, 0.0, 255.0), tf.uint8)
    levels = ((frame.astype("float32") + 1.0) * 127.5).round()
    return levels.clip(0.0, 255.0).astype("uint8")


def _is_tensor(value: Any) -> bool:
    # Whoever made a tensor has imported TensorFlow.
    tf = sys.modules.get("tensorflow")
    return tf is not None and tf.is_tensor(value)


def _tensorflow() -> Any:
    import tensorflow as tf

    return tf

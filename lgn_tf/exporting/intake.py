"""The inputs of served endpoints: frames or files, in any size.

Frames arrive red, green, blue. They go through `data.video.preprocessing`, as
the frames of training did. A request of another shape fails, with a text that
names the right one. A picture that cannot be used does not fail: it is black,
and marked.

Letters: B rows of the batch, T frames of a row, V windows, h and w of the
frames as they came, H, W and C of the model's.
"""

from typing import Any

from lgn_tf.data.video import preprocessing, untrusted_images
from lgn_tf.exporting import signatures
from lgn_tf.exporting.request_limits import RequestLimits


class Intake:
    """Turns requests into the model's frames, inside a TensorFlow graph.

    Args:
        model: an `LGNNet`.
        limits: how large a request may be.
    """

    def __init__(self, model: Any, limits: RequestLimits) -> None:
        """Stores the arguments."""
        import tensorflow as tf

        self._tf = tf
        self._model = model
        self._window = model.frames + 1
        self._limits = limits

    def from_raw(self, frames: Any, video: bool = False) -> tuple[Any, Any]:
        """Prepares decoded frames.

        Args:
            frames: uint8 (B, T, h, w, 3).
            video: whether T may be more than a window.

        Returns:
            uint8 (B, T, H, W, C), and whether each frame is usable (B, T).
        """
        tf, model = self._tf, self._model
        # A server feeds what it gets, whatever the signature says.
        frames = tf.ensure_shape(frames, (None,) * 5)
        shape = tf.shape(frames)
        shape = required(
            shape,
            self._count_rule(shape[1], video),
            (shape[4] == 3, "frames must have 3 channels"),
            ((shape[2] > 0) & (shape[3] > 0), "frames must not be empty"),
            self._rows_rule(shape, video),
            self._pixels_rule(tf.reduce_prod(tf.cast(shape[:4], tf.int64))),
        )
        flat = tf.reshape(frames, tf.concat([[-1], shape[2:4], [3]], 0))

        def prepare(frame: Any) -> Any:
            frame = tf.ensure_shape(tf.reverse(frame, [-1]), (None, None, 3))
            return preprocessing.prepare(
                frame, model.image_size, model.channels
            )

        size = (*model.image_size, model.channels)
        flat = tf.map_fn(
            prepare,
            flat,
            fn_output_signature=tf.TensorSpec(size, tf.uint8),
            parallel_iterations=2,
        )
        return self._unflatten(flat, shape), tf.ones(shape[:2], tf.bool)

    def from_encoded(
        self, contents: Any, video: bool = False
    ) -> tuple[Any, Any]:
        """Decodes and prepares pictures; see `from_raw`.

        Args:
            contents: string (B, T), JPEG or PNG files.
            video: whether T may be more than a window.
        """
        tf, model = self._tf, self._model
        contents = tf.ensure_shape(contents, (None, None))
        shape = tf.shape(contents)
        shape = required(
            shape,
            self._count_rule(shape[1], video),
            self._rows_rule(shape, video),
        )
        flat = tf.reshape(contents, tf.reduce_prod(shape, keepdims=True))
        sizes = untrusted_images.sizes_of(flat, signatures.MAX_SIDE)
        pixels = tf.reduce_prod(tf.cast(sizes, tf.int64), axis=1)
        sizes = required(sizes, self._pixels_rule(tf.reduce_sum(pixels)))
        flat, sizes = untrusted_images.decode_all(
            flat, sizes, model.image_size, model.channels
        )
        sizes = tf.reshape(sizes, tf.concat([shape, [2]], 0))
        decoded = tf.reduce_all(sizes > 0, axis=-1)
        # A camera does not change its size from frame to frame: what has
        # another size than the row's first picture is no frame of this video.
        first = tf.argmax(tf.cast(decoded, tf.int32), axis=1)
        wanted = tf.gather(sizes, first, axis=1, batch_dims=1)[:, None]
        same = tf.reduce_all(sizes == wanted, axis=-1)
        return self._unflatten(flat, shape), decoded & same

    def of_windows(self, usable: Any) -> Any:
        """Returns whether all frames of each window are usable.

        Args:
            usable: bool (B, T).

        Returns:
            bool (B, V).
        """
        tf = self._tf
        count = tf.shape(usable)[1] - self._window + 1
        shifted = [
            usable[:, start : start + count] for start in range(self._window)
        ]
        return tf.reduce_all(tf.stack(shifted), axis=0)

    def with_motion(
        self, motion: Any, valid: Any, cells: tuple[int, ...]
    ) -> tuple[Any, Any]:
        """Checks the motion that a caller measured.

        Args:
            motion: float32, a map (rows, columns) for each of `valid`.
            valid: bool (B,), or (B, V) for the windows of a video.
            cells: rows and columns that a map must have.

        Returns:
            The motion, 0 where a number is negative or not finite, and
            `valid`, false where one is.
        """
        tf = self._tf
        ranks = len(valid.shape)
        motion = tf.ensure_shape(motion, (*(None,) * ranks, *cells))
        same = tf.reduce_all(tf.shape(motion)[:ranks] == tf.shape(valid))
        what = "row" if ranks == 1 else "window"
        motion = required(motion, (same, f"motion must be one map a {what}"))
        sound = tf.math.is_finite(motion) & (motion >= 0)
        motion = tf.where(sound, motion, 0.0)
        return motion, valid & tf.reduce_all(sound, axis=(-2, -1))

    def _unflatten(self, flat: Any, shape: Any) -> Any:
        return self._tf.reshape(
            flat, self._tf.concat([shape[:2], self._tf.shape(flat)[1:]], 0)
        )

    def _count_rule(self, count: Any, video: bool) -> tuple[Any, str]:
        if not video:
            wanted = f"a row must have {self._window} frames"
            return count == self._window, wanted
        most = self._limits.video_frames
        return (
            (count >= self._window) & (count <= most),
            f"a video must have {self._window} to {most} frames",
        )

    def _rows_rule(self, shape: Any, video: bool) -> tuple[Any, str]:
        if not video:
            most = self._limits.rows
            return shape[0] <= most, f"a request must have at most {most} rows"
        # Videos are scored one after the other, but all are decoded first.
        most = self._limits.frames(self._window)
        return (
            self._tf.reduce_prod(self._tf.cast(shape[:2], self._tf.int64))
            <= most,
            f"all videos of a request must have at most {most} frames together",
        )

    def _pixels_rule(self, pixels: Any) -> tuple[Any, str]:
        most = self._limits.pixels
        return (
            pixels <= most,
            f"all frames of a request must have at most {most} pixels together",
        )


def required(value: Any, *rules: tuple[Any, str]) -> Any:
    """Fails the request that a graph is answering, unless all rules hold.

    Args:
        value: what must not be used before that is known.
        *rules: each a boolean scalar, and the text that the client reads, with
            INVALID_ARGUMENT or HTTP's 400.

    Returns:
        The value.
    """
    import tensorflow as tf

    checks = [tf.debugging.Assert(rule, [text]) for rule, text in rules]
    with tf.control_dependencies(checks):
        return tf.identity(value)

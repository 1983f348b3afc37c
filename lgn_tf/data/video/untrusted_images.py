"""Decodes images that strangers sent, inside a TensorFlow graph.

One picture that cannot be decoded must not fail those beside it, and none may
take more memory than the limit allows. So the header is read first, with
plain arithmetic: what is neither JPEG nor PNG, or too large, is never decoded.
What fails in the decoder all the same, or comes out in another size than its
header says, is dropped, and a black frame stands in its place.
"""

from typing import Any

from lgn_tf.data.video import decoding, preprocessing

_HEADER_BYTES = 2**18
"""How far into a file the size of a picture is looked for. A JPEG that has it
further back counts as one that cannot be decoded."""

_SEGMENTS = 256
"""How many segments of a JPEG file are passed on the way to its size."""

PARALLEL = 2
"""Pictures that are decoded at the same time; large ones take memory."""


def sizes_of(contents: Any, most: int) -> Any:
    """Reads the sizes of pictures from their headers; decodes nothing.

    Args:
        contents: string tensor (pictures,), JPEG or PNG files.
        most: largest height and width of a picture.

    Returns:
        int32 (pictures, 2), height and width; zeros where a picture is
        neither, is larger, or its size is not found.
    """
    import tensorflow as tf

    count = tf.size(contents, tf.int64)
    pictures = tf.data.Dataset.from_tensor_slices(contents).map(picture_size)
    sizes = _collected(pictures, count, tf.zeros(2, tf.int32))[:count]
    fits = tf.reduce_all((sizes >= 1) & (sizes <= most), axis=1)
    return tf.where(fits[:, None], sizes, 0)


def decode_all(
    contents: Any, sizes: Any, size: tuple[int, int], channels: int
) -> tuple[Any, Any]:
    """Decodes pictures and prepares them for the model.

    Args:
        contents: string tensor (pictures,), JPEG or PNG files.
        sizes: int32 (pictures, 2), by `sizes_of`.
        size: (height, width) of the results.
        channels: 1 or 3 of the results.

    Returns:
        (decoded, sizes): uint8 (pictures, *size, channels), blue, green, red,
        black where a picture could not be decoded; and int32 (pictures, 2),
        its height and width, 0 where it could not be decoded.
    """
    import tensorflow as tf

    shape = (*size, channels)
    count = tf.size(contents, tf.int64)

    def fits(place: Any, picture: tuple[Any, Any]) -> Any:
        del place
        return tf.reduce_all(picture[1] > 0)

    def decode(place: Any, picture: tuple[Any, Any]) -> Any:
        content, sides = picture
        # This decoder reads PNG as well.
        frame = decoding.decode_tensor(content, ".jpg")
        same = tf.reduce_all(tf.shape(frame)[:2] == sides)
        # The limit held for the size that the header gave, and for no other.
        checks = [tf.debugging.Assert(same, ["another size than the header's"])]
        with tf.control_dependencies(checks):
            frame = tf.identity(frame)
        return place, preprocessing.prepare(frame, size, channels), sides

    pictures = tf.data.Dataset.from_tensor_slices((contents, sizes)).enumerate()
    pictures = pictures.filter(fits).map(decode, num_parallel_calls=PARALLEL)
    last = (count, tf.zeros(shape, tf.uint8), tf.zeros(2, tf.int32))
    places, decoded, sides = _collected(pictures.ignore_errors(), count, last)
    decoded = _spread(decoded, places, count)
    result = tf.cast(tf.ensure_shape(decoded, (None, *shape)), tf.uint8)
    return result, _spread(sides, places, count)


def _collected(pictures: Any, count: Any, last: Any) -> Any:
    """Returns all elements of a dataset as a batch, and one more behind them.

    There must be something to batch, even where there is no picture.
    """
    import tensorflow as tf

    pictures = pictures.concatenate(tf.data.Dataset.from_tensors(last))
    options = tf.data.Options()
    options.autotune.enabled = False
    batch = pictures.batch(count + 1).with_options(options)
    return batch.get_single_element()


def _spread(values: Any, places: Any, count: Any) -> Any:
    """Puts values at their places among `count`; zeros lie elsewhere."""
    import tensorflow as tf

    # Scattering has kernels for int32 on every device.
    rows = tf.concat([[count + 1], tf.shape(values, tf.int64)[1:]], 0)
    values = tf.cast(values, tf.int32)
    return tf.scatter_nd(places[:, None], values, rows)[:count]


def picture_size(content: Any) -> Any:
    """Reads the size of a JPEG or PNG picture from its header.

    Args:
        content: scalar string tensor.

    Returns:
        int32 tensor (height, width), zeros where it is neither, or where no
        size lies within the first 256 KiB and 256 segments.
    """
    import tensorflow as tf

    header = tf.strings.substr(content, 0, _HEADER_BYTES)
    values = tf.cast(tf.io.decode_raw(header, tf.uint8), tf.int32)
    # Nothing that is read lies behind the end.
    values = tf.concat([values, tf.zeros(32, tf.int32)], 0)
    png = tf.strings.substr(content, 0, 16)
    is_png = tf.equal(png, b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
    is_jpeg = tf.equal(tf.strings.substr(content, 0, 3), b"\xff\xd8\xff")
    return tf.case(
        [
            (is_png, lambda: _png_size(values)),
            (is_jpeg, lambda: _jpeg_size(values)),
        ],
        default=lambda: tf.zeros(2, tf.int32),
    )


def _png_size(values: Any) -> Any:
    import tensorflow as tf

    sides = tf.reshape(values[16:24], (2, 4))
    # Where the upper half is not 0 it is too large anyway, and no int32.
    large = tf.reduce_any(sides[:, :2] > 0, axis=1)
    sides = sides[:, 2] * 256 + sides[:, 3]
    return tf.where(large, 2**16, sides)[::-1]


def _jpeg_size(values: Any) -> Any:
    """Passes from segment to segment until the one that holds the size."""
    import tensorflow as tf

    end = tf.size(values) - 32

    def holds_size(marker: Any) -> Any:
        # Start of frame: C0 to CF, but for tables (C4), a reserved one (C8)
        # and arithmetic conditioning (CC).
        others = (marker != 0xC4) & (marker != 0xC8) & (marker != 0xCC)
        return (marker >= 0xC0) & (marker <= 0xCF) & others

    def goes_on(place: Any, sides: Any) -> Any:
        return (place < end) & tf.reduce_all(sides == 0)

    def step(place: Any, sides: Any) -> Any:
        marker = values[place + 1]
        length = values[place + 2] * 256 + values[place + 3]
        found = values[place + 5 : place + 9]
        found = tf.reshape(found, (2, 2))
        found = found[:, 0] * 256 + found[:, 1]
        sides = tf.where(holds_size(marker), found, sides)
        # Any number of FF may stand before a marker.
        fill = marker == 0xFF
        following = place + tf.where(fill, 1, 2 + length)
        # Behind the start of scan (DA) there are no more segments. Markers
        # without a length (00, 01, D0 to D9) have no place between segments;
        # a decoder would go on right behind them, and not where we should.
        bare = (marker <= 0x01) | ((marker >= 0xD0) & (marker <= 0xD9))
        lost = (values[place] != 0xFF) | (marker == 0xDA) | bare
        lost = lost | (~fill & (length < 2))
        return tf.where(lost, end, following), tf.where(lost, 0, sides)

    _, sides = tf.while_loop(
        goes_on,
        step,
        (tf.constant(2), tf.zeros(2, tf.int32)),
        maximum_iterations=_SEGMENTS,
        parallel_iterations=1,
    )
    return sides

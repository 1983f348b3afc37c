"""Sizes come from headers alone, and pictures are those that OpenCV decodes."""

import functools

import cv2
import numpy as np
import pytest
import tensorflow as tf

from lgn_tf.data.video import preprocessing, untrusted_images


def drawn(height, width, seed=0):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return cv2.resize(small, (width, height))


def encoded(suffix, height, width, *options, seed=0):
    return cv2.imencode(suffix, drawn(height, width, seed), options)[
        1
    ].tobytes()


def with_segment(contents, size):
    """Puts a comment of `size` bytes before all else in a JPEG file."""
    comment = b"\xff\xfe" + (size + 2).to_bytes(2, "big") + b"c" * size
    return contents[:2] + comment + contents[2:]


PLAIN = encoded(".jpg", 31, 47)


@pytest.mark.parametrize(
    ("contents", "size"),
    [
        (PLAIN, (31, 47)),
        (encoded(".jpg", 31, 47, cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (31, 47)),
        (encoded(".png", 300, 5), (300, 5)),
        (with_segment(PLAIN, 60_000), (31, 47)),
        # Fill bytes may stand before a marker.
        (PLAIN[:2] + b"\xff" * 7 + PLAIN[2:], (31, 47)),
        (b"", (0, 0)),
        (b"\xff\xd8\xff", (0, 0)),
        (PLAIN[:100], (0, 0)),
        # The size lies behind what is read.
        (functools.reduce(with_segment, [60_000] * 5, PLAIN), (0, 0)),
        (b"\x89PNG\r\n\x1a\n", (0, 0)),
        (b"II*\x00" + b"\x00" * 40, (0, 0)),
        # Some markers have no length, and no place here either.
        *(
            (PLAIN[:2] + bytes([0xFF, marker, 0, 2]) + PLAIN[2:], (0, 0))
            for marker in (0x00, 0x01, 0xD0, 0xD7, 0xD8, 0xD9)
        ),
        # No segment may have a length below 2.
        (b"\xff\xd8\xff\xfe\x00\x00" + PLAIN[2:], (0, 0)),
        # Behind the start of scan there is no size.
        (b"\xff\xd8\xff\xda\x00\x04ab" + PLAIN[2:], (0, 0)),
    ],
)
def test_size(contents, size):
    found = tuple(untrusted_images.picture_size(tf.constant(contents)).numpy())
    assert found == size


@pytest.mark.parametrize("side", [65_536, 2**31 - 1, 2**32 - 1])
def test_sizes_beyond_all_bounds_are_never_small(side):
    contents = bytearray(encoded(".png", 5, 5))
    contents[16:20] = side.to_bytes(4, "big")
    height, width = untrusted_images.picture_size(tf.constant(bytes(contents)))
    assert height == 5 and width >= 2**16


def decode_all(contents, size, channels, most):
    sizes = untrusted_images.sizes_of(contents, most)
    return untrusted_images.decode_all(contents, sizes, size, channels)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_pictures_equal_opencv(channels, suffix):
    files = [
        encoded(suffix, 31, 47),
        b"none",
        encoded(suffix, 16, 24, seed=1),
        cv2.imencode(suffix, drawn(20, 20)[..., 1])[1].tobytes(),
    ]
    decode = tf.function(lambda x: decode_all(x, (16, 24), channels, 4096))
    found, sizes = decode(tf.constant(files))
    np.testing.assert_array_equal(sizes, [(31, 47), (0, 0), (16, 24), (20, 20)])
    for place in (0, 2, 3):
        frame = cv2.imdecode(
            np.frombuffer(files[place], np.uint8), cv2.IMREAD_COLOR
        )
        expected = preprocessing.prepare(frame, (16, 24), channels)
        np.testing.assert_array_equal(found[place], expected)
    assert not found[1].numpy().any()


def test_the_limit_is_one_of_each_side():
    files = [encoded(".png", h, w) for h, w in ((8, 9), (9, 8), (8, 8))]
    _, sizes = decode_all(tf.constant(files), (8, 8), 3, 8)
    np.testing.assert_array_equal(sizes, [(0, 0), (0, 0), (8, 8)])


def test_a_header_that_does_not_tell_the_truth(monkeypatch):
    files = [encoded(suffix, 8, 9) for suffix in (".png", ".jpg")]
    monkeypatch.setattr(
        untrusted_images, "picture_size", lambda _: tf.constant([8, 8])
    )
    decoded, sizes = decode_all(tf.constant(files), (8, 8), 3, 8)
    assert not sizes.numpy().any() and not decoded.numpy().any()


def test_no_pictures():
    found, sizes = decode_all(tf.constant([], tf.string), (8, 8), 3, 4096)
    assert found.shape == (0, 8, 8, 3) and sizes.shape == (0, 2)

import logging

import cv2
import numpy as np
import pytest

from lgn_tf.data.datasets.dataset import Video
from lgn_tf.data.video import decoding, footage
from lgn_tf.files import media

KINDS = [".jpg", ".png", ".bmp", ".tif"]


def picture(channels, seed=0):
    # Smooth, so that JPEG keeps it, with every channel its own way.
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, channels), dtype=np.uint8)
    return cv2.resize(coarse, (83, 61)).reshape(61, 83, channels)


def encode(kind, frame):
    return cv2.imencode(kind, frame)[1].tobytes()


@pytest.mark.latest
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_graph_gives_the_pixels_of_opencv(kind, channels):
    import tensorflow as tf

    contents = encode(kind, picture(channels))
    wanted = cv2.imdecode(np.frombuffer(contents, np.uint8), cv2.IMREAD_COLOR)
    frame = decoding.decode(contents, "x")
    assert frame.shape == (61, 83, channels)
    np.testing.assert_array_equal(np.broadcast_to(frame, wanted.shape), wanted)
    dataset = tf.data.Dataset.from_tensors(contents).map(
        lambda one: decoding.decode_tensor(one, kind)
    )
    (found,) = dataset
    np.testing.assert_array_equal(found.numpy(), wanted)


@pytest.mark.latest
def test_blue_comes_first():
    import tensorflow as tf

    blue = np.zeros((8, 8, 3), np.uint8)
    blue[..., 0] = 200
    for kind in (".png", ".bmp", ".tif"):
        contents = encode(kind, blue)
        found = decoding.decode(contents, "x")
        np.testing.assert_array_equal(found, blue)
        found = decoding.decode_tensor(tf.constant(contents), kind)
        np.testing.assert_array_equal(found.numpy(), blue)


@pytest.mark.latest
def test_tensorflow_io_and_opencv_decode_tiff_alike(caplog):
    import tensorflow as tf

    decoding._tiff_decoder.cache_clear()
    with caplog.at_level(logging.INFO):
        chosen = decoding._tiff_decoder()
        assert decoding._tiff_decoder() is chosen
    # Said once, whichever it is.
    assert len(caplog.messages) == 1
    native = chosen is decoding._decode_by_tensorflow_io
    assert native == (tf.__version__ < "2.18")
    assert ("OpenCV" in caplog.text) != native
    for channels in (1, 3):
        contents = tf.constant(encode(".tif", picture(channels)))
        np.testing.assert_array_equal(
            chosen(contents).numpy(),
            decoding._decode_by_opencv(contents).numpy(),
        )


def test_opencv_takes_over_where_the_native_library_fails(monkeypatch, caplog):
    def fail(contents):
        raise NotImplementedError("unable to open file: libtensorflow_io.so")

    monkeypatch.setattr(decoding, "_decode_by_tensorflow_io", fail)
    decoding._tiff_decoder.cache_clear()
    try:
        with caplog.at_level(logging.INFO):
            chosen = decoding._tiff_decoder()
        assert chosen is decoding._decode_by_opencv
        assert "TIFF is decoded by OpenCV" in caplog.text
    finally:
        decoding._tiff_decoder.cache_clear()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.95])
def test_an_image_cut_short(kind, share):
    contents = encode(kind, picture(3))
    cut = contents[: int(share * len(contents))]
    with pytest.raises(ValueError, match=r"here\.x: not a readable image"):
        decoding.decode(cut, "here.x")


def test_deep_pixels_are_cut_to_bytes():
    deep = picture(1).astype(np.uint16) * 257
    found = decoding.decode(encode(".png", deep), "x")
    np.testing.assert_array_equal(found, picture(1))


def video_of(tmp_path, frames, suffix="avi"):
    path = tmp_path / f"street.{suffix}"
    media.write_video(path, frames)
    return Video("street", "test", path)


def moving(count=12):
    frames = np.zeros((count, 32, 48, 3), np.uint8)
    for number, frame in enumerate(frames):
        frame[..., 0] = 10 * number
        frame[:, number : number + 4, 2] = 250
    return frames


def test_a_video_gives_blue_first_and_every_frame(tmp_path):
    video = video_of(tmp_path, moving())
    found = np.stack(list(footage.read_frames(video)))
    np.testing.assert_array_equal(found, moving())
    assert footage.promised_frames(video) == 12


def test_a_video_cut_short(tmp_path):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (30, 64, 64, 3), dtype=np.uint8)
    video = video_of(tmp_path, noise)
    contents = video.source.read_bytes()
    video.source.write_bytes(contents[: len(contents) // 2])
    with pytest.raises(
        ValueError, match=r"street\.avi: .*cut short.*promises 30.*there: \d+"
    ):
        list(footage.read_frames(video))


@pytest.mark.parametrize("contents", [b"", b"no video at all" * 100])
def test_no_video_at_all(tmp_path, contents):
    path = tmp_path / "street.avi"
    path.write_bytes(contents)
    with pytest.raises(ValueError, match=r"street\.avi: not a readable video"):
        list(footage.read_video(path))


def test_a_frame_of_another_size(tmp_path):
    media.write_images(tmp_path, [picture(1), picture(1)], "{}.png", 0)
    media.write_images(tmp_path, [picture(1)[:50]], "{}.png", 2)
    with pytest.raises(ValueError, match=r"2\.png.*61 x 83.*50 x 83"):
        list(footage.read_frames(Video("x", "test", tmp_path)))


def test_footage_in_memory():
    video = moving()
    held = footage.InMemory(["a"], [video])
    assert held.size == (32, 48)
    np.testing.assert_array_equal(held.read(0, 2, 5), video[2:5])
    pieces = list(held.stream(0, 5))
    assert [len(piece) for piece in pieces] == [5, 5, 2]
    np.testing.assert_array_equal(np.concatenate(pieces), video)


@pytest.mark.parametrize(
    ("videos", "match"),
    [
        ([np.zeros((2, 4, 4, 3))], "a of float64"),
        ([np.zeros((4, 4, 3), np.uint8)], r"\(4, 4, 3\)"),
        (
            [np.zeros((2, 4, 4, 1), np.uint8), np.zeros((2, 4, 5, 1), "u1")],
            "one height and width",
        ),
    ],
)
def test_footage_in_memory_of_another_shape(videos, match):
    with pytest.raises(ValueError, match=match):
        footage.InMemory(["a", "b"][: len(videos)], videos)


def test_footage_of_a_video_file_reads_anywhere(tmp_path):
    found = footage.Encoded([video_of(tmp_path, moving())], (32, 48))
    assert found.frame_counts == [12]
    np.testing.assert_array_equal(found.read(0, 7, 10), moving()[7:10])
    streamed = np.concatenate(list(found.stream(0, 5)))
    np.testing.assert_array_equal(streamed, moving())

"""Operations, counted from shapes."""

import pytest

from benchmarks import operations


def test_a_convolution():
    # Each of 4 x 6 outputs and 5 channels sums 9 x 3 products.
    assert operations.convolution(4, 6, 3, 5) == 2 * 4 * 6 * 5 * 27


def test_as_much_as_a_profiler_counts():
    """409 GFLOP in the authors' code by PyTorch's own counter."""
    assert operations.window(least=False) == pytest.approx(409e9, rel=2e-3)


def test_zero_states_need_fewer():
    assert operations.window() == pytest.approx(380e9, rel=2e-3)


def test_a_video_needs_the_frames_own_part_once():
    cell = operations.convolution(64, 64, 128, 128)
    saved = operations.window() - operations.video()
    # 26 gates of x in a window, 7 a frame; three frames less to encode.
    encoder = operations._frame_encoder((256, 256), 3, 1.0)
    assert saved == 19 * cell + 3 * encoder


def test_scales_with_pixels_and_square_of_width():
    whole = operations.window(channels=1)
    assert operations.window((128, 128), channels=1) * 4 == whole
    assert 3.5 < whole / operations.window(channels=1, width=0.5) < 4


def test_profiler_agrees_at_a_small_size():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from torch.utils.flop_counter import FlopCounterMode

    from benchmarks.peers.network import Peer
    from benchmarks.peers.weights import draw_source
    from lgn_tf.model.lgn_net import LGNNet

    model = LGNNet(image_size=(32, 48), width=0.0625, channels=1)
    model.build()
    peer = Peer(*draw_source(model))
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        peer(torch.zeros(1, 4, 1, 32, 48))
    counted = sum(
        count
        for name, count in counter.get_flop_counts()["Global"].items()
        if "convolution" in str(name)
    )
    expected = operations.window((32, 48), 1, width=0.0625, least=False)
    assert counted == expected

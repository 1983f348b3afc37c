"""Reading ahead."""

import threading

import numpy as np
import pytest

from lgn_tf.data.video import footage


def numbered(count, seen=None):
    for place in range(count):
        if seen is not None:
            seen.append(place)
        yield np.full((1, 2, 2, 1), place, np.uint8)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_all_pieces_come_in_order(count):
    found = [int(piece[0, 0, 0, 0]) for piece in footage.ahead(numbered(count))]
    assert found == list(range(count))


def test_one_piece_is_read_while_another_is_worked_on():
    reached = threading.Event()

    def pieces():
        yield from numbered(1)
        reached.set()
        yield from numbered(1)

    ahead = footage.ahead(pieces())
    next(ahead)
    # Nobody has asked for the second one yet.
    assert reached.wait(10)
    ahead.close()


def test_no_more_than_one_piece_waits():
    seen = []
    ahead = footage.ahead(numbered(5, seen))
    next(ahead)
    ahead.close()
    assert len(seen) <= 2


def test_an_error_comes_in_the_place_of_its_piece():
    def pieces():
        yield from numbered(2)
        raise ValueError("third piece is damaged")

    ahead = footage.ahead(pieces())
    next(ahead)
    next(ahead)
    with pytest.raises(ValueError, match="third piece"):
        next(ahead)


def test_no_more_frames_are_read_than_a_piece_takes():
    seen = []

    def frames():
        for place in range(5):
            seen.append(place)
            yield np.full((4, 6, 1 + 2 * (place == 3)), place, np.uint8)

    pieces = footage.resized(frames(), (2, 3), 2)
    first = next(pieces)
    assert seen == [0, 1]
    others = list(pieces)
    # A piece has as many channels as its frames need.
    assert [one.shape for one in (first, *others)] == [
        (2, 2, 3, 1),
        (2, 2, 3, 3),
        (1, 2, 3, 1),
    ]
    found = [one[:, 0, 0, 0].tolist() for one in (first, *others)]
    assert found == [[0, 1], [2, 3], [4]]

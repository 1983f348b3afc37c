"""Pictures that cannot be decoded, or must not be."""

import cv2
import numpy as np

from tests.exporting.endpoints_by_hand import colourful, encode


def bomb(suffix):
    """Returns a small file whose header promises a large picture."""
    contents = bytearray(encode(colourful(1, 1, 16, 16), suffix).item())
    if suffix == ".png":
        contents[16:24] = (100_000).to_bytes(4, "big") * 2
    else:
        place = contents.index(b"\xff\xc0")
        contents[place + 5 : place + 9] = (60_000).to_bytes(2, "big") * 2
    return bytes(contents)


def disguised():
    """Returns a large JPEG with the size 20 x 30 inside a text.

    It stands where a reader arrives that takes a length from behind a marker
    that has none.
    """
    large = np.zeros((4097, 4097, 3), np.uint8)
    contents = cv2.imencode(".jpg", large)[1].tobytes()
    size = bytes.fromhex("ffc0 0011 08 0014 001e 03")
    # The marker FF E1, read as a length, counts itself and the length as well.
    text = b"t" * (0xFFE1 - 4) + size
    length = (len(text) + 2).to_bytes(2, "big")
    return b"\xff\xd8\xff\xd0\xff\xe1" + length + text + contents[2:]


WHOLE = encode(colourful(1, 1, 20, 30), ".jpg").item()


BAD = {
    "empty": b"",
    "text": b"no picture",
    "cut short": WHOLE[: len(WHOLE) // 2],
    "magic bytes alone": b"\xff\xd8\xff",
    "no end of segments": b"\xff\xd8" + b"\xff" * 500,
    "broken tables": WHOLE.replace(b"\xff\xc4", b"\xff\xc4\x00", 1),
    "PNG bomb": bomb(".png"),
    "JPEG bomb": bomb(".jpg"),
    "JPEG bomb in disguise": disguised(),
    "PNG header alone": bomb(".png")[:30],
    "gif": b"GIF89a" + b"\x01" * 30,
    "another size": encode(colourful(1, 1, 24, 30), ".jpg").item(),
}

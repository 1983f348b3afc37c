"""The size of a JPEG or PNG file, from its header alone.

An exported LGN-Net reads headers by the same rules before it decodes a
picture. The time is bounded for any contents, which is why this is no library
that follows every segment of a file.
"""

_HEADER_BYTES = 2**18
_SEGMENTS = 256
_PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
# Start of frame, but for tables (C4), a reserved one (C8) and arithmetic
# conditioning (CC).
_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers without a length, which have no place between segments; and the start
# of scan (DA), behind which there are no more.
_ENDS = frozenset((0x00, 0x01, 0xDA, *range(0xD0, 0xDA)))


def picture_size(contents: bytes) -> tuple[int, int]:
    """Returns (height, width); zeros where no size is found.

    It is looked for in the first 256 KiB and the first 256 segments.

    Example:
        >>> picture_size(b"no picture")
        (0, 0)
    """
    if contents.startswith(_PNG):
        sides = contents[16:24].ljust(8, b"\0")
        return int.from_bytes(sides[4:], "big"), int.from_bytes(
            sides[:4], "big"
        )
    if not contents.startswith(b"\xff\xd8\xff"):
        return 0, 0
    end = min(len(contents), _HEADER_BYTES)
    place = 2
    for _ in range(_SEGMENTS):
        # What lies behind the end counts as zeros.
        part = contents[place : min(place + 9, end)].ljust(9, b"\0")
        marker, length = part[1], int.from_bytes(part[2:4], "big")
        if place >= end or part[0] != 0xFF or marker in _ENDS:
            return 0, 0
        if marker == 0xFF:
            # Any number of FF may stand before a marker.
            place += 1
            continue
        if length < 2:
            return 0, 0
        if marker in _SIZES:
            height = int.from_bytes(part[5:7], "big")
            width = int.from_bytes(part[7:9], "big")
            if height or width:
                return height, width
        place += 2 + length
    return 0, 0

"""What the containers of video files say: that they are some, and whole."""

from pathlib import Path

from lgn_tf.files import untrusted

_BOXED = (".mp4", ".mov", ".m4v")

_HIDDEN = 0.05
"""Share of the frames of an MP4 file that may be passed over.

An edit list hides frames that the header counts, and a decoder leaves out
frames whose references lie before the first one: a clip that was cut out of a
longer video has both, and is whole.
"""


_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
_BEGINNINGS = (
    b"RIFF",  # AVI.
    b"\x1a\x45\xdf\xa3",  # Matroska.
    b"\0\0\1",  # MPEG, programs and streams.
    b"G",  # MPEG, transport.
    b"OggS",
)


def require_container(path: Path) -> None:
    """Refuses a list of videos, whatever its name: it would open other files.

    A decoder goes by the contents, and a list may name files and addresses.

    Raises:
        OSError: where the file cannot be read.
        ValueError: naming the file.
    """
    with untrusted.opened(path) as file:
        head = file.read(8)
    if not head.startswith(_BEGINNINGS) and head[4:] not in _BOXES:
        raise ValueError(
            f"{path}: not a readable video, or cut short. "
            f"Found there: {path.stat().st_size} bytes"
        )


def is_cut_short(path: Path, promised: int, found: int) -> bool:
    """Says if a video file ends before its header says.

    Other containers than AVI, MP4 and MOV only estimate their frames, and
    never are.

    Args:
        path: of the file.
        promised: frames by its header.
        found: frames that could be decoded.
    """
    if found >= promised:
        return False
    if path.suffix.lower() in _BOXED:
        return found < (1 - _HIDDEN) * promised or _lacks_bytes(path)
    return path.suffix.lower() == ".avi"


def _lacks_bytes(path: Path) -> bool:
    """Says if the last box of an MP4 or MOV file ends behind the file."""
    size, place = path.stat().st_size, 0
    with path.open("rb") as file:
        while place + 8 <= size:
            file.seek(place)
            length = int.from_bytes(file.read(4))
            if length == 1:
                file.seek(place + 8)
                length = int.from_bytes(file.read(8))
            if length < 8:
                break  # The box reaches to the end, or it is none.
            place += length
    return place > size

"""How large a request may be, as an exported graph itself checks it."""

import dataclasses

MAX_VIDEO_FRAMES = 256
MAX_ROWS = 64
MAX_PIXELS_M = 700
"""Millions of pixels. Eight rows of five frames of 4096 x 4096 have less, so
that a server which merges eight rows never meets this bound: it would fail the
requests of other clients as well."""


@dataclasses.dataclass(frozen=True)
class RequestLimits:
    """Bounds of one request, or of the requests that a server has merged.

    Attributes:
        video_frames: most frames of one video.
        rows: most rows, of endpoints that score windows.
        pixels: most pixels of all frames, as they came.
    """

    video_frames: int = MAX_VIDEO_FRAMES
    rows: int = MAX_ROWS
    pixels: int = MAX_PIXELS_M * 10**6

    def __post_init__(self) -> None:
        """Refuses bounds that no request could meet.

        Raises:
            ValueError: naming the bound.
        """
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value < 1:
                raise ValueError(
                    f"`{field.name}` must be at least 1. "
                    f"Received: {field.name}={value}"
                )

    def frames(self, window: int) -> int:
        """Returns the most frames of all videos of a request together.

        They are as many as those of the windows that a request may have, and
        one video is always allowed.

        Args:
            window: frames of a window.
        """
        return max(self.video_frames, self.rows * window)

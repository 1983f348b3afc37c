"""The numbers that publications give for the data sets, to check against."""

import dataclasses
import types
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Numbers:
    """What a complete copy holds.

    Attributes:
        train_videos, train_frames, test_videos, test_frames: as named.
        abnormal: abnormal test frames, by version of the labels.
        scored: test frames without the first four of each video.
        test_counts: frames of each test video; empty where not published.
    """

    train_videos: int
    train_frames: int
    test_videos: int
    test_frames: int
    abnormal: Mapping[str, int]
    scored: int
    test_counts: tuple[int, ...] = ()


# fmt: off
_PED2 = (180, 180, 150, 180, 150, 180, 180, 180, 120, 150, 180, 180)
_AVENUE = (
    1439, 1211, 923, 947, 1007, 1283, 605, 36, 1175, 841, 472, 1271, 549, 507,
    1001, 740, 426, 294, 248, 273, 76,
)
# fmt: on

DATASETS: Mapping[str, Numbers] = types.MappingProxyType(
    {
        "ped2": Numbers(
            train_videos=16,
            train_frames=2550,
            test_videos=12,
            test_frames=2010,
            abnormal={"ucsd": 1648, "frame-pred": 1648, "mnad": 1648},
            scored=1962,
            test_counts=_PED2,
        ),
        # The labels of later publications differ from the official masks in
        # 441 frames: results name their version.
        "avenue": Numbers(
            train_videos=16,
            train_frames=15328,
            test_videos=21,
            test_frames=15324,
            abnormal={"avenue-masks": 3712, "frame-pred": 3867, "mnad": 3867},
            scored=15240,
            test_counts=_AVENUE,
        ),
        # Papers print 42,883 test frames; the archive holds 40,791.
        "shanghaitech": Numbers(
            train_videos=330,
            train_frames=274515,
            test_videos=107,
            test_frames=40791,
            abnormal={"shanghaitech": 17326, "mnad": 17326},
            scored=40363,
        ),
    }
)
"""By the name that `lgn verify --dataset` takes."""

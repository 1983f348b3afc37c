"""The file of a calibration, checked before its numbers are read."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lgn_tf.files import arrays
from lgn_tf.files.arrays import Header
from lgn_tf.scores.cue_values import CUES, ERROR

FORMAT = 4
"""Written by this version."""


class OutdatedError(ValueError):
    """A calibration that an earlier version of this program measured."""


def read(path: Path, measures: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Returns the arrays of a calibration, by name; see `Calibration.save`.

    Args:
        path: of the file.
        measures: names of those that may have quantiles.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: where it is no calibration of this format; as
            `OutdatedError` where it is one of an older format.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no calibration there")

    def accept(found: Mapping[str, Header]) -> None:
        # Of an older format, other arrays say nothing.
        if "cue_error" in found:
            _require_shapes(found, measures)
        elif "format" not in found or found["format"].shape != ():
            raise ValueError(f"{arrays.shapes(found)}")

    try:
        found = arrays.read_arrays(path, accept=accept)
        stamp = found["format"]
        if stamp.shape != () or stamp.dtype.kind not in "iu":
            raise ValueError(f"format {stamp!r:.80}")
        if 0 < stamp < FORMAT:
            raise OutdatedError(
                f"{path}: is of an older format; `lgn evaluate` on its run "
                f"measures it again. Found there: format {stamp}"
            )
        if stamp != FORMAT:
            raise ValueError(f"format {stamp}")
        _require_values(found)
    except OutdatedError:
        raise
    except (ValueError, KeyError) as error:
        raise ValueError(
            f"{path}: must be a calibration of format {FORMAT}. "
            f"Found there: {error.__cause__ or error}"
        ) from error
    return found


def _require_shapes(
    found: Mapping[str, Header], measures: Sequence[str]
) -> None:
    """Refuses arrays of other kinds than the calibration has."""
    ranks = {"format": 0, "in_sample": 0, "names": 1, "lengths": 1}
    kinds = {"format": "iu", "in_sample": "b", "names": "U", "lengths": "iu"}
    wanted = {
        **{f"cue_{name}": (1, 64) for name in CUES},
        **{f"scale_{name}": (2, 32) for name in CUES},
        **{f"quantiles_{name}": (1, 64) for name in measures},
    }
    for name, header in found.items():
        if name in ranks:
            good = len(header.shape) == ranks[name]
            good = good and header.dtype.kind in kinds[name]
        else:
            good = name in wanted and arrays.are_floats(header, *wanted[name])
        if not good:
            raise ValueError(arrays.shapes({name: header}))
    cues = {name for name in CUES if f"cue_{name}" in found}
    scaled = {name for name in CUES if f"scale_{name}" in found}
    if not set(ranks) <= set(found) or cues != scaled:
        raise ValueError(arrays.shapes(found))


def _require_values(found: Mapping[str, NDArray[Any]]) -> None:
    lengths = found["lengths"].astype(np.int64)
    frames = len(found[f"cue_{ERROR}"])
    if (
        len(found["names"]) != len(lengths)
        or (lengths < 0).any()
        or sum(lengths.tolist()) != frames
        or not frames
    ):
        raise ValueError(
            f"{len(found['names'])} names, the lengths "
            f"{lengths[:5].tolist()}, and {frames} frames"
        )
    for name, array in found.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"numbers in {name} that are not finite")
        if name.startswith("cue_") and len(array) != frames:
            raise ValueError(f"{len(array)} numbers in {name}")
        if name.startswith("quantiles_") and not (
            len(array) and (np.diff(array) >= 0).all()
        ):
            raise ValueError(f"no quantiles in {name}")
        if name.startswith("scale_") and not (array > 0).all():
            raise ValueError(f"numbers in {name} that are not positive")

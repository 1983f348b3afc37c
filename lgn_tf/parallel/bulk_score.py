"""The videos of a frame store, scored on as many machines as there are.

A second start goes on where the first one was stopped.
"""

import dataclasses
import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras

import lgn_tf
from lgn_tf.config import schema
from lgn_tf.data.datasets import dataset
from lgn_tf.data.store import store
from lgn_tf.data.store.manifest import MANIFEST, Entry
from lgn_tf.files import listings, locks, scratch, untrusted
from lgn_tf.inference import run_scorer
from lgn_tf.inference.run_scorer import Scoring
from lgn_tf.parallel import storage
from lgn_tf.parallel.beam_job import DESCRIPTION, SOURCES, Job
from lgn_tf.runs import directory
from lgn_tf.runs.run import Run
from lgn_tf.scores import video_scores

_LOOKS = 16
"""Files of an object store that are asked for at once."""

_LOCK = ".lock"
"""In a local folder while its description is written."""

_MOST_BYTES = untrusted.MEBIBYTE
"""Of a description."""


class MissingBeamError(ValueError):
    """Apache Beam or fsspec, of the extra `beam`, is not installed."""


@dataclasses.dataclass(frozen=True)
class Counts:
    """The numbers of videos of a bulk scoring.

    Attributes:
        scored: videos that were scored now.
        there: videos that an earlier start had scored.
        too_short: names of the videos that have no score.
    """

    scored: int
    there: int
    too_short: tuple[str, ...]


def score(
    run_dir: str,
    store_folder: str,
    out: str,
    *,
    split: str = "test",
    gamma: float | str | None = None,
    reset_memory: bool = False,
    beam_options: Sequence[str] = (),
    say: Callable[[str], None] = print,
) -> Counts:
    """Scores every video of a split that is not scored yet.

    Args:
        run_dir: of the run, a local path or a URL; see `storage`.
        store_folder: of a store that `lgn prepare` made, likewise.
        out: folder that is written to, likewise.
        split: `test`, `train`, or `all` for every video.
        gamma: update threshold; a number, `auto`, or None for that of the run.
        reset_memory: whether every video starts with the trained items.
        beam_options: options of Beam's pipelines, as on its command lines.
        say: is told what is about to be done.

    Raises:
        MissingBeamError: without Apache Beam or fsspec.
        ValueError: where videos would depend on their order, the store does
            not fit the run, `out` was begun with other settings, or the
            pipeline failed.
        OSError: for files that cannot be read or written.

    Example:
        score("runs/ped2", "store", "s3://bucket/scores", gamma=0)
    """
    beam_pipeline = _beam_pipeline()
    options = beam_pipeline.options(beam_options)
    scoring, description = _described(run_dir, gamma, reset_memory, split)
    entries = _entries(store_folder, split, scoring)
    motion = scoring.moves and all(entry.motion for entry in entries)
    if scoring.moves and not motion:
        say(
            f"{store_folder}: does not hold the motion in every video, so "
            "there is no online score with motion. `lgn prepare --motion` "
            "adds it"
        )
    job = Job(run_dir, store_folder, out, scoring, motion)
    _agree(out, description | {"motion": motion})
    long = [entry for entry in entries if entry.frames > scoring.frames]
    if not long:
        raise ValueError(f"{store_folder}: no video is long enough for a score")
    with ThreadPoolExecutor(_LOOKS) as pool:
        done = list(pool.map(job.is_done, long))
    left = [e for e, is_done in zip(long, done, strict=True) if not is_done]
    say(f"{out}: {len(left)} of {len(long)} videos are to be scored")
    if left:
        beam_pipeline.run(job, left, options)
    too_short = tuple(e.name for e in entries if e.frames <= scoring.frames)
    return Counts(len(left), len(long) - len(left), too_short)


def _beam_pipeline() -> Any:
    """Imports the module that needs the extra `beam`."""
    # Once imported, Beam warns of each cloud that it finds no client for.
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        import apache_beam  # noqa: F401
        import fsspec  # noqa: F401

        from lgn_tf.parallel import beam_pipeline
    except ImportError as error:
        raise MissingBeamError(
            "bulk scoring needs Apache Beam and fsspec, and one of them is not "
            'installed: pip install "lgn-tf[beam]"'
        ) from error
    finally:
        logging.disable(before)
    return beam_pipeline


def _described(
    run_dir: str, gamma: float | str | None, reset_memory: bool, split: str
) -> tuple[Scoring, dict[str, Any]]:
    """Returns with what a run is scored, and the description of it."""
    with storage.local(run_dir, run_scorer.RUN_FILES) as folder:
        for name in (directory.CONFIG, directory.WEIGHTS):
            if not (folder / name).is_file():
                raise FileNotFoundError(
                    f"{storage.join(run_dir, name)} is missing: a run must "
                    "be complete to be scored with"
                )
        scoring = run_scorer.scoring_of(Run(folder), gamma, reset_memory)
        description = _describe(folder, scoring, split)
    if not scoring.independent:
        raise ValueError(
            "Bulk scoring needs videos that do not depend on their order, and "
            "here the memory would go on from video to video. --reset-memory "
            "or --gamma 0 makes them independent. "
            f"Received: gamma={scoring.gamma:g}, reset_memory=False"
        )
    return scoring, description


def _entries(folder: str, split: str, scoring: Scoring) -> list[Entry]:
    with storage.local(folder, [MANIFEST]) as copy:
        if not (copy / MANIFEST).is_file():
            raise FileNotFoundError(
                f"{storage.join(folder, MANIFEST)}: not there, so "
                f"{folder} is no store. `lgn prepare` makes one"
            )
        manifest = store.open_store(copy).manifest
    if manifest.size != scoring.image_size:
        raise ValueError(
            "The frames of the store must be of the run's size, "
            f"{scoring.image_size[0]} x {scoring.image_size[1]}. Received: "
            f"{folder} of {manifest.size[0]} x {manifest.size[1]}"
        )
    found = [
        entry
        for entry in manifest.entries
        if split == "all" or entry.split in (split, "all")
    ]
    if not found:
        raise ValueError(f"{folder}: no videos of the split {split!r}")
    dataset.require_distinct(
        ((entry.name, entry.path) for entry in found),
        "; --split takes one split alone",
    )
    return found


def _describe(run_dir: Path, scoring: Scoring, split: str) -> dict[str, Any]:
    """Returns all that decides about the bytes of the files."""
    config = directory.read_config(run_dir)
    model = json.dumps(schema.to_dict(config)["model"], sort_keys=True)
    return {
        "version": lgn_tf.__version__,
        "backend": keras.backend.backend(),
        "model": hashlib.sha256(model.encode()).hexdigest(),
        "weights": _digest(run_dir / directory.WEIGHTS),
        "calibration": _digest(run_dir / directory.CALIBRATION),
        "cue_weights": config.scoring.cue_weights,
        "gamma": scoring.gamma,
        "normality_weight": scoring.normality_weight,
        "reset_memory": scoring.reset_memory,
        "image_size": list(scoring.image_size),
        "split": split,
    }


def _digest(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _agree(out: str, description: dict[str, Any]) -> None:
    """Writes the description, or compares it with the one that is there."""
    path = storage.join(out, DESCRIPTION)
    if storage.is_remote(out):
        is_empty = storage.is_empty(out)
        if not storage.exists(path):
            if not is_empty:
                raise FileExistsError(
                    f"{out}: must be empty, or hold scores alone. "
                    f"Found there: files, and no {DESCRIPTION}"
                )
            # Two at once: the later one's stays, and both look at it below.
            _describe_in(path, description)
    else:
        folder = Path(out)
        if not storage.exists(path):
            video_scores.claim(folder)
            with locks.alone(folder / _LOCK, folder, wait=True):
                if not storage.exists(path):
                    _describe_in(path, description)
        video_scores.require_inside(folder)
        listings.require_inside(folder, folder / SOURCES)
        # Where all is done, nothing is written, and nothing else would do it.
        for place in ("", video_scores.FRAMES, video_scores.MAPS, SOURCES):
            scratch.sweep(folder / place)
    try:
        before = dict(json.loads(storage.read(path, _MOST_BYTES)))
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{path}: not a JSON object. Found there: {error}"
        ) from error
    differ = [
        f"{name} was {before.get(name)!r} and is {description.get(name)!r}"
        for name in (description | before)
        if before.get(name) != description.get(name)
    ]
    if differ:
        raise ValueError(
            f"{path}: begun with other settings; choose another --out. "
            f"Found there: {'; '.join(differ)}"
        )


def _describe_in(path: str, description: dict[str, Any]) -> None:
    text = json.dumps(description, indent=1) + "\n"
    storage.write(path, text.encode())

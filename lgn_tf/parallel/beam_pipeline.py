"""The Beam pipeline of bulk scoring: one video is one element.

A module of its own, because it needs Apache Beam when it is imported;
`bulk_score` imports it once Beam is known to be there.
"""

import logging
import re
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import apache_beam as beam
import numpy as np
from apache_beam.options import pipeline_options
from apache_beam.utils import shared
from numpy.typing import NDArray

from lgn_tf.data.store.manifest import MOTION_TYPE, Entry
from lgn_tf.inference import run_scorer
from lgn_tf.parallel import storage
from lgn_tf.parallel.beam_job import Job
from lgn_tf.runs.run import Run

_DIRECT = (None, "DirectRunner")


def options(arguments: Sequence[str]) -> pipeline_options.PipelineOptions:
    """Reads the options of Beam's pipelines, as on its command lines."""
    found = pipeline_options.PipelineOptions(list(arguments))
    if found.view_as(pipeline_options.StandardOptions).runner in _DIRECT:
        # Else Beam first downloads another runner and tries that one.
        streaming = found.view_as(pipeline_options.StreamingOptions)
        streaming.update_compatibility_version = beam.__version__
    return found


def run(
    job: Job,
    entries: Sequence[Entry],
    options: pipeline_options.PipelineOptions,
) -> None:
    """Scores videos and waits for the last of them.

    Args:
        job: with what and where.
        entries: of the store.
        options: of the pipeline.

    Raises:
        ValueError: where the pipeline failed, with its reason.
    """
    pipeline = beam.Pipeline(options=options)
    _ = (
        pipeline
        | "videos" >> beam.Create(list(entries))
        # Else the runner might keep all of them on one machine.
        | "spread" >> beam.Reshuffle()
        | "score" >> beam.ParDo(ScoreVideo(job))
    )
    log = logging.getLogger("apache_beam.runners.common")
    log.addFilter(_unexpected)
    try:
        state = pipeline.run().wait_until_finish()
    except Exception as error:
        reason = _reason(error)
        if reason.startswith("KeyboardInterrupt"):  # Beam wraps it.
            raise KeyboardInterrupt from None
        raise ValueError(f"the pipeline failed: {reason}") from error
    finally:
        log.removeFilter(_unexpected)
    if state != "DONE":
        raise ValueError(f"the pipeline ended as {state}")


def _unexpected(record: logging.LogRecord) -> bool:
    """Leaves out the traceback of what the user hears of in one line."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, ValueError | OSError | KeyboardInterrupt)


def _reason(error: Exception) -> str:
    """Returns the last line of what may be a whole traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # Another process hands out its exceptions as text, behind their type.
    return re.sub(r"^[\w.]*Error: ", "", lines[-1]) if lines else repr(error)


class ScoreVideo(beam.DoFn):
    """Scores a video of the store and writes its files.

    A process loads the run once, however many threads it has, and scores one
    video at a time: TensorFlow has threads of its own.

    Args:
        job: with what and where.
    """

    def __init__(self, job: Job) -> None:
        """Loads nothing yet."""
        self._job = job
        self._shared = shared.Shared()

    def setup(self) -> None:
        """Loads the run."""
        self._scorer = self._shared.acquire(lambda: _Scorer(self._job))

    def process(self, entry: Entry) -> Iterator[str]:
        """Scores one video, unless a bundle that failed later had done so."""
        if not self._job.is_done(entry):
            self._scorer.score(entry)
        yield entry.name


class _Scorer:
    def __init__(self, job: Job) -> None:
        self.job = job
        self.lock = threading.Lock()
        with storage.local(job.run_dir, run_scorer.RUN_FILES) as folder:
            self.run = run_scorer.RunScorer(Run(folder), job.scoring)

    def score(self, entry: Entry) -> None:
        with self.lock:
            self.job.begin(entry)
            if not storage.is_remote(self.job.out):
                self._write(entry, Path(self.job.out))
            else:
                self._write_remote(entry)
            self.job.finish(entry)

    def _write(self, entry: Entry, folder: Path) -> None:
        scores = self.run.score(
            entry.name,
            _pieces(self.job, entry, self.run.chunk),
            self._motion(entry) if self.job.motion else None,
        )
        self.run.write(scores, folder)

    def _motion(self, entry: Entry) -> list[float]:
        """Measures the stored motion of a video; see `RunScorer.score`."""
        path = storage.join(self.job.store, *entry.motion_path.parts)
        # Of a frame, so that a long video need not fit into memory.
        size = entry.motion_bytes // entry.frames
        found, strengths = 0, []
        for piece in storage.stream(path, size):
            found += len(piece)
            if len(piece) != size or found > entry.motion_bytes:
                break
            cells = np.frombuffer(piece, MOTION_TYPE)
            strengths.append(self.run.strength(cells.reshape(entry.cells)))
        _require_bytes(path, entry.motion_bytes, found)
        return strengths

    def _write_remote(self, entry: Entry) -> None:
        with tempfile.TemporaryDirectory(prefix="lgn-") as folder:
            self._write(entry, Path(folder))
            for target in self.job.files(entry.name):
                kind, file = target.rsplit("/", 2)[1:]
                storage.write(target, Path(folder, kind, file).read_bytes())


def _pieces(job: Job, entry: Entry, length: int) -> Iterator[NDArray[np.uint8]]:
    """Reads the frames of a stored video as a stream."""
    height, width = job.scoring.image_size
    path = storage.join(job.store, *entry.path.parts)
    frame = height * width * entry.channels
    found = 0
    for piece in storage.stream(path, length * frame):
        found += len(piece)
        if len(piece) % frame or found > entry.frames * frame:
            break
        shape = (-1, height, width, entry.channels)
        yield np.frombuffer(piece, np.uint8).reshape(shape)
    _require_bytes(path, entry.bytes(job.scoring.image_size), found)


def _require_bytes(path: str, needed: int, found: int) -> None:
    if found != needed:
        raise ValueError(
            f"{path}: must hold {needed} bytes. Found there: {found}. "
            "`lgn prepare` makes it anew"
        )

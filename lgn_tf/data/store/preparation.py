"""Fills a frame store: on all cores, restartable, nothing half written."""

import errno
import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

import cv2

from lgn_tf.data.datasets.dataset import Dataset, Video
from lgn_tf.data.store import store
from lgn_tf.data.store.manifest import (
    MANIFEST,
    MOTION_SUFFIX,
    Entry,
    Manifest,
    read_manifest,
    write_manifest,
)
from lgn_tf.data.store.video_writer import VideoWriter
from lgn_tf.data.video import footage
from lgn_tf.files import locks

Progress = Callable[[int, int], None]
"""Called with the frames done and the frames there should be."""


LOCK = ".lock"
"""In a store that is being filled."""


def prepare(
    dataset: Dataset,
    folder: Path,
    size: tuple[int, int],
    *,
    workers: int | None = None,
    skip_bad: bool = False,
    motion: bool = False,
    progress: Progress | None = None,
    wait: bool = False,
) -> store.Store:
    """Decodes and resizes every video that a store does not hold yet.

    What an earlier run finished is kept where the checksum of its source still
    agrees; the rest is made anew.

    Args:
        dataset: the videos.
        folder: of the store; made where it does not exist.
        size: (height, width) that frames are resized to.
        workers: threads; default one for each core this process may use.
        skip_bad: leave out videos that cannot be read, and name them in the
            manifest, rather than stop at the first.
        motion: also measure the motion in the frames, in their own size, and
            make anew what was stored without; what was stored with it keeps
            it either way.
        progress: called from time to time.
        wait: whether to wait for another run that is at work.

    Raises:
        ValueError: for a bad video (naming the file), a dataset without
            videos, or a folder that holds something else.
        OSError: where there is no space left, or another run is at work.
    """
    if min(size) < 1:
        raise ValueError(f"`size` must be positive. Received: size={size}")
    if workers is not None and workers < 1:
        raise ValueError(
            f"`workers` must be at least 1. Received: workers={workers}"
        )
    if not dataset.videos:
        raise ValueError(f"{dataset.root}: no videos to prepare")
    _require_own_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    busy = "another `lgn prepare` fills this store"
    with locks.alone(folder / LOCK, folder, busy, wait):
        _sweep(folder)
        _Preparation(dataset, folder, size, skip_bad, motion, progress).run(
            workers or len(os.sched_getaffinity(0))
        )
        return store.open_store(folder)


def _require_own_folder(folder: Path) -> None:
    if folder.is_dir() and not (folder / MANIFEST).exists():
        halves = (f"{MANIFEST}.partial", f".partial-{MANIFEST}")
        ours = (LOCK, "train", "test", "all", *halves)
        others = [p.name for p in folder.iterdir() if p.name not in ours]
        if others:
            raise ValueError(
                f"{folder}: a store needs a folder of its own. "
                f"Found there: {', '.join(sorted(others)[:5])}"
            )


def _sweep(folder: Path) -> None:
    """Removes what a killed run had not finished."""
    for pattern in ("*.partial", ".partial-*"):
        for path in folder.rglob(pattern):
            path.unlink()


class _Preparation:
    def __init__(
        self,
        dataset: Dataset,
        folder: Path,
        size: tuple[int, int],
        skip_bad: bool,
        motion: bool,
        progress: Progress | None,
    ) -> None:
        self.dataset, self.folder, self.size = dataset, folder, size
        self.skip_bad, self.progress = skip_bad, progress
        self.entries: dict[tuple[str, str], Entry] = {}
        self.skipped: dict[tuple[str, str], str] = {}
        self.stop = threading.Event()
        self.writer = VideoWriter(
            folder, size, motion, self.stop, self._advance
        )
        self.lock = threading.Lock()
        self.done = self.total = 0

    def run(self, workers: int) -> None:
        earlier = self._earlier()
        for video in self.dataset.videos:
            with suppress(ValueError):
                self.total += footage.promised_frames(video)
        self._require_space(earlier)
        self._save(complete=False)
        cv2.setNumThreads(1)
        try:
            with ThreadPoolExecutor(workers) as pool:
                self._gather(pool, earlier)
        finally:
            cv2.setNumThreads(-1)
        if not self.entries:
            reasons = "; ".join(self.skipped.values())
            raise ValueError(
                f"{self.dataset.root}: every video is bad: {reasons}"
            )
        self._save(complete=True)
        self._remove_others()

    def _earlier(self) -> dict[tuple[str, str], Entry]:
        try:
            manifest = read_manifest(self.folder)
        except FileNotFoundError:
            return {}
        if manifest.size != self.size:
            return {}
        return {(e.split, e.name): e for e in manifest.entries}

    def _require_space(self, earlier: dict[tuple[str, str], Entry]) -> None:
        # The least it can take: one channel a frame.
        kept = sum(entry.frames for entry in earlier.values())
        needed = max(0, self.total - kept) * self.size[0] * self.size[1]
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise OSError(
                errno.ENOSPC,
                f"the store takes at least {needed} bytes, {free} are free",
                str(self.folder),
            )

    def _gather(
        self,
        pool: ThreadPoolExecutor,
        earlier: dict[tuple[str, str], Entry],
    ) -> None:
        waiting: dict[Future[Entry], Video] = {}
        for video in self.dataset.videos:
            entry = earlier.get((video.split, video.name))
            waiting[pool.submit(self.writer.write, video, entry)] = video
        try:
            while waiting:
                finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in finished:
                    self._take(waiting.pop(future), future)
                self._save(complete=False)
        except BaseException:
            self.stop.set()
            pool.shutdown(cancel_futures=True)
            raise

    def _take(self, video: Video, future: Future[Entry]) -> None:
        key = (video.split, video.name)
        try:
            self.entries[key] = future.result()
        except ValueError as error:
            if not self.skip_bad:
                raise
            self.skipped[key] = str(error)

    def _save(self, complete: bool) -> None:
        keys = [(video.split, video.name) for video in self.dataset.videos]
        manifest = Manifest(
            self.dataset.layout,
            self.size,
            complete,
            tuple(self.entries[key] for key in keys if key in self.entries),
            tuple(self.skipped[key] for key in keys if key in self.skipped),
        )
        write_manifest(manifest, self.folder)

    def _advance(self, count: int) -> None:
        with self.lock:
            self.done += count
            if self.progress is not None:
                self.progress(self.done, self.total)

    def _remove_others(self) -> None:
        entries = self.entries.values()
        kept = {e.path for e in entries}
        kept |= {e.motion_path for e in entries if e.motion}
        for kind in ("*/*.frames", f"*/*{MOTION_SUFFIX}"):
            for path in self.folder.glob(kind):
                if path.relative_to(self.folder) not in kept:
                    path.unlink()

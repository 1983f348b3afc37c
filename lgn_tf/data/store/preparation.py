"""Fills a frame store: on all cores, restartable, nothing half written."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

import cv2

from lgn_tf.data.datasets.dataset import Dataset, Video
from lgn_tf.data.store import store, store_folder
from lgn_tf.data.store.manifest import (
    FRAMES_SUFFIX,
    MOTION_SUFFIX,
    Entry,
    Manifest,
    fingerprint,
    read_manifest,
    write_manifest,
)
from lgn_tf.data.store.video_writer import VideoWriter
from lgn_tf.data.video import footage
from lgn_tf.files import atomic, locks

Progress = Callable[[int, int], None]
"""Called with the frames done and the frames there should be."""


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
    agrees; the rest is made anew. A store in which nothing is to be changed is
    only read: it may be read-only, and any number of processes may do so.

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
    store_folder.require_own(folder)
    threads = workers or len(os.sched_getaffinity(0))
    work = _Preparation(dataset, folder, size, skip_bad, motion, progress)
    if work.is_done(threads):
        store_folder.tidy(folder)
        return store.open_store(folder)
    folder.mkdir(parents=True, exist_ok=True)
    busy = "another `lgn prepare` fills this store"
    with locks.alone(folder / store_folder.LOCK, folder, busy, wait):
        store_folder.sweep(folder)
        work.run(threads)
        return store.open_store(folder)


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
        self.keys = [(video.split, video.name) for video in dataset.videos]
        self.entries: dict[tuple[str, str], Entry] = {}
        self.skipped: dict[tuple[str, str], str] = {}
        self.saved: Manifest | None = None
        self.stop = threading.Event()
        self.writer = VideoWriter(
            folder, size, motion, self.stop, self._advance, self._changing
        )
        self.lock = threading.Lock()
        self.done = self.total = 0

    def is_done(self, workers: int) -> bool:
        """Returns whether the store is complete, of these very sources."""
        try:
            manifest = read_manifest(self.folder)
        except FileNotFoundError:
            return False
        entries = manifest.entries
        if (
            not manifest.complete
            or (manifest.layout, manifest.size)
            != (self.dataset.layout, self.size)
            or [(entry.split, entry.name) for entry in entries] != self.keys
            or not all(map(self.writer.is_whole, entries))
        ):
            return False
        self.total = sum(entry.frames for entry in entries)
        with ThreadPoolExecutor(workers) as pool:
            same = all(pool.map(self._is_same, self.dataset.videos, entries))
        self.done = self.total = 0
        return same

    def _is_same(self, video: Video, entry: Entry) -> bool:
        try:
            same = fingerprint(video) == entry.source
        except ValueError:
            # It is bad by now, and `run` says so.
            return False
        self._advance(entry.frames)
        return same

    def run(self, workers: int) -> None:
        """Fills the store; writes nothing where nothing changes."""
        earlier = self._earlier()
        self.entries = {
            key: earlier[key] for key in self.keys if key in earlier
        }
        for video in self.dataset.videos:
            with suppress(ValueError):
                self.total += footage.promised_frames(video)
        self._require_space(earlier)
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
        self._remove_others()
        self._save(complete=True)

    def _earlier(self) -> dict[tuple[str, str], Entry]:
        try:
            manifest = read_manifest(self.folder)
        except FileNotFoundError:
            return {}
        self.saved = manifest
        if manifest.size != self.size:
            return {}
        return {(e.split, e.name): e for e in manifest.entries}

    def _require_space(self, earlier: dict[tuple[str, str], Entry]) -> None:
        # The least it can take: one channel a frame.
        kept = sum(entry.frames for entry in earlier.values())
        needed = max(0, self.total - kept) * self.size[0] * self.size[1]
        atomic.require_space(self.folder, needed)

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
        except BaseException:
            self.stop.set()
            pool.shutdown(cancel_futures=True)
            raise

    def _take(self, video: Video, future: Future[Entry]) -> None:
        key = (video.split, video.name)
        try:
            entry = future.result()
        except ValueError as error:
            if not self.skip_bad:
                raise
            with self.lock:
                self.entries.pop(key, None)
                self.skipped[key] = str(error)
            return
        with self.lock:
            changed = self.entries.get(key) != entry
            self.entries[key] = entry
        if changed:
            self._save(complete=False)

    def _changing(self) -> None:
        """Says that the store is not complete, before a file changes."""
        saved = self.saved
        if saved is None or saved.complete or saved.size != self.size:
            self._save(complete=False)

    def _save(self, complete: bool) -> None:
        with self.lock:
            manifest = Manifest(
                self.dataset.layout,
                self.size,
                complete,
                tuple(self.entries[k] for k in self.keys if k in self.entries),
                tuple(self.skipped[k] for k in self.keys if k in self.skipped),
            )
            if manifest != self.saved:
                write_manifest(manifest, self.folder)
                self.saved = manifest

    def _advance(self, count: int) -> None:
        with self.lock:
            self.done += count
            if self.progress is not None:
                self.progress(self.done, self.total)

    def _remove_others(self) -> None:
        entries = self.entries.values()
        kept = {e.path for e in entries}
        kept |= {e.motion_path for e in entries if e.motion}
        for path in store_folder.entries(self.folder):
            if (
                path.suffix in (FRAMES_SUFFIX, MOTION_SUFFIX)
                and path.parent != self.folder
                and path.relative_to(self.folder) not in kept
            ):
                self._changing()
                path.unlink()

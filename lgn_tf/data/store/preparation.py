"""Fills a frame store: on all cores, restartable, nothing half written."""

import dataclasses
import errno
import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from lgn_tf.data.datasets.dataset import Dataset, Video
from lgn_tf.data.store import store
from lgn_tf.data.video import footage, optical_flow, preprocessing
from lgn_tf.files import atomic, locks
from lgn_tf.files.spool import Spool

Progress = Callable[[int, int], None]
"""Called with the frames done and the frames there should be."""


LOCK = ".lock"
"""In a store that is being filled."""


class _Stopped(Exception):
    """Another video failed, or the user pressed Ctrl-C."""


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
    """Decodes and resizes every video into a store, or what is missing of it.

    What an earlier run finished is kept where the checksum of its source still
    agrees; the rest is made anew.

    Args:
        dataset: from `layouts.recognise`.
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
    if folder.is_dir() and not (folder / store.MANIFEST).exists():
        ours = (LOCK, "train", "test", "all", f"{store.MANIFEST}.partial")
        others = [p.name for p in folder.iterdir() if p.name not in ours]
        if others:
            raise ValueError(
                f"{folder}: a store needs a folder of its own. "
                f"Found there: {', '.join(sorted(others)[:5])}"
            )


def _sweep(folder: Path) -> None:
    """Removes what a killed run had not finished."""
    for path in folder.rglob("*.partial"):
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
        self.skip_bad, self.motion, self.progress = skip_bad, motion, progress
        self.entries: dict[tuple[str, str], store.Entry] = {}
        self.skipped: dict[tuple[str, str], str] = {}
        self.stop = threading.Event()
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

    def _earlier(self) -> dict[tuple[str, str], store.Entry]:
        try:
            manifest = store.read_manifest(self.folder)
        except FileNotFoundError:
            return {}
        if manifest.size != self.size:
            return {}
        return {(e.split, e.name): e for e in manifest.entries}

    def _require_space(
        self, earlier: dict[tuple[str, str], store.Entry]
    ) -> None:
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
        earlier: dict[tuple[str, str], store.Entry],
    ) -> None:
        waiting: dict[Future[store.Entry], Video] = {}
        for video in self.dataset.videos:
            entry = earlier.get((video.split, video.name))
            waiting[pool.submit(self._one, video, entry)] = video
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

    def _take(self, video: Video, future: Future[store.Entry]) -> None:
        key = (video.split, video.name)
        try:
            self.entries[key] = future.result()
        except ValueError as error:
            if not self.skip_bad:
                raise
            self.skipped[key] = str(error)

    def _save(self, complete: bool) -> None:
        keys = [(video.split, video.name) for video in self.dataset.videos]
        manifest = store.Manifest(
            self.dataset.layout,
            self.size,
            complete,
            tuple(self.entries[key] for key in keys if key in self.entries),
            tuple(self.skipped[key] for key in keys if key in self.skipped),
        )
        store.write_manifest(manifest, self.folder)

    def _one(self, video: Video, earlier: store.Entry | None) -> store.Entry:
        source = store.fingerprint(video)
        if earlier is not None and earlier.source == source:
            if self._is_whole(earlier):
                self._advance(earlier.frames)
                return earlier
        entry = store.Entry(video.name, video.split, 0, 1, source)
        path = self.folder / entry.path
        path.parent.mkdir(exist_ok=True)
        temporary = path.with_name(path.name + ".partial")
        try:
            moved, channels = Spool(), 1
            written = self._write(video, temporary, channels, moved)
            if written is None:
                moved, channels = Spool(), 3
                written = self._write(video, temporary, channels, moved)
            if self.motion and written:
                # First: where the frames have their name, all is there.
                cells = moved.array()
                with atomic.opened(self.folder / entry.motion_path) as file:
                    file.write(np.ascontiguousarray(cells).data)
                rows, columns = cells.shape[1:]
                entry = dataclasses.replace(entry, cells=(rows, columns))
            temporary.replace(path)
        except OSError as error:
            # Without the name of the file nobody knows which disk is full.
            raise OSError(
                error.errno, error.strerror, str(temporary)
            ) from error
        finally:
            temporary.unlink(missing_ok=True)
        atomic.sync_folder(path.parent)
        return dataclasses.replace(
            entry, frames=written or 0, channels=channels
        )

    def _is_whole(self, entry: store.Entry) -> bool:
        """Whether all is there that this run would write of a video."""
        if self.motion and not entry.motion:
            return False
        wanted = {entry.path: entry.bytes(self.size)}
        if entry.motion:
            wanted[entry.motion_path] = entry.motion_bytes
        paths = {self.folder / name: size for name, size in wanted.items()}
        return all(
            path.is_file() and path.stat().st_size == size
            for path, size in paths.items()
        )

    def _write(
        self, video: Video, path: Path, channels: int, moved: Spool
    ) -> int | None:
        """Writes every frame; None where one of them has colour after all."""
        count = 0
        read = footage.read_frames(video)
        if self.motion:
            read = optical_flow.watched(
                read,
                lambda one: moved.append(
                    one.cells[None].astype(store.MOTION_TYPE)
                ),
            )
        # Written rather than mapped: a mapped write on a full disk kills the
        # process, a plain one raises.
        with path.open("wb") as file:
            for frame in read:
                if self.stop.is_set():
                    raise _Stopped
                if channels == 1:
                    if not preprocessing.is_gray(frame):
                        self._advance(-count)
                        return None
                    frame = frame[..., :1].copy()
                file.write(
                    preprocessing.prepare(frame, self.size, channels).data
                )
                count += 1
                self._advance(1)
            file.flush()
            os.fsync(file.fileno())
        return count

    def _advance(self, count: int) -> None:
        with self.lock:
            self.done += count
            if self.progress is not None:
                self.progress(self.done, self.total)

    def _remove_others(self) -> None:
        entries = self.entries.values()
        kept = {e.path for e in entries}
        kept |= {e.motion_path for e in entries if e.motion}
        for kind in ("*/*.frames", f"*/*{store.MOTION}"):
            for path in self.folder.glob(kind):
                if path.relative_to(self.folder) not in kept:
                    path.unlink()

"""Clips per second: from the store, with --no-store, and from PyTorch.

    python -m benchmarks.data.input_pipeline
    python -m benchmarks.data.input_pipeline --files tif
    python -m benchmarks.data.input_pipeline --data-root UCSDped2 --rounds 5

Each contender feeds the same clips of the same frames (5 frames of 256 x 256,
three channels, scaled to [-1, 1]) in shuffled batches, with as many workers,
to a consumer that does nothing, in a process of its own; the rounds alternate.
PyTorch's is a plain `DataLoader` that reads the five files of a clip with
OpenCV; it is left out where PyTorch is not installed. Without --data-root the
frames are drawn, 240 x 360 in colour, as JPEG or TIFF files. With --no-store,
tensorflow-io decodes TIFF where its library loads. The last line is JSON.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path

CONTENDERS = ("store", "--no-store", "PyTorch DataLoader")
LAYOUTS = {"jpg": "frame-pred", "tif": "ucsd"}
"""A layout with files of each kind."""
SIZE = (256, 256)
INPUTS = 4


def main() -> None:
    """Runs every contender; prints rates, ratios with spread, and memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--files", choices=tuple(LAYOUTS), default="jpg")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--child", choices=CONTENDERS)
    parser.add_argument("--store", type=Path)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(_measure(options)))
        return
    with tempfile.TemporaryDirectory() as folder:
        root = options.data_root or _draw(Path(folder) / "drawn", options.files)
        store = Path(folder) / "store"
        _prepare(root, store)
        results = _compete(options, root, store)
    _report(results, options)


def _draw(root: Path, files: str) -> Path:
    from lgn_tf.data.datasets import archives
    from lgn_tf.data.synthetic import walkways

    walkway = walkways.draw(
        0, train=8, test=0, frames=120, size=(240, 360), channels=3
    )
    archives.write_drawn(walkway, root, LAYOUTS[files])
    return root


def _prepare(root: Path, folder: Path) -> None:
    from lgn_tf.data.datasets import layouts
    from lgn_tf.data.store import preparation

    start = time.perf_counter()
    made = preparation.prepare(layouts.recognise(root), folder, SIZE)
    seconds = time.perf_counter() - start
    frames = sum(entry.frames for entry in made.manifest.entries)
    print(f"prepared once: {frames} frames in {seconds:.1f} s")


def _compete(
    options: argparse.Namespace, root: Path, store: Path
) -> dict[str, list[dict[str, float]]]:
    present = [
        contender
        for contender in CONTENDERS
        if "PyTorch" not in contender or importlib.util.find_spec("torch")
    ]
    results: dict[str, list[dict[str, float]]] = {c: [] for c in present}
    for _ in range(options.rounds):
        for contender in present:
            command = [sys.executable, __file__, f"--child={contender}"]
            command += ["--data-root", str(root), "--store", str(store)]
            for name in ("seconds", "batch_size", "workers"):
                flag = "--" + name.replace("_", "-")
                command += [flag, str(getattr(options, name))]
            done = subprocess.run(
                command, stdout=subprocess.PIPE, text=True, check=True
            )
            results[contender].append(json.loads(done.stdout.splitlines()[-1]))
            print(f"{contender}: {results[contender][-1]}", flush=True)
    return results


def _report(
    results: dict[str, list[dict[str, float]]], options: argparse.Namespace
) -> None:
    medians = {
        name: {
            key: statistics.median(round_[key] for round_ in rounds)
            for key in rounds[0]
        }
        for name, rounds in results.items()
    }
    print(f"medians, {options.workers} workers, {options.batch_size} a batch")
    for name, values in medians.items():
        # A ratio for each round, whose contenders ran one after the other.
        ratios = [
            store["clips_per_second"] / own["clips_per_second"]
            for store, own in zip(results["store"], results[name], strict=True)
        ]
        print(
            f"{name:20} {values['clips_per_second']:8.1f} clips/s   "
            f"store is {statistics.median(ratios):5.1f} x "
            f"({min(ratios):.1f} to {max(ratios):.1f})   "
            f"peak {values['peak_mib']:.0f} MiB"
        )
    print(json.dumps(medians))


def _measure(options: argparse.Namespace) -> dict[str, float]:
    if options.child == "store":
        batches = _from_store(options)
    elif options.child == "--no-store":
        batches = _without_store(options)
    else:
        batches = _from_torch(options)
    memory = _PeakMemory()
    iterator = iter(batches)
    for _ in range(4):  # Starts workers and fills queues.
        next(iterator)
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < options.seconds:
        next(iterator)
        count += options.batch_size
    seconds = time.perf_counter() - start
    return {
        "clips_per_second": round(count / seconds, 1),
        "peak_mib": round(memory.stop() / 2**20, 1),
    }


def _from_store(options: argparse.Namespace) -> Iterable:
    from lgn_tf.data.store import store

    return _clips(options, store.open_store(options.store).split("train"))


def _without_store(options: argparse.Namespace) -> Iterable:
    from lgn_tf.data.datasets import layouts
    from lgn_tf.data.pipelines.encoded import EncodedVideos

    videos = EncodedVideos(layouts.recognise(options.data_root), SIZE, 3)
    return _clips(options, videos.split("train"))


def _clips(options: argparse.Namespace, source: object) -> Iterable:
    from lgn_tf.data.pipelines import tf_data

    return tf_data.training_clips(
        source,
        inputs=INPUTS,
        channels=3,
        batch_size=options.batch_size,
        seed=0,
        parallel=options.workers,
    )


def _from_torch(options: argparse.Namespace) -> Iterable:
    import cv2
    import numpy as np
    import torch

    from lgn_tf.data.datasets import layouts

    cv2.setNumThreads(0)

    class Clips(torch.utils.data.Dataset):
        def __init__(self) -> None:
            videos = layouts.recognise(options.data_root).split("train")
            self.files = [video.frame_files() for video in videos]
            self.places = [
                (video, start)
                for video, files in enumerate(self.files)
                for start in range(len(files) - INPUTS)
            ]

        def __len__(self) -> int:
            return len(self.places)

        def __getitem__(self, index: int) -> tuple:
            video, start = self.places[index]
            frames = []
            for path in self.files[video][start : start + INPUTS + 1]:
                frame = cv2.resize(cv2.imread(str(path)), SIZE)
                frames.append(frame.astype(np.float32) / 127.5 - 1)
            return np.stack(frames[:-1]), frames[-1]

    loader = torch.utils.data.DataLoader(
        Clips(),
        batch_size=options.batch_size,
        shuffle=True,
        num_workers=options.workers,
        drop_last=True,
        persistent_workers=True,
    )
    return _endless(loader)


def _endless(loader: Iterable) -> Iterable:
    while True:
        yield from loader


class _PeakMemory:
    """The largest proportional memory of this process and its children."""

    def __init__(self) -> None:
        self._peak, self._stop = 0, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            self._peak = max(self._peak, self._now())
            if self._stop.wait(0.5):
                return

    def _now(self) -> int:
        own = os.getpid()
        found = Path(f"/proc/{own}/task/{own}/children")
        processes = [str(own), *found.read_text().split()]
        return sum(map(self._proportional, processes))

    def _proportional(self, process: str) -> int:
        try:
            text = Path(f"/proc/{process}/smaps_rollup").read_text()
        except OSError:
            return 0  # It has ended.
        lines = (line.split() for line in text.splitlines())
        return sum(int(w[1]) * 1024 for w in lines if w[0] == "Pss:")

    def stop(self) -> int:
        self._stop.set()
        self._thread.join()
        return self._peak


if __name__ == "__main__":
    main()

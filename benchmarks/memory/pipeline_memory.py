"""Memory of one shuffled pass over a store as large as ShanghaiTech's.

    python benchmarks/memory/pipeline_memory.py
    python benchmarks/memory/pipeline_memory.py --frames 27451 --size 32 32

The store is sparse: it takes no space on disk, and reading it gives zeros. The
consumer does nothing. What is measured is anonymous memory (RssAnon), which no
kernel can take back, unlike the mapped pages of the store. The pass is made at
the full size and at a tenth of it, each in a process of its own. The last line
is JSON.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

VIDEOS = 330
FRAMES = 274_515


def main() -> None:
    """Measures both sizes, or the one of a child process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--size", type=int, nargs=2, default=(256, 256))
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--child", action="store_true")
    options = parser.parse_args()
    size = tuple(options.size)
    if options.child:
        print(json.dumps(measure(options.frames, size, options.batch_size)))
        return
    results = []
    for frames in (options.frames // 10, options.frames):
        command = [sys.executable, __file__, "--child"]
        command += ["--frames", str(frames), "--size", *map(str, size)]
        command += ["--batch-size", str(options.batch_size)]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, check=True
        )
        results.append(json.loads(done.stdout.splitlines()[-1]))
        print(results[-1])
    print(json.dumps(results))


def measure(frames: int, size: tuple[int, int], batch_size: int) -> dict:
    """Makes a sparse store and one pass over it.

    Returns:
        Frames, clips, seconds, and the anonymous MiB that the pass added at
        its peak.
    """
    from lgn_tf.data.pipelines import tf_data
    from lgn_tf.data.store import store

    with tempfile.TemporaryDirectory() as folder:
        write_sparse_store(Path(folder), frames, size)
        before = anonymous_bytes()
        watch = Watch()
        dataset = tf_data.training_clips(
            store.open_store(Path(folder)).split("train"),
            inputs=4,
            channels=3,
            batch_size=batch_size,
            seed=0,
            epochs=1,
        )
        start = time.perf_counter()
        steps = sum(1 for _ in dataset)
        seconds = time.perf_counter() - start
        peak = watch.stop()
    return {
        "frames": frames,
        "clips": steps * batch_size,
        "seconds": round(seconds, 1),
        "added_mib": round((peak - before) / 2**20, 1),
    }


def write_sparse_store(
    folder: Path, frames: int, size: tuple[int, int]
) -> None:
    """Writes a store of zeros that takes no space."""
    from lgn_tf.data.store.manifest import (
        Entry,
        Manifest,
        Source,
        write_manifest,
    )

    counts = [frames // VIDEOS] * VIDEOS
    counts[-1] += frames % VIDEOS
    source = Source(1, 0, "")
    entries = tuple(
        Entry(f"{place:03d}", "train", count, 3, source)
        for place, count in enumerate(counts)
    )
    (folder / "train").mkdir()
    for entry in entries:
        with (folder / entry.path).open("wb") as file:
            file.truncate(entry.bytes(size))
    manifest = Manifest("shanghaitech", size, True, entries)
    write_manifest(manifest, folder)


def anonymous_bytes() -> int:
    """Returns the anonymous memory of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no line RssAnon: Linux is needed")


class Watch:
    """Keeps the largest anonymous memory until it is stopped."""

    def __init__(self) -> None:
        """Starts a thread."""
        self._peak, self._stop = anonymous_bytes(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            self._peak = max(self._peak, anonymous_bytes())

    def stop(self) -> int:
        """Returns the peak in bytes."""
        self._stop.set()
        self._thread.join()
        return max(self._peak, anonymous_bytes())


if __name__ == "__main__":
    main()

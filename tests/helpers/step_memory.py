"""How much memory a training step takes, in a process of its own.

    python -m tests.helpers.step_memory VARIANT REMATERIALISE BATCH BATCH...

Prints, for each batch size, the bytes that a step of it needs at its peak
above what the process holds before. The settings below have each tensor come
from the system and go back to it, and one operation run after the other.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

MODEL = {"image_size": (64, 64), "frames": 2, "width": 0.25}
ENVIRONMENT = {
    "MALLOC_MMAP_THRESHOLD_": "65536",
    "TF_ENABLE_ONEDNN_OPTS": "0",  # It brings an allocator that gives nothing.
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "KERAS_BACKEND": "tensorflow",
    "LGN_CONVOLUTION": "direct",
}


def start(variant, rematerialise, batches):
    """Starts the process; `finish` returns what it found."""
    return subprocess.Popen(
        [
            sys.executable,
            *(
                "-m",
                "tests.helpers.step_memory",
                variant,
                str(int(rematerialise)),
            ),
            *map(str, batches),
        ],
        cwd=Path(__file__).parents[2],
        env=os.environ | ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    """Returns the bytes by batch size."""
    out, error = process.communicate(timeout=300)
    assert process.returncode == 0, error[-3000:]
    return {int(batch): size for batch, size in json.loads(out).items()}


def status(name):
    """Returns a size of this process, in bytes."""
    text = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(rf"{name}:\s+(\d+)", text)[1])


def measured(model, clips, targets):
    """Returns the bytes of one step; they vary with the order it runs in."""
    Path("/proc/self/clear_refs").write_text("5")  # The peak begins anew.
    before = status("VmRSS")
    model.train_on_batch(clips, targets)
    return status("VmHWM") - before


def main(variant, rematerialise, *batches):
    """Measures."""
    import keras
    import numpy as np
    import tensorflow as tf

    from lgn_tf.model.lgn_net import LGNNet

    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(0)
    model = LGNNet(
        variant=variant, rematerialise=bool(int(rematerialise)), **MODEL
    )
    model.build()
    model.compile()
    found = {}
    for batch in map(int, batches):
        shape = (batch, MODEL["frames"] + 1, *MODEL["image_size"], 3)
        video = np.random.default_rng(0).uniform(-1, 1, shape).astype("float32")
        clips, targets = video[:, :-1], video[:, -1]
        # Each size with a graph of its own, as training has it.
        model.make_train_function(force=True)
        model.train_on_batch(clips, targets)
        found[batch] = max(measured(model, clips, targets) for _ in range(2))
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])

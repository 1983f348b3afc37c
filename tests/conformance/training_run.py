"""A small training run whose numbers backends and replicas must share.

Also a program: it trains on the backend that the environment names, with
TensorFlow blocked where asked, and writes logs and weights to a file.

    python -m tests.conformance.training_run MODE OUT.npz

MODE is `one` (one device), `data_parallel` (two devices of one process, with
parts of the network computed again) or `process_0`, `process_1` (two processes,
port in LGN_TEST_PORT).
"""

import os
import sys

import numpy as np

STEPS, BATCH, EPOCHS = 2, 4, 2
OPTIONS = {
    "image_size": (16, 24),
    "channels": 1,
    "frames": 2,
    "width": 1 / 16,
    "memory_items": 4,
    # Drawn weights: the last layer does not start at zero here.
    "residual": True,
}


def data():
    """Returns clips and next frames; each sample is another one."""
    random = np.random.default_rng(0)
    shape = (STEPS * BATCH, 3, 16, 24, 1)
    video = random.uniform(-1, 1, shape).astype(np.float32)
    return video[:, :2], video[:, 2]


def set_weights(model, seed=5):
    """Gives a model the same weights on every backend."""
    random = np.random.default_rng(seed)
    for variable in model.variables:
        name = variable.path.rsplit("/", 1)[-1]
        value = random.standard_normal(variable.shape).astype(np.float32)
        if name == "items":
            value /= np.linalg.norm(value, axis=1, keepdims=True)
        elif name in ("gamma", "moving_variance"):
            value = 1 + 0.1 * np.abs(value)
        elif "kernel" in name:
            value /= np.sqrt(np.prod(variable.shape[:-1]))
        else:
            value *= 0.1
        variable.assign(value)


def make(**options):
    """Builds and compiles the model of the run."""
    import keras

    from lgn_tf.model.lgn_net import LGNNet

    keras.utils.set_random_seed(0)
    model = LGNNet(**(OPTIONS | options))
    model.build()
    set_weights(model)
    return model


def train(model, clips, targets, batch_size=BATCH, **compile_options):
    """Fits with plain gradient descent; returns logs and weights by name."""
    import keras

    model.compile(keras.optimizers.SGD(1e-3), **compile_options)
    logs = model.fit(
        clips,
        targets,
        batch_size=batch_size,
        epochs=EPOCHS,
        shuffle=False,
        verbose=0,
    ).history
    return {f"log:{name}": np.array(values) for name, values in logs.items()}


def weights_of(model):
    """Returns the weights by their path without the model's name."""
    return {
        variable.path.split("/", 1)[1]: local(variable.value)
        for variable in model.weights
    }


def local(value):
    """Returns this process's copy of a weight that all of them hold."""
    if hasattr(value, "addressable_data"):
        value = value.addressable_data(0)
    return np.array(value)


def main(mode, out):
    """Trains and writes."""
    sys.modules["tensorflow"] = None  # Not importable.
    if mode == "data_parallel":
        os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
    import jax
    from keras import distribution

    clips, targets = data()
    batch = BATCH
    if mode.startswith("process_"):
        index = int(mode[-1])
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        address = f"127.0.0.1:{os.environ['LGN_TEST_PORT']}"
        distribution.initialize(address, 2, index)
        # Each process feeds its half of every global batch.
        batch = BATCH // 2
        mine = np.arange(len(clips)).reshape(STEPS, 2, batch)[:, index].ravel()
        clips, targets = clips[mine], targets[mine]
    if mode != "one":
        distribution.set_distribution(
            distribution.DataParallel(
                devices=distribution.list_devices(), auto_shard_dataset=False
            )
        )
    model = make(rematerialise=mode == "data_parallel")
    results = train(model, clips, targets, batch)
    if mode == "one":
        output = model.predict(data()[0], batch_size=BATCH, verbose=0)
        results["predicted:frame"] = output.prediction
        results["predicted:distance"] = output.readout.distance
    np.savez(out, **results, **weights_of(model))


if __name__ == "__main__":
    main(*sys.argv[1:])

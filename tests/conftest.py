"""What all tests share: quiet TensorFlow, two logical devices, seeds."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import pytest

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    # Replicas of the tests; must be said before TensorFlow starts up.
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )


@pytest.fixture(autouse=True)
def fresh_start():
    """Seeds every generator, and forgets the layers of the test before."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(7)

"""Strategies by name, and reductions outside of one."""

import contextlib

import numpy as np
import pytest

from lgn_tf.backend import distribution

tf = pytest.importorskip("tensorflow")


@pytest.mark.parametrize("name", ["auto", "single"])
def test_one_device_needs_no_strategy(name):
    if name == "auto" and len(tf.config.list_logical_devices("GPU")) > 1:
        pytest.skip("several GPUs are visible")
    assert isinstance(distribution.scope(name), contextlib.nullcontext)
    assert distribution.count() == 1


def test_an_unknown_strategy_names_the_others():
    with pytest.raises(ValueError, match=r"auto, single, mirrored.*'multi'"):
        distribution.scope("multi")


def test_mirrored_refuses_another_backend(monkeypatch):
    monkeypatch.setattr(distribution.keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match=r"data_parallel.*'jax'"):
        distribution.scope("mirrored")
    assert isinstance(distribution.scope(), contextlib.nullcontext)
    assert distribution.count() == 1


@pytest.mark.parametrize(
    "reduce",
    [distribution.all_sum, distribution.all_max, distribution.all_gather],
)
def test_alone_there_is_nothing_to_reduce(reduce):
    value = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(reduce(value), value)


def test_a_share_of_one_is_all():
    assert distribution.share(3.0) == 3.0

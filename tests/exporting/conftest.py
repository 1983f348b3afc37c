"""Exports without their slow parts."""

import pytest

from lgn_tf.exporting import memory_cost, saved_model


@pytest.fixture
def quick(monkeypatch):
    """Leaves the graphs out: what is tested is what is around them."""

    def save(model, functions, endpoints, folder):
        del model, functions, endpoints
        (folder / "variables").mkdir()
        (folder / "variables/data").touch()
        (folder / "saved_model.pb").write_bytes(b"graph")

    monkeypatch.setattr(saved_model, "_save", save)
    monkeypatch.setattr(memory_cost, "measure", lambda *_: {})

"""Requests that a server sends before a version is used."""

import pytest

from lgn_serving.models.graph_session import read_warm_up
from lgn_tf.exporting import signatures, warm_up


def test_warm_up_requests(served, exported_run, tmp_path):
    config = exported_run[1]
    endpoints = signatures.endpoints(config.model, True, 32)
    path = tmp_path / warm_up.FILE
    size = warm_up.write_requests(path, endpoints, config.model, (1, 3))
    assert size == path.stat().st_size < 10_000
    found = list(read_warm_up(path))
    assert [name for name, _ in found] == [
        endpoint.name for endpoint in endpoints for _ in (1, 3)
    ]
    for name, inputs in found:
        rows = {len(array) for array in inputs.values()}
        outputs = served.run(name, inputs)
        assert rows <= {1, 3} and {len(each) for each in outputs.values()} == (
            rows
        )
        assert outputs["valid"].all()


def test_too_many_warm_up_requests(exported_run, tmp_path, monkeypatch):
    monkeypatch.setattr(warm_up, "MOST_BYTES", 100)
    config = exported_run[1]
    endpoints = signatures.endpoints(config.model, True, 32)
    with pytest.raises(ValueError, match=r"100 bytes.*batch sizes \(1,\)"):
        warm_up.write_requests(tmp_path / "x", endpoints, config.model, (1,))

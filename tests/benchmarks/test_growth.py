"""Growth: exponents, and a short run of one axis."""

import time

import pytest

from benchmarks.memory import growth


def points(power, key="seconds"):
    return [{"value": value, key: 3 * value**power} for value in (1, 2, 4, 16)]


@pytest.mark.parametrize("power", [0, 1, 2.5])
def test_the_exponent_of_a_power_law(power):
    assert growth.exponent(points(power), "seconds") == pytest.approx(power)


def test_memory_is_measured_while_it_is_held():
    before, watch = growth.anonymous_bytes(), growth.Watch()
    block = bytearray(b"x") * (64 << 20)
    time.sleep(0.1)
    del block
    assert 60 < (watch.stop() - before) / 2**20 < 80


def test_a_point_is_measured(monkeypatch):
    base = growth.Setting(side=16, width=0.0625)
    monkeypatch.setitem(growth.AXES, "batch", (base, (1, 3)))
    point = growth.measure("batch", 1, 1)
    assert point["value"] == 3
    assert point["seconds"] > 0
    assert point["mebibytes"] > 0


def test_a_chart_has_a_panel_for_each_axis(tmp_path):
    both = [
        point | {"mebibytes": 100.0 * place}
        for place, point in enumerate(points(1), 1)
    ]
    path = tmp_path / "growth.svg"
    growth.draw({"frames": both, "items": both}, path)
    text = path.read_text()
    assert text.count('id="axes_') == 4

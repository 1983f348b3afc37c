"""The gain over time: minutes of a log, and a table and chart of a run."""

import csv
import dataclasses
import sys

import pytest

from experiments import gain_over_time
from lgn_tf.config import schema
from lgn_tf.data.datasets import archives, presets
from lgn_tf.data.synthetic import walkways
from lgn_tf.runs import directory
from lgn_tf.training import feed


@pytest.fixture
def settings(tmp_path):
    drawn = walkways.draw(0, train=3, test=1, frames=12, size=(32, 48))
    archives.write_drawn(drawn, tmp_path / "data", "ucsd")
    small = presets.lite(presets.PRESETS["folder"])
    return dataclasses.replace(
        small,
        model=dataclasses.replace(
            small.model, image_size=(16, 24), width=0.0625
        ),
        training=dataclasses.replace(small.training, steps=10),
        data=schema.DataConfig(
            "folder",
            data_root=str(tmp_path / "data"),
            stores=str(tmp_path / "stores"),
            holdout=1,
        ),
    )


def write_log(run_dir, gains):
    with (run_dir / directory.LOG).open("w", newline="") as file:
        writer = csv.DictWriter(file, ["epoch", "val_gain"])
        writer.writeheader()
        for place, gain in enumerate(gains, 1):
            writer.writerow({"epoch": place, "val_gain": gain})


def test_the_last_epoch_is_cut_short(settings, tmp_path):
    directory.create(tmp_path / "run", settings)
    write_log(tmp_path / "run", [0.5, 1.5])
    epoch = len_of_epoch(settings)
    minutes, gains = gain_over_time.curve(tmp_path / "run", settings, 30)
    assert gains == [0.5, 1.5]
    assert minutes == [epoch / 2, 5]


def len_of_epoch(settings):
    source = gain_over_time.sources.open_source(settings)
    fitted, _ = source.training(1, settings.training.seed)
    return feed.steps_per_epoch(fitted, settings)


def test_a_step_is_measured(settings, monkeypatch):
    monkeypatch.setattr(gain_over_time, "STEPS", 2)
    assert gain_over_time.seconds_a_step(settings) > 0


def test_a_table_and_a_chart(settings, tmp_path, monkeypatch, capsys):
    run_dir, out = tmp_path / "run", tmp_path / "gain.svg"
    directory.create(run_dir, settings)
    write_log(run_dir, [0.25])
    score = type("Score", (), {"micro_auc": 0.9})
    found = type(
        "Found",
        (),
        {"gain": 1.0, "scores": dict.fromkeys(gain_over_time.SCORES, score)},
    )
    monkeypatch.setattr(gain_over_time.results, "read_results", lambda _: found)
    monkeypatch.setattr(gain_over_time, "seconds_a_step", lambda _: 6.0)
    monkeypatch.setattr(
        sys, "argv", ["gain_over_time", str(run_dir), "--out", str(out)]
    )
    gain_over_time.main()
    head, row = capsys.readouterr().out.splitlines()
    assert head == " | ".join(gain_over_time.HEAD)
    cells = ["16 x 24", "0.0625", "10", "1.0", "0.25 dB", "1.00 dB"]
    assert row == " | ".join(cells + 4 * ["90.0"])
    assert out.read_text().startswith("<svg") and "16 x 24" in out.read_text()

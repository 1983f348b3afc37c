"""Each command takes what the one before it has written."""

import pytest

from lgn_tf.cli import main

# Error maps of frames with a side above 64 pixels are stored pooled.
SIZE = "--image-size 16 72"

COMMANDS = (
    "synthesize --out data --train 3 --test 2 --frames 24 --channels 1",
    f"train --dataset folder --data-root data --name a {SIZE} --channels 1 "
    "--width 0.0625 --memory-items 4 --epochs 1 --batch-size 8 --holdout 1 "
    "--motion-weight 1",
    "evaluate runs/a",
    "report runs/a",
    "score runs/a data/Test --out scores",
    f"prepare --data-root data --out store {SIZE} --motion",
    "bulk-score runs/a store --out bulk --direct_num_workers=1",
    "export --run runs/a --out models --warm-up-batches 1",
    "check-served runs/a models",
)


@pytest.mark.slow
def test_all_commands_in_turn(tmp_path, monkeypatch, capsys):
    pytest.importorskip("apache_beam", reason="Beam is not installed")
    monkeypatch.chdir(tmp_path)
    for line in COMMANDS:
        status = main.main(line.split())
        assert status == 0, f"{line}: {capsys.readouterr().err}"
    assert "largest difference" in capsys.readouterr().out

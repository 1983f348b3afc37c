"""The examples run, print what they promise, and the notebook is the script."""

import dataclasses
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lgn_tf
from lgn_tf.data.datasets.registered import synthetic
from lgn_tf.data.synthetic import walkways
from lgn_tf.files import media
from tools import notebook

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def call(monkeypatch, tmp_path, capsys):
    """Returns a function: an example and its flags to the lines it prints."""
    whole = lgn_tf.preset

    def tiny(name, **options):
        config = whole(name, **options)
        model = dataclasses.replace(
            config.model, image_size=(16, 24), width=0.0625, memory_items=3
        )
        training = dataclasses.replace(config.training, batch_size=2)
        return dataclasses.replace(config, model=model, training=training)

    def run(name, *flags):
        monkeypatch.setattr(lgn_tf, "preset", tiny, raising=False)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [name, *map(str, flags)])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out.splitlines()

    return run


def test_quickstart(call, monkeypatch, tmp_path):
    small = {"seed": 3, "train": 8, "test": 2, "frames": 16, "size": (32, 48)}
    monkeypatch.setattr(synthetic, "DRAWN", small)
    *lines, report, exported = call("quickstart.py", "--steps", 2)
    text = "\n".join(lines)
    frame, score = re.search(
        r"Test001: frame (\d+) is the most .* score is (.+)", text
    ).groups()
    assert 4 <= int(frame) < 16 and 0 <= float(score) <= 1
    areas = re.findall(r"(?m)^([\d.]+) %  (.+)$", text)
    assert [name for _, name in areas][:3] == [
        "paper",
        "online",
        "online motion",
    ]
    assert areas[3][1].startswith("without a model: ")
    results = lgn_tf.load("quickstart/run").results
    assert float(areas[2][0]) == pytest.approx(
        100 * results.scores["online motion"].micro_auc, abs=0.06
    )
    assert "Test002" in (tmp_path / report).read_text()
    assert (tmp_path / exported / "saved_model.pb").is_file()


def test_own_camera(call, tmp_path):
    """A second of noise in a normal video is found, and nothing else is."""
    drawn = walkways.draw(0, train=5, test=0, frames=75, size=(32, 48))
    *learned, quiet, noisy = (clip.frames for clip in drawn.train)
    noise = np.random.default_rng(0).integers(0, 256, (25, 32, 48, 1))
    noisy[25:50] = noise
    for number, frames in enumerate(learned):
        media.write_video(tmp_path / f"normal/{number}.avi", frames)
    media.write_video(tmp_path / "quiet.avi", quiet)
    media.write_video(tmp_path / "noisy.avi", noisy)
    flags = "normal", "quiet.avi", "noisy.avi", "--steps", 2
    lines = call("own_camera.py", *flags)
    assert any("too short for 6 false alarms" in line for line in lines)
    assert "quiet: nothing unusual" in lines
    (found,) = (line for line in lines if line.startswith("noisy: "))
    # The frame after the noise is as badly predicted as the noise itself.
    assert re.match(r"noisy: 0:01\.0 to 0:0[12]\.\d, score 1\.00$", found)
    weights = (tmp_path / "own_camera/run/model.weights.h5").read_bytes()
    assert lines[-2:] == call("own_camera.py", *flags)[-2:]
    assert weights == (
        (tmp_path / "own_camera/run/model.weights.h5").read_bytes()
    )


@pytest.mark.parametrize("name", ["quickstart.py", "own_camera.py"])
def test_an_example_has_help_and_fits_two_pages(name):
    path = EXAMPLES / name
    assert len(path.read_text().splitlines()) < 100
    command = [sys.executable, str(path), "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"usage: {name}" in shown.stdout and "--steps" in shown.stdout


def test_the_notebook_is_the_script():
    """`python -m tools.notebook examples/quickstart.py` writes it anew."""
    script = (EXAMPLES / "quickstart.py").read_text()
    stored = json.loads((EXAMPLES / "quickstart.ipynb").read_text())
    assert stored == notebook.from_script(script)
    code = "\n".join(
        "".join(cell["source"])
        for cell in stored["cells"]
        if cell["cell_type"] == "code"
    )
    compile(code, "quickstart.ipynb", "exec")
    assert "steps = 600" in code and "argparse" not in code


def test_cells_of_a_script():
    made = notebook.from_script(
        '"""Left out."""\n# %% [markdown]\n# # Title\n#\n# text\n'
        "# %% [script]\nleft_out = 1\n\n# %% [notebook]\n# a = 1\n# %%\nb = 2\n"
    )
    kinds = [(cell["cell_type"], cell["source"]) for cell in made["cells"]]
    assert kinds == [
        ("markdown", ["# Title\n", "\n", "text"]),
        ("code", ["a = 1"]),
        ("code", ["b = 2"]),
    ]
    with pytest.raises(ValueError, match=r"Received: \[other\]"):
        notebook.from_script("# %% [other]\n")

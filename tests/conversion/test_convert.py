"""The authors' checkpoints: every tensor finds its place, or one clear error.

The state dicts here have the authors' names and layouts at a small width.
"""

import types
from pathlib import Path

import numpy as np
import pytest

from lgn_tf.cli import main
from lgn_tf.config.schema import ModelConfig
from lgn_tf.conversion import convert, mapping
from lgn_tf.conversion import files as source_files
from lgn_tf.conversion.numpy_reference import Reference
from lgn_tf.model.lgn_net import LGNNet
from lgn_tf.runs import model_files
from tests.parity import source

WIDTH = 1 / 16
ITEMS = 3


@pytest.fixture(scope="module")
def state():
    """A state dict of the authors' names, all channels a sixteenth."""
    fixture = source.load()
    channels = {3, 12}
    shapes = []
    for shape in fixture["shapes"]:
        sizes = [int(s) for s in str(shape).strip("(),").split(",")]
        narrow = [
            s if s in channels or i > 1 else round(s * WIDTH)
            for i, s in enumerate(sizes)
        ]
        shapes.append(str(tuple(narrow)))
    fixture["shapes"] = np.array(shapes)
    return source.draw_weights(fixture)


@pytest.fixture(scope="module")
def items():
    items = np.random.default_rng(0).standard_normal((ITEMS, 32))
    items /= np.linalg.norm(items, axis=1, keepdims=True)
    return items.astype(np.float32)


@pytest.fixture
def files(state, items, tmp_path):
    np.savez(tmp_path / "model.npz", **state)
    np.savez(tmp_path / "keys.npz", keys=items)
    return tmp_path / "model.npz", tmp_path / "keys.npz"


def test_a_residual_model_takes_no_published_weights():
    model = LGNNet((16, 24), residual=True, width=1 / 16)
    model.build()
    with pytest.raises(ValueError, match="predicts the whole frame"):
        convert.assign(model, {}, np.zeros((10, 32)), Path("model.pth"))


def test_the_table_uses_every_source_tensor_once(state):
    rules = list(mapping.rules())
    sources = [rule.source for rule in rules]
    targets = [rule.target for rule in rules]
    assert len(sources) == len(set(sources)) == 168
    assert len(targets) == len(set(targets)) == 168
    assert set(sources) | set(mapping.UNUSED) == set(state)
    assert not set(sources) & set(mapping.UNUSED)
    model = LGNNet(image_size=(16, 16), width=WIDTH, memory_items=ITEMS)
    model.build()
    filled = {v.path.split("/", 1)[1] for v in model.variables}
    assert set(targets) | {"memory/items"} == filled


def test_convert_and_load(files, state, items, tmp_path):
    out = tmp_path / "runs" / "official"
    report = convert.convert(*files, out, image_size=(16, 24))
    assert report.tensors == 169
    assert report.unused == mapping.UNUSED
    assert max(report.deviations.values()) < 1e-5
    config, model = model_files.load(out)
    assert config.model == ModelConfig(
        image_size=(16, 24), width=WIDTH, memory_items=ITEMS
    )
    clips = np.random.default_rng(1).uniform(-1, 1, (2, 4, 3, 16, 24))
    clips = clips.astype(np.float32)
    ours = np.asarray(model(np.moveaxis(clips, 2, -1)).prediction)
    theirs = Reference(state, items).predict(clips)
    np.testing.assert_allclose(np.moveaxis(ours, -1, 1), theirs, atol=1e-6)
    assert [p.name for p in out.parent.iterdir()] == ["official"]


def test_the_command(files, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["convert", *map(str, files), str(out)]
    assert main.main([*arguments, "--image-size", "16", "24"]) == 0
    printed = capsys.readouterr().out
    assert "169 tensors" in printed
    assert "encoder.moduleBatchNorm.weight" in printed
    assert "prediction" in printed
    assert main.main(arguments) == 2
    assert f"{out} exists" in capsys.readouterr().err


def test_counters_and_the_prefix_of_parallel_training(state, tmp_path):
    named = {f"module.{name}": value for name, value in state.items()}
    named["module.pred.encoder.1.num_batches_tracked"] = np.array(7)
    np.savez(tmp_path / "model.npz", **named)
    assert set(source_files.read_state(tmp_path / "model.npz")) == set(state)


def refused(files, words, out):
    with pytest.raises(ValueError, match=f"(?s){words}"):
        convert.convert(*files, out)
    assert not out.exists()


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda s: s.pop("st_decoder.3.bias"), "st_decoder.3.bias.*missing"),
        (
            lambda s: s.update(extra=np.zeros(3)),
            "1 tensors belong nowhere.*extra",
        ),
        (
            lambda s: s.update({"st_decoder.3.bias": np.zeros(9)}),
            r"st_decoder.3.bias.*\(9,\)",
        ),
        (
            lambda s: s.pop("pred.encoder.0.weight"),
            "no LGN-Net checkpoint.*pred.encoder.0.weight",
        ),
    ],
)
def test_a_wrong_state_dict(files, state, change, words, tmp_path):
    wrong = dict(state)
    change(wrong)
    np.savez(files[0], **wrong)
    refused(files, words, tmp_path / "out")


@pytest.mark.parametrize(
    "items, words",
    [
        (np.ones((3, 32)), "unit vectors"),
        (np.eye(3, 16), "16 numbers.*have 32"),
        (np.full((3, 32), np.nan), "finite"),
        (np.ones(32), r"\(32,\)"),
    ],
)
def test_wrong_items(files, items, words, tmp_path):
    np.savez(files[1], keys=items)
    refused(files, f"keys.npz.*{words}", tmp_path / "out")


def test_two_arrays_of_items(files, items, tmp_path):
    np.savez(files[1], a=items, b=items)
    refused(files, "keys.npz: expected one array.*2", tmp_path / "out")


@pytest.mark.parametrize("which", [0, 1])
def test_a_truncated_file(files, which, tmp_path):
    path = files[which]
    path.write_bytes(path.read_bytes()[:-100])
    refused(files, f"{path.name}: must be an .npz archive", tmp_path / "out")


def test_a_pickled_array_is_not_opened(files, tmp_path):
    np.savez(files[1], keys=np.array([{"a": 1}], dtype=object))
    refused(files, "keys.npz: must be an .npz archive", tmp_path / "out")


def test_a_missing_file(files, tmp_path, capsys):
    gone = tmp_path / "gone.npz"
    out = tmp_path / "out"
    assert main.main(["convert", str(gone), str(files[1]), str(out)]) == 2
    assert "gone.npz" in capsys.readouterr().err
    assert not out.exists()


def test_an_image_size_that_does_not_fit(files, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["convert", *map(str, files), str(out), "--image-size"]
    assert main.main([*arguments, "20", "24"]) == 2
    assert "multiples of 8" in capsys.readouterr().err
    assert not out.exists()


def test_outputs_that_disagree_are_refused(files, monkeypatch, tmp_path):
    class Other(Reference):
        def predict(self, clips):
            return super().predict(clips) + 1e-3

    monkeypatch.setattr(convert, "Reference", Other)
    refused(files, "prediction deviates by 1.0", tmp_path / "out")


def test_two_gates_swapped_are_noticed(files, monkeypatch, tmp_path):
    cells = list(mapping.CELL)
    order = ("f", "i", "g", "i'", "f'", "g'", "o")
    cells[0] = (*cells[0][:3], order)
    monkeypatch.setattr(mapping, "CELL", tuple(cells))
    refused(files, "prediction deviates", tmp_path / "out")


class TestPyTorchFiles:
    @pytest.fixture
    def torch(self):
        return pytest.importorskip(
            "torch", reason="PyTorch reads .pth files; it is an extra"
        )

    @pytest.fixture
    def saved(self, torch, state, items, tmp_path):
        tensors = {n: torch.from_numpy(v) for n, v in state.items()}
        torch.save(tensors, tmp_path / "model.pth")
        torch.save(torch.from_numpy(items), tmp_path / "keys.pt")
        return tmp_path / "model.pth", tmp_path / "keys.pt"

    def test_convert(self, saved, tmp_path):
        report = convert.convert(*saved, tmp_path / "out", (16, 24))
        assert report.tensors == 169

    @pytest.mark.parametrize("which", [0, 1])
    def test_truncated(self, saved, which, tmp_path):
        path = saved[which]
        path.write_bytes(path.read_bytes()[:-2000])
        refused(saved, f"{path.name}: not a readable", tmp_path / "out")

    def test_swapped_files(self, saved, tmp_path):
        refused(saved[::-1], "expected a state dict", tmp_path / "out")

    def test_a_whole_pickled_object_is_not_opened(self, saved, torch, tmp_path):
        torch.save(types.SimpleNamespace(a=1), saved[0])
        refused(saved, "model.pth: not a readable", tmp_path / "out")

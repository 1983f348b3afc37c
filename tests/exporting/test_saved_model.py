"""A version appears whole or not at all, and holds what it should."""

import dataclasses
import json
import re

import numpy as np
import pytest
import tensorflow as tf

from lgn_serving.arrays import dtype_name
from lgn_serving.models.graph_session import GraphSession
from lgn_tf.cli import main
from lgn_tf.config.schema import Config, ModelConfig
from lgn_tf.conversion import convert
from lgn_tf.data.video import preprocessing
from lgn_tf.exporting import model_card, saved_model, signatures
from lgn_tf.model.lgn_net import build_model
from lgn_tf.runs import directory, model_files
from lgn_tf.runs.run import Run
from lgn_tf.scores import frame_scores
from lgn_tf.scores.calibration import Calibration
from tests.parity import source


@pytest.fixture(scope="module")
def graph(exported):
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    model.ParseFromString((exported.path / "saved_model.pb").read_bytes())
    (meta,) = model.meta_graphs
    return meta


def test_signatures_are_those_of_the_contract(exported_run, graph):
    config = exported_run[1]
    described = signatures.endpoints(config.model, True, 32)
    found = {
        name: signature
        for name, signature in graph.signature_def.items()
        if not name.startswith("__")
    }
    assert set(found) == {endpoint.name for endpoint in described}
    for endpoint in described:
        signature = found[endpoint.name]
        for way, tensors in (
            (signature.inputs, endpoint.inputs),
            (signature.outputs, endpoint.outputs),
        ):
            assert set(way) == {tensor.name for tensor in tensors}
            for tensor in tensors:
                info = way[tensor.name]
                assert tf.dtypes.as_dtype(info.dtype).name == tensor.dtype
                shape = [d.size for d in info.tensor_shape.dim]
                wanted = [-1 if s is None else s for s in tensor.shape]
                # The graph may know less than the contract promises.
                assert len(shape) == len(wanted), (endpoint.name, tensor.name)
                assert all(
                    size in (-1, promised)
                    for size, promised in zip(shape, wanted, strict=True)
                )


def test_no_op_that_only_python_or_another_package_knows(graph):
    ops = {node.op for node in graph.graph_def.node}
    for function in graph.graph_def.library.function:
        ops |= {node.op for node in function.node_def}
    assert "MatMul" in ops or "Conv2D" in ops
    assert not any(name.startswith("IO>") for name in ops)
    assert not ops & {"PyFunc", "EagerPyFunc", "PyFuncStateless"}


def test_weights_are_stored_once(exported, exported_run):
    model = exported_run[2]
    reader = tf.train.load_checkpoint(
        str(exported.path / "variables/variables")
    )
    shapes = reader.get_variable_to_shape_map()
    stored = sum(
        int(np.prod(shape))
        for name, shape in shapes.items()
        if not name.startswith("_CHECKPOINTABLE")
    )
    assert stored == model.count_params()
    assert exported.sizes["weights"] == 4 * stored
    assert exported.sizes["graph"] == (
        (exported.path / "saved_model.pb").stat().st_size
    )


def test_what_comes_along(exported, exported_run):
    extra = exported.path / "assets.extra"
    mine = Calibration.load(exported_run[0] / directory.CALIBRATION)
    copied = Calibration.load(extra / directory.CALIBRATION)
    assert copied.names == mine.names
    card = json.loads((extra / model_card.JSON).read_text())
    assert card["run"] == "small" and card["dataset"] == "synthetic"
    assert card["config"]["model"]["image_size"] == [16, 24]
    assert card["calibration"]["in_sample"] is False
    assert card["results"] is None
    assert card["sha256"]["model.weights.h5"] == model_card.sha256(
        exported_run[0] / directory.WEIGHTS
    )
    assert "tensorflow" in card["packages"]
    names = [endpoint["name"] for endpoint in card["endpoints"]]
    assert names[0] == "serving_default" and len(names) == 8
    text = (extra / model_card.TEXT).read_text()
    for name in names:
        assert f"### `{name}`" in text
    assert "20 frames" not in text and "16 frames of 1 clips, held out" in text


@pytest.fixture
def authors_files(tmp_path):
    """Draws a checkpoint of the authors' names, channels a sixteenth."""
    fixture = source.load()
    shapes = []
    for shape in fixture["shapes"]:
        sizes = [int(size) for size in re.findall(r"\d+", str(shape))]
        # 3 and 12 are channels of frames and of clips; kernels stay.
        narrow = [s if s in (3, 12) else s // 16 for s in sizes[:2]]
        shapes.append(str((*narrow, *sizes[2:])))
    fixture["shapes"] = np.array(shapes)
    np.savez(tmp_path / "model.npz", **source.draw_weights(fixture))
    np.savez(tmp_path / "keys.npz", keys=np.eye(3, 32, dtype=np.float32))
    return tmp_path / "model.npz", tmp_path / "keys.npz"


@pytest.mark.slow
def test_a_run_converted_from_the_authors(authors_files, tmp_path):
    run_dir, out = tmp_path / "run", tmp_path / "out"
    convert.convert(*authors_files, run_dir, image_size=(16, 24))
    done = saved_model.export(Run(run_dir), out, warm_up_batches=())
    assert not done.calibrated
    card = json.loads((done.path / "assets.extra/model_card.json").read_text())
    outputs = [each["name"] for each in card["endpoints"][0]["outputs"]]
    assert outputs == ["valid", "psnr", "regular_score", "distance"]
    config, model = model_files.load(run_dir)
    # Of the model's size, so that nothing is resized.
    frames = frames_of(config, size=(16, 24))
    servable = GraphSession(done.path)
    found = servable.run("predict", {"frames": frames})
    servable.close()
    values = preprocessing.to_float(frames[..., ::-1])
    prediction, readout = model(values[:, :-1])
    for name, wanted in {
        "predicted_frame": (np.asarray(prediction)[..., ::-1] + 1) / 2,
        "psnr": frame_scores.psnr(values[:, -1], prediction),
        "regular_score": frame_scores.regular_score(values[:, -1], prediction),
        "distance": frame_scores.feature_distance(readout.distance),
    }.items():
        np.testing.assert_allclose(found[name], wanted, rtol=1e-5, atol=1e-5)
    assert found["valid"].all()


@pytest.mark.usefixtures("quick")
def test_the_command(exported_run, tmp_path, capsys):
    out = tmp_path / "models"
    arguments = ["export", "--run", str(exported_run[0]), "--out", str(out)]
    assert main.main(arguments) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"{out / '1'}\n")
    for name in ("weights", "variables", "graph", "warm-up requests"):
        assert re.search(rf"^  {name}: [\d,]+ bytes$", printed, re.MULTILINE)
    assert "no calibration" not in printed


@pytest.fixture
def told(monkeypatch):
    """Notes the statistics that the endpoints get."""
    given = []

    class Noted(saved_model.Endpoints):
        def __init__(self, model, statistics, *_, moving, **__):
            del model
            given.append((statistics, moving))

    monkeypatch.setattr(saved_model, "Endpoints", Noted)
    return given


WEIGHTS = {"error": 2.0, "distance": 0.25, "motion": 3.0}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("left_out", [None, "motion", "distance"])
def test_other_weights_of_the_cues(moving_run, tmp_path, told, left_out):
    run_dir, config, _, known = moving_run
    weights = WEIGHTS | ({left_out: 0.0} if left_out else {})
    arguments = ["export", "--run", str(run_dir), "--out", str(tmp_path)]
    for name, value in weights.items():
        arguments += [f"--{name}-weight", str(value)]
    assert main.main(arguments) == 0
    ((statistics, moving),) = told
    wanted = dataclasses.replace(known, weights=weights)
    for ours, theirs in (
        (statistics, wanted.statistics),
        (moving, wanted.moving_statistics),
    ):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            for name in ("error", "distance", "motion"):
                mine, other = getattr(ours, name), getattr(theirs, name)
                assert (mine and mine[:3]) == (other and other[:3])
            np.testing.assert_array_equal(ours.knots, theirs.knots)
    extra = tmp_path / "1" / saved_model.EXTRA
    card = json.loads((extra / model_card.JSON).read_text())
    assert card["calibration"]["cue_weights"] == weights
    exported = model_card.read_config(extra)
    assert exported.scoring.cue_weights == weights
    names = {each["name"] for each in card["endpoints"]}
    assert ("score_with_motion" in names) == (left_out != "motion")
    text = (extra / model_card.TEXT).read_text()
    words = ", ".join(f"{name} {value:g}" for name, value in weights.items())
    assert f"weights of the cues: {words} |" in text
    # The run keeps its own.
    assert directory.read_config(run_dir) == config


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--motion-weight", "-1"], "`motion_weight` must"),
        (
            ["--error-weight", "0", "--distance-weight", "0"],
            "`error_weight` or `distance_weight` must be above 0",
        ),
    ],
)
def test_weights_that_are_none(exported_run, tmp_path, capsys, flags, message):
    out = tmp_path / "out"
    arguments = ["export", "--run", str(exported_run[0]), "--out", str(out)]
    assert main.main([*arguments, *flags]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not out.exists()


def frames_of(config, rows=2, size=(30, 20)):
    rng = np.random.default_rng(5)
    shape = (rows, config.model.frames + 1, *size, 3)
    return rng.integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.slow
def test_bfloat16_inside_float32_outside(exported_run, served, tmp_path):
    run_dir, config, _, _ = exported_run
    done = saved_model.export(
        Run(run_dir), tmp_path, dtype="mixed_bfloat16", warm_up_batches=()
    )
    servable = GraphSession(done.path)
    inputs = {"frames": frames_of(config)}
    found, exact = servable.run("", inputs), served.run("", inputs)
    assert np.abs(found["psnr"] - exact["psnr"]).max() < 0.05
    assert (found["psnr"] != exact["psnr"]).any()
    for endpoint in signatures.endpoints(config.model, True, 32):
        outputs = servable.signature(endpoint.name).outputs
        assert {
            key: dtype_name(each.dtype) for key, each in outputs.items()
        } == {each.name: each.dtype for each in endpoint.outputs}
    servable.close()


@pytest.mark.slow
def test_no_memory_and_no_calibration(tmp_path):
    config = Config(
        ModelConfig(
            variant="loc_net",
            image_size=(16, 16),
            width=0.0625,
            channels=1,
            frames=3,
            memory_items=3,
        )
    )
    model = build_model(config)
    model_files.save(tmp_path / "run", config, model)
    done = saved_model.export(
        Run(tmp_path / "run"), tmp_path / "out", warm_up_batches=()
    )
    assert not done.calibrated
    servable = GraphSession(done.path)
    frames = frames_of(config)
    found = servable.run("predict", {"frames": frames})
    assert not {"distance", "distance_map"} & set(found)
    assert "anomaly_score" not in found
    assert found["predicted_frame"].shape == (2, 16, 16, 3)
    assert "score_with_memory" not in servable.signatures
    along = servable.run("score_video", {"frames": frames})
    np.testing.assert_allclose(
        along["psnr"][:, 0], found["psnr"], rtol=1e-5, atol=1e-5
    )
    servable.close()

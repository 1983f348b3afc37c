"""Speed on a GPU: what a row says, and a dry run without TensorFlow."""

import functools
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

torch = pytest.importorskip(
    "torch", reason="PyTorch is the peer of the benchmarks"
)
jax = pytest.importorskip("jax")

from benchmarks.gpu.bench import Bench  # noqa: E402
from benchmarks.gpu.inference import score  # noqa: E402
from benchmarks.gpu.peers import PlacedPeer, compiled  # noqa: E402
from benchmarks.gpu.precision import (  # noqa: E402
    PRECISIONS,
    computing,
    require_close,
)
from benchmarks.gpu.report import TABLES, goals, table  # noqa: E402
from benchmarks.gpu.timing import (  # noqa: E402
    Contestant,
    race,
    seconds_a_step,
)
from benchmarks.gpu.training import train  # noqa: E402
from lgn_tf.model.lgn_net import LGNNet  # noqa: E402

ROOT = Path(__file__).parents[2]
ABSENT = ("tensorflow", "sklearn", "matplotlib", "jinja2", "tyro")
TINY = ("--size", "16", "--width", "0.0625", "--batches", "1")
TINY += ("--training-batches", "2", "--runs", "1", "--latency-runs", "2")
TINY += ("--inputs", "2", "--frames", "8", "--chunk", "2", "--no-compile")


@pytest.fixture
def accelerator(monkeypatch):
    """Returns the module; the test's process keeps its backend of Keras."""
    for name in ("KERAS_BACKEND", "XLA_PYTHON_CLIENT_PREALLOCATE"):
        monkeypatch.setenv(name, keras.backend.backend())
    return importlib.import_module("benchmarks.gpu.__main__")


@pytest.fixture
def bench(accelerator):
    return Bench(accelerator.parse([*TINY]))


def widen(bench):
    options = bench.options
    options.size, options.inputs, options.width = 256, 4, 1.0


def require_ratio(ours, peer):
    assert (ours["by"], peer["by"]) == ("LGNNet, JAX", "PyTorch eager")
    assert ours["ratio"] == pytest.approx(peer["ms"] / ours["ms"], rel=1e-2)
    assert peer["format"] in ("channels first", "channels last")


@pytest.mark.slow
@pytest.mark.jax
def test_a_dry_run_without_tensorflow(tmp_path):
    out = tmp_path / "section.md"
    code = (
        "import sys; "
        f"sys.modules.update(dict.fromkeys({ABSENT!r})); "
        "from benchmarks import accelerator; "
        "sys.exit(accelerator.main(sys.argv[1:]))"
    )
    flags = (*TINY, "--precisions", "bfloat16", "--out", str(out))
    flags += ("--only", "rates", "forward")
    done = subprocess.run(
        [sys.executable, "-c", code, *flags],
        # Compiled fast rather than well, and no wait for busy cores.
        env=os.environ
        | {"XLA_FLAGS": "--xla_backend_optimization_level=0"}
        | {"OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "Warning" not in done.stderr
    text = out.read_text()
    assert done.stdout.endswith(text)
    found = json.loads(text.splitlines()[-1])
    assert found["card"] in text and "no GPU: a dry run" in text
    assert {"jax", "torch", "keras"} <= set(found["versions"])
    assert text.count("not measured at 256 x 256") == 2
    rows = {}
    for row in found["rows"]:
        rows.setdefault(row["part"], []).append(row)
    assert list(rows) == ["rates", "forward", "latency"]
    assert {row["what"] for row in rows["rates"]} == {
        "matrix product",
        "convolution",
    }
    require_ratio(*rows["forward"])
    for row in rows["forward"]:
        # Computed in half precision, and near to the peer in float32.
        assert 1e-6 < row["deviation"] < 3e-2
        assert row["of matrix product"] > 0 and row["of convolution"] > 0
        assert row["per_second"] > 0
    assert all(row["p99_ms"] >= row["ms"] for row in rows["latency"])


def test_a_video_is_scored_as_the_peer_would(bench):
    score(bench, "float32")
    trained, updated = bench.rows
    assert (trained["memory"], updated["memory"]) == ("as trained", "updated")
    for row in bench.rows:
        assert row["deviation"] < 1e-5
        # Eight frames, of which the first two are only read.
        assert row["per_second"] == pytest.approx(6000 / row["ms"], rel=1e-2)


def test_a_step_of_training_has_the_loss_of_the_peer(bench, monkeypatch):
    # Traced, the step takes ten seconds to build.
    eager = functools.partialmethod(LGNNet.compile, run_eagerly=True)
    monkeypatch.setattr(LGNNet, "compile", eager)
    train(bench, "float32")
    require_ratio(*bench.rows)
    for row in bench.rows:
        assert row["batch"] == 2 and row["deviation"] < 1e-5
        assert row["per_second"] == pytest.approx(2000 / row["ms"], rel=1e-2)


def test_the_peer_in_half_precision_keeps_its_statistics(bench):
    peer = PlacedPeer(bench, torch.bfloat16, torch.channels_last)
    dtypes = {name: tensor.dtype for name, tensor in peer.weights.items()}
    assert dtypes["pred.encoder.0.weight"] == torch.bfloat16
    assert dtypes["pred.encoder.0.bias"] == torch.bfloat16
    assert dtypes["pred.encoder.1.weight"] == torch.float32
    assert dtypes["pred.encoder.1.running_var"] == torch.float32
    kernel = peer.weights["pred.encoder.3.weight"]
    assert kernel.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("found", [[1.0, 2.1], [1.0, np.nan]])
def test_a_deviation_beyond_the_bound_is_an_error(found):
    expected = np.array([1.0, 2.0])
    near = require_close(np.array([1.0, 2.001]), expected, "LGNNet", "tf32")
    assert near == {"deviation": 0.0004472, "largest": 0.001}
    with pytest.raises(ValueError, match="LGNNet in tf32 must deviate"):
        require_close(found, expected, "LGNNet", "tf32")


@pytest.mark.parametrize(
    ("error", "missing"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried"), "out of memory"),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of"), "out of memory"),
        (MemoryError(), "out of memory"),
        (RuntimeError("no kernel\nmore"), "failed: no kernel"),
    ],
)
def test_what_fails_is_a_row_that_says_why(bench, error, missing):
    def fail(_=None):
        raise error

    row = {"part": "forward", "precision": "tf32", "batch": 64}
    assert bench.attempt(fail, **row, by="PyTorch eager") is None
    # Memory may lack only once others are warm, too.
    contestant = Contestant("LGNNet, JAX", fail)
    race(bench, row, [contestant], 64, 1e9)
    assert [one["missing"] for one in bench.rows] == [missing] * 2
    _, columns = TABLES["forward"]
    lines = table(bench.rows, columns).splitlines()
    assert lines[2].startswith(f"| tf32 | 64 | PyTorch eager |  | {missing} |")


def test_what_there_is_no_time_for_is_left_out(bench):
    assert bench.attempt(lambda: 3, part="forward") == 3
    bench.longest = bench.options.seconds
    assert bench.attempt(lambda: 3, part="forward") is None
    assert bench.rows == [{"part": "forward", "missing": "left out: no time"}]
    # One turn is counted all the same of what has been prepared.
    bench.end, bench.options.runs = 0.0, 5
    contestant = Contestant("LGNNet, JAX", lambda _: None)
    times = seconds_a_step([contestant], bench)
    assert len(times["LGNNet, JAX"]) == 1


def test_a_compiler_that_is_missing_is_named(bench, monkeypatch):
    def broken(*_, **__):
        raise OSError("no C++ compiler")

    monkeypatch.setattr(torch, "compile", lambda *_, **__: broken)
    clips, _ = bench.clips(1)
    given = (bench, clips, clips[:, 0], "float32")
    assert bench.attempt(lambda: compiled(*given), part="forward") is None
    (row,) = bench.rows
    assert row["missing"] == "torch.compile failed: no C++ compiler"


def test_shares_are_of_the_faster_framework(bench):
    for by, tflops in (("JAX", 4.0), ("PyTorch", 8.0)):
        row = {"part": "rates", "precision": "tf32", "by": by}
        bench.add(**row, what="matrix product", tflops=tflops)
    found = bench.shares("tf32", 2e12)
    assert found == {"tflops": 2.0, "of matrix product": 0.25}
    assert bench.shares("float32", 2e12) == {"tflops": 2.0}
    # By itself a window of the full size needs 380 GFLOP.
    widen(bench)
    assert bench.least == pytest.approx(380e9, rel=1e-3)


def test_goals_are_judged_by_what_was_measured(bench):
    ours = {"by": "LGNNet, JAX", "precision": "bfloat16"}
    bench.add(part="latency", ms=4.5, p99_ms=5.5, **ours)
    bench.add(part="forward", batch=8, per_second=900.0, **ours)
    bench.add(part="forward", batch=64, missing="out of memory", **ours)
    other = ours | {"by": "PyTorch eager"}
    bench.add(part="forward", batch=8, per_second=2000.0, **other)
    small = " ".join(goals(bench, "a card"))
    assert small.count("not measured") == 2
    widen(bench)
    latency, rate = goals(bench, "a card")
    assert "median 4.50 ms (reached)" in latency
    assert "99th percentile 5.50 ms (missed); on a card." in latency
    assert "900 at batch 8 (missed)" in rate
    bench.add(part="forward", batch=32, per_second=1200.0, **ours)
    assert "1,200 at batch 32 (reached)" in goals(bench, "")[1]


def test_a_precision_ends_with_its_block():
    cudnn = torch.backends.cudnn
    before = cudnn.allow_tf32, jax.config.jax_default_matmul_precision
    with computing(PRECISIONS["tf32"]):
        assert cudnn.allow_tf32
        with computing(PRECISIONS["float32"]):
            assert not cudnn.allow_tf32
            assert jax.config.jax_default_matmul_precision == "highest"
        assert cudnn.allow_tf32
        assert jax.config.jax_default_matmul_precision == "tensorfloat32"
    assert before == (
        cudnn.allow_tf32,
        jax.config.jax_default_matmul_precision,
    )


def test_different_cards_are_refused(accelerator, monkeypatch, capsys):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert accelerator.main([*TINY]) == 2
    assert "must run on the same card" in capsys.readouterr().err

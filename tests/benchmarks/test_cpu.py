"""The parts of the speed benchmark, at a size of seconds."""

import sys
import textwrap
import types

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from benchmarks.cpu import cases, timing  # noqa: E402
from benchmarks.cpu.subjects import PEER, Subjects  # noqa: E402
from benchmarks.peers.network import Checkout  # noqa: E402


@pytest.fixture(scope="module")
def subjects():
    return Subjects((16, 16), width=0.0625, compiled=False)


def test_ratios_ceilings_and_efficiency():
    times = {"peer": [4.0, 5.0, 6.0], "ours": [2.0, 2.5, 3.0]}
    peer, ours = timing.rows("case", times, 8, {"ours": (100.0, 50.0)})
    assert (peer.ratio, peer.ceiling, peer.efficiency) == (1.0, None, None)
    assert ours.ratio == 2.0
    assert ours.ceiling == 2.5  # 5 s against 100 operations at 50 a second
    assert ours.efficiency == 0.8  # of which it took 2.5 s


def test_candidates_take_turns():
    order = []
    found = timing.in_turns(
        {name: lambda name=name: order.append(name) for name in "ab"}, 2, warm=1
    )
    assert order == list("ababab")
    assert [len(seconds) for seconds in found.values()] == [2, 2]


def test_outputs_are_compared_first(subjects):
    candidates = subjects.candidates(2)
    subjects.compare(candidates)
    assert subjects.deviations["LGNNet, float32"] < 1e-4
    candidates["LGNNet, float32"] = lambda: np.full((2, 16, 16, 3), 2.0)
    with pytest.raises(ValueError, match="LGNNet, float32 must predict"):
        subjects.compare(candidates)


@pytest.mark.parametrize("gamma", [0.0, cases.ALWAYS])
def test_the_peer_scores_a_video_as_we_do(subjects, gamma):
    from lgn_tf.data.video.footage import InMemory, pieces
    from lgn_tf.inference.video_scorer import VideoScorer

    frames = np.random.default_rng(0).integers(0, 256, (9, 16, 16, 3), np.uint8)
    scorer = VideoScorer(subjects.models["float32"], gammas=(gamma,))
    (ours,) = scorer.score("v", pieces(InMemory(["v"], [frames]), 0, 4))
    theirs = cases._peer_video(subjects, frames, gamma)
    np.testing.assert_allclose(ours.psnr, theirs, atol=1e-4)
    assert ours.updated.all() == (gamma > 0)


def test_every_case_has_rows(subjects):
    options = types.SimpleNamespace(runs=1, windows=3)
    rates = dict.fromkeys(subjects.dtypes, 1e9)
    for name in ("training", "files", "saved model"):
        rows = cases.run(name, subjects, rates, options)
        assert len(rows) >= 2
        assert rows[0].ratio == 1.0


def test_a_checkout_is_imported_and_not_copied(subjects, tmp_path, monkeypatch):
    """A network of the published names, with our peer inside."""
    package = tmp_path / "LGN-Net" / "model"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "lgn_net.py").write_text(
        textwrap.dedent(
            """
            import torch
            from benchmarks.peers.network import Peer

            class lgn(torch.nn.Module):
                def __init__(self, channels, length, items, dim, keys, *_):
                    super().__init__()
                    self.held = None

                def load_state_dict(self, state, strict):
                    self.held = {k: v.numpy() for k, v in state.items()}
                    return [], []

                def forward(self, clips, items, train):
                    peer = Peer(self.held, items.numpy())
                    n, _, h, w = clips.shape
                    out, queries = peer.predict(clips.view(n, 4, 3, h, w))
                    return out, 3 * queries.permute(0, 3, 1, 2)
            """
        )
    )
    monkeypatch.setattr(sys, "path", list(sys.path))
    theirs = Checkout(tmp_path, subjects.source, subjects.items)
    _, clips = subjects.clips(1)
    with torch.inference_mode():
        for ours, found in zip(
            subjects.peer.predict(clips), theirs.predict(clips), strict=True
        ):
            np.testing.assert_allclose(ours, found, atol=1e-6)
    for name in ("model", "model.lgn_net"):
        sys.modules.pop(name)


def test_a_folder_without_the_code_is_refused(subjects, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"model/lgn_net\.py"):
        Checkout(tmp_path, subjects.source, subjects.items)


def test_the_peer_comes_first(subjects):
    assert next(iter(subjects.candidates(1))) == PEER

"""The training step in plain PyTorch is the one that LGNNet takes."""

import keras
import numpy as np
import pytest

from lgn_tf.conversion import convert, mapping
from lgn_tf.model.lgn_net import LGNNet

tf = pytest.importorskip("tensorflow")
torch = pytest.importorskip(
    "torch", reason="PyTorch is the peer of the benchmarks"
)

from benchmarks.peers.training import TrainingPeer  # noqa: E402
from benchmarks.peers.weights import draw_source  # noqa: E402

SIZE, FRAMES = (16, 24), 2


@pytest.fixture(autouse=True)
def one_thread():
    """Threads of several frameworks would wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def drawn():
    """Returns a model, the source of its weights, clips and targets."""
    model = LGNNet(image_size=SIZE, frames=FRAMES, width=1 / 16, memory_items=4)
    model.build()
    source, items = draw_source(model)
    convert.assign(model, source, items, "drawn weights")
    random = np.random.default_rng(1)
    clips = random.uniform(-1, 1, (3, FRAMES, *SIZE, 3)).astype(np.float32)
    targets = random.uniform(-1, 1, (3, *SIZE, 3)).astype(np.float32)
    return model, source, items, clips, targets


def channels_first(values):
    return torch.from_numpy(np.moveaxis(values, -1, -3).copy())


def require_step_of_adam(before, weight):
    """Adam's first step is 2e-4 against the sign of the gradient."""
    gradient = weight.grad.numpy()
    clear = np.abs(gradient) > 1e-4
    moved = weight.detach().numpy() - before
    np.testing.assert_allclose(
        moved[clear], -2e-4 * np.sign(gradient[clear]), rtol=2e-2
    )


def test_loss_gradients_statistics_and_memory_are_those_of_the_network(drawn):
    model, source, items, clips, targets = drawn
    peer = TrainingPeer(source, items)
    batch = channels_first(clips), channels_first(targets)
    model.compile(keras.optimizers.SGD(0.0))
    with tf.GradientTape() as tape:
        output = model(clips, training=True)
        loss = model.compute_loss(y=targets, y_pred=output)
    variables = model.trainable_variables
    gradients = {
        v.path.split("/", 1)[1]: g.numpy()
        for v, g in zip(variables, tape.gradient(loss, variables), strict=True)
    }
    state = {v.path.split("/", 1)[1]: v for v in model.variables}

    expected = pytest.approx(float(loss), rel=1e-5)
    assert peer.loss(*batch) == expected
    # Nothing was changed by that.
    assert peer.loss(*batch) == expected
    np.testing.assert_array_equal(peer.items.numpy(), items)
    assert peer.step(*batch) == expected
    compared = set()
    for rule in mapping.rules():
        weight = peer.weights[rule.source]
        if rule.target in gradients:
            theirs = rule.transform(weight.grad.numpy())
            ours = gradients[rule.target]
            scale = max(1e-3, np.linalg.norm(ours))
            assert np.linalg.norm(ours - theirs) < 2e-3 * scale, rule.source
            compared.add(rule.target)
            require_step_of_adam(source[rule.source], weight)
        elif rule.target.endswith("moving_mean"):
            np.testing.assert_allclose(
                state[rule.target].numpy(), weight.numpy(), atol=1e-5
            )
    assert compared == set(gradients)
    np.testing.assert_allclose(
        state["memory/items"].numpy(), peer.items.numpy(), atol=1e-5
    )
    assert np.abs(peer.items.numpy() - items).max() > 0.1


def test_half_precision_keeps_weights_and_memory(drawn):
    _, source, items, clips, targets = drawn
    batch = channels_first(clips), channels_first(targets)
    half = TrainingPeer(source, items, half=torch.bfloat16)
    full = TrainingPeer(source, items, memory_format=torch.channels_last)
    found, expected = half.loss(*batch), full.loss(*batch)
    assert found == pytest.approx(expected, rel=3e-2)
    assert found != expected
    half.step(*batch)
    dtypes = {tensor.dtype for tensor in half.weights.values()}
    assert dtypes == {torch.float32} == {half.items.dtype}

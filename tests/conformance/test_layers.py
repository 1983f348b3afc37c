"""Every layer is asked the same questions."""

import keras
import numpy as np
import pytest
from keras import ops

from lgn_tf.model.blocks import BatchNormalization, Conv, ConvBNReLU
from lgn_tf.model.decoder import Decoder
from lgn_tf.model.global_encoder import GlobalEncoder
from lgn_tf.model.lgn_net import LGNNet
from lgn_tf.model.local_branch import FrameEncoder, STPNet, Upsampler
from lgn_tf.model.memory import PrototypeMemory
from lgn_tf.model.prototypes import normalize
from lgn_tf.model.recurrent_cells import (
    ConvLSTMCell,
    ConvLSTMState,
    STLSTMCell,
    STLSTMState,
)

pytestmark = pytest.mark.latest

CLIPS = (2, 3, 16, 24, 1)
MAP = (2, 4, 6, 8)


def numbers(shape, seed=0):
    random = np.random.default_rng(seed)
    return random.uniform(-1, 1, shape).astype(np.float32)


def state(kind):
    return kind(*(numbers(MAP, seed) for seed in range(len(kind._fields))))


def net(variant, **arguments):
    return lambda **kwargs: LGNNet(
        image_size=(16, 24),
        channels=1,
        frames=3,
        width=1 / 16,
        memory_items=4,
        variant=variant,
        **arguments,
        **kwargs,
    )


def layer(kind, *arguments, **options):
    return lambda **kwargs: kind(*arguments, **options, **kwargs)


# Name: (how to make it, its positional call arguments).
TABLE = {
    "batch_normalization": (layer(BatchNormalization), [numbers(MAP)]),
    "conv": (layer(Conv, 5), [numbers(MAP)]),
    "conv_strided": (layer(Conv, 5, strides=2), [numbers(MAP)]),
    "conv_transposed": (layer(Conv, 5, transposed=True), [numbers(MAP)]),
    "conv_bn_relu": (layer(ConvBNReLU, 5), [numbers(MAP)]),
    "conv_bn_relu_transposed": (
        layer(ConvBNReLU, 5, transposed=True),
        [numbers(MAP)],
    ),
    "st_lstm": (
        layer(STLSTMCell, 8),
        [numbers((2, 4, 6, 3)), state(STLSTMState)],
    ),
    "conv_lstm": (
        layer(ConvLSTMCell, 8),
        [numbers((2, 4, 6, 3)), state(ConvLSTMState)],
    ),
    "frame_encoder": (layer(FrameEncoder, 1 / 16), [numbers((2, 8, 12, 3))]),
    "stp_net": (layer(STPNet, 8), [numbers((2, 3, 4, 6, 5))]),
    "stp_net_conv_lstm": (
        layer(STPNet, 8, "conv_lstm"),
        [numbers((2, 3, 4, 6, 5))],
    ),
    "upsampler": (layer(Upsampler, 1 / 16), [numbers(MAP)]),
    "global_encoder": (layer(GlobalEncoder, 1 / 16), [numbers(CLIPS)]),
    "memory": (
        layer(PrototypeMemory, 4, temperature=0.5, momentum=0.9),
        [ops.convert_to_numpy(normalize(numbers(MAP)))],
    ),
    "memory_revival": (
        layer(PrototypeMemory, 4, revive_after=1, max_over_assigned=True),
        [ops.convert_to_numpy(normalize(numbers(MAP)))],
    ),
    "decoder": (
        layer(Decoder, 3, 1 / 16),
        [numbers((2, 16, 24, 4)), numbers((2, 2, 3, 32))],
    ),
    "lgn_net": (net("lgn_net"), [numbers(CLIPS)]),
    "lgn_net_options": (
        net("lgn_net", memory_options={"revive_after": 3}),
        [numbers(CLIPS)],
    ),
    "lgn_st": (net("lgn_st"), [numbers(CLIPS)]),
    "glo_net": (net("glo_net"), [numbers(CLIPS)]),
    "loc_net": (net("loc_net"), [numbers(CLIPS)]),
}


@pytest.fixture(params=TABLE)
def case(request):
    return TABLE[request.param]


def flat(outputs):
    return [ops.convert_to_numpy(x) for x in keras.tree.flatten(outputs)]


def test_config_round_trip(case):
    make, inputs = case
    first = make(name="it")
    first(*inputs)
    config = first.get_config()
    second = type(first).from_config(config)
    assert second.get_config() == config
    second(*inputs)
    assert [v.shape for v in second.variables] == [
        v.shape for v in first.variables
    ]
    second.set_weights(first.get_weights())
    for ours, theirs in zip(
        flat(second(*inputs)), flat(first(*inputs)), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_serialised_under_the_package(case):
    make, inputs = case
    first = make()
    first(*inputs)
    data = keras.saving.serialize_keras_object(first)
    assert data["registered_name"].startswith("lgn_tf>")
    second = keras.saving.deserialize_keras_object(data)
    assert type(second) is type(first)


def test_every_weight_is_named(case):
    make, inputs = case
    first = make()
    first(*inputs)
    paths = [v.path for v in first.variables]
    assert len(paths) == len(set(paths))
    assert not any("variable" in path.split("/")[-1] for path in paths)


def test_shapes_are_known_without_a_computation(case):
    make, inputs = case
    first = make()
    outputs = first(*inputs)
    symbolic = first(
        *keras.tree.map_structure(
            lambda x: keras.KerasTensor(x.shape, x.dtype), inputs
        )
    )
    for known, computed in zip(
        keras.tree.flatten(symbolic), keras.tree.flatten(outputs), strict=True
    ):
        assert tuple(known.shape) == tuple(computed.shape)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(case, policy):
    make, inputs = case
    full, half = make(), make(dtype=policy)
    full(*inputs)
    half(*inputs)
    half.set_weights(full.get_weights())
    for v in half.variables:
        assert keras.backend.standardize_dtype(v.dtype) in ("float32", "uint32")
    tolerance = 0.1 if policy == "mixed_bfloat16" else 0.02
    # Random weights make near ties; the nearest item may be another one.
    skip = {"nearest", "distance", "separateness"}
    ours, theirs = half(*inputs), full(*inputs)
    for readout in (ours, getattr(ours, "readout", None)):
        if readout is not None and hasattr(readout, "nearest"):
            for name in set(readout._fields) - {"nearest"}:
                dtype = getattr(readout, name).dtype
                assert keras.backend.standardize_dtype(dtype) == "float32"
    pairs = zip(named(ours), named(theirs), strict=True)
    for (name, x), (_, y) in pairs:
        if name not in skip:
            x, y = (
                ops.convert_to_numpy(ops.cast(t, "float32")) for t in (x, y)
            )
            np.testing.assert_allclose(x, y, atol=tolerance)


def named(outputs):
    """Yields (name, tensor) of every output."""
    if hasattr(outputs, "_fields"):
        for name, value in zip(outputs._fields, outputs, strict=True):
            if isinstance(value, tuple):
                yield from named(value)
            else:
                yield name, value
    else:
        yield "output", outputs


@pytest.mark.parametrize("variant", ["lgn_net", "lgn_st", "glo_net", "loc_net"])
def test_a_saved_model_is_the_same_and_trains_on(variant, tmp_path):
    model = net(variant)()
    model.build()
    model.compile()
    clips = numbers(CLIPS)
    expected = flat(model(clips))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for ours, theirs in zip(flat(loaded(clips)), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert loaded.optimizer.epsilon == 1e-8
    assert loaded.loss.name == "intensity"

"""The whole model: variants, parts called apart, fitting, logs."""

import keras
import numpy as np
import pytest
from keras import ops

from lgn_tf.config.schema import Config, ModelConfig, TrainingConfig
from lgn_tf.data.datasets.presets import PRESETS
from lgn_tf.model.lgn_net import LGNNet, build_model
from lgn_tf.scores import frame_scores

VARIANTS = ("lgn_net", "lgn_st", "glo_net", "loc_net")
SMALL = {"image_size": (16, 24), "channels": 1, "frames": 3, "width": 1 / 16}


def small(**arguments):
    model = LGNNet(**(SMALL | {"memory_items": 4} | arguments))
    model.build()
    return model


def frames_of(count, channels=1, size=(16, 24)):
    random = np.random.default_rng(1)
    shape = (count, *size, channels)
    return random.uniform(-1, 1, shape).astype(np.float32)


def clips_of(batch, frames=3):
    return frames_of(batch * frames).reshape(batch, frames, 16, 24, 1)


def array(tensor):
    return ops.convert_to_numpy(tensor)


@pytest.mark.latest
@pytest.mark.parametrize("variant", VARIANTS)
def test_shapes_and_parts(variant):
    model = small(variant=variant)
    output = model(clips_of(2))
    assert output.prediction.shape == (2, 16, 24, 1)
    assert np.all(np.abs(array(output.prediction)) <= 1)
    parts = {layer.name for layer in model.layers}
    has_local, has_memory = variant != "glo_net", variant != "loc_net"
    assert ("stp_net" in parts) == has_local
    assert ("memory" in parts) == has_memory
    if has_memory:
        assert output.readout.features.shape == (2, 2, 3, 32)
        assert output.readout.nearest.shape == (2, 2, 3)
    else:
        assert output.readout == ()
    if has_local:
        cells = {type(cell).__name__ for cell in model.stp_net.cells}
        expected = "STLSTMCell" if variant == "lgn_net" else "ConvLSTMCell"
        assert cells == {expected}


def test_glo_net_decodes_queries_and_what_was_read():
    model = small(variant="glo_net")
    clips = clips_of(2)
    encoding = model.encode(clips)
    readout = model.read(encoding)
    both = np.concatenate(
        [array(encoding.queries), array(readout.features)], axis=-1
    )
    expected = model.decoder(None, both)
    np.testing.assert_allclose(
        array(model(clips).prediction), array(expected), atol=1e-6
    )


@pytest.mark.latest
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_video_encoded_once_a_frame_equals_window_by_window(variant):
    model = small(variant=variant)
    frames = frames_of(7)
    encoding = model.encode_video(frames)
    together = array(model.decode(encoding, model.read(encoding)))
    assert together.shape[0] == 5
    for start in range(5):
        clip = frames[None, start : start + 3]
        alone = array(model(clip).prediction)[0]
        np.testing.assert_allclose(together[start], alone, atol=2e-6)


def test_reading_from_items_that_are_handed_in():
    model = small()
    encoding = model.encode(clips_of(2))
    items = np.roll(array(model.memory.items), 1, axis=0)
    readout = model.read(encoding, items)
    own = model.read(encoding)
    moved = np.roll(array(own.weights), 1, axis=-1)
    np.testing.assert_allclose(array(readout.weights), moved, atol=1e-6)


@pytest.mark.parametrize("variant", VARIANTS)
def test_fit_lowers_the_loss_and_logs_everything(variant):
    model = small(variant=variant)
    model.compile(keras.optimizers.Adam(1e-3, epsilon=1e-8))
    clips = clips_of(4)
    logs = model.fit(
        clips, clips[:, -1], batch_size=4, epochs=6, shuffle=False, verbose=0
    ).history
    names = {"loss", "intensity", "psnr", "gain"}
    if variant != "loc_net":
        names |= {"compactness", "separateness"}
        names |= {"items_in_use", "top_item_share"}
    assert set(logs) == names
    assert logs["intensity"][-1] < logs["intensity"][0]
    for values in logs.values():
        assert np.isfinite(values).all()
    total = np.array(logs["intensity"])
    if variant != "loc_net":
        total = total + 10 * np.array(logs["compactness"])
        total = total + 5 * np.array(logs["separateness"])
        assert all(1 <= used <= 4 for used in logs["items_in_use"])
    np.testing.assert_allclose(logs["loss"], total, rtol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_fit_in_mixed_precision(policy):
    model = small(dtype=policy)
    model.compile(keras.optimizers.Adam(1e-3, epsilon=1e-8))
    scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (policy == "mixed_float16")
    before = model.get_weights()
    clips = clips_of(4)
    logs = model.fit(
        clips, clips[:, -1], batch_size=4, epochs=6, shuffle=False, verbose=0
    ).history
    assert np.isfinite(logs["loss"]).all()
    assert logs["intensity"][-1] < logs["intensity"][0]
    for old, new in zip(before, model.get_weights(), strict=True):
        assert new.dtype == old.dtype
        assert np.isfinite(new).all()


def test_logs_of_evaluation_are_the_scores_of_the_predictions():
    model = small()
    model.compile()
    clips = clips_of(6)
    target = clips[:, 0]
    logs = model.evaluate(
        clips, target, batch_size=2, verbose=0, return_dict=True
    )
    output = model(clips)
    error = np.mean((array(output.prediction) - target) ** 2)
    counts = [
        np.bincount(array(output.readout.nearest)[i : i + 2].ravel())
        for i in (0, 2, 4)
    ]
    expected = {
        "intensity": error,
        "psnr": array(frame_scores.psnr(target, output.prediction)).mean(),
        "compactness": array(output.readout.distance).mean(),
        "separateness": array(output.readout.separateness).mean(),
        "items_in_use": np.mean([np.count_nonzero(c) for c in counts]),
        "top_item_share": np.mean([c.max() / c.sum() for c in counts]),
    }
    for name, value in expected.items():
        assert logs[name] == pytest.approx(value, rel=1e-4), name


def test_the_memory_is_written_in_training_only():
    model = small()
    model.compile()
    clips = clips_of(4)
    before = array(model.memory.items)
    model.evaluate(clips, clips[:, 0], verbose=0)
    model.predict(clips, verbose=0)
    np.testing.assert_array_equal(array(model.memory.items), before)
    old = array(
        model.memory.updated(
            model.encode(clips, training=True).queries, model.memory.items
        )
    )
    model(clips, training=True)
    np.testing.assert_allclose(array(model.memory.items), old, atol=1e-6)
    assert np.abs(old - before).max() > 1e-3


def test_batch_statistics_are_those_of_each_time_step():
    model = small()
    clips = clips_of(2)
    projected = [
        array(model.frame_encoder(clips[:, time], training=True))
        for time in range(3)
    ]
    fresh = small()
    fresh.set_weights(model.get_weights())
    states = fresh.stp_net(np.stack(projected, axis=1))
    expected = array(fresh.upsampler(states, training=True))
    ours = array(fresh.encode(clips, training=True).local_features)
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_defaults_of_compile_are_the_authors():
    model = small()
    model.compile()
    assert float(model.optimizer.learning_rate) == pytest.approx(2e-4)
    assert model.optimizer.epsilon == 1e-8
    assert model.jit_compile == (keras.backend.backend() == "jax")


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"image_size": (16, 20)}, r"multiples of 8 .*image_size=\(16, 20\)"),
        (
            {"image_size": (18, 16), "variant": "loc_net"},
            r"multiples of 4 .*image_size=\(18, 16\)",
        ),
        ({"image_size": (0, 16)}, r"image_size=\(0, 16\)"),
        ({"frames": 1}, "at least 2.*frames=1"),
        ({"channels": 2}, "1 or 3.*channels=2"),
        ({"width": 0}, "positive.*width=0"),
        ({"memory_items": 1}, "at least 2.*memory_items=1"),
        ({"variant": "lgn"}, "lgn_net, lgn_st.*variant='lgn'"),
        ({"memory_options": {"momentum": 1}}, "momentum=1"),
    ],
)
def test_impossible_arguments_are_named(arguments, words):
    with pytest.raises(ValueError, match=f"(?s){words}"):
        LGNNet(**(SMALL | arguments))


@pytest.mark.parametrize(
    "arguments",
    [
        {"image_size": (8, 8), "frames": 2},
        {"image_size": (24, 8), "frames": 5, "channels": 3},
        {"image_size": (12, 20), "variant": "loc_net"},
        {"width": 0.01},
        {"memory_items": 37},
    ],
)
def test_other_sizes_work(arguments):
    model = small(**arguments)
    shape = (2, model.frames, *model.image_size, model.channels)
    output = model(np.zeros(shape, np.float32))
    assert output.prediction.shape == (2, *shape[2:])


@pytest.mark.parametrize("name", PRESETS)
def test_a_config_meets_its_layers(name):
    preset = PRESETS[name]
    config = Config(
        ModelConfig(
            image_size=(8, 16),
            width=1 / 16,
            memory_items=preset.model.memory_items,
        ),
        TrainingConfig(
            compactness_weight=preset.training.compactness_weight,
            separateness_weight=preset.training.separateness_weight,
        ),
    )
    model = build_model(config)
    assert model.memory.items.shape[0] == preset.model.memory_items
    weights = (
        model.memory.compactness_weight,
        model.memory.separateness_weight,
    )
    assert weights == (
        preset.training.compactness_weight,
        preset.training.separateness_weight,
    )


def test_the_same_seed_gives_the_same_start():
    starts = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        starts.append(small().get_weights())
    same = [np.array_equal(a, b) for a, b in zip(*starts[:2], strict=True)]
    other = [
        np.array_equal(a, b) for a, b in zip(starts[0], starts[2], strict=True)
    ]
    assert all(same)
    assert not all(other)

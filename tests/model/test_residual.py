"""A model that predicts the change to the last frame."""

import keras
import numpy as np
import pytest

from tests.model.test_lgn_net import VARIANTS, array, clips_of, frames_of, small


def set_change(model, scale=0.05, bias=0.0):
    """Gives a model something to draw."""
    last = model.decoder.last
    if model.decoder.residual:
        model.decoder.scale.assign(1.0)
    random = np.random.default_rng(3)
    last.kernel.assign(random.normal(0, scale, last.kernel.shape))
    last.bias.assign(np.full(last.bias.shape, bias, np.float32))


@pytest.mark.latest
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_an_untrained_residual_model_copies_exactly(variant, policy, training):
    model = small(variant=variant, residual=True, dtype=policy)
    clips = clips_of(2)
    found = array(model(clips, training=training).prediction)
    assert found.dtype == np.float32
    # Not one bit is lost, in half precision too.
    np.testing.assert_array_equal(found, clips[:, -1])


def test_a_residual_model_draws_a_change_that_is_not_bounded():
    model = small(residual=True)
    plain = small()
    # One number more: what the change is multiplied by.
    values = model.get_weights()
    shapes = [weight.shape for weight in plain.weights]
    plain.set_weights([one for one in values if one.shape in shapes])
    set_change(model)
    set_change(plain)
    clips = clips_of(2)
    change = array(model(clips).prediction) - clips[:, -1]
    # The same last layer, without the tanh of the published model.
    drawn = np.arctanh(array(plain(clips).prediction))
    within = np.abs(clips[:, -1] + drawn) < 1
    np.testing.assert_allclose(change[within], drawn[within], atol=1e-5)


def test_a_residual_prediction_is_kept_within_bounds_at_the_end():
    """Losses see what goes beyond them."""
    model = small(residual=True)
    set_change(model, scale=0.0, bias=0.5)
    clips = clips_of(2)
    expected = clips[:, -1] + 0.5
    assert expected.max() > 1
    np.testing.assert_allclose(
        array(model(clips, training=True).prediction), expected, atol=1e-6
    )
    np.testing.assert_allclose(
        array(model(clips).prediction), np.clip(expected, -1, 1), atol=1e-6
    )


def test_a_residual_model_learns_from_its_first_step():
    model = small(residual=True)
    model.compile(keras.optimizers.Adam(1e-3))
    clips = clips_of(4)
    logs = model.fit(
        clips, 0.5 * clips[:, -1], batch_size=4, epochs=8, verbose=0
    ).history
    # It begins as a copy, so nothing is gained yet.
    assert logs["gain"][0] == pytest.approx(0, abs=1e-4)
    assert logs["gain"][-1] > 0.01
    assert logs["intensity"][-1] < logs["intensity"][0]


def test_the_gain_is_over_copying_the_last_frame():
    model = small()
    model.compile()
    clips, targets = clips_of(3), frames_of(12)[9:]
    logs = model.evaluate(clips, targets, verbose=0, return_dict=True)
    copying = -10 * np.log10(
        (((clips[:, -1] - targets) / 2) ** 2).mean(axis=(1, 2, 3))
    )
    assert logs["gain"] == pytest.approx(
        logs["psnr"] - copying.mean(), abs=1e-4
    )


@pytest.mark.latest
@pytest.mark.parametrize("variant", ["lgn_net", "glo_net"])
def test_a_residual_video_equals_window_by_window(variant):
    model = small(variant=variant, residual=True)
    set_change(model)
    frames = frames_of(6)
    encoding = model.encode_video(frames)
    together = array(model.decode(encoding, model.read(encoding)))
    for start in range(4):
        clip = frames[None, start : start + 3]
        alone = array(model(clip).prediction)[0]
        np.testing.assert_allclose(together[start], alone, atol=2e-6)
        assert np.any(alone != clip[0, -1])

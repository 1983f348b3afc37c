"""The wire contract, for models with and without memory and calibration."""

import pytest

from lgn_tf.config.schema import ModelConfig
from lgn_tf.exporting import signatures

MODEL = ModelConfig(image_size=(32, 48), frames=3, memory_items=7)
NO_MEMORY = ModelConfig(variant="loc_net", image_size=(32, 48))


def by_name(*arguments):
    return {each.name: each for each in signatures.endpoints(*arguments)}


def test_every_endpoint():
    found = signatures.endpoints(MODEL, True, 512)
    assert [endpoint.name for endpoint in found] == [
        "serving_default",
        "score_encoded",
        "predict",
        "predict_encoded",
        "score_video",
        "score_video_encoded",
        "score_with_memory",
        "score_with_memory_encoded",
    ]


@pytest.mark.parametrize("model", [MODEL, NO_MEMORY])
@pytest.mark.parametrize("calibrated", [True, False])
def test_rules_of_the_wire(model, calibrated):
    dim = None if model is NO_MEMORY else 512
    for endpoint in signatures.endpoints(model, calibrated, dim):
        assert endpoint.inputs and endpoint.outputs
        for tensor in endpoint.inputs + endpoint.outputs:
            # The batch comes first and has any size: servers merge by it.
            assert tensor.shape[0] is None
            assert tensor.dtype in ("uint8", "float32", "bool", "string")
            assert tensor.meaning
        names = [tensor.name for tensor in endpoint.outputs]
        assert len(set(names)) == len(names)
        assert names[0] == "valid"
        for tensor in endpoint.outputs:
            # What tells the server to send bytes as base64.
            is_bytes = tensor.name.endswith("_bytes")
            assert is_bytes == (tensor.dtype == "string")
        assert ("anomaly_score" in names) == calibrated
        assert ("distance" in names) == (dim is not None)


def test_shapes():
    found = by_name(MODEL, True, 512)
    (frames,) = found["serving_default"].inputs
    assert frames.shape == (None, 4, None, None, 3)
    (files,) = found["score_video_encoded"].inputs
    assert files.shape == (None, None)
    outputs = {each.name: each for each in found["predict"].outputs}
    assert outputs["predicted_frame"].shape == (None, 32, 48, 3)
    assert outputs["error_map"].shape == (None, 32, 48)
    assert outputs["distance_map"].shape == (None, 4, 6)
    assert all(
        each.shape == (None, None) for each in found["score_video"].outputs
    )
    _, items, gamma = found["score_with_memory"].inputs
    assert items.shape == (None, 7, 512) and gamma.shape == (None,)
    assert found["score_with_memory"].outputs[-1].shape == items.shape


def test_motion_is_told_beside_what_other_endpoints_take():
    found = by_name(MODEL, True, 512)
    moving = by_name(MODEL, True, 512, (34, 60))
    # What was there stays as it is.
    assert {name: moving[name] for name in found} == found
    told = set(moving) - set(found)
    assert told == {
        "score_with_motion",
        "score_with_motion_encoded",
        "score_video_with_motion",
        "score_video_with_motion_encoded",
    }
    for like, name in signatures.TOLD_MOTION.items():
        *others, motion = moving[name].inputs
        assert tuple(others) == found[like].inputs
        assert (motion.name, motion.dtype) == ("motion", "float32")
        # One map for each score.
        assert motion.shape == (*moving[name].outputs[0].shape, 34, 60)
        assert [(o.name, o.dtype, o.shape) for o in moving[name].outputs] == [
            (o.name, o.dtype, o.shape) for o in found[like].outputs
        ]


def test_no_memory():
    found = by_name(NO_MEMORY, False, None)
    assert "score_with_memory" not in found
    assert "distance_map" not in {
        each.name for each in found["predict"].outputs
    }

"""From a configuration to stored videos."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lgn_tf.config.schema import Config, DataConfig, ModelConfig
from lgn_tf.data import sources
from lgn_tf.data.datasets import archives
from lgn_tf.data.datasets.registered import synthetic
from lgn_tf.data.synthetic import walkways
from lgn_tf.files import media

pytestmark = pytest.mark.latest


@pytest.fixture
def config(tmp_path, walkway):
    archives.write_drawn(walkway, tmp_path / "data", "ucsd")
    return Config(
        ModelConfig(image_size=(16, 24)),
        data=DataConfig(
            "folder",
            data_root=str(tmp_path / "data"),
            stores=str(tmp_path / "stores"),
        ),
    )


def test_frames_are_stored_at_the_size_of_the_model(config):
    source = sources.open_source(config)
    fitted, held_out = source.training(0, 0)
    assert held_out is None
    assert list(fitted.names) == ["Train001", "Train002"]
    assert fitted.size == (16, 24)
    again = sources.open_source(config)
    assert again.store.folder == source.store.folder


def test_several_may_begin_at_the_same_time(config):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(sources.open_source, [config] * 4))
    counts = [source.store.split("train").frame_counts for source in found]
    assert all(one == counts[0] for one in counts) and sum(counts[0])


def test_two_sizes_have_two_stores(config):
    larger = dataclasses.replace(config, model=ModelConfig(image_size=(24, 24)))
    assert (
        sources.open_source(config).store.folder
        != sources.open_source(larger).store.folder
    )


def test_held_out_videos_are_chosen_by_the_seed(config):
    source = sources.open_source(config)
    chosen = set()
    for seed in range(20):
        fitted, held_out = source.training(1, seed)
        assert {*fitted.names, *held_out.names} == {"Train001", "Train002"}
        assert len(fitted.names) == len(held_out.names) == 1
        same, _ = source.training(1, seed)
        assert same.names == fitted.names
        chosen |= set(held_out.names)
    assert chosen == {"Train001", "Train002"}


@pytest.mark.parametrize("holdout", [2, 9])
def test_something_must_be_left_to_fit_on(config, holdout):
    source = sources.open_source(config)
    with pytest.raises(ValueError, match=f"Received: holdout={holdout}"):
        source.training(holdout, 0)


def test_a_dataset_needs_its_folder(config):
    nowhere = dataclasses.replace(config, data=DataConfig("ped2"))
    with pytest.raises(ValueError, match="`data_root` must name the folder"):
        sources.open_source(nowhere)


def test_drawn_videos_need_no_folder(config, tmp_path, monkeypatch):
    small = {"seed": 0, "train": 2, "test": 1, "frames": 6, "size": (32, 32)}
    monkeypatch.setattr(synthetic, "DRAWN", small)
    drawn = dataclasses.replace(
        config, data=DataConfig("synthetic", stores=str(tmp_path / "s"))
    )
    with ThreadPoolExecutor(2) as pool:
        first, _ = pool.map(sources.open_source, [drawn] * 2)
    fitted, _ = first.training(0, 0)
    assert fitted.frame_counts == [6, 6]
    assert first.dataset.ground_truths
    again, _ = sources.open_source(drawn).training(0, 0)
    np.testing.assert_array_equal(again.read(0, 0, 6), fitted.read(0, 0, 6))
    leftovers = {path.name for path in (tmp_path / "s").iterdir()}
    assert not any(name.startswith(".") for name in leftovers)


def test_labels_may_be_a_version_or_a_file(config, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("video,start,end\n01,2,3\n")
    with_file = dataclasses.replace(
        config, data=dataclasses.replace(config.data, labels=str(path))
    )
    assert (
        sources.open_source(with_file).dataset.ground_truths[0].version == "csv"
    )
    assert sources.version(with_file) == ""
    named = dataclasses.replace(
        config, data=dataclasses.replace(config.data, labels="ucsd")
    )
    assert sources.version(named) == "ucsd"


def test_without_a_store_the_same_videos_are_held_out(tmp_path):
    """And nothing is written."""
    drawn = walkways.draw(1, train=5, test=2, frames=9, size=(32, 48))
    archives.write_drawn(drawn, tmp_path / "data", "ucsd")
    stores = tmp_path / "stores"
    data = DataConfig("folder", str(tmp_path / "data"), stores=str(stores))
    config = Config(ModelConfig(image_size=(16, 24), channels=1), data=data)
    other = dataclasses.replace(
        config, data=dataclasses.replace(data, store=False)
    )
    encoded = sources.open_source(other)
    assert not stores.exists()
    stored = sources.open_source(config)
    pairs = zip(encoded.training(2, 3), stored.training(2, 3), strict=True)
    for one, two in pairs:
        assert one.names == two.names
        assert one.frame_counts == two.frame_counts
        np.testing.assert_array_equal(one.read(0, 2, 6), two.read(0, 2, 6))
    assert encoded.test_set().labels.keys() == stored.test_set().labels.keys()


def test_without_a_store_the_split_must_have_videos(tmp_path):
    frames = np.zeros((6, 16, 24, 1), np.uint8)
    media.write_video(tmp_path / "train/a.avi", frames)
    data = DataConfig("folder", str(tmp_path), store=False)
    source = sources.open_source(Config(data=data))
    with pytest.raises(ValueError, match="no videos of the split 'test'"):
        source.test_set()

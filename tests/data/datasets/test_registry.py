"""A data set is one object: what is registered is found everywhere."""

import dataclasses
import re
import textwrap
from pathlib import Path

import numpy as np
import pytest

from lgn_tf.config.schema import Config, DataConfig, ModelConfig
from lgn_tf.data import sources, verification
from lgn_tf.data.datasets import archives, labels, layouts, masks, registry
from lgn_tf.data.datasets.dataset import Dataset, GroundTruth, Video
from lgn_tf.data.datasets.presets import PRESETS, lite
from lgn_tf.data.datasets.registry import (
    DATASETS,
    DatasetSpec,
    Layout,
    PublishedNumbers,
    register_dataset,
)
from lgn_tf.files import media


def read_lines(path, counts):
    """Reads one line of 0 and 1 for each video."""
    lines = path.read_text().split()
    return {
        name: np.array(list(line), np.uint8)
        for name, line in zip(counts, lines, strict=True)
    }


def read_quarter(path):
    """Reads which quarter of the picture is abnormal, and when."""
    first, last = map(int, path.read_text().split())
    found = np.zeros((14, 48, 64), np.uint8)
    found[first - 1 : last, :24, :32] = 7
    return found


def find(root, named):
    del named
    videos = []
    for split in ("train", "test"):
        for path in sorted((root / "tapes").glob(f"{split}-*.avi")):
            mask = path.with_suffix(".quarter")
            mask = mask if mask.exists() else None
            videos.append(Video(path.stem, split, path, mask, read_quarter))
    if not videos:
        return []
    found = (GroundTruth("lines", root / "abnormal.txt", read_lines),)
    return [Dataset(root, "tapes", tuple(videos), found)]


def write(walkway, root, name):
    del name
    for split, clips in (("train", walkway.train), ("test", walkway.test)):
        for clip in clips:
            path = root / "tapes" / f"{split}-{clip.name}.avi"
            media.write_video(path, clip.frames)
    marks = ["".join(map(str, clip.labels)) for clip in walkway.test]
    (root / "abnormal.txt").write_text("\n".join(marks))
    return {f"test-{clip.name}": clip.labels for clip in walkway.test}


TAPES = DatasetSpec(
    name="tapes",
    title="Tapes of a museum",
    preset=Config(ModelConfig(memory_items=7, image_size=(16, 24))),
    layout=Layout("tapes", find, write),
    published=PublishedNumbers(2, 28, 3, 42, scored=30),
    frame_rate=12.5,
    gray=True,
)


@pytest.fixture(autouse=True)
def forget():
    """Forgets afterwards what a test registers."""
    before = dict(DATASETS)
    yield
    registry._specs.clear()
    registry._specs.update(before)


@pytest.fixture
def tapes(tmp_path, walkway):
    register_dataset(TAPES)
    archives.write_drawn(walkway, tmp_path / "tapes", "tapes")
    return layouts.recognise(tmp_path / "tapes")


def test_a_data_set_of_ones_own_is_found_and_labelled(tapes, walkway):
    assert tapes.layout == "tapes"
    assert len(tapes.split("train")) == 2
    counts = {video.name: 14 for video in tapes.split("test")}
    found = labels.read_ground_truth(tapes, counts, "lines")
    for marks, clip in zip(found.values(), walkway.test, strict=True):
        np.testing.assert_array_equal(marks, clip.labels)


def test_its_masks_are_read_by_its_reader(tapes, walkway):
    video = tapes.split("test")[0]
    first, *_, last = np.flatnonzero(walkway.test[0].labels) + 1
    path = video.source.with_suffix(".quarter")
    path.write_text(f"{first} {last}")
    found = layouts.recognise(tapes.root)
    shown = masks.read_masks(found.split("test")[0])
    assert shown.dtype == bool
    assert shown[first - 1, :24, :32].all() and not shown[:, 24:].any()
    assert verification.verify(found).problems == []
    path.write_text(f"{first} {last - 1}")
    (problem,) = verification.verify(found).problems
    assert "masks and labels must agree" in problem


def test_it_is_verified_against_its_numbers(tapes):
    assert verification.verify(tapes, "tapes").problems == []
    (tapes.root / "tapes/train-02.avi").unlink()
    found = layouts.recognise(tapes.root)
    assert verification.verify(found, "tapes").problems == [
        "training videos: must be 2. Found there: 1",
        "training frames: must be 28. Found there: 14",
    ]


def test_it_is_opened_by_its_name(tapes, tmp_path):
    preset = PRESETS["tapes"]
    assert preset.model.memory_items == 7
    assert preset.data == DataConfig("tapes")
    assert lite(preset).model.channels == 1
    assert registry.frame_rate("tapes") == 12.5
    data = dataclasses.replace(
        preset.data,
        data_root=str(tapes.root),
        stores=str(tmp_path / "stores"),
    )
    source = sources.open_source(dataclasses.replace(preset, data=data))
    fitted, _ = source.training(0, 0)
    assert list(fitted.names) == ["train-01", "train-02"]
    assert fitted.size == (16, 24)


def test_a_data_set_that_makes_itself_needs_no_folder(tmp_path, walkway):
    def make(stores):
        root = stores / "made"
        if not root.exists():
            archives.write_drawn(walkway, root, "own")
        return root

    register_dataset(DatasetSpec("made", "made", Config(), make=make))
    config = Config(
        ModelConfig(image_size=(16, 24)),
        data=DataConfig("made", stores=str(tmp_path)),
    )
    assert len(sources.open_source(config).dataset.split("test")) == 3


def test_a_name_is_taken_once():
    register_dataset(TAPES)
    with pytest.raises(ValueError, match=r"`name` must be new.*'tapes'"):
        register_dataset(TAPES)
    with pytest.raises(ValueError, match=r"There are avenue, .*name='ped2'"):
        register_dataset(dataclasses.replace(TAPES, name="ped2"))
    register_dataset(dataclasses.replace(TAPES, gray=False), overwrite=True)
    assert not DATASETS["tapes"].gray
    with pytest.raises(ValueError, match="Received: name=''"):
        register_dataset(dataclasses.replace(TAPES, name=""))


@pytest.mark.parametrize("name", ["ucsd", "frame-pred", "own"])
def test_the_name_of_a_layout_is_taken_once(name):
    layout = Layout(name, find)
    with pytest.raises(ValueError, match=f"name of its own.*'{name}'"):
        register_dataset(dataclasses.replace(TAPES, layout=layout))
    assert "tapes" not in DATASETS


def test_two_data_sets_may_share_a_layout():
    shared = DATASETS["avenue"].layout
    register_dataset(dataclasses.replace(TAPES, layout=shared))
    assert list(layouts.known_layouts()).count("avenue") == 1


def test_an_unknown_name_says_what_is_accepted():
    config = Config(data=DataConfig(dataset="nonsense"))
    with pytest.raises(
        ValueError,
        match=r"`dataset` must be one of avenue, folder, .*ped1.*umn.*"
        r"Received: dataset='nonsense'",
    ):
        sources.open_source(config)


def test_nobody_else_writes_the_registry():
    with pytest.raises(TypeError):
        DATASETS["mine"] = TAPES


def test_what_the_paper_prints_and_frame_rates():
    assert {name: registry.paper_auc(name) for name in DATASETS} == {
        "avenue": 0.893,
        "folder": None,
        "ped1": None,
        "ped2": 0.971,
        "shanghaitech": 0.730,
        "synthetic": None,
        "umn": None,
    }
    rates = {name: registry.frame_rate(name) for name in DATASETS}
    assert {name: rate for name, rate in rates.items() if rate} == {
        "avenue": 25,
        "ped1": 10,
        "ped2": 10,
        "shanghaitech": 24,
        "umn": 30,
    }
    assert registry.frame_rate("gone") is registry.paper_auc("gone") is None


def test_general_layouts_come_last():
    names = list(layouts.known_layouts())
    assert tuple(names[-2:]) == registry.GENERAL_LAYOUTS
    assert names.count("ucsd") == 1


PAGE = (Path(__file__).parents[3] / "docs/data.md").read_text()


def example(text):
    """Returns the Python code that registers a data set."""
    codes = re.findall(r"```python\n(.*?)```", textwrap.dedent(text), re.S)
    (code,) = [code for code in codes if "register_dataset(" in code]
    return code


def test_the_example_of_register_dataset(tmp_path, walkway):
    exec(compile(example(PAGE), "the example", "exec"), {})
    media.write_video(tmp_path / "platform-1.avi", walkway.train[0].frames)
    (tmp_path / "panic.csv").write_text("video,start,end\nplatform-1,3,5\n")
    data = DataConfig("station", str(tmp_path), stores=str(tmp_path / "s"))
    config = dataclasses.replace(PRESETS["station"], data=data)
    source = sources.open_source(config)
    assert source.dataset.layout == "station"
    assert list(source.training(0, 0)[0].names) == ["platform-1"]
    for _ in source.dataset.ground_truths:
        found = labels.read_ground_truth(source.dataset, {"platform-1": 14})
        assert found["platform-1"].sum() == 3


@pytest.mark.parametrize("name", DATASETS)
def test_the_page_says_where_each_data_set_comes_from(name):
    spec = DATASETS[name]
    row = f"| {spec.title} | {spec.origin} | {spec.citation} |\n"
    assert (row in PAGE) == bool(spec.origin)
    assert bool(spec.origin) == (spec.published is not None)


@pytest.mark.parametrize("name", verification.datasets_with_numbers())
def test_the_page_has_the_published_numbers(name):
    (row,) = re.findall(rf"(?m)^\| `{name}` \| (.*) \|$", PAGE)
    train, test, abnormal, scored = row.split(" | ")
    numbers = DATASETS[name].published
    assert counts(train) == [numbers.train_videos, numbers.train_frames]
    assert counts(test)[:2] == [numbers.test_videos, numbers.test_frames]
    assert set(counts(abnormal)) == set(numbers.abnormal.values())
    assert counts(scored) == [numbers.scored]


def counts(text):
    return [int(one.replace(",", "")) for one in re.findall(r"\d[\d,]*", text)]


@pytest.mark.parametrize("name", layouts.known_layouts())
def test_the_page_draws_each_layout(name):
    assert re.search(rf"(?m)^### `{name}`", PAGE)

"""Many videos: by several processes, and by Beam, as by one process."""

import csv
import dataclasses
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lgn_tf.cli import main
from lgn_tf.config.schema import Config, DataConfig, ModelConfig
from lgn_tf.data.datasets.layouts import recognise
from lgn_tf.data.store import preparation
from lgn_tf.data.store.manifest import read_manifest, write_manifest
from lgn_tf.data.synthetic import archives, walkways
from lgn_tf.data.video import footage
from lgn_tf.data.video import optical_flow as motion
from lgn_tf.data.video.footage import InMemory
from lgn_tf.files import atomic
from lgn_tf.inference import calibrate, run_scorer
from lgn_tf.model.lgn_net import build_model
from lgn_tf.parallel import beam_job, bulk_score, processes, storage
from lgn_tf.runs import directory, model_files
from lgn_tf.runs.run import Run
from lgn_tf.scores import cue_values
from lgn_tf.scores import video_scores as measures
from lgn_tf.scores.calibration import Calibration
from lgn_tf.scores.cue_values import CUES

beam = pytest.importorskip("apache_beam", reason="Beam is not installed")

ROOT = Path(__file__).parents[2]

from apache_beam.io.localfilesystem import LocalFileSystem  # noqa: E402

NAMES = ["Test001", "Test003"]


class PretendedBucket(LocalFileSystem):
    """An object store whose buckets are local folders."""

    @classmethod
    def scheme(cls):
        return "pretended"

    def join(self, basepath, *paths):
        return "/".join([basepath, *paths])

    def exists(self, path):
        return super().exists(self._local(path))

    def delete(self, paths):
        super().delete([self._local(path) for path in paths])

    def _path_open(self, path, *args, **kwargs):
        return super()._path_open(self._local(path), *args, **kwargs)

    def create(self, path, *args, **kwargs):
        return super().create(self._local(path), *args, **kwargs)

    def _local(self, path):
        return path.removeprefix("pretended:/")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A run, drawn videos of which one is too short, and their store."""
    folder = tmp_path_factory.mktemp("bulk")
    # The variant that is compiled fastest.
    config = Config(
        ModelConfig("glo_net", (16, 24), channels=1, width=1 / 16),
        data=DataConfig("synthetic"),
    )
    model = build_model(config)
    model_files.save(folder / "run", config, model)
    clip = np.random.default_rng(0).integers(0, 256, (20, 16, 24, 1), np.uint8)
    calibrate.calibrate(
        model, InMemory(["clip"], [clip]), in_sample=False
    ).save(folder / "run" / directory.CALIBRATION)
    drawn = walkways.draw(3, train=1, test=3, frames=22, size=(32, 40))
    short = dataclasses.replace(
        drawn.test[1],
        frames=drawn.test[1].frames[:4],
        masks=drawn.test[1].masks[:4],
    )
    test = (drawn.test[0], short, drawn.test[2])
    archives.write(
        dataclasses.replace(drawn, test=test), folder / "data", "ucsd"
    )
    preparation.prepare(recognise(folder / "data"), folder / "store", (16, 24))
    return folder


@pytest.fixture(scope="module")
def videos(place):
    return [str(place / "data" / "Test" / f"Test00{n}") for n in (1, 2, 3)]


@pytest.fixture(scope="module")
def by_one(place, videos):
    """Returns what one process writes."""
    argv = ["score", str(place / "run"), *videos, "--workers", "1"]
    assert main.main([*argv, "--out", str(place / "one")]) == 0
    return contents(place / "one")


@pytest.fixture(scope="module")
def moving(place):
    """Returns a folder like `place`, where motion has a part in the score."""
    folder = place / "moving"
    folder.mkdir()
    shutil.copytree(place / "run", folder / "run")
    path = folder / "run" / directory.CALIBRATION
    known = Calibration.load(path)
    lengths = np.random.default_rng(1).gamma(2, 1e-2, known.frames)
    scale = np.linspace(0.3, 1, 48 * 60, dtype=np.float32).reshape(48, 60)
    dataclasses.replace(
        known,
        cues={**known.cues, "motion": lengths},
        scales={**known.scales, "motion": scale},
    ).save(path)
    preparation.prepare(
        recognise(place / "data"), folder / "store", (16, 24), motion=True
    )
    return folder


def contents(folder):
    return {
        f"{kind}/{file.name}": file.read_bytes()
        for kind in ("frames", "maps")
        for file in (folder / kind).iterdir()
    }


def bulk(place, out="out", folder="store", **given):
    return bulk_score.score(
        *(str(place / name) for name in ("run", folder, out)),
        say=lambda _: None,
        **given,
    )


@pytest.fixture
def alone(monkeypatch):
    """Fails where a run is loaded or a pipeline runs."""
    monkeypatch.setattr(run_scorer, "RunScorer", None)
    monkeypatch.setattr(beam, "Pipeline", None)


@pytest.mark.slow
def test_processes_write_what_one_writes(place, videos, by_one, capsys):
    """Byte for byte, whichever process is free first."""
    argv = ["score", str(place / "run"), *videos, "--workers", "2"]
    assert main.main([*argv, "--out", str(place / "two")]) == 0
    assert contents(place / "two") == by_one
    assert sorted(by_one) == [
        f"{kind}/{name}{suffix}"
        for kind, suffix in (("frames", ".csv"), ("maps", ".npz"))
        for name in NAMES
    ]
    text = capsys.readouterr().out
    assert "skipped: Test002: a video must have at least 5 frames" in text
    assert "scores of 2 videos" in text


@pytest.mark.slow
def test_motion_adds_a_column_and_nothing_else(
    moving, videos, by_one, monkeypatch
):
    """The same, whoever scores: one process, several, or Beam."""
    argv = ["score", str(moving / "run"), *videos]
    reads = []
    original = footage.read_frames
    with monkeypatch.context() as patch:
        patch.setattr(
            footage,
            "read_frames",
            lambda video: reads.append(video.name) or original(video),
        )
        out = moving / "one"
        assert main.main([*argv, "--workers", "1", "--out", str(out)]) == 0
    # Each decoded once.
    assert reads == ["Test001", "Test002", "Test003"]
    found = contents(out)
    for name, before in by_one.items():
        if name.startswith("maps"):
            assert found[name] == before
            continue
        rows = list(csv.reader(io.StringIO(found[name].decode())))
        place = rows[0].index("online_motion")
        assert rows[0][place - 1] == "online"
        text = io.StringIO()
        csv.writer(text).writerows(
            [*row[:place], *row[place + 1 :]] for row in rows
        )
        assert text.getvalue().encode() == before
    out = moving / "two"
    assert main.main([*argv, "--workers", "2", "--out", str(out)]) == 0
    assert contents(out) == found
    assert bulk(moving).scored == 2
    assert contents(moving / "out") == found
    root = f"pretended:/{moving}"
    bulk_score.score(
        f"{root}/run", f"{root}/store", f"{root}/far", say=lambda _: None
    )
    assert contents(moving / "far") == found


def test_the_column_is_the_score_of_all_cues(moving, videos, tmp_path):
    argv = ["score", str(moving / "run"), videos[0], "--out", str(tmp_path)]
    assert main.main(argv) == 0
    scores = measures.read_scores(tmp_path, "Test001")
    (video,) = recognise(Path(videos[0])).videos
    known = Calibration.load(moving / "run" / directory.CALIBRATION)
    moved = motion.measured(footage.read_frames(video))
    strengths = [known.strength(one.cells) for one in moved]
    cues = cue_values.map_cues(scores, known.scales)
    cues["motion"] = np.array(strengths[4:])
    np.testing.assert_array_equal(scores.online_motion, known.score(cues, CUES))
    assert np.any(scores.online_motion != scores.online)


def test_a_store_without_motion(moving, place, by_one, tmp_path):
    (tmp_path / "run").symlink_to(moving / "run")
    (tmp_path / "store").symlink_to(place / "store")
    said = []
    bulk_score.score(
        *(str(tmp_path / name) for name in ("run", "store", "out")),
        say=said.append,
    )
    assert "`lgn prepare --motion` adds it" in said[0]
    assert contents(tmp_path / "out") == by_one
    # What was begun without is not gone on with.
    (tmp_path / "store").unlink()
    (tmp_path / "store").symlink_to(moving / "store")
    with pytest.raises(ValueError, match="motion was False and is True"):
        bulk(tmp_path)


def test_a_file_of_motion_that_is_cut_short(moving, tmp_path):
    (tmp_path / "run").symlink_to(moving / "run")
    shutil.copytree(moving / "store", tmp_path / "store")
    path = tmp_path / "store" / "test" / "Test001.motion"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ValueError, match=r"motion: must hold 253440 bytes"):
        bulk(tmp_path)


def test_videos_in_order_take_one_process(
    place, videos, monkeypatch, capsys, tmp_path
):
    """Where the memory goes on from video to video."""
    ran = []
    monkeypatch.setattr(
        processes, "run", lambda *given: ran.append(given[2]) or [None] * 3
    )
    argv = ["score", str(place / "run"), *videos, "--gamma", "0.1"]
    argv += ["--out", str(tmp_path)]
    assert main.main([*argv, "--workers", "2"]) == 2
    assert "their order matters" in (line := capsys.readouterr().err)
    assert "workers=2" in line and line.count("\n") == 1
    assert not ran
    assert main.main(argv) == 0
    assert "one process: the memory goes on" in capsys.readouterr().out
    assert main.main([*argv, "--reset-memory", "--workers", "2"]) == 0
    assert "one process" not in capsys.readouterr().out
    assert [len(environments) for environments in ran] == [1, 2]


def test_a_stopped_bulk_scoring_goes_on(place, by_one, monkeypatch, capsys):
    """And ends as an unbroken one, and as `lgn score`."""

    def full(file, arrays):
        if "Test003" in file.name:
            raise OSError(28, "No space left on device")
        whole(file, arrays)

    whole = atomic.write_arrays
    argv = ["bulk-score", *(str(place / one) for one in ("run", "store"))]
    argv += ["--out", str(place / "out"), "--direct_num_workers", "1"]
    with monkeypatch.context() as patch:
        patch.setattr(atomic, "write_arrays", full)
        assert main.main(argv) == 2
    captured = capsys.readouterr()
    assert "No space left" in captured.err and captured.err.count("\n") == 1
    out = place / "out"
    assert [file.stem for file in (out / "sources").iterdir()] == ["Test001"]
    assert not (out / "maps" / "Test003.npz").exists()
    first = out / "maps" / "Test001.npz"
    before = first.stat().st_mtime_ns
    assert main.main(argv) == 0
    text = capsys.readouterr().out
    assert "1 videos scored, 1 already there, 1 skipped as too short" in text
    assert "too short for a score: Test002" in text
    assert contents(out) == by_one
    assert first.stat().st_mtime_ns == before


def test_buckets_hold_what_folders_hold(place, by_one):
    """Everything goes through Beam's file systems, and by a copy."""
    root = f"pretended:/{place}"
    counts = bulk_score.score(
        f"{root}/run", f"{root}/store", f"{root}/far", say=lambda _: None
    )
    assert (counts.scored, counts.too_short) == (2, ("Test002",))
    assert contents(place / "far") == by_one
    # By another way to the same folder.
    counts = bulk(place, "far")
    assert (counts.scored, counts.there) == (0, 2)


def test_a_source_that_changed_is_scored_anew(place, by_one, tmp_path):
    del by_one
    scoring = run_scorer.scoring_of(Run(place / "run"), None, False)
    job = beam_job.Job("run", "store", str(tmp_path), scoring)
    (entry,) = [
        e for e in read_manifest(place / "store").entries if e.name == "Test001"
    ]
    job.finish(entry)
    assert not job.is_done(entry)
    for path in map(Path, job.files("Test001")):
        path.parent.mkdir()
        path.touch()
    assert job.is_done(entry)
    changed = dataclasses.replace(entry.source, checksum="another")
    changed = dataclasses.replace(entry, source=changed)
    assert not job.is_done(changed)
    job.begin(changed)
    assert not job.is_done(entry)


@pytest.mark.usefixtures("alone")
def test_other_settings_are_refused(place, tmp_path):
    (tmp_path / "run").symlink_to(place / "run")
    (tmp_path / "store").symlink_to(place / "store")
    with pytest.raises(TypeError):
        bulk(tmp_path)  # Begun, and ended where the pipeline is made.
    path = tmp_path / "out" / beam_job.DESCRIPTION
    before = path.read_bytes()
    for given, message in (
        ({"gamma": 0.5, "reset_memory": True}, r"gamma was 0\.0 and is 0\.5"),
        ({"split": "train"}, "split was 'test' and is 'train'"),
    ):
        with pytest.raises(ValueError, match=message):
            bulk(tmp_path, **given)
    assert path.read_bytes() == before
    for name, value in (("weights", "others"), ("cue_weights", {"error": 2})):
        path.write_text(json.dumps(json.loads(before) | {name: value}))
        with pytest.raises(ValueError, match=rf" {name} was .*{value!r} and "):
            bulk(tmp_path)
    path.write_text("[1]")
    with pytest.raises(ValueError, match="not a JSON object"):
        bulk(tmp_path)


@pytest.mark.usefixtures("alone")
def test_what_cannot_be_scored_in_bulk(place, tmp_path):
    manifest = read_manifest(place / "store")
    for changes, message in (
        ({"size": (16, 32)}, "must be of the run's size, 16 x 24.*16 x 32"),
        ({"entries": manifest.entries[:1]}, "no videos of the split 'test'"),
        ({"complete": False}, "was interrupted"),
    ):
        (tmp_path / "store").mkdir(exist_ok=True)
        write_manifest(
            dataclasses.replace(manifest, **changes), tmp_path / "store"
        )
        (tmp_path / "run").unlink(missing_ok=True)
        (tmp_path / "run").symlink_to(place / "run")
        with pytest.raises(ValueError, match=message):
            bulk(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no store\. `lgn prepare`"):
        bulk(place, folder="data")
    (place / "none").mkdir(exist_ok=True)
    for far in ("", "pretended:/"):
        with pytest.raises(FileNotFoundError, match=f"^{far}.*/none/config"):
            bulk_score.score(f"{far}{place}/none", "store", "out")
    with pytest.raises(ValueError, match=r"gamma=0\.1, reset_memory=False"):
        bulk(place, gamma=0.1)
    double = (manifest.entries[0], manifest.entries[0])
    double = (double[0], dataclasses.replace(double[1], split="test"))
    write_manifest(
        dataclasses.replace(manifest, entries=double), tmp_path / "store"
    )
    with pytest.raises(ValueError, match="must have different names"):
        bulk(tmp_path, split="all")


def test_a_file_of_another_length(place, tmp_path, capsys, monkeypatch):
    """In one line: the traceback of a worker is not the user's."""
    (tmp_path / "run").symlink_to(place / "run")
    manifest = read_manifest(place / "store")
    for entry in manifest.entries:
        path = tmp_path / "store" / entry.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(entry.bytes(manifest.size) + 1))
    write_manifest(manifest, tmp_path / "store")

    class Reader:
        """Reads and scores nothing, which is not asked here."""

        chunk = 16

        def __init__(self, *_):
            pass

        def score(self, name, pieces, motion):
            del name, motion
            list(pieces)

    monkeypatch.setattr(run_scorer, "RunScorer", Reader)
    argv = ["bulk-score", *(str(tmp_path / one) for one in ("run", "store"))]
    assert main.main([*argv, "--out", str(tmp_path / "out")]) == 2
    line = capsys.readouterr().err
    assert "Test001.frames: must hold" in line and line.count("\n") == 1


def test_without_beam(place, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "apache_beam.io.filesystems", None)
    argv = ["bulk-score", str(place / "run"), str(place / "store")]
    assert main.main([*argv, "--out", str(tmp_path / "out")]) == 2
    assert 'pip install "lgn-tf[beam]"' in (line := capsys.readouterr().err)
    assert line.count("\n") == 1
    with pytest.raises(storage.MissingBeamError):
        storage.exists("gs://bucket/file")


def test_options_of_beam_are_passed_on(monkeypatch, capsys):
    given = {}

    def score(*paths, **options):
        given.update(options, paths=paths)
        return bulk_score.Counts(2, 1, ())

    monkeypatch.setattr(bulk_score, "score", score)
    argv = "bulk-score R S --out O --runner=FlinkRunner --gamma 0"
    argv += " --parallelism 4"
    assert main.main(argv.split()) == 0
    assert given["beam_options"] == [
        *("--runner=FlinkRunner", "--parallelism", "4"),
    ]
    assert (given["paths"], given["gamma"]) == (("R", "S", "O"), 0)
    assert "O: 2 videos scored, 1 already there" in capsys.readouterr().out
    assert main.main(["bulk-score", "R", "S", "T", "--out", "O"]) == 2
    assert "begin with --. Received: T" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main.main(["score", "RUN", "VIDEO", "--runner=FlinkRunner"])
    assert "unrecognized arguments" in capsys.readouterr().err


def test_beam_is_imported_late():
    code = (
        "import sys; from lgn_tf.cli import main\n"
        "try: main.main(['bulk-score', '--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit('apache_beam' in sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )

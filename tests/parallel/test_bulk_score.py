"""Bulk scoring: what it goes on with, what it refuses, and its options."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lgn_tf.cli import main
from lgn_tf.data.store.manifest import read_manifest, write_manifest
from lgn_tf.files import atomic, scratch
from lgn_tf.inference import run_scorer
from lgn_tf.parallel import beam_job, bulk_score
from lgn_tf.runs.run import Run
from tests.parallel.bulk import bulk, contents

pytest.importorskip("apache_beam", reason="Beam is not installed")
pytest.importorskip("fsspec", reason="fsspec is not installed")

ROOT = Path(__file__).parents[2]


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
    # Of a process that was killed when its last file was there.
    left = out / "sources" / f"{scratch.PREFIX}{'0' * 16}"
    (left / "Test003.json").mkdir(parents=True)
    assert main.main(argv) == 0
    assert "0 videos scored, 2 already there" in capsys.readouterr().out
    assert not left.exists()


def test_a_source_that_changed_is_scored_anew(place, tmp_path):
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
    for text in ("[1]", "[" * 100_000):
        path.write_text(text)
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
    for far in ("", "memory:/"):
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


@pytest.mark.parametrize("missing", ["apache_beam", "fsspec"])
def test_without_beam(missing, place, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, missing, None)
    argv = ["bulk-score", str(place / "run"), str(place / "store")]
    assert main.main([*argv, "--out", str(tmp_path / "out")]) == 2
    assert 'pip install "lgn-tf[beam]"' in (line := capsys.readouterr().err)
    assert line.count("\n") == 1
    with pytest.raises(bulk_score.MissingBeamError):
        bulk(place)


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
    assert "Unrecognized options" in capsys.readouterr().err


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


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("where", ["run", "store", "mine", "memory://mine"])
def test_files_of_ones_own_stay(place, tmp_path, where):
    import fsspec

    run, store = (tmp_path / name for name in ("run", "store"))
    shutil.copytree(place / "run", run)
    shutil.copytree(place / "store", store)
    (tmp_path / "mine" / "sources").mkdir(parents=True)
    (tmp_path / "mine" / "sources" / "Test001.json").write_text("mine")
    out = where if ":" in where else str(tmp_path / where)
    bucket = fsspec.filesystem("memory")
    if ":" in where:
        bucket.pipe_file("/mine/frames/Test001.csv", b"mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(FileExistsError, match=f"{out}: must be empty"):
        bulk_score.score(str(run), str(store), out)
    assert sorted(tmp_path.rglob("*")) == before
    if ":" in where:
        assert bucket.ls("/mine", detail=False) == ["/mine/frames"]


@pytest.mark.usefixtures("alone")
def test_two_with_different_settings_at_once(place, tmp_path, monkeypatch):
    """The other one begins while this one looks for its description."""
    for name in ("run", "store"):
        (tmp_path / name).symlink_to(place / name)
    real = bulk_score.storage.exists

    def overtaken(path):
        found = real(path)
        if path.endswith(beam_job.DESCRIPTION):
            monkeypatch.setattr(bulk_score.storage, "exists", real)
            with pytest.raises(TypeError):
                bulk(tmp_path, gamma=0.5, reset_memory=True)
        return found

    monkeypatch.setattr(bulk_score.storage, "exists", overtaken)
    with pytest.raises(ValueError, match=r"gamma was 0\.5 and is 0\.0"):
        bulk(tmp_path)


def test_a_record_that_is_too_long(place, tmp_path):
    scoring = run_scorer.scoring_of(Run(place / "run"), None, False)
    job = beam_job.Job("run", "store", str(tmp_path), scoring)
    entry = read_manifest(place / "store").entries[0]
    job.finish(entry)
    for path in map(Path, job.files(entry.name)):
        path.parent.mkdir()
        path.touch()
    assert job.is_done(entry)
    with Path(job.record(entry.name)).open("ab") as file:
        file.truncate(2**33)
    assert not job.is_done(entry)
    with Path(tmp_path, beam_job.DESCRIPTION).open("wb") as file:
        file.truncate(2**33)
    with pytest.raises(ValueError, match="not a JSON object"):
        bulk_score._agree(str(tmp_path), {})

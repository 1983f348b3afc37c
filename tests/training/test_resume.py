"""A run that was stopped goes on as if it never had been."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from lgn_tf.files import atomic
from lgn_tf.runs import directory
from lgn_tf.runs.run import Run
from lgn_tf.training import callbacks, snapshots, telemetry, train
from tests.helpers.training_process import configuration
from tests.training.runs_by_hand import (
    ROOT,
    STEPS,
    progress_of,
    require_same_run,
)


@pytest.mark.slow
def test_a_killed_process_goes_on_bit_for_bit(root, stores, unbroken, tmp_path):
    run_dir = tmp_path / "killed"
    command = [sys.executable, "-m", "tests.helpers.training_process"]
    command += [str(root), str(run_dir), str(stores)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, env=os.environ
    )
    try:
        # In the middle of the second epoch.
        while (p := progress_of(run_dir)).epoch < 1 or p.step < 3:
            assert process.poll() is None, "it ended before it was killed"
            time.sleep(0.001)
    finally:
        process.kill()
        process.wait()
    reached = progress_of(run_dir)
    assert reached.epoch == 1
    assert 3 <= reached.step < STEPS
    assert not (run_dir / directory.WEIGHTS).exists()
    subprocess.run([*command, "resume"], check=True, cwd=ROOT)
    require_same_run(run_dir, unbroken)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_stops(
    root, stores, unbroken, tmp_path, monkeypatch, number
):
    made = []

    def count(*arguments, **logs):
        made.append((arguments, logs))
        if len(made) == 5:
            signal.raise_signal(number)

    monkeypatch.setattr(telemetry.ProgressBar, "on_train_batch_end", count)
    before = signal.getsignal(number)
    config = configuration(root, stores)
    with pytest.raises(callbacks.Interrupted, match="epoch 1 after 5 steps"):
        train.train(config, tmp_path / "run")
    assert signal.getsignal(number) is before
    assert progress_of(tmp_path / "run").step == 5
    train.train(config, tmp_path / "run", resume=True)
    require_same_run(tmp_path / "run", unbroken)


def test_a_run_without_a_snapshot_starts_over(root, stores, unbroken, tmp_path):
    config = configuration(root, stores)
    directory.create(tmp_path / "run", config)
    train.train(config, tmp_path / "run", resume=True)
    require_same_run(tmp_path / "run", unbroken)


def test_a_finished_run_has_nothing_left_to_do(unbroken, root, stores):
    kept = (
        *(directory.CONFIG, directory.LOG, snapshots.SNAPSHOT),
        *(directory.WEIGHTS, directory.CALIBRATION),
    )
    before = [directory.stamp(unbroken / name) for name in kept]
    # Whoever scores or evaluates meanwhile goes on.
    reader = Run(unbroken)
    train.train(configuration(root, stores), unbroken, resume=True)
    reader.require_unchanged()
    assert None not in before
    assert [directory.stamp(unbroken / name) for name in kept] == before


def test_a_full_disk_keeps_the_last_snapshot(
    root, stores, tmp_path, monkeypatch
):
    config = configuration(root, stores, save_every=1e-9)
    write, calls = atomic.write_arrays, []

    def fail(path, arrays):
        calls.append(path)
        if len(calls) == 4:
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device", str(path))
        write(path, arrays)

    monkeypatch.setattr(atomic, "write_arrays", fail)
    with pytest.raises(OSError, match="No space left"):
        train.train(config, tmp_path / "run")
    assert progress_of(tmp_path / "run").step == 3
    assert not list((tmp_path / "run").glob(".partial-*"))


def test_a_run_that_goes_on_keeps_what_it_began_with(
    root, stores, tmp_path, monkeypatch
):
    run_dir = tmp_path / "run"
    config = configuration(root, stores)
    # Both processes end here: what they write first is looked at.
    monkeypatch.setattr(train, "build_model", lambda _: 1 / 0)
    for resume in (False, True, True):
        monkeypatch.setattr(sys, "argv", ["train.py", str(resume)])
        with pytest.raises(ZeroDivisionError):
            train.train(config, run_dir, resume=resume)
    found = json.loads((run_dir / directory.ENVIRONMENT).read_text())
    assert found["command"] == ["train.py", "False"]
    commands = [one["command"] for one in found["resumed"]]
    assert commands == [["train.py", "True"]] * 2


def test_a_snapshot_of_another_model_is_refused(
    root, stores, unbroken, tmp_path
):
    config = configuration(root, stores)
    other = dataclasses.replace(
        config, model=dataclasses.replace(config.model, memory_items=5)
    )
    directory.create(tmp_path / "run", other)
    source = unbroken / snapshots.SNAPSHOT
    (tmp_path / "run" / snapshots.SNAPSHOT).write_bytes(source.read_bytes())
    with pytest.raises(ValueError, match="snapshot of another model"):
        train.train(other, tmp_path / "run", resume=True)


def test_a_damaged_snapshot_is_named(root, stores, unbroken, tmp_path):
    config = configuration(root, stores)
    directory.create(tmp_path / "run", config)
    whole = (unbroken / snapshots.SNAPSHOT).read_bytes()
    path = tmp_path / "run" / snapshots.SNAPSHOT
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"snapshot\.npz: must be an"):
        train.train(config, tmp_path / "run", resume=True)

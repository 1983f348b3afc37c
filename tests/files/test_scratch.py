"""Folders of what is not finished, and those that killed processes left."""

import os
import subprocess
import sys

from lgn_tf.files import scratch


def test_a_folder_of_a_living_process_stays(tmp_path):
    with scratch.scratch(tmp_path) as place:
        (place / "half").touch()
        scratch.sweep(tmp_path)
        assert (place / "half").exists()
    assert not list(tmp_path.iterdir())


def test_a_folder_of_a_killed_process_goes(tmp_path):
    script = (
        "import os, pathlib, sys\n"
        "from lgn_tf.files import scratch\n"
        "with scratch.scratch(pathlib.Path(sys.argv[1])) as place:\n"
        "    (place / 'half').touch()\n"
        "    os._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)])
    [left] = tmp_path.iterdir()
    assert scratch.is_scratch(left)
    with scratch.scratch(tmp_path) as place:
        assert list(tmp_path.iterdir()) == [place]


def test_other_folders_and_links_stay(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "file").touch()
    names = (
        ".partial-mine",
        ".partial-lgn-notes",
        ".partial-lgn-precious-thesis!",
    )
    for name in names:
        (tmp_path / name).mkdir()
    link = tmp_path / f"{scratch.PREFIX}{16 * '0'}"
    link.symlink_to(mine)
    scratch.sweep(tmp_path)
    assert all((tmp_path / name).is_dir() for name in names)
    assert (mine / "file").exists() and link.is_symlink()


def test_one_that_was_taken_for_dead_is_made_anew(tmp_path, monkeypatch):
    real, opened = os.open, []

    def swept_first(path, *arguments):
        if not opened:
            opened.append(path)
            path.rmdir()
        return real(path, *arguments)

    monkeypatch.setattr(os, "open", swept_first)
    with scratch.scratch(tmp_path) as place:
        assert place.is_dir() and place != opened[0]

"""The faults of a wheel are named; the wheel of this checkout works."""

import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import lgn_tf
from lgn_tf.files import locks
from tools.check_wheel import __main__ as program
from tools.check_wheel import commands, contents
from tools.check_wheel.processes import WheelError

ROOT = Path(__file__).parents[2]
SOURCES = {
    "lgn_tf/__init__.py": '__version__ = "1.2.0"\n',
    "lgn_tf/report/page.html": "<p>",
    "serving/lgn_client/__init__.py": "",
    "serving/lgn_client/README.md": "to be read, not to be shipped",
    "serving/lgn_serving/__init__.py": "",
    "lgn_tf/__pycache__/__init__.cpython-311.pyc": "",
    "CHANGELOG.md": "## [Unreleased]\n\n## [1.2.0] - 2030-01-31\n",
}
SHIPPED = {
    "lgn_tf/__init__.py": SOURCES["lgn_tf/__init__.py"],
    "lgn_tf/report/page.html": "<p>",
    "lgn_client/__init__.py": "",
    "lgn_serving/__init__.py": "",
    "lgn_tf-1.2.0.dist-info/METADATA": "Name: lgn-tf\nVersion: 1.2.0\n",
}


@pytest.fixture
def checkout(tmp_path):
    for name, text in SOURCES.items():
        path = tmp_path / "checkout" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "checkout"


@pytest.fixture
def pack(tmp_path):
    """Returns a function: files to a wheel that holds them."""

    def write(files, name="lgn_tf-1.2.0-py3-none-any.whl", link=None):
        path = tmp_path / name
        with zipfile.ZipFile(path, "w") as archive:
            for inside, text in files.items():
                entry = zipfile.ZipInfo(inside)
                kind = stat.S_IFLNK if inside == link else stat.S_IFREG
                entry.external_attr = (kind | 0o644) << 16
                archive.writestr(entry, text)
        return path

    return write


def test_a_good_wheel(checkout, pack):
    wheel = pack(SHIPPED)
    contents.check(wheel, checkout)
    assert contents.check_version(wheel, root=checkout) == "1.2.0"
    assert contents.check_version(wheel, "v1.2.0", checkout) == "1.2.0"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"lgn_tf/report/page.html": None}, "missing: lgn_tf/report/page.html"),
        ({"tests/test_it.py": ""}, "not of the packages: tests/test_it.py"),
        (
            {"lgn_client/__init__.py": "old"},
            "other than in the checkout: lgn_c",
        ),
    ],
)
def test_other_contents(checkout, pack, change, reason):
    files = {
        name: text
        for name, text in {**SHIPPED, **change}.items()
        if text is not None
    }
    with pytest.raises(WheelError, match=reason):
        contents.check(pack(files), checkout)


def test_a_link_is_no_file(checkout, pack):
    wheel = pack(SHIPPED, link="lgn_client/__init__.py")
    with pytest.raises(WheelError, match="links: lgn_client/__init__"):
        contents.check(wheel, checkout)


@pytest.mark.parametrize(
    ("name", "code", "tag", "reason"),
    [
        (
            "lgn_tf-1.3.0-py3-none-any.whl",
            "1.2.0",
            None,
            "the name of the file",
        ),
        ("lgn_tf-1.2.0-py3-none-any.whl", "1.3.0", None, "lgn_tf.__version__"),
        ("lgn_tf-1.2.0-py3-none-any.whl", "1.2.0", "v1.3.0", "the tag"),
    ],
)
def test_two_versions(checkout, pack, name, code, tag, reason):
    code = f'__version__ = "{code}"\n'
    wheel = pack({**SHIPPED, "lgn_tf/__init__.py": code}, name)
    with pytest.raises(WheelError, match=rf"{reason}.*must be.*1\.2\.0"):
        contents.check_version(wheel, tag, checkout)


def test_a_release_has_a_heading_in_the_changelog(checkout, pack):
    (checkout / "CHANGELOG.md").write_text("## [Unreleased]\n")
    with pytest.raises(WheelError, match=r"Found there: \[Unreleased\]"):
        contents.check_version(pack(SHIPPED), "v1.2.0", checkout)


def test_code_of_another_place_is_refused(tmp_path):
    script = tmp_path / "bin/python"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\necho /home/me/checkout/lgn_tf/__init__.py\n")
    script.chmod(0o755)
    with pytest.raises(WheelError, match="Received: /home/me/checkout"):
        commands.check(tmp_path, "1.2.0")
    script.write_text("#!/bin/sh\necho it breaks >&2; exit 3\n")
    with pytest.raises(WheelError, match="ended with 3:\nit breaks"):
        commands.check(tmp_path, "1.2.0")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Returns the wheel of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir"]
    # setuptools writes into the checkout: one build at a time.
    with locks.alone(ROOT / "build.lock", ROOT, wait=True):
        subprocess.run([*build, folder, ROOT], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_the_wheel_of_this_checkout_holds_its_packages(built):
    contents.check(built)
    assert contents.check_version(built) == lgn_tf.__version__


def test_an_interpreter_that_is_missing_is_named(built, capsys):
    assert program.main([str(built), "--python", "python9.99"]) == 1
    output = capsys.readouterr()
    assert "skipped: python9.99: is not installed" in output.out
    assert "none of the interpreters is installed" in output.err


@pytest.mark.slow
def test_the_wheel_of_this_checkout_works(built, capsys):
    assert program.main([str(built), "--reuse"]) == 0, capsys.readouterr().err
    assert "works: the environment of this program" in capsys.readouterr().out

"""What `import lgn_tf` offers: it is quick, documented and typed."""

import doctest
import inspect
import pydoc
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

import lgn_tf
from lgn_tf.data.datasets import registry
from lgn_tf.files import media

ROOT = Path(__file__).parents[1]
ARCHIVE = ROOT / "tests/compatibility/files_of_0_1_0.tar.xz"
NAMES = [name for name in dir(lgn_tf) if not name.startswith("_")]


@pytest.fixture
def demo(tmp_path, monkeypatch):
    """Works in a folder with `runs/demo` and `videos`, as examples do."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / "runs/whole").rename(tmp_path / "runs/demo")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    # An example registers it.
    registry._specs.pop("station", None)


def test_it_imports_neither_a_framework_nor_numpy():
    code = (
        "import lgn_tf, sys\n"
        "sys.exit(bool({'keras', 'numpy'} & {*sys.modules}))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_a_run_needs_no_framework_before_its_model_is_used():
    code = "import lgn_tf, sys; lgn_tf.Run; sys.exit('keras' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_help_reads_like_a_page():
    page = pydoc.plain(pydoc.render_doc(lgn_tf))
    described = page[: page.index("PACKAGE CONTENTS")]
    for name in NAMES:
        assert f"\n    {name} " in described.replace("\n        ", "\n    "), (
            name
        )


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="has no attribute 'loda'"):
        _ = lgn_tf.loda


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_typed(name):
    found = getattr(lgn_tf, name)
    call = found.__init__ if inspect.isclass(found) else found
    signature = inspect.signature(call)
    for parameter in list(signature.parameters.values()):
        if parameter.name != "self":
            assert parameter.annotation is not parameter.empty, parameter


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("demo")
def test_every_name_has_an_example_that_runs(name):
    found = getattr(lgn_tf, name)
    finder = doctest.DocTestFinder(recurse=False)
    tests = finder.find(found, name, globs={"lgn_tf": lgn_tf})
    assert tests and any(test.examples for test in tests), "no example"
    runner = doctest.DocTestRunner(
        optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    for test in tests:
        report = []
        runner.run(test, out=report.append)
        assert not runner.failures, "".join(report)


def test_the_lines_of_the_readme(demo, capsys):
    frames = np.random.default_rng(0).integers(0, 256, (9, 32, 48, 3), "uint8")
    media.write_video(demo / "tonight.mp4", frames, "mp4v")
    text = (ROOT / "README.md").read_text()
    code = text[text.index("```python") :].removeprefix("```python\n")
    exec(code[: code.index("```")], {})
    assert capsys.readouterr().out.startswith("tonight ")
    assert (demo / "saved_models/lgn_net/2/saved_model.pb").is_file()

"""models.config and the batching file, by the parsers of their formats."""

import os
from pathlib import Path

import pytest

from lgn_serving.models import settings, text_formats
from lgn_serving.models.settings import BatchSettings, ModelSettings
from lgn_serving.models.text_formats_pb2 import MonitoringConfig


def write(tmp_path, text):
    path = tmp_path / "file.config"
    path.write_text(text)
    return path


def test_models(tmp_path):
    path = write(
        tmp_path,
        """model_config_list {
             config {
               name: "a" base_path: "/models/a"
               model_version_policy { specific { versions: 1 versions: 3 } }
               version_labels { key: "stable" value: 1 }
               version_labels { key: "canary" value: 3 }
             }
             config { name: "b" base_path: "/models/b" }
             config { name: "c" base_path: "/c"
                      model_version_policy { all {} } }
             config { name: "d" base_path: "/d"
                      model_version_policy { latest { num_versions: 2 } } }
           }""",
    )
    assert settings.read_models(path) == (
        ModelSettings(
            "a",
            Path("/models/a"),
            versions=(1, 3),
            labels={"stable": 1, "canary": 3},
        ),
        ModelSettings("b", Path("/models/b")),
        ModelSettings("c", Path("/c"), newest=0),
        ModelSettings("d", Path("/d"), newest=2),
    )


ONE = 'config { name: "a" base_path: "/a" }'


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "must list a model. Found there: none"),
        ("model_config_list { config { nam: 1 } }", r'1:30 .*"nam"'),
        ("model_config_list { config { name: 'a' } }", "base_path=''"),
        (f"model_config_list {{ {ONE} {ONE} }}", "own name. Found there: a, a"),
        ("\xff\xfe", "not a readable ModelServerConfig"),
    ],
)
def test_a_models_file_that_is_none(tmp_path, text, match):
    path = write(tmp_path, "")
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=rf"file\.config: .*{match}"):
        settings.read_models(path)


@pytest.mark.latest
def test_batching(tmp_path):
    path = write(
        tmp_path,
        """max_batch_size { value: 16 }
           batch_timeout_micros { value: 2500 }
           max_enqueued_batches { value: 7 }
           num_batch_threads { value: 3 }""",
    )
    assert settings.read_batching(path) == BatchSettings(16, 0.0025, 7, 3)


@pytest.mark.latest
@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("max_batch_size: 8", "1:"),
        ("allowed_batch_sizes: 8", "knows.*Found there: allowed_batch_sizes"),
        ("max_batch_size { value: 0 }", "positive. Found there: 0"),
    ],
)
def test_a_batching_file_that_is_none(tmp_path, text, match):
    with pytest.raises(ValueError, match=rf"file\.config: .*{match}"):
        settings.read_batching(write(tmp_path, text))


@pytest.mark.latest
def test_monitoring(tmp_path):
    path = write(tmp_path, 'prometheus_config { enable: true path: "/x" }')
    found = text_formats.read(path, MonitoringConfig()).prometheus_config
    assert (found.enable, found.path) == (True, "/x")


@pytest.mark.parametrize("kind", ["pipe", "folder", "zeros", "binary"])
def test_what_is_no_settings_file_is_refused(tmp_path, kind):
    path = tmp_path / "models.config"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "binary":
        path.write_bytes(b"\xff\xfe")
    else:
        with path.open("wb") as file:
            file.truncate(2**33)
    with pytest.raises(ValueError, match=r"models\.config: "):
        settings.read_models(path)

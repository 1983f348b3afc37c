"""`lgn serve` as a process: starts, answers, drains."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from lgn_tf import cli

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_running_request_ends_before_the_server_does(toy_dir, tmp_path):
    batching = tmp_path / "batching.config"
    # A lone request waits so long for others.
    batching.write_text("batch_timeout_micros { value: 1500000 }")
    command = [
        *(sys.executable, "-m", "lgn_tf.cli", "serve", str(toy_dir)),
        *("--rest-port", "0", "--grpc-port", "0"),
        *("--batching-parameters-file", str(batching)),
    ]
    server = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    try:
        line = server.stdout.readline()
        port = re.search(r"127\.0\.0\.1:(\d+)/v1/models, gRPC on", line)[1]
        base = f"http://127.0.0.1:{port}/v1/models/toy"
        answers = []

        def ask():
            body = {"instances": [[1, 1, 1, 1]]}
            answers.append(
                httpx.post(f"{base}:predict", json=body, timeout=30).json()
            )

        thread = threading.Thread(target=ask)
        thread.start()
        while (
            "lgn_serve_requests_in_flight 1.0"
            not in httpx.get(
                f"http://127.0.0.1:{port}/monitoring/prometheus/metrics"
            ).text
        ):
            pass
        server.send_signal(signal.SIGTERM)
        assert server.stdout.readline() == "draining\n"
        thread.join()
        assert answers[0]["predictions"][0]["n"] == 0
        assert server.wait(timeout=20) == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(base)
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "either a model's folder or --model-config-file must be given"),
        (["{0}", "--model-config-file", "x"], "either a model's folder or"),
        (["{0}/nowhere"], "must hold numbered folders, one a version"),
        (["{0}/1"], "It is a version itself: serve {0}"),
        (["--model-config-file", "{0}/no"], "No such file"),
        (["{0}", "--max-in-flight", "0"], "`in_flight` must be positive"),
        (["{0}", "--host", "300.0.0.1"], "300.0.0.1:8501: cannot be bound"),
    ],
)
def test_a_mistake_is_one_line(toy_dir, capsys, arguments, text):
    given = [each.format(toy_dir) for each in arguments]
    assert cli.main(["serve", *given]) == 2
    error = capsys.readouterr().err
    assert error.startswith("lgn serve: ") and error.count("\n") == 1
    assert text.format(toy_dir) in error


def test_a_package_that_is_missing(toy_dir, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "lgn_tf.serving.server", raising=False)
    assert cli.main(["serve", str(toy_dir)]) == 2
    assert capsys.readouterr().err == (
        "lgn serve: uvicorn is missing. It comes along with pip install "
        "'lgn-tf[serving]'\n"
    )


def test_a_model_that_does_not_load(toy_dir, caplog, serve):
    from lgn_tf.serving.model_settings import ModelSettings

    (toy_dir / "1/saved_model.pb").write_bytes(b"none")
    server = serve([ModelSettings("toy", toy_dir)])
    base = f"http://127.0.0.1:{server.rest_port}/v1/models/toy"
    (version,) = httpx.get(base).json()["model_version_status"]
    assert version["state"] == "END"
    assert version["status"]["error_code"] == "UNKNOWN"
    assert "saved_model.pb" in version["status"]["error_message"]
    assert "toy 1" in caplog.text
    found = httpx.post(f"{base}:predict", json={"instances": [[1]]})
    assert found.status_code == 404

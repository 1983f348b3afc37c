"""`lgn serve` as a process: starts, answers, drains."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from lgn_tf.cli import main
from tests.helpers.signals import signal_another_thread

ROOT = Path(__file__).parents[2]


LOADING = """
import sys, time
from lgn_tf.cli import main
from lgn_serving.models.catalogue import Catalogue

def update(*_):
    print("loading", flush=True)
    time.sleep(60)

Catalogue.update = update
sys.exit(main.main(["serve", *sys.argv[1:]]))
"""


@contextlib.contextmanager
def process(*command):
    """Yields a server as a process, on free ports; it ends with the test."""
    server = subprocess.Popen(
        [sys.executable, *command, "--rest-port", "0", "--grpc-port", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    try:
        yield server
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


@pytest.mark.slow
def test_a_signal_while_models_are_loaded(toy_dir):
    with process("-c", LOADING, str(toy_dir)) as server:
        assert server.stdout.readline() == "loading\n"
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=5) == 0


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no /proc")
@pytest.mark.parametrize("when", ["loading", "serving"])
def test_a_signal_that_another_thread_gets(toy_dir, when):
    code = ["-c", LOADING] if when == "loading" else ["-m", "lgn_tf", "serve"]
    with process(*code, str(toy_dir)) as server:
        assert server.stdout.readline()
        signal_another_thread(server, signal.SIGTERM)
        assert server.wait(timeout=20) == 0


@pytest.mark.slow
def test_a_request_that_takes_longer_than_it_gets(toy_dir, tmp_path):
    batching = tmp_path / "batching.config"
    batching.write_text("batch_timeout_micros { value: 60000000 }")
    command = [
        *(
            "-m",
            "lgn_tf",
            "serve",
            str(toy_dir),
            "--drain-seconds",
            "1",
        ),
        *("--batching-parameters-file", str(batching)),
    ]
    with process(*command) as server, httpx.Client(trust_env=False) as client:
        line = server.stdout.readline()
        port = re.search(r"127\.0\.0\.1:(\d+)/v1/models, gRPC on", line)[1]
        with pytest.raises(httpx.ReadTimeout):
            client.post(
                f"http://127.0.0.1:{port}/v1/models/toy:predict",
                json={"instances": [[1, 1, 1, 1]]},
                timeout=0.5,
            )
        server.send_signal(signal.SIGTERM)
        assert server.stdout.readline() == "draining\n"
        assert server.wait(timeout=10) == 0


@pytest.mark.slow
def test_a_running_request_ends_before_the_server_does(toy_dir, tmp_path):
    batching = tmp_path / "batching.config"
    # A lone request waits so long for others.
    batching.write_text("batch_timeout_micros { value: 1500000 }")
    command = [
        *("-m", "lgn_tf", "serve", str(toy_dir)),
        *("--batching-parameters-file", str(batching)),
    ]
    with process(*command) as server:
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
    assert main.main(["serve", *given]) == 2
    error = capsys.readouterr().err
    assert error.startswith("lgn serve: ") and error.count("\n") == 1
    assert text.format(toy_dir) in error


def test_a_package_that_is_missing(toy_dir, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "lgn_serving.server", raising=False)
    assert main.main(["serve", str(toy_dir)]) == 2
    assert capsys.readouterr().err == (
        "lgn serve: uvicorn is missing. It comes along with pip install "
        "'lgn-tf[serving]'\n"
    )


def test_a_model_that_does_not_load(toy_dir, caplog, serve):
    from lgn_serving.models.settings import ModelSettings

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


def test_signals_are_as_before_after_a_mistake(toy_dir, capsys):
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    given = ["--rest-port", "0", "--grpc-port", "0"]
    command = ["serve", "--model-config-file", f"{toy_dir}/no", *given]
    assert main.main(command) == 2
    assert "No such file" in capsys.readouterr().err
    assert [signal.getsignal(number) for number in numbers] == before

"""The health checks, as their files spell them, run by bash."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.serving import listeners

DEPLOY = Path(__file__).parents[3] / "serving/deploy"

pytestmark = pytest.mark.skipif(
    shutil.which("bash") is None, reason="no bash here"
)

# As TensorFlow Serving 2.17.1 writes it.
PAGE = """{
 "model_version_status": [
  {
   "version": "1",
   "state": "%s",
   "status": {
    "error_code": "%s",
    "error_message": "%s"
   }
  }
 ]
}
"""


def compose_check():
    compose = yaml.safe_load((DEPLOY / "docker-compose.yml").read_text())
    kind, *command = compose["services"]["serving"]["healthcheck"]["test"]
    assert kind == "CMD"
    return command


def probes():
    text = (DEPLOY / "kubernetes/serving.yaml").read_text()
    deployment = next(
        each
        for each in yaml.safe_load_all(text)
        if each["kind"] == "Deployment"
    )
    pod = deployment["spec"]["template"]["spec"]
    server = next(c for c in pod["containers"] if c["name"] == "serving")
    for name in ("startupProbe", "readinessProbe"):
        yield server[name]["exec"]["command"]


CHECKS = {
    "compose": compose_check(),
    **dict(zip(("startup", "readiness"), probes(), strict=True)),
}


def run(command, port):
    *shell, script = command
    assert ":8501" in script or "/8501" in script
    script = script.replace("8501", str(port))
    done = subprocess.run([*shell, script], capture_output=True, timeout=30)
    return done.returncode


def answering(page, seen=None):
    class Handler(listeners.Handler):
        def do_GET(self):
            if seen is not None:
                seen.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(page.encode())

    return listeners.over_http(Handler)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(
    ("state", "code", "text", "well"),
    [
        ("AVAILABLE", "OK", "", True),
        ("UNAVAILABLE", "OK", "", False),
        ("END", "UNAVAILABLE", "it is not AVAILABLE", False),
        ("LOADING", "OK", "", False),
        ("START", "OK", "", False),
        ("UNLOADING", "OK", "", False),
    ],
)
def test_only_a_loaded_version_is_well(check, state, code, text, well):
    with answering(PAGE % (state, code, text)) as port:
        found = run(CHECKS[check], port)
    assert (found == 0) is well


@pytest.mark.parametrize("check", CHECKS)
def test_nobody_there_is_not_well(check):
    assert run(CHECKS[check], 1) != 0


def test_a_server_that_has_loaded_it_is_well(exported, served):
    from lgn_serving.models.settings import ModelSettings
    from lgn_serving.server import EmbeddedServer
    from tests.serving.deploy.test_configuration import Lent

    class Server(EmbeddedServer):
        def _load(self, _path):
            return Lent(served)

    model = ModelSettings("lgn_net", exported.path.parent, labels={"stable": 1})
    with Server(lambda: (model,), poll_seconds=0.05) as server:
        for command in CHECKS.values():
            assert run(command, server.rest_port) == 0


def test_the_probes_ask_for_the_version_that_clients_get():
    for name in ("startup", "readiness"):
        seen = []
        with answering(PAGE % ("AVAILABLE", "OK", ""), seen) as port:
            run(CHECKS[name], port)
        assert seen == ["/v1/models/lgn_net/labels/stable"]


def test_the_proxy_is_checked_where_it_listens():
    config = (DEPLOY / "proxy/nginx.conf").read_text()
    assert "listen 8080;" in config and "location = /healthz" in config
    compose = yaml.safe_load((DEPLOY / "docker-compose.yml").read_text())
    command = compose["services"]["proxy"]["healthcheck"]["test"]
    assert command[-1] == "http://127.0.0.1:8080/healthz"

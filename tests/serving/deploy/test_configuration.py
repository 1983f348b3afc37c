"""The files of serving/ are read by the parsers of what they configure."""

import json
import re
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import crossplane
import httpx
import pytest
import yaml

from lgn_serving.metrics import Metrics
from lgn_serving.models import settings, text_formats
from lgn_serving.models.settings import BatchSettings, ModelSettings
from lgn_serving.models.text_formats_pb2 import (
    BatchingParameters,
    MonitoringConfig,
)
from lgn_serving.protocols.rest import METRICS_PATH
from lgn_serving.server import EmbeddedServer

SERVING = Path(__file__).parents[3] / "serving/deploy"
LGN_NET = ModelSettings(
    "lgn_net",
    Path("/models/lgn_net"),
    # Named, so that no export unloads what a label stands for.
    versions=(1,),
    labels={"stable": 1, "canary": 1},
)


def test_models_and_labels():
    found = settings.read_models(SERVING / "config/models.config")
    assert found == (LGN_NET,)


def test_batching():
    found = settings.read_batching(SERVING / "batching.config")
    assert found == BatchSettings(8, 0.005, 64, 2)
    path = SERVING / "batching.config"
    given = text_formats.read(path, BatchingParameters())
    # It would score frames padded with zeros.
    assert not given.pad_variable_length_inputs


def test_monitoring():
    found = text_formats.read(SERVING / "monitoring.config", MonitoringConfig())
    assert found.prometheus_config.enable
    assert found.prometheus_config.path == METRICS_PATH
    scraped = yaml.safe_load(
        (SERVING / "prometheus/prometheus.yml").read_text()
    )
    (job,) = scraped["scrape_configs"]
    assert job["metrics_path"] == METRICS_PATH
    assert job["static_configs"] == [{"targets": ["serving:8501"]}]


def test_kubernetes_has_the_same_configuration(tmp_path):
    text = (SERVING / "kubernetes/serving.yaml").read_text()
    (files,) = (
        each["data"]
        for each in yaml.safe_load_all(text)
        if each["kind"] == "ConfigMap"
    )
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert settings.read_models(tmp_path / "models.config") == (LGN_NET,)
    assert settings.read_batching(
        tmp_path / "batching.config"
    ) == settings.read_batching(SERVING / "batching.config")
    found = text_formats.read(
        tmp_path / "monitoring.config", MonitoringConfig()
    )
    assert found.prometheus_config.path == METRICS_PATH


def expressions():
    dashboard = json.loads(
        (SERVING / "grafana/dashboards/serving.json").read_text()
    )
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    rules = yaml.safe_load((SERVING / "prometheus/alerts.yml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]


def test_dashboard_and_alerts_ask_for_metrics_that_are_there():
    metrics = Metrics()
    metrics.requests.labels("m", "OK").inc()
    metrics.latency.labels("m", "predict", "REST").observe(1)
    metrics.runtime.labels("m", "Predict", "TF1").observe(1)
    page = metrics.text().decode()
    exposed = set(re.findall(r"^(:tensorflow:\w+:\w+)\{", page, re.MULTILINE))
    asked = set(re.findall(r":tensorflow:\w+:\w+", " ".join(expressions())))
    assert len(asked) >= 5
    assert asked <= exposed


def test_panels_do_not_overlap():
    dashboard = json.loads(
        (SERVING / "grafana/dashboards/serving.json").read_text()
    )
    taken = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken and max(x for x, _ in cells) < 24
        taken |= cells


def test_proxy_configuration(tmp_path):
    config = proxied(tmp_path, 1, 1, 1)
    parsed = crossplane.parse(str(config))
    assert parsed["status"] == "ok", parsed["errors"]
    text = config.read_text()
    for name in ("client_max_body_size", "client_body_timeout", "limit_conn"):
        assert name in text


def proxied(tmp_path, port, rest, grpc):
    """Writes the proxy's configuration for this machine; returns its path."""
    text = (SERVING / "proxy/nginx.conf").read_text()
    for old, new in (
        ("serving:8501", f"127.0.0.1:{rest}"),
        ("serving:8500", f"127.0.0.1:{grpc}"),
        ("listen 8443", f"listen 127.0.0.1:{port}"),
    ):
        text = text.replace(old, new)
    text = re.sub("/run/secrets/|/tmp/", f"{tmp_path}/", text)
    (tmp_path / "token.conf").write_text('"Bearer secret" 1;\n')
    config = tmp_path / "nginx.conf"
    config.write_text(text)
    return config


@pytest.mark.skipif(
    not (shutil.which("nginx") and shutil.which("openssl")),
    reason="no nginx or openssl here",
)
def test_proxy_asks_for_a_token(tmp_path, model_server):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = proxied(
        tmp_path, port, model_server.rest_port, model_server.grpc_port
    )
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes"),
            *("-keyout", tmp_path / "tls.key", "-out", tmp_path / "tls.crt"),
            *("-subj", "/CN=localhost", "-days", "1"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    nginx = subprocess.Popen(
        [
            *("nginx", "-p", tmp_path, "-c", config, "-g", "daemon off;"),
            *("-e", tmp_path / "error.log"),
        ]
    )
    try:
        check_statuses(tmp_path, port)
        check_client_through(tmp_path, port)
    finally:
        nginx.terminate()
        nginx.wait()


def check_statuses(tmp_path, port):
    trust = ssl.create_default_context(cafile=tmp_path / "tls.crt")
    base = f"https://127.0.0.1:{port}"
    transport = httpx.HTTPTransport(verify=trust, retries=5)
    with httpx.Client(base_url=base, transport=transport) as client:
        token = {"authorization": "Bearer secret"}
        path = "/v1/models/lgn_net"
        assert client.get(path).status_code == 401
        wrong = {"authorization": "Bearer wrong"}
        assert client.get(path, headers=wrong).status_code == 401
        assert client.get(path, headers=token).status_code == 200
        for hidden in (METRICS_PATH, "/"):
            assert client.get(hidden, headers=token).status_code == 404


def check_client_through(tmp_path, port):
    import numpy as np

    from lgn_client import transport

    target = transport.Target(
        "lgn_net", token="secret", ca_file=tmp_path / "tls.crt", tries=1
    )
    frames = {"frames": np.zeros((1, 5, 4, 4, 3), np.uint8)}
    answers = []
    for kind in ("https", "grpcs"):
        address = f"{kind}://localhost:{port}"
        with transport.connect(address, target) as server:
            answers.append(server.predict("", frames)["psnr"])
    np.testing.assert_allclose(answers[0], answers[1], rtol=1e-6)


README = (SERVING / "README.md").read_text()
EXAMPLES = re.findall(
    r"```bash\n(.*?)```(?:\n\n```json\n(.*?)```)?", README, re.DOTALL
)


def keys(value):
    if isinstance(value, dict):
        return {name: keys(each) for name, each in value.items()}
    if isinstance(value, list):
        return [keys(each) for each in value]
    return type(value)


class Lent:
    """A version that another server has loaded, and closes."""

    def __init__(self, servable):
        self._servable = servable

    def __getattr__(self, name):
        return getattr(self._servable, name)

    def close(self):
        pass


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_the_examples_with_curl(tmp_path, exported, served):
    import cv2
    import numpy as np

    for number in range(1, 6):
        picture = np.full((20, 30, 3), 40 * number, np.uint8)
        cv2.imwrite(str(tmp_path / f"{number}.jpg"), picture)

    class Server(EmbeddedServer):
        def _load(self, _path):
            return Lent(served)

    labelled = ModelSettings(
        "lgn_net", exported.path.parent, labels={"stable": 1}
    )
    assert len(EXAMPLES) == 5
    with Server(lambda: (labelled,), poll_seconds=0.05) as server:
        for command, expected in EXAMPLES:
            command = command.replace(":8501", f":{server.rest_port}")
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", command],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=True,
            )
            if expected:
                found, wanted = map(json.loads, (done.stdout, expected))
                assert keys(found) == keys(wanted)
    for name in ("predicted_frame", "error_map"):
        picture = cv2.imread(str(tmp_path / f"{name}.png"))
        assert picture.shape == (16, 24, 3)
    error = json.loads(done.stdout)["error"]
    wanted = json.loads(EXAMPLES[-1][1])["error"].removesuffix(" ...")
    assert error.startswith(wanted)

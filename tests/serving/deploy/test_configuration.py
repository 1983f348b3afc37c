"""The files of serving/ are read by the parsers of what they configure."""

import json
import re
import shutil
import subprocess
from pathlib import Path

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
    server, alerts = scraped["scrape_configs"]
    assert server["job_name"] == "tensorflow-serving"
    assert server["metrics_path"] == METRICS_PATH
    assert server["static_configs"] == [{"targets": ["serving:8501"]}]
    assert alerts["static_configs"] == [{"targets": ["alertmanager:9093"]}]


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


README = (SERVING / "README.md").read_text()
EXAMPLES = re.findall(
    r"```bash\n(.*?)```(?:\n\n```json\n(.*?)```)?",
    README.split("## Ask with curl")[1].split("\n## ")[0],
    re.DOTALL,
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

"""What raises an alert, and who is told; read by Prometheus' own programs."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from lgn_serving.failure import HTTP_STATUS

DEPLOY = Path(__file__).parents[3] / "serving/deploy"
ALERTS = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())
RULES = {
    rule["alert"]: rule for group in ALERTS["groups"] for rule in group["rules"]
}
MANAGER = yaml.safe_load((DEPLOY / "alertmanager/alertmanager.yml").read_text())

promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="no promtool here"
)
amtool = pytest.mark.skipif(
    shutil.which("amtool") is None, reason="no amtool here"
)


def run(*command, cwd=DEPLOY):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@promtool
def test_prometheus_reads_its_files():
    said = run("promtool", "check", "config", "prometheus/prometheus.yml")
    assert f"{len(RULES)} rules found" in said


@promtool
def test_the_alerts_fire_when_they_must():
    said = run("promtool", "test", "rules", "alerts_test.yml", cwd=HERE)
    assert "SUCCESS" in said


HERE = Path(__file__).parent


def test_every_alert_is_tested():
    cases = yaml.safe_load((HERE / "alerts_test.yml").read_text())["tests"]
    fired, silent = set(), set()
    for case in cases:
        for check in case["alert_rule_test"]:
            (fired if check["exp_alerts"] else silent).add(check["alertname"])
    assert fired == silent == set(RULES)


def blamed(text):
    """Returns the states that an expression counts as the server's fault."""
    (states,) = re.findall(r'status=~"([A-Z_|]+)"', text)
    return set(states.split("|"))


def test_only_the_faults_of_the_server_are_failures():
    server = blamed(RULES["ManyFailures"]["expr"])
    clients = {
        *("INVALID_ARGUMENT", "OUT_OF_RANGE", "NOT_FOUND", "CANCELLED"),
        *("ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED"),
    }
    assert server.isdisjoint(clients)
    assert server | clients == set(HTTP_STATUS)
    dashboard = json.loads(
        (DEPLOY / "grafana/dashboards/serving.json").read_text()
    )
    (panel,) = (p for p in dashboard["panels"] if "fail" in p["title"])
    (target,) = panel["targets"]
    assert blamed(target["expr"]) == server
    assert '!="OK"' not in json.dumps(dashboard)


def test_every_alert_has_a_severity_and_a_receiver():
    for name, rule in RULES.items():
        assert rule["labels"]["severity"] in ("critical", "warning"), name
        assert rule["annotations"]["summary"]
    scraped = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    (manager,) = scraped["alerting"]["alertmanagers"]
    assert manager["static_configs"] == [{"targets": ["alertmanager:9093"]}]
    # Nobody is told by an address that somebody else may own.
    for receiver in MANAGER["receivers"]:
        (hook,) = receiver["webhook_configs"]
        assert hook["url"].startswith("http://alerts.invalid/")
    readme = (DEPLOY / "README.md").read_text()
    assert "http://alerts.invalid/" in readme


@amtool
def test_alertmanager_reads_its_file():
    said = run("amtool", "check-config", "alertmanager/alertmanager.yml")
    assert "SUCCESS" in said and "2 receivers" in said


@amtool
@pytest.mark.parametrize(
    ("severity", "receiver"), [("critical", "at-once"), ("warning", "by-day")]
)
def test_who_is_told(severity, receiver):
    said = run(
        *("amtool", "config", "routes", "test"),
        *("--config.file", "alertmanager/alertmanager.yml"),
        f"severity={severity}",
    )
    assert said.strip() == receiver

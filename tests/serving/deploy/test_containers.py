"""Compose and Kubernetes files: what they start, and how little it may do."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).parents[3]
SERVING = ROOT / "serving/deploy"
COMPOSE = yaml.safe_load((SERVING / "docker-compose.yml").read_text())
IMAGE = "tensorflow/serving:2.17.1"


def kubernetes(name):
    text = (SERVING / "kubernetes" / name).read_text()
    return {each["kind"]: each for each in yaml.safe_load_all(text)}


def mounts(service):
    """Yields (where it lies here, where the container sees it)."""
    for volume in service.get("volumes", ()):
        # What a variable stands for where it is not set.
        plain = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume)
        source, place, *_ = plain.split(":")
        if source.startswith("."):
            yield (SERVING / source).resolve(), Path(place)


def test_compose():
    services = COMPOSE["services"]
    assert services["serving"]["image"] == IMAGE
    assert "ports" not in services["serving"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert set(services) == {"serving", "proxy", "prometheus", "grafana"}
    for name, service in services.items():
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["read_only"] is True, name
        assert service["mem_limit"], name
        assert "latest" not in service["image"] and ":" in service["image"]
    for name in ("serving", "proxy", "grafana"):
        assert services[name]["tmpfs"] == ["/tmp"], name


def test_compose_mounts_what_the_server_reads():
    server = COMPOSE["services"]["serving"]
    seen = {place: source for source, place in mounts(server)}
    flags = dict(
        each.removeprefix("--").split("=") for each in server["command"]
    )
    for flag, file in (
        ("model_config_file", "config/models.config"),
        ("batching_parameters_file", "batching.config"),
        ("monitoring_config_file", "monitoring.config"),
    ):
        place = Path(flags[flag])
        found = seen.get(place) or seen[place.parent] / place.name
        assert found == SERVING / file and found.is_file()
    assert flags["allow_version_labels_for_unavailable_models"] == "true"
    # What is read again is seen through its folder.
    assert int(flags["model_config_file_poll_wait_seconds"]) > 0
    assert Path(flags["model_config_file"]).parent in seen


def test_only_the_proxy_sees_the_secrets():
    secrets = SERVING / "secrets"
    readers = set()
    for name, service in COMPOSE["services"].items():
        for source, _ in mounts(service):
            if secrets.is_relative_to(source):
                readers.add(name)
            elif source.is_relative_to(SERVING):
                assert source.exists(), source
    assert readers == {"proxy"}
    assert "secrets/" in (ROOT / ".gitignore").read_text().splitlines()


def test_gpu_variant():
    text = (SERVING / "docker-compose.gpu.yml").read_text()
    service = yaml.safe_load(text)["services"]["serving"]
    assert service["image"] == f"{IMAGE}-gpu"
    (device,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]


def compose_command():
    """Returns how compose is called here: as a program or within docker."""
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    plugin = ["docker", "compose"]
    if shutil.which("docker"):
        found = subprocess.run([*plugin, "version"], capture_output=True)
        if not found.returncode:
            return plugin
    return None


@pytest.mark.parametrize("files", [(), ("docker-compose.gpu.yml",)])
def test_compose_reads_its_files(files):
    command = compose_command()
    if command is None:
        pytest.skip("no docker-compose and no docker compose here")
    for file in ("docker-compose.yml", *files):
        command += ["-f", file]
    subprocess.run(
        [*command, "config", "-q"],
        cwd=SERVING,
        env={**os.environ, "GRAFANA_PASSWORD": "x"},
        check=True,
    )


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        ({"docker-compose", "docker"}, ["docker-compose"]),
        ({"docker"}, ["docker", "compose"]),
        (set(), None),
    ],
)
def test_either_compose_is_found(installed, expected, tmp_path, monkeypatch):
    for name in installed:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}")
    assert compose_command() == expected


def test_kubernetes_manifests():
    found = kubernetes("serving.yaml")
    for manifest in found.values():
        kubernetes_validate.validate(manifest, "1.30", strict=True)
    pod = found["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == IMAGE
    check_hardened(pod)
    probe = container["readinessProbe"]["httpGet"]["path"]
    assert probe == "/v1/models/lgn_net/labels/stable"
    named = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert named == {"grpc": 8500, "rest": 8501}


def test_kserve():
    service = kubernetes("kserve.yaml")["InferenceService"]
    assert service["apiVersion"] == "serving.kserve.io/v1beta1"
    predictor = dict(service["spec"]["predictor"])
    for name in ("minReplicas", "maxReplicas", "canaryTrafficPercent"):
        assert predictor.pop(name) >= 1
    model = dict(predictor.pop("model"))
    assert model.pop("modelFormat") == {"name": "tensorflow"}
    assert model.pop("storageUri") == "pvc://lgn-models/lgn_net"
    assert f"tensorflow/serving:{model.pop('runtimeVersion')}" == IMAGE
    # What is left is KServe's own pod, with one container.
    container = {"name": "kserve-container", "image": IMAGE, **model}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": service["metadata"],
        "spec": {**predictor, "containers": [container]},
    }
    kubernetes_validate.validate(pod, "1.30", strict=True)
    assert container["readinessProbe"]["httpGet"] == {
        "path": f"/v1/models/{service['metadata']['name']}",
        "port": 8080,
    }
    assert set(container["resources"]) == {"requests", "limits"}
    check_hardened(pod["spec"])


def check_hardened(pod):
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounted = {each["name"] for each in container["volumeMounts"]}
    assert mounted == {each["name"] for each in pod["volumes"]}
    assert container["resources"]["limits"]["memory"] == "4Gi"

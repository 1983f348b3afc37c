"""Compose and Kubernetes files: what they start, and how little it may do."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
SERVING = ROOT / "serving/deploy"
COMPOSE = yaml.safe_load((SERVING / "docker-compose.yml").read_text())
IMAGE = "tensorflow/serving:2.17.1"


def plain(image):
    """Returns an image without its digest, where it is pinned."""
    return image.partition("@")[0]


def mounts(service):
    """Yields (where it lies here, where the container sees it)."""
    for volume in service.get("volumes", ()):
        # What a variable stands for where it is not set.
        plain = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume)
        source, place, *_ = plain.split(":")
        if source.startswith("."):
            yield (SERVING / source).resolve(), Path(place)


def seconds(text):
    return int(text.removesuffix("s"))


def test_compose():
    services = COMPOSE["services"]
    assert plain(services["serving"]["image"]) == IMAGE
    assert "ports" not in services["serving"]
    assert services["serving"]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert set(services) == {
        *("serving", "proxy", "prometheus", "alertmanager", "grafana")
    }
    for name, service in services.items():
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["read_only"] is True, name
        assert service["mem_limit"] and service["pids_limit"], name
        assert plain(service["image"]).rpartition(":")[2] != "latest"
        assert ":" in plain(service["image"]), name
        # Logs do not fill the disk.
        log = service["logging"]
        assert log["driver"] == "json-file"
        assert set(log["options"]) == {"max-size", "max-file"}
        for place in service.get("tmpfs", ()):
            assert re.fullmatch(r"/tmp:size=\d+m", place), name


def test_the_proxy_lets_requests_end_before_compose_ends_it():
    proxy = COMPOSE["services"]["proxy"]
    config = (SERVING / "proxy/nginx.conf").read_text()
    (drain,) = re.findall(r"worker_shutdown_timeout (\d+)s;", config)
    assert proxy["stop_signal"] == "SIGQUIT"
    assert seconds(proxy["stop_grace_period"]) > int(drain)
    # So that the server ends after it, and starts before it.
    assert proxy["depends_on"]["serving"]["condition"] == "service_healthy"


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
    assert plain(service["image"]) == f"{IMAGE}-gpu"
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

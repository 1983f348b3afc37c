"""Kubernetes' files: what they start, who reaches it, and how it ends."""

import re
import shutil
import subprocess

import kubernetes_validate
import pytest
import yaml

from tests.serving.deploy.test_containers import IMAGE, SERVING, plain


def read(name):
    text = (SERVING / "kubernetes" / name).read_text()
    return list(yaml.safe_load_all(text))


def find(kind, name="lgn-serving"):
    (found,) = (
        each
        for each in read("serving.yaml")
        if (each["kind"], each["metadata"]["name"]) == (kind, name)
    )
    return found


POD = find("Deployment")["spec"]["template"]["spec"]
SERVER, PROXY = POD["containers"]
KUSTOMIZATION = yaml.safe_load((SERVING / "kustomization.yaml").read_text())


def test_every_object_is_valid():
    for manifest in read("serving.yaml"):
        kubernetes_validate.validate(manifest, "1.30", strict=True)


def test_the_containers_may_do_little():
    assert plain(SERVER["image"]) == IMAGE
    assert [SERVER["name"], PROXY["name"]] == ["serving", "proxy"]
    check_hardened(POD)
    assert SERVER["resources"]["limits"]["memory"] == "6Gi"
    assert POD["automountServiceAccountToken"] is False


def check_hardened(pod):
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    mounted = set()
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        mounted |= {each["name"] for each in container["volumeMounts"]}
    assert mounted == {each["name"] for each in pod["volumes"]}
    for volume in pod["volumes"]:
        if "emptyDir" in volume:
            assert volume["emptyDir"]["sizeLimit"]


def test_only_the_proxy_sees_the_secrets_and_the_network():
    def readers(volume):
        return [
            each["name"]
            for each in POD["containers"]
            if volume in {v["name"] for v in each["volumeMounts"]}
        ]

    assert readers("secrets") == readers("proxy-tmp") == ["proxy"]
    for each in SERVER["volumeMounts"]:
        assert each.get("readOnly") or each["name"] == "tmp"
    service = find("Service")["spec"]["ports"]
    assert [each["targetPort"] for each in service] == ["https"]
    ports = {each["name"]: each["containerPort"] for each in PROXY["ports"]}
    assert ports == {"https": 8443, "health": 8080}
    ports = {each["name"]: each["containerPort"] for each in SERVER["ports"]}
    assert ports == {"grpc": 8500, "rest": 8501}


def test_the_proxy_finds_the_server_in_its_pod():
    config = (SERVING / "proxy/nginx.conf").read_text()
    hosts = set(re.findall(r"server (\w+):\d+;", config))
    (alias,) = POD["hostAliases"]
    assert alias == {"ip": "127.0.0.1", "hostnames": [*hosts]}


def test_who_reaches_which_port():
    policies = [
        each for each in read("serving.yaml") if each["kind"] == "NetworkPolicy"
    ]
    opened = {}
    for policy in policies:
        labels = find("Deployment")["spec"]["template"]["metadata"]["labels"]
        assert policy["spec"]["podSelector"]["matchLabels"] == labels
        for rule in policy["spec"]["ingress"]:
            for port in rule["ports"]:
                opened.setdefault(port["port"], []).extend(rule["from"])
    # Never that of gRPC, where ModelService loads models.
    assert set(opened) == {8443, 8501}
    (prometheus,) = opened[8501]
    assert set(prometheus) == {"namespaceSelector", "podSelector"}
    assert all(each["matchLabels"] for each in prometheus.values())
    for client in opened[8443]:
        assert client in (
            {"podSelector": {}},
            {
                "namespaceSelector": {
                    "matchLabels": {"lgn-serving-client": "true"}
                }
            },
        )
    assert find("NetworkPolicy")["spec"]["egress"] == []
    assert find("NetworkPolicy", "lgn-serving-from-prometheus")


def test_pods_are_spread():
    labels = find("Deployment")["spec"]["selector"]
    spread = {
        each["topologyKey"]: each for each in POD["topologySpreadConstraints"]
    }
    assert set(spread) == {
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    }
    for each in spread.values():
        assert each["labelSelector"] == labels
    nodes = spread["kubernetes.io/hostname"]
    assert nodes["whenUnsatisfiable"] == "DoNotSchedule"
    budget = find("PodDisruptionBudget")["spec"]
    assert budget["selector"] == labels
    replicas = find("Deployment")["spec"]["replicas"]
    assert 0 < budget["minAvailable"] < replicas
    update = find("Deployment")["spec"]["strategy"]["rollingUpdate"]
    assert update["maxUnavailable"] == 0


def test_the_proxy_has_ended_before_the_server_does():
    config = (SERVING / "proxy/nginx.conf").read_text()
    (drain,) = re.findall(r"worker_shutdown_timeout (\d+)s;", config)
    (read_timeout,) = set(re.findall(r"_read_timeout (\d+)s;", config))
    command = PROXY["lifecycle"]["preStop"]["exec"]["command"]
    forget, rest = re.fullmatch(
        r"sleep (\d+); nginx -s quit; sleep (\d+)", command[-1]
    ).groups()
    _, server = SERVER["lifecycle"]["preStop"]["exec"]["command"]
    assert int(drain) == int(rest) == int(read_timeout)
    ended = int(forget) + int(rest)
    assert ended < int(server) < POD["terminationGracePeriodSeconds"]


def test_configuration_is_taken_from_the_files_that_compose_mounts():
    assert KUSTOMIZATION["resources"] == ["kubernetes/serving.yaml"]
    made = {
        each["name"]: each["files"]
        for each in KUSTOMIZATION["configMapGenerator"]
    }
    for files in made.values():
        assert all((SERVING / file).is_file() for file in files)
    used = {
        each["configMap"]["name"]
        for each in POD["volumes"]
        if "configMap" in each
    }
    assert used == set(made)
    flags = dict(each.removeprefix("--").split("=") for each in SERVER["args"])
    (config,) = (
        each for each in SERVER["volumeMounts"] if each["name"] == "config"
    )
    for flag in (
        *("model_config_file", "batching_parameters_file"),
        "monitoring_config_file",
    ):
        folder, _, name = flags[flag].rpartition("/")
        assert folder == config["mountPath"]
        assert name in {each.split("/")[-1] for each in made["lgn-serving"]}
    assert flags["allow_version_labels_for_unavailable_models"] == "true"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl here")
def test_kubectl_puts_it_together():
    done = subprocess.run(
        ["kubectl", "kustomize", str(SERVING)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    objects = list(yaml.safe_load_all(done.stdout))
    for each in objects:
        kubernetes_validate.validate(each, "1.30", strict=True)
    maps = {
        each["metadata"]["name"]: each["data"]
        for each in objects
        if each["kind"] == "ConfigMap"
    }
    (pod,) = (
        each["spec"]["template"]["spec"]
        for each in objects
        if each["kind"] == "Deployment"
    )
    used = {
        each["configMap"]["name"]
        for each in pod["volumes"]
        if "configMap" in each
    }
    assert used == set(maps)
    # The server's is read again; another proxy is started for another file.
    assert "lgn-serving" in maps and "lgn-proxy" not in maps
    found = {
        name: text for data in maps.values() for name, text in data.items()
    }
    for name, file in (
        ("nginx.conf", "proxy/nginx.conf"),
        ("models.config", "config/models.config"),
        ("batching.config", "batching.config"),
        ("monitoring.config", "monitoring.config"),
    ):
        assert found[name] == (SERVING / file).read_text()
    (secret,) = (each["secret"] for each in pod["volumes"] if "secret" in each)
    assert secret["defaultMode"] == 0o440


def test_kserve():
    (service,) = read("kserve.yaml")
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

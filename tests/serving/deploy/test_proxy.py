"""The shipped proxy, run by nginx: who gets in, how often, and how much."""

import collections
import concurrent.futures
import re
import shutil
import signal
import subprocess
import time

import crossplane
import grpc
import httpx
import numpy as np
import pytest
import yaml

from lgn_client import transport
from lgn_serving.protocols.rest import METRICS_PATH
from tests.serving.deploy.proxy import DEPLOY, Proxy, new_token
from tests.serving.deploy.upstream import Upstream

PATH = "/v1/models/lgn_net"
CONFIG = (DEPLOY / "proxy/nginx.conf").read_text()
MIB = 2**20

pytestmark = pytest.mark.skipif(
    not (shutil.which("nginx") and shutil.which("openssl")),
    reason="no nginx or no openssl here",
)


@pytest.fixture(scope="module")
def upstream():
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def proxy(upstream, tmp_path):
    upstream.seen.clear()
    proxy = Proxy(tmp_path, upstream.rest, upstream.grpc)
    with proxy.running():
        yield proxy


def channel(proxy):
    trust = grpc.ssl_channel_credentials(
        (proxy.folder / "secrets/tls.crt").read_bytes()
    )
    return grpc.secure_channel(
        f"127.0.0.1:{proxy.port}",
        trust,
        [("grpc.enable_http_proxy", 0), ("grpc.max_send_message_length", -1)],
    )


def call(proxy, token, body=b"", service="PredictionService", method="Predict"):
    """Returns the name of the status of a call."""
    metadata = token and (("authorization", f"Bearer {token}"),)
    with channel(proxy) as opened:
        method = opened.unary_unary(f"/tensorflow.serving.{service}/{method}")
        try:
            method(body, metadata=metadata, timeout=30)
        except grpc.RpcError as error:
            return error.code().name
    return "OK"


def test_crossplane_reads_it(tmp_path):
    parsed = crossplane.parse(str(Proxy(tmp_path, 1, 1).config))
    assert parsed["status"] == "ok", parsed["errors"]


def test_nginx_accepts_it_with_tokens_of_many_clients(tmp_path):
    proxy = Proxy(tmp_path, 1, 1)
    for number in range(2, 40):
        token = new_token(tmp_path, f"camera-{number}")
        assert re.fullmatch(r"[0-9a-f]{64}", token)
    assert len((tmp_path / "secrets/token.conf").read_text().split("\n")) == 40
    checked = proxy.checked()
    assert checked.returncode == 0, checked.stderr
    assert "is successful" in checked.stderr


def test_the_secrets_are_read_by_their_owner_alone(tmp_path):
    Proxy(tmp_path, 1, 1)
    for name in ("tls.key", "token.conf"):
        assert (tmp_path / "secrets" / name).stat().st_mode & 0o77 == 0
    assert (tmp_path / "secrets").stat().st_mode & 0o77 == 0


@pytest.mark.parametrize("missing", ["token.conf", "tls.key"])
def test_it_does_not_start_without_a_secret(tmp_path, missing):
    proxy = Proxy(tmp_path, 1, 1)
    (tmp_path / "secrets" / missing).unlink()
    checked = proxy.checked()
    assert checked.returncode and missing in checked.stderr


def wrong_tokens(token):
    letter = re.search("[a-f]", token)[0]
    return [
        None,
        "wrong",
        token.upper(),
        token.replace(letter, letter.upper(), 1),
        token[:-1],
        f"{token}0",
        "." * 64,
    ]


def test_only_the_exact_token_gets_in(proxy, upstream):
    with proxy.client() as client:
        for number, token in enumerate(wrong_tokens(proxy.token)):
            given = {"authorization": f"Bearer {token}"} if token else {}
            found = client.get(PATH, headers=given)
            assert found.status_code == 401, number
        for scheme in ("bearer", "BEARER", "Basic", "xBearer"):
            given = {"authorization": f"{scheme} {proxy.token}"}
            assert client.get(PATH, headers=given).status_code == 401
        for hidden in ("/", METRICS_PATH, "/without-token", "/healthz"):
            assert client.get(hidden).status_code == 401, hidden
    assert not upstream.seen
    with proxy.client(proxy.token) as client:
        assert client.get(PATH).status_code == 200
    # Nobody behind the proxy learns a token.
    assert upstream.seen == [(f"GET {PATH}", None, 0)]


def test_only_the_exact_token_gets_in_over_grpc(proxy, upstream):
    for token in (None, "wrong", proxy.token.upper()):
        assert call(proxy, token) == "UNAUTHENTICATED"
    assert not upstream.seen
    assert call(proxy, proxy.token, b"12345") == "OK"
    assert upstream.seen == [("PredictionService", None, 5)]


def test_clients_come_and_go_without_a_restart(upstream, tmp_path):
    proxy = Proxy(tmp_path, upstream.rest, upstream.grpc)
    lines = tmp_path / "secrets/token.conf"
    with proxy.running() as process:

        def reloaded(token, wanted):
            process.send_signal(signal.SIGHUP)
            end = time.monotonic() + 20
            while time.monotonic() < end:
                with proxy.client(token) as client:
                    found = client.get(PATH).status_code
                if found == wanted:
                    return
                time.sleep(0.3)
            raise AssertionError(found)

        second = new_token(tmp_path, "camera-2")
        reloaded(second, 200)
        first, rest = lines.read_text().splitlines()
        assert "camera-1" in first
        lines.write_text(f"{rest}\n")
        reloaded(proxy.token, 401)
        reloaded(second, 200)


def test_what_stays_closed(proxy, upstream):
    assert proxy.raw(PATH, proxy.token) == 200
    upstream.seen.clear()
    for path in (
        *("/", METRICS_PATH, f"/{METRICS_PATH}", "/healthz", "/v1"),
        f"{PATH}/../../..{METRICS_PATH}",
        f"{PATH}/%2e%2e/%2e%2e/%2e%2e{METRICS_PATH}",
        f"{METRICS_PATH}#/../../../..{PATH}",
        # Normalised this is a model's path; the server would see the other.
        f"/monitoring/..{PATH}",
        f"{METRICS_PATH}/%2e%2e/%2e%2e/%2e%2e{PATH}",
    ):
        assert proxy.raw(path, proxy.token) == 404, path
    for service, method in (
        ("ModelService", "HandleReloadConfigRequest"),
        ("ModelService", "GetModelStatus"),
    ):
        found = call(proxy, proxy.token, service=service, method=method)
        assert found == "UNIMPLEMENTED"
    assert not upstream.seen


def test_the_health_check_needs_no_token_and_leads_nowhere(proxy, upstream):
    base = f"http://127.0.0.1:{proxy.health}"
    with httpx.Client(base_url=base, trust_env=False) as client:
        assert client.get("/healthz").status_code == 200
        for path in (PATH, METRICS_PATH, "/"):
            assert client.get(path).status_code == 404
    assert not upstream.seen


def statuses(proxy, count, token=None, path=PATH):
    """Returns how often each status came, and the seconds it took."""
    start = time.monotonic()
    found = collections.Counter()
    with proxy.client(token) as client:
        for _ in range(count):
            answer = client.get(path)
            found[answer.status_code] += 1
            if answer.status_code == 429:
                assert answer.headers["retry-after"] == "1"
                assert "strict-transport-security" in answer.headers
            else:
                assert "retry-after" not in answer.headers
    return found, time.monotonic() - start


@pytest.mark.parametrize("path", [PATH, "/", "/without-token"])
def test_strangers_are_counted_before_they_are_refused(proxy, path):
    found, seconds = statuses(proxy, 200, path=path)
    assert set(found) == {401, 429}
    # The burst, and five a second.
    assert 15 <= found[401] <= 22 + 5 * seconds
    # Whoever has a token is not in their way.
    assert statuses(proxy, 5, proxy.token)[0] == {200: 5}


def test_strangers_with_large_bodies_are_counted(proxy):
    length = {"content-length": 65 * MIB}
    start = time.monotonic()
    found = [proxy.raw(PATH, **length) for _ in range(60)]
    assert set(found) == {401, 429}
    assert found.count(401) <= 22 + 5 * (time.monotonic() - start)


def test_strangers_are_counted_over_grpc(proxy):
    found = collections.Counter(call(proxy, "wrong") for _ in range(60))
    assert set(found) == {"UNAUTHENTICATED", "UNAVAILABLE"}
    assert found["UNAUTHENTICATED"] >= 15


def test_clients_are_counted_each_for_itself(upstream, tmp_path):
    proxy = Proxy(tmp_path, upstream.rest, upstream.grpc)
    second = new_token(tmp_path, "camera-2")
    # The same limit, reached on a slow machine.
    text = proxy.config.read_text()
    assert "rate=100r/s" in text and "client_rate burst=200" in text
    text = text.replace("rate=100r/s", "rate=1r/s")
    proxy.config.write_text(text.replace("_rate burst=200", "_rate burst=5"))
    with proxy.running():
        found, seconds = statuses(proxy, 40, proxy.token)
        assert set(found) == {200, 429}
        assert 6 <= found[200] <= 7 + seconds
        assert statuses(proxy, 5, second)[0] == {200: 5}


def test_one_client_takes_no_more_than_its_places(proxy, upstream):
    upstream.go_on.clear()
    with (
        proxy.client(proxy.token) as client,
        concurrent.futures.ThreadPoolExecutor(12) as threads,
    ):
        asked = [
            threads.submit(client.post, PATH, content=b"wait")
            for _ in range(12)
        ]
        refused = concurrent.futures.as_completed(asked, timeout=30)
        assert [next(refused).result().status_code for _ in range(4)] == [
            429
        ] * 4
        upstream.go_on.set()
        assert [each.result().status_code for each in refused] == [200] * 8


def test_all_clients_together_fit_into_the_place_of_the_bodies(
    upstream, tmp_path
):
    proxy = Proxy(tmp_path, upstream.rest, upstream.grpc)
    tokens = [proxy.token]
    tokens += [new_token(tmp_path, f"camera-{each}") for each in (2, 3)]
    upstream.go_on.clear()
    with (
        proxy.running(),
        concurrent.futures.ThreadPoolExecutor(24) as threads,
    ):

        def ask(token):
            with proxy.client(token) as client:
                return client.post(PATH, content=b"wait" + bytes(MIB))

        asked = [threads.submit(ask, each) for each in tokens * 8]
        answers = concurrent.futures.as_completed(asked, timeout=60)
        refused = [next(answers).result().status_code for _ in range(8)]
        assert refused == [429] * 8
        upstream.go_on.set()
        assert [each.result().status_code for each in answers] == [200] * 16
    assert "buffered to a temporary file" in proxy.log()


def test_the_place_of_the_bodies_is_large_enough():
    (body,) = re.findall(r"client_max_body_size (\d+)m;", CONFIG)
    (at_once,) = re.findall(r"limit_conn rest (\d+);", CONFIG)
    needed = int(body) * int(at_once)
    compose = yaml.safe_load((DEPLOY / "docker-compose.yml").read_text())
    service = compose["services"]["proxy"]
    (place,) = service["tmpfs"]
    size = int(re.fullmatch(r"/tmp:size=(\d+)m", place)[1])
    assert needed < size
    # A tmpfs counts as the container's memory; nginx needs some too.
    assert size + 128 <= int(service["mem_limit"].removesuffix("m"))
    text = (DEPLOY / "kubernetes/serving.yaml").read_text()
    (deployment,) = (
        each
        for each in yaml.safe_load_all(text)
        if each["kind"] == "Deployment"
    )
    (volume,) = (
        each
        for each in deployment["spec"]["template"]["spec"]["volumes"]
        if each["name"] == "proxy-tmp"
    )
    assert needed < int(volume["emptyDir"]["sizeLimit"].removesuffix("Mi"))


def test_bodies_have_a_bound(proxy, upstream):
    with proxy.client(proxy.token) as client:
        assert client.post(PATH, content=bytes(64 * MIB)).status_code == 200
        length = {"content-length": 64 * MIB + 1}
        assert proxy.raw(PATH, proxy.token, **length) == 413

        def pieces():
            for _ in range(65):
                yield bytes(MIB)

        try:
            assert client.post(PATH, content=pieces()).status_code == 413
        except httpx.WriteError:
            # nginx ended the connection before everything was sent.
            assert "too large" in proxy.log()
    assert call(proxy, proxy.token, bytes(16 * MIB)) == "OK"
    assert call(proxy, proxy.token, bytes(65 * MIB)) != "OK"
    assert max(size for _, _, size in upstream.seen) == 64 * MIB
    # Nothing stays behind.
    assert not list((proxy.folder / "tmp/body").iterdir())


def test_running_requests_end_before_the_proxy_does(upstream, tmp_path):
    proxy = Proxy(tmp_path, upstream.rest, upstream.grpc)
    upstream.seen.clear()
    upstream.go_on.clear()
    with (
        proxy.running() as process,
        concurrent.futures.ThreadPoolExecutor(2) as threads,
        proxy.client(proxy.token) as client,
    ):
        asked = threads.submit(client.post, PATH, content=b"wait")
        called = threads.submit(call, proxy, proxy.token, b"wait")
        end = time.monotonic() + 20
        while len(upstream.seen) < 2 and time.monotonic() < end:
            time.sleep(0.02)
        # As `nginx -s quit` and the compose file's stop_signal.
        process.send_signal(signal.SIGQUIT)
        time.sleep(0.5)
        with pytest.raises(httpx.ConnectError), proxy.client() as stranger:
            stranger.get(PATH)
        upstream.go_on.set()
        assert asked.result().status_code == 200
        assert called.result() == "OK"
        assert process.wait(20) == 0


@pytest.mark.parametrize("kind", ["https", "grpcs"])
def test_the_client_behind_the_proxy(kind, tmp_path, model_server):
    proxy = Proxy(tmp_path, model_server.rest_port, model_server.grpc_port)
    address = f"{kind}://localhost:{proxy.port}"
    frames = {"frames": np.zeros((1, 5, 4, 4, 3), np.uint8)}

    def ask(token):
        target = transport.Target(
            "lgn_net",
            token=token,
            ca_file=tmp_path / "secrets/tls.crt",
            tries=1,
        )
        with transport.connect(address, target) as server:
            return server.predict("", frames)

    with proxy.running():
        assert np.isfinite(ask(proxy.token)["psnr"]).all()
        with pytest.raises(transport.ServingError, match=r"401|UNAUTHENT"):
            ask(proxy.token.upper())


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_curl_over_both_versions_of_http(proxy, version):
    known = subprocess.run(["curl", "-V"], capture_output=True, text=True)
    if version == "--http2" and "HTTP2" not in known.stdout:
        pytest.skip("curl without HTTP/2 here")
    done = subprocess.run(
        [
            *("curl", "-sS", version, "--cacert", "secrets/tls.crt"),
            *("-H", f"Authorization: Bearer {proxy.token}"),
            *("-w", "%{http_version} %{http_code}", "-o", "/dev/null"),
            f"https://localhost:{proxy.port}{PATH}",
        ],
        cwd=proxy.folder,
        capture_output=True,
        text=True,
    )
    assert done.stdout == {"--http1.1": "1.1 200", "--http2": "2 200"}[version]

"""The shipped proxy, run by nginx: who gets in, and to what."""

import re
import shutil
import signal
import subprocess
import time

import crossplane
import httpx
import numpy as np
import pytest

from lgn_client import transport
from lgn_serving.protocols.rest import METRICS_PATH
from tests.serving.deploy import proxy as shipped
from tests.serving.deploy.proxy import PATH, Proxy, new_token

pytestmark = shipped.needed


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
        assert proxy.call(token) == "UNAUTHENTICATED"
    assert not upstream.seen
    assert proxy.call(proxy.token, b"12345") == "OK"
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
        found = proxy.call(proxy.token, service=service, method=method)
        assert found == "UNIMPLEMENTED"
    assert not upstream.seen


def test_the_health_check_needs_no_token_and_leads_nowhere(proxy, upstream):
    base = f"http://127.0.0.1:{proxy.health}"
    with httpx.Client(base_url=base, trust_env=False) as client:
        assert client.get("/healthz").status_code == 200
        for path in (PATH, METRICS_PATH, "/"):
            assert client.get(path).status_code == 404
    assert not upstream.seen


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

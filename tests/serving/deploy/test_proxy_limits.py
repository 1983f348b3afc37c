"""The limits of the shipped proxy, run by nginx: how often, and how much."""

import collections
import concurrent.futures
import contextlib
import re
import resource
import signal
import socket
import subprocess
import time

import httpx
import pytest
import yaml

from tests.serving.deploy import proxy as shipped
from tests.serving.deploy.proxy import DEPLOY, MIB, PATH, Proxy, new_token

CONFIG = (DEPLOY / "proxy/nginx.conf").read_text()

pytestmark = shipped.needed


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
    found = collections.Counter(proxy.call("wrong") for _ in range(60))
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
    nginx = memory_of_nginx()
    assert size + nginx <= int(service["mem_limit"].removesuffix("m"))
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
    (container,) = (
        each
        for each in deployment["spec"]["template"]["spec"]["containers"]
        if each["name"] == "proxy"
    )
    limit = container["resources"]["limits"]["memory"]
    assert nginx <= int(limit.removesuffix("Mi"))


def number(name):
    (found,) = re.findall(rf"{name} (\d+);", CONFIG)
    return int(found)


def memory_of_nginx():
    """Returns what all connections take, in MiB, and 64 besides."""
    places = number("worker_processes") * number("worker_connections")
    return 64 + places * 48 // 1024


def test_there_are_files_for_all_connections():
    files = number("worker_rlimit_nofile")
    assert files >= number("worker_connections") + 100
    compose = yaml.safe_load((DEPLOY / "docker-compose.yml").read_text())
    assert compose["services"]["proxy"]["ulimits"]["nofile"] >= files


@pytest.fixture
def many_files():
    """Lets this process open as many files as the test needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4000:
        pytest.skip("too few files may be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
def test_unfinished_handshakes_leave_a_place(proxy):
    address = ("127.0.0.1", proxy.port)
    with contextlib.ExitStack() as opened:
        for _ in range(2300):
            line = socket.create_connection(address, 10)
            opened.enter_context(line)
            # The first bytes of a handshake.
            line.sendall(b"\x16\x03\x01\x02\x00\x01")
        assert statuses(proxy, 5, proxy.token)[0] == {200: 5}
        # They do not stay.
        line.settimeout(30)
        with contextlib.suppress(ConnectionResetError):
            assert line.recv(1) == b""
    assert "not enough" not in proxy.log()


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
    assert proxy.call(proxy.token, bytes(16 * MIB)) == "OK"
    assert proxy.call(proxy.token, bytes(65 * MIB)) != "OK"
    assert max(size for _, _, size in upstream.seen) == 64 * MIB
    # Nothing stays behind.
    assert not list((proxy.folder / "tmp/body").iterdir())


@pytest.mark.parametrize("way", ["the signal of compose", "nginx -s quit"])
def test_running_requests_end_before_the_proxy_does(upstream, tmp_path, way):
    proxy = Proxy(tmp_path, upstream.rest, upstream.grpc)
    upstream.seen.clear()
    upstream.go_on.clear()
    with (
        proxy.running() as process,
        concurrent.futures.ThreadPoolExecutor(2) as threads,
        proxy.client(proxy.token) as client,
    ):
        asked = threads.submit(client.post, PATH, content=b"wait")
        called = threads.submit(proxy.call, proxy.token, b"wait")
        end = time.monotonic() + 20
        while len(upstream.seen) < 2 and time.monotonic() < end:
            time.sleep(0.02)
        if way == "nginx -s quit":
            subprocess.run(proxy.command("-s", "quit"), check=True)
        else:
            process.send_signal(signal.SIGQUIT)
        time.sleep(0.5)
        with pytest.raises(httpx.ConnectError), proxy.client() as stranger:
            stranger.get(PATH)
        upstream.go_on.set()
        assert asked.result().status_code == 200
        assert called.result() == "OK"
        assert process.wait(20) == 0

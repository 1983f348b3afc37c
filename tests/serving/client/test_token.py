"""The token goes to the named server alone, and never in plain text."""

import socket

import numpy as np
import pytest

from lgn_client import client, transport
from lgn_client.retries import ServingError
from tests.serving import listeners

TOKEN = "5ecret" * 10
INPUTS = {"x": np.zeros(1)}


def connect(address, token=TOKEN):
    return transport.connect(address, transport.Target("m", token=token))


@pytest.mark.parametrize("kind", ["http", "grpc"])
@pytest.mark.parametrize(
    "host",
    [
        *("host", "10.0.0.1:8501", "0.0.0.0:1", "[::2]:80", "2130706433"),
        *("localhost.example.com", "127.0.0.1.example.com:80"),
        *("localhost%2eexample.com", "127.0.0.2.nip.io"),
    ],
)
def test_plain_text_is_refused(kind, host):
    address = f"{kind}://{host}"
    with pytest.raises(ValueError, match=f"plain text: use {kind}s://") as info:
        connect(address)
    assert address in str(info.value) and TOKEN not in str(info.value)
    # Without a token it is not the client's business.
    connect(address, None).close()
    connect(f"{kind}s://{host}").close()


@pytest.mark.parametrize("kind", ["http", "grpc"])
@pytest.mark.parametrize(
    "host", ["localhost:1", "LOCALHOST", "127.0.0.1:8501", "127.8.0.1", "[::1]"]
)
def test_this_machine_is_an_exception(kind, host):
    connect(f"{kind}://{host}").close()


@pytest.mark.parametrize(
    "address",
    [
        *("http://localhost@example.com", "http://localhost:1@example.com"),
        *("http://example.com#@localhost", "http://example.com?@localhost"),
        *("http://example.com\\@localhost", "http://localhost\\@example.com"),
        *("grpc://localhost@example.com:80", "grpc://localhost,example.com:80"),
        *("grpc://localhost/example.com", "grpc://dns:///example.com:80"),
        *("grpc://localhost?example.com", "grpc://ipv4:80"),
    ],
)
def test_addresses_that_look_like_this_machine(address):
    with pytest.raises(ValueError, match=r"plain text|must (be|have)"):
        connect(address)


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_the_command_says_so_in_one_line(kind, monkeypatch, capsys):
    monkeypatch.setenv("LGN_TOKEN", TOKEN)
    address = f"{kind}://example.com:8501"
    assert client.main(["v.avi", "--server", address]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        f"lgn_client: a token must not travel in plain text: use {kind}s://, "
        f"or send none (LGN_TOKEN). Received: {address}"
    )


def test_an_empty_variable_is_no_token(monkeypatch, capsys):
    monkeypatch.setenv("LGN_TOKEN", "")
    address = "http://example.com:8501"
    assert client.main(["nowhere.avi", "--server", address]) == 2
    assert "nowhere.avi: not a readable video" in capsys.readouterr().err


@pytest.mark.parametrize("token", ["", "a b", "a\n", "a\r\nb: c", "ä", "\0"])
def test_a_token_that_is_none(token):
    for kind in ("https", "grpcs"):
        with pytest.raises(ValueError, match="must be printable ASCII"):
            connect(f"{kind}://host", token)


def test_a_target_does_not_print_its_token():
    assert TOKEN not in repr(transport.Target("m", token=TOKEN))


class Redirecting(listeners.Handler):
    """Sends everybody to `place`; what it saw stands in `seen`."""

    seen = ()
    place = ""
    status = 307

    def do_POST(self):
        type(self).seen = (*self.seen, self.path)
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(self.status)
        self.send_header("location", self.place)
        self.send_header("content-length", "0")
        self.end_headers()

    do_GET = do_POST


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status, monkeypatch):
    monkeypatch.setattr(Redirecting, "seen", ())
    monkeypatch.setattr(Redirecting, "status", status)
    with (
        listeners.over_http(Redirecting) as port,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        place = f"http://localhost:{other.getsockname()[1]}/"
        monkeypatch.setattr(Redirecting, "place", place)
        with connect(f"http://127.0.0.1:{port}") as opened:
            with pytest.raises(ServingError, match=f"not followed: {place}"):
                opened.predict("", INPUTS)
        assert len(Redirecting.seen) == 1
        other.settimeout(0.2)
        with pytest.raises(TimeoutError):
            other.accept()


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_no_proxy_is_asked_for_this_machine(kind, monkeypatch):
    """The proxy of the environment would read the token."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        place = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        for name in ("http_proxy", "HTTP_PROXY", "grpc_proxy", "all_proxy"):
            monkeypatch.setenv(name, place)
        target = transport.Target("m", token=TOKEN, tries=1, timeout=3)
        with transport.connect(f"{kind}://127.0.0.1:1", target) as opened:
            with pytest.raises(ServingError, match="UNAVAILABLE"):
                opened.predict("", INPUTS)
        proxy.settimeout(0.2)
        with pytest.raises(TimeoutError):
            proxy.accept()

"""Starts nginx with the shipped file, and secrets by the README's commands."""

import contextlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path

import grpc
import httpx
import pytest

PATH = "/v1/models/lgn_net"
MIB = 2**20
DEPLOY = Path(__file__).parents[3] / "serving/deploy"
README = (DEPLOY / "README.md").read_text()
CERTIFICATE, TOKEN = re.findall(
    r"```bash\n(.*?openssl.*?)```",
    README.split("## Secrets")[1].split("## ")[0],
    re.DOTALL,
)


def bash(command, folder):
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def new_token(folder, name):
    """Adds a client by the documented command; returns its token."""
    assert TOKEN.count("camera-1") == 1
    return bash(TOKEN.replace("camera-1", name), folder).strip()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


needed = pytest.mark.skipif(
    not (shutil.which("nginx") and shutil.which("openssl")),
    reason="no nginx or no openssl here",
)


class Proxy:
    """The shipped proxy on this machine.

    Attributes:
        folder: with `secrets`, and `tmp` for the bodies.
        port: where it asks for a token.
        health: where it does not.
    """

    def __init__(self, folder, rest, grpc):
        self.folder = folder
        self.port, self.health = free_port(), free_port()
        (folder / "tmp").mkdir()
        bash(CERTIFICATE, folder)
        self.token = new_token(folder, "camera-1")
        self.config = folder / "nginx.conf"
        self.config.write_text(self._configuration(rest, grpc))
        self.trust = ssl.create_default_context(
            cafile=folder / "secrets/tls.crt"
        )

    def _configuration(self, rest, grpc):
        text = (DEPLOY / "proxy/nginx.conf").read_text()
        for old, new in (
            # First, for the folder may lie in /tmp.
            ("/tmp/", f"{self.folder}/tmp/"),
            ("/run/secrets/", f"{self.folder}/secrets/"),
            ("serving:8501", f"127.0.0.1:{rest}"),
            ("serving:8500", f"127.0.0.1:{grpc}"),
            ("listen 8443", f"listen 127.0.0.1:{self.port}"),
            ("listen 8080", f"listen 127.0.0.1:{self.health}"),
        ):
            assert old in text
            text = text.replace(old, new)
        return text

    def command(self, *more):
        directives = "daemon off;"
        if os.geteuid() == 0:
            # Otherwise the workers are nobody, who cannot enter the folder.
            directives += " user root;"
        return [
            *("nginx", "-p", self.folder, "-c", self.config),
            *("-e", "stderr", "-g", directives, *more),
        ]

    def checked(self):
        """Returns what `nginx -t` says."""
        return subprocess.run(
            self.command("-t"), capture_output=True, text=True
        )

    @contextlib.contextmanager
    def running(self):
        """Yields the process."""
        with (self.folder / "error.log").open("w") as log:
            process = subprocess.Popen(self.command(), stderr=log)
            try:
                self._wait()
                yield process
            finally:
                process.terminate()
                process.wait()

    def _wait(self):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            time.sleep(0.02)
        raise AssertionError((self.folder / "error.log").read_text())

    def client(self, token=None, **options):
        """Returns a client, with a token or without one."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(
            base_url=f"https://127.0.0.1:{self.port}",
            headers=headers,
            verify=self.trust,
            trust_env=False,
            timeout=30,
            **options,
        )

    def raw(self, path, token=None, **headers):
        """Returns the status of a request without its body, sent as it is."""
        lines = [f"POST {path} HTTP/1.1", "host: localhost"]
        lines += [f"authorization: Bearer {token}"] if token else []
        lines += [f"{key}: {value}" for key, value in headers.items()]
        address = ("127.0.0.1", self.port)
        with (
            socket.create_connection(address, 10) as plain,
            self.trust.wrap_socket(plain, server_hostname="localhost") as link,
        ):
            link.sendall("\r\n".join([*lines, "", ""]).encode())
            return int(link.recv(2**12).split()[1])

    def call(
        self, token, body=b"", service="PredictionService", method="Predict"
    ):
        """Returns the name of the status of a call of gRPC."""
        trust = grpc.ssl_channel_credentials(
            (self.folder / "secrets/tls.crt").read_bytes()
        )
        options = [
            ("grpc.enable_http_proxy", 0),
            ("grpc.max_send_message_length", -1),
        ]
        metadata = token and (("authorization", f"Bearer {token}"),)
        place = f"127.0.0.1:{self.port}"
        with grpc.secure_channel(place, trust, options) as opened:
            name = f"/tensorflow.serving.{service}/{method}"
            try:
                opened.unary_unary(name)(body, metadata=metadata, timeout=30)
            except grpc.RpcError as error:
                return error.code().name
        return "OK"

    def log(self):
        """Returns what nginx has written on stderr."""
        return (self.folder / "error.log").read_text()

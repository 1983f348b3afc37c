"""Connects to a model server, over REST or gRPC.

Example:
    target = transport.Target("lgn_net")
    with transport.connect("http://127.0.0.1:8501", target) as server:
        outputs = server.predict("score_encoded", {"encoded_frames": files})
"""

import ipaddress
import re
import urllib.parse

import httpx

from lgn_client.grpc_api import GrpcServer
from lgn_client.rest import RestServer
from lgn_client.retries import ServingError
from lgn_client.server import Arrays, Server, Target

__all__ = ["Arrays", "Server", "ServingError", "Target", "connect"]


def connect(address: str, target: Target) -> Server:
    """Returns a connection to a server.

    Args:
        address: "http://host:port" or "https://host:port" for REST,
            "grpc://host:port" or "grpcs://host:port" for gRPC.
        target: the model, and the patience of the client.

    Example:
        >>> server = connect("grpc://127.0.0.1:8500", Target("lgn_net"))
        >>> server.close()

    Raises:
        ValueError: for an address of another kind, without a host or with a
            port that is none; for a version and a label; for a token that is
            none, or that would travel in plain text to another machine.
        OSError: where `ca_file` cannot be read.
    """
    if target.version is not None and target.label is not None:
        raise ValueError("only one of `version` and `label` may be given")
    kind, separator, place = address.partition("://")
    if not separator or kind not in ("http", "https", "grpc", "grpcs"):
        raise ValueError(
            "an address must start with http://, https://, grpc:// or "
            f"grpcs://. Received: {address}"
        )
    host = _host(address)
    if kind.startswith("grpc") and re.search(r"[/@?#]", place):
        raise ValueError(
            f"an address of gRPC must be {kind}://host:port. "
            f"Received: {address!r}"
        )
    encrypted = kind in ("https", "grpcs")
    local = _is_local(host)
    if target.token is not None:
        _check_token(target.token)
        if not encrypted and not local:
            raise ValueError(
                "a token must not travel in plain text: use "
                f"{kind}s://, or send none (LGN_TOKEN). Received: {address}"
            )
    # A proxy of the environment is asked for other machines alone.
    if kind in ("http", "https"):
        return RestServer(address, target, use_proxy=not local)
    return GrpcServer(place, target, encrypted=encrypted, use_proxy=not local)


def _check_token(token: str) -> None:
    # Not quoted: an error may end in a log.
    if not re.fullmatch(r"[!-~]+", token):
        raise ValueError(
            "a token must be printable ASCII without blanks. "
            f"Received: {len(token)} characters with others among them"
        )


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host(address: str) -> str:
    """Returns the host of an address, in small letters."""
    try:
        # Each of the two parsers accepts addresses that the other refuses.
        host = httpx.URL(address).host
        parts = urllib.parse.urlsplit(address)
        if parts.port == 0 or not parts.hostname:
            raise ValueError("no host, or port 0")
        if "\\" in address:
            raise ValueError("a backslash")
    except (httpx.InvalidURL, ValueError) as error:
        raise ValueError(
            "an address must have a host, and a port from 1 to 65535 or none: "
            f"{error}. Received: {address!r}"
        ) from None
    return host

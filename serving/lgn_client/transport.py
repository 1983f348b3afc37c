"""Connects to a model server, over REST or gRPC.

Example:
    target = transport.Target("lgn_net")
    with transport.connect("http://127.0.0.1:8501", target) as server:
        outputs = server.predict("score_encoded", {"encoded_frames": files})
"""

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
            port that is none, or for a version and a label.
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
    _check_place(address)
    if kind in ("http", "https"):
        return RestServer(address, target)
    return GrpcServer(place, target, encrypted=kind == "grpcs")


def _check_place(address: str) -> None:
    try:
        # Each of the two parsers accepts addresses that the other refuses.
        httpx.URL(address)
        parts = urllib.parse.urlsplit(address)
        if parts.port == 0 or not parts.hostname:
            raise ValueError("no host, or port 0")
    except (httpx.InvalidURL, ValueError) as error:
        raise ValueError(
            "an address must have a host, and a port from 1 to 65535 or none: "
            f"{error}. Received: {address!r}"
        ) from None

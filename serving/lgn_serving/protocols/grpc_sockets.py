"""Ends a connection of gRPC.

gRPC for Python has no such call, and no way to end a stream whose answer waits
for its client: that answer stays in memory as long as the connection is open.
"""

import ipaddress
import os
import socket
import stat
from pathlib import Path
from urllib.parse import unquote

Address = tuple[str, int]


def address_of(peer: str) -> Address | None:
    """Returns the host and port of a client as gRPC names it.

    Args:
        peer: "ipv4:127.0.0.1:40000" or "ipv6:%5B::1%5D:40000", for example.

    Returns:
        None where it names no address of the Internet.
    """
    _, _, place = unquote(peer).partition(":")
    host, _, port = place.rpartition(":")
    try:
        return _plain(host.strip("[]")), int(port)
    except ValueError:
        return None


def hang_up(peer: str, port: int) -> bool:
    """Ends the connection of a client.

    Args:
        peer: the client, as `context.peer()` names it.
        port: the port of this server.

    Returns:
        Whether there was such a connection.
    """
    wanted = address_of(peer)
    if wanted is None:
        return False
    # A system may keep this folder from the process.
    for path in Path("/dev/fd").glob("*"):
        number = int(path.name)
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                # A copy stays the same socket whoever closes the other.
                with socket.socket(fileno=os.dup(number)) as line:
                    if _ends(line) == (wanted, port):
                        line.shutdown(socket.SHUT_RDWR)
                        return True
        except OSError:
            # It is closed by now, or it has no other end.
            continue
    return False


def _ends(line: socket.socket) -> tuple[Address, int] | None:
    """Returns the client and the port of the server."""
    if line.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    host, client = line.getpeername()[:2]
    return (_plain(host), client), line.getsockname()[1]


def _plain(host: str) -> str:
    """Returns an address in one form, whatever family its socket has."""
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)

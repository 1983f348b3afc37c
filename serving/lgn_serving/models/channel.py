"""Values between two processes, over a stream socket.

Values are pickled. The contents of arrays travel beside the pickle, so that
they are neither copied into it nor out of it. Both ends must trust each other.
"""

import pickle
import socket
import struct
from typing import Any

import numpy as np

_COUNT = struct.Struct("!I")


def send(line: socket.socket, value: Any) -> None:
    """Sends a value.

    Raises:
        OSError: where the other end is closed.
    """
    arrays: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, 5, buffer_callback=arrays.append)
    bodies = [each.raw() for each in arrays]
    sizes = (len(head), *(body.nbytes for body in bodies))
    prefix = _COUNT.pack(len(sizes)) + struct.pack(f"!{len(sizes)}Q", *sizes)
    line.sendall(prefix + head)
    for body in bodies:
        line.sendall(body)


def receive(line: socket.socket) -> Any:
    """Returns the next value.

    Raises:
        EOFError: where the other end is closed.
        OSError: where the connection is broken.
    """
    (count,) = _COUNT.unpack(_read(line, _COUNT.size))
    sizes = struct.unpack(f"!{count}Q", _read(line, 8 * count))
    head, *bodies = (_read(line, size) for size in sizes)
    return pickle.loads(head, buffers=bodies)


def _read(line: socket.socket, size: int) -> memoryview:
    # Unlike a bytearray, it is not filled with zeros first.
    whole = np.empty(size, np.uint8).data
    missing = whole
    while missing:
        count = line.recv_into(missing)
        if not count:
            raise EOFError("the other end is closed")
        missing = missing[count:]
    return whole

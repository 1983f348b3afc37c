"""A program that has imported TensorFlow, and forks into the worker processes.

    python -m lgn_serving.models.fork_server SOCKET

It imports and runs nothing else. Therefore a worker starts in milliseconds,
shares the pages of the libraries with the others, and inherits no thread, lock
or file of the server. `lgn_serving.models.launcher` starts it and talks to
it: each message is a number. 0 comes with the socket of a new worker, and the
answer is its process id. Any other number is the id of a worker that must end,
and the answer is its exit code.
"""

import contextlib
import gc
import os
import signal
import socket
import struct
import sys
import threading
import traceback

from lgn_serving import allocator

NUMBER = struct.Struct("!q")
_LOOK = 1.0
"""Seconds between two looks whether the server is still there."""


def main() -> None:
    """Obeys until the server is gone; then ends all workers."""
    line = socket.socket(fileno=int(sys.argv[1]))
    server = os.getppid()
    # A terminal and a supervisor signal the whole group, and the server drains
    # its requests first.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    allocator.give_back_large_blocks()
    imported = threading.Event()
    guard = threading.Thread(target=_guard, args=(server, imported))
    guard.start()
    _import()
    imported.set()
    # A fork takes no thread along.
    guard.join()
    line.settimeout(_LOOK)
    # Where the server has forked, its end of the line can outlive it.
    while os.getppid() == server:
        try:
            message, files, *_ = socket.recv_fds(line, NUMBER.size, 1)
        except TimeoutError:
            continue
        except OSError:
            break
        if not message:
            break
        (process,) = NUMBER.unpack(message)
        answer = _end(process) if process else _fork(line, files[0])
        line.sendall(NUMBER.pack(answer))
    os.killpg(0, signal.SIGKILL)


def _guard(server: int, imported: threading.Event) -> None:
    """Ends the process where the server is gone before all is imported."""
    while not imported.wait(_LOOK):
        if os.getppid() != server:
            os.killpg(0, signal.SIGKILL)


def _import() -> None:
    """Imports what a worker needs, and starts no thread of TensorFlow's."""
    import grpc  # noqa: F401
    import tensorflow as tf
    from tensorflow.python.client import pywrap_tf_session  # noqa: F401
    from tensorflow_serving.apis import prediction_log_pb2  # noqa: F401

    from lgn_serving.models import worker  # noqa: F401

    # TensorFlow imports these when they are first looked at.
    _ = (tf.compat.v1.Session, tf.compat.v1.saved_model.load, tf.data)
    # Otherwise the collector would write to every shared page.
    gc.collect()
    gc.freeze()


def _fork(line: socket.socket, file: int) -> int:
    from lgn_serving.models import worker

    process = os.fork()
    if process:
        os.close(file)
        return process
    try:
        line.close()
        worker.serve(socket.socket(fileno=file))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _end(process: int) -> int:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


if __name__ == "__main__":
    main()

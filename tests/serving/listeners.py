"""Servers of a few lines, which also end when a test fails."""

import concurrent.futures
import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc


class Handler(BaseHTTPRequestHandler):
    """One that writes nothing to standard error."""

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def over_http(handler):
    """Yields the port of a server.

    Args:
        handler: class, a `Handler`.
    """
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def over_grpc(answers):
    """Yields the port of a server.

    Args:
        answers: dict, full name of a service to a dict of its calls: name to
            the function that takes (bytes of a request, context) and returns
            the bytes of the answer.
    """
    with concurrent.futures.ThreadPoolExecutor(80) as threads:
        ways = ("send", "receive")
        sizes = [(f"grpc.max_{way}_message_length", -1) for way in ways]
        server = grpc.server(threads, options=sizes)
        for service, calls in answers.items():
            handlers = {
                name: grpc.unary_unary_rpc_method_handler(call)
                for name, call in calls.items()
            }
            handler = grpc.method_handlers_generic_handler(service, handlers)
            server.add_generic_rpc_handlers((handler,))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield port
        finally:
            server.stop(None).wait()

"""A model server that notes what reaches it, over both protocols."""

import concurrent.futures
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc

SERVICES = ("PredictionService", "ModelService")


class Upstream:
    """Answers every request, and holds those back that ask to `wait`.

    Attributes:
        seen: (method and path, authorization, bytes of the body) of each.
        go_on: lets those end that wait.
        rest: its port.
        grpc: its port.
    """

    def __init__(self):
        self.seen = []
        self.go_on = threading.Event()
        self.go_on.set()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self.rest = self._http.server_port
        threads = concurrent.futures.ThreadPoolExecutor(80)
        self._grpc = grpc.server(
            threads, options=[("grpc.max_receive_message_length", -1)]
        )
        for service in SERVICES:
            handler = grpc.unary_unary_rpc_method_handler(self._call(service))
            names = ("Predict", "HandleReloadConfigRequest")
            self._grpc.add_generic_rpc_handlers(
                (
                    grpc.method_handlers_generic_handler(
                        f"tensorflow.serving.{service}",
                        dict.fromkeys(names, handler),
                    ),
                )
            )
        self.grpc = self._grpc.add_insecure_port("127.0.0.1:0")

    def _note(self, what, authorization, body):
        self.seen.append((what, authorization, len(body)))
        if b"wait" in body[:10]:
            assert self.go_on.wait(30)

    def _call(self, service):
        def answer(body, context):
            given = dict(context.invocation_metadata())
            self._note(service, given.get("authorization"), body)
            return b"answer"

        return answer

    def _handler(self):
        note = self._note

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"] or 0))
                note(
                    f"{self.command} {self.path}",
                    self.headers["authorization"],
                    body,
                )
                self.send_response(200)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_GET = do_POST

            def log_message(self, *_):
                pass

        return Handler

    def __enter__(self):
        self._grpc.start()
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.05,)
        )
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.go_on.set()
        self._grpc.stop(None).wait()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

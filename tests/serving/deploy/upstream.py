"""A model server that notes what reaches it, over both protocols."""

import contextlib
import threading

from tests.serving import listeners

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
        self._opened = contextlib.ExitStack()

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

        class Handler(listeners.Handler):
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

        return Handler

    def __enter__(self):
        names = ("Predict", "HandleReloadConfigRequest")
        answers = {
            f"tensorflow.serving.{each}": dict.fromkeys(names, self._call(each))
            for each in SERVICES
        }
        self.rest = self._opened.enter_context(
            listeners.over_http(self._handler())
        )
        self.grpc = self._opened.enter_context(listeners.over_grpc(answers))
        return self

    def __exit__(self, *_):
        self.go_on.set()
        self._opened.close()

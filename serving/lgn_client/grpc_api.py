"""Predict requests over gRPC."""

import re

import grpc

from lgn_client import wire
from lgn_client.retries import Again, ServingError
from lgn_client.server import Arrays, Server, Target

_AGAIN = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)
_TOO_LARGE = "message larger than max"
# Of the answer. Requests are not compressed, and older releases do not say
# which of the two it was.
_ANSWER_TOO_LARGE = re.compile(f"(CLIENT: Received|Decompressed) {_TOO_LARGE}")


class GrpcServer(Server):
    """A server over gRPC.

    Args:
        place: "host:port".
        target: the model.
        encrypted: whether the connection is encrypted.
        use_proxy: whether the environment's `http_proxy` is used.
    """

    def __init__(
        self,
        place: str,
        target: Target,
        *,
        encrypted: bool,
        use_proxy: bool = True,
    ) -> None:
        """Connects when the first request is sent.

        Raises:
            OSError: where the certificates cannot be read.
        """
        super().__init__(place, target)
        options = [
            # It holds after a message is decompressed as well.
            ("grpc.max_receive_message_length", target.answer_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.enable_http_proxy", int(use_proxy)),
        ]
        if encrypted:
            roots = target.ca_file and target.ca_file.read_bytes()
            trust = grpc.ssl_channel_credentials(roots)
            self._channel = grpc.secure_channel(place, trust, options)
        else:
            self._channel = grpc.insecure_channel(place, options)
        self._call = self._channel.unary_unary(wire.METHOD)

    def predict(self, signature: str, inputs: Arrays) -> Arrays:
        """Asks an endpoint; see `Server.predict`."""
        target = self._target
        body = wire.request(
            target.model,
            signature,
            inputs,
            version=target.version,
            label=target.label,
        )

        def send(seconds: float) -> Arrays:
            try:
                answer = self._call(
                    body,
                    timeout=seconds,
                    metadata=target.authorization(),
                )
            except grpc.RpcError as error:
                text = error.details() or ""
                if _ANSWER_TOO_LARGE.search(text):
                    raise self._too_large() from error
                failure = ServingError(error.code().name, text)
                if error.code() in _AGAIN and _TOO_LARGE not in text:
                    raise Again(failure) from error
                raise failure from error
            try:
                return wire.response(answer)
            except ValueError as error:
                raise self.unusable(error) from None

        return self._retried(send)

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

"""Bounds on the requests of clients: bytes, seconds, rows, pixels."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Limits:
    """Bounds of the server.

    Attributes:
        body_bytes: size of the largest request.
        buffered_bytes: size of all requests that are being read or answered.
        answer_bytes: that each protocol holds of answers until their clients
            have taken them; a larger answer may go alone.
        in_flight: number of requests that are answered at the same time.
        connections: number of open connections of each protocol.
        header_seconds: time from connecting to the end of the headers.
        body_seconds: time for the body of a request, or for a gRPC message.
        least_rate: bytes a second that a body must bring, and that the reader
            of an answer must take.
        rate_seconds: time over which that rate is measured, and that is given
            before it is measured first.
        grpc_readers: gRPC streams whose message may arrive for longer than a
            second; each may take `body_bytes` of memory.
        request_seconds: time for an answer, where the client sets no shorter
            one.
        drain_seconds: time that running requests get after SIGTERM.
        rows: of the largest request.
        pixels: of all frames and pictures of the largest request.
        memory_bytes: that all running requests may need inside their graphs.
    """

    body_bytes: int = 64 * 2**20
    buffered_bytes: int = 256 * 2**20
    answer_bytes: int = 256 * 2**20
    in_flight: int = 64
    connections: int = 1000
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    least_rate: int = 2**16
    rate_seconds: float = 5.0
    grpc_readers: int = 16
    request_seconds: float = 300.0
    drain_seconds: float = 30.0
    rows: int = 8192
    pixels: int = 700_000_000
    memory_bytes: int = 4 * 2**30

    def __post_init__(self) -> None:
        """Refuses bounds that no request could meet."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value <= 0:
                raise ValueError(
                    f"`{field.name}` must be positive. "
                    f"Received: {field.name}={value}"
                )

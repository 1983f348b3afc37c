"""Counters and latencies, under TensorFlow Serving's names."""

import prometheus_client

_BUCKETS = tuple(10 * 1.8**power for power in range(33))
"""Bounds of the buckets in microseconds; TensorFlow Serving's own."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The counters of one server.

    Attributes:
        requests: requests, by `model_name` and `status`.
        latency: microseconds of a request, by `model_name`, `API` and
            `entrypoint`.
        runtime: microseconds of running the graph, by `model_name`, `API` and
            `runtime`.
        in_flight: requests of both protocols that are being answered.
    """

    def __init__(self) -> None:
        """Starts at zero, in a registry of its own."""
        self._registry = prometheus_client.CollectorRegistry()
        self.requests = prometheus_client.Counter(
            ":tensorflow:serving:request_count",
            "The total number of requests.",
            ("model_name", "status"),
            registry=self._registry,
        )
        self.latency = prometheus_client.Histogram(
            ":tensorflow:serving:request_latency",
            "Distribution of wall time (in microseconds) for requests.",
            ("model_name", "API", "entrypoint"),
            registry=self._registry,
            buckets=_BUCKETS,
        )
        self.runtime = prometheus_client.Histogram(
            ":tensorflow:serving:runtime_latency",
            "Distribution of wall time (in microseconds) for the runtime.",
            ("model_name", "API", "runtime"),
            registry=self._registry,
            buckets=_BUCKETS,
        )
        self.in_flight = prometheus_client.Gauge(
            "lgn_serve_requests_in_flight",
            "Requests that the embedded server is answering.",
            registry=self._registry,
        )

    def running(self) -> int:
        """Returns the number of requests that are being answered."""
        name = "lgn_serve_requests_in_flight"
        return int(self._registry.get_sample_value(name) or 0)

    def text(self) -> bytes:
        """Returns the page that Prometheus reads."""
        page = prometheus_client.generate_latest(self._registry)
        # The library ends counters in `_total` and adds times of creation;
        # TensorFlow Serving does neither.
        lines = [
            line.replace(b"request_count_total", b"request_count")
            for line in page.splitlines()
            if b"_created" not in line
        ]
        return b"\n".join(lines) + b"\n"

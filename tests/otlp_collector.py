"""A collector of traces that takes OTLP over HTTP, as the real ones do, and keeps what it gets."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

DEADLINE_SECONDS = 60


@dataclass(frozen=True)
class SeenSpan:
    name: str
    trace: str
    span: str
    parent: str
    seconds: tuple[float, float]
    attributes: dict[str, Any]


@dataclass
class Collector:
    url: str
    spans: list[SeenSpan] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)

    def named(self, *names: str) -> dict[str, SeenSpan]:
        """The newest span of each name, once all of them have come."""
        end = time.monotonic() + DEADLINE_SECONDS
        while not {span.name for span in self.spans} >= set(names):
            assert time.monotonic() < end, f"{names} wanted, found {self.spans}"
            time.sleep(0.02)
        return {span.name: span for span in self.spans}

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append(_attributes(resource.resource))
            for scope in resource.scope_spans:
                self.spans += [_seen(span) for span in scope.spans]


@contextmanager
def collecting() -> Iterator[Collector]:
    """Takes spans while the context lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing: a test's output is no place for it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector = Collector(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _seen(span: Any) -> SeenSpan:
    times = (span.start_time_unix_nano / 1e9, span.end_time_unix_nano / 1e9)
    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
    return SeenSpan(span.name, *ids, times, _attributes(span))


def _attributes(of: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in of.attributes}

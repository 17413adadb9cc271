"""The port that Prometheus asks, when others come to it: real sockets."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
from prometheus_client import CollectorRegistry, Gauge

from free_ports import free_port
from plimsoll_server.errors import StartError
from plimsoll_server.metrics_port import MetricsPort

SECONDS = 30.0
MANY = 200


@contextmanager
def metrics_port(seconds: float = SECONDS) -> Iterator[int]:
    registry = CollectorRegistry()
    # Far more than a socket's buffers hold.
    wide = Gauge("wide", "Long series", ["number"], registry=registry)
    for number in range(1_000):
        wide.labels(f"{number:020000}")
    port = free_port()
    metrics = MetricsPort(registry, "127.0.0.1", port, seconds=seconds)
    try:
        yield port
    finally:
        metrics.close()


def connected(port: int, held: ExitStack) -> socket.socket:
    return held.enter_context(socket.create_connection(("127.0.0.1", port), SECONDS))


def scraped(port: int) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    connection.request("GET", "/metrics?name[]=wide", headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    assert answer.read()
    return answer


def test_a_scrape_is_answered_beside_many_connections_that_ask_nothing_and_take_no_threads() -> None:
    with metrics_port() as port, ExitStack() as held:
        threads = threading.active_count()
        silent = [connected(port, held) for _ in range(MANY)]
        answer = scraped(port)
        assert (answer.status, answer.getheader("Connection")) == (200, "close")
        assert "text/plain" in str(answer.getheader("Content-Type"))
        assert threading.active_count() == threads
        over = 0
        for one in silent:
            one.settimeout(0.05)
            with suppress(TimeoutError):
                over += one.recv(1) == b""
        assert over >= MANY - 32


@pytest.mark.parametrize("sent", [b"", b"GET /metr", b"GET /metrics HTTP/1.1\r\nHost: pod\r\n\r\n"])
def test_a_connection_has_its_time_whether_it_asks_nothing_or_does_not_hear_the_answer_out(sent: bytes) -> None:
    with metrics_port(seconds=0.5) as port, ExitStack() as held:
        slow = connected(port, held)
        slow.sendall(sent)
        threading.Event().wait(2.0)
        received = 0
        with suppress(ConnectionResetError):
            while part := slow.recv(1 << 20):
                received += len(part)
        assert received < 10_000_000


def test_a_header_that_is_no_text_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with metrics_port() as port, ExitStack() as held:
        caller = connected(port, held)
        caller.sendall(b"GET /metrics HTTP/1.1\r\nHost: pod\r\nAccept: \xff\xfe\r\n\r\n")
        assert caller.recv(15) == b"HTTP/1.1 200 OK"
    assert caplog.records == []


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(StartError, match=f"port {port} .* set PLIMSOLL_METRICS_PORT to a free port"):
            MetricsPort(CollectorRegistry(), "127.0.0.1", port)

"""The client by which rollouts are measured: what it loses is lost, and is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cluster_kit import eventually
from traffic import Load, traffic

BODIES = [{"inputs": "tides"}]
HOLD_SECONDS = 0.02


class Handler(BaseHTTPRequestHandler):
    """Every third request is read and never answered; the connections of the others are kept."""

    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    asked: list[int]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        with self.lock:
            number = len(self.asked) + 1
            self.asked.append(number)
        if number % 3 == 0:
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.send_header("plimsoll-revision", "abc")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name that http.server gives it
        """Nobody reads it."""


@contextmanager
def forgetful_server() -> Iterator[tuple[str, list[int]]]:
    asked: list[int] = []
    with serving(type("Asked", (Handler,), {"asked": asked})) as url:
        yield url, asked


class Holding(BaseHTTPRequestHandler):
    """Counts how many requests it holds whenever one comes."""

    lock = threading.Lock()
    held: list[int]
    """One entry for each request that came: how many there were with it."""
    now = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        with self.lock:
            type(self).now += 1
            self.held.append(self.now)
        time.sleep(HOLD_SECONDS)
        with self.lock:
            type(self).now -= 1
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name that http.server gives it
        """Nobody reads it."""


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/predict"
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def test_a_request_that_is_never_answered_is_told_and_not_repeated(tmp_path: Path) -> None:
    with forgetful_server() as (url, asked), traffic(url, Load(BODIES, rate=100), tmp_path) as requests:
        requests.wait_for_more(40)
        answers = requests.end()
    assert len(answers) == len(asked)
    assert sum(not answer.good for answer in answers) == len(asked) // 3
    assert {answer.revision for answer in answers if answer.good} == {"abc"}
    assert {answer.kept for answer in answers} == {True, False}


def test_it_has_as_many_requests_under_way_as_it_was_last_told(tmp_path: Path) -> None:
    held: list[int] = []
    handler = type("Counting", (Holding,), {"held": held})
    with serving(handler) as url, traffic(url, Load(BODIES, rate=1_000, at_once=2), tmp_path) as requests:
        requests.wait_for_more(20)
        before = list(held)
        requests.ask_at_once(4)
        eventually(lambda: max(held) > 2, 60)
        requests.wait_for_more(20)
        requests.end()
    assert max(before) == 2
    assert max(held) == 4

"""The client by which rollouts are measured: what it loses is lost, and is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from traffic import Load, traffic

BODIES = [{"inputs": "tides"}]


class Handler(BaseHTTPRequestHandler):
    """Every third request is read and never answered; the connections of the others are kept."""

    protocol_version = "HTTP/1.1"
    asked: list[int]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append(len(self.asked))
        if len(self.asked) % 3 == 0:
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
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Asked", (Handler,), {"asked": asked}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/predict", asked
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

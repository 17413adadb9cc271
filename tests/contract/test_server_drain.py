"""The end of a server whose callers take no notice of it: whoever was let in is answered."""

from __future__ import annotations

import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from server_builders import random_model, server_config
from server_process import ServerProcess, environment, process

CALLERS = 4
BODY = json.dumps({"inputs": "near the sea " * 20}).encode()
HEAD = (
    b"POST /predict HTTP/1.1\r\nHost: server\r\nContent-Type: application/json\r\n"
    b"Content-Length: " + str(len(BODY)).encode() + b"\r\n\r\n"
)


class Callers:
    """Send one request after the other, each over a connection of its own, until nobody takes one any more."""

    def __init__(self, server: ServerProcess) -> None:
        self.outcomes: list[int | str] = []
        self.answered = threading.Event()
        self._server = server

    def call(self) -> None:
        while True:
            try:
                with httpx.Client(base_url=self._server.url, timeout=60, verify=False) as client:
                    answer = client.post("/predict", content=BODY, headers={"Content-Type": "application/json"})
            except httpx.ConnectError:
                return
            except httpx.TransportError as error:
                self.outcomes.append(repr(error))
                return
            self.outcomes.append(answer.status_code)
            self.answered.set()


def opened(server: ServerProcess, sent: bytes) -> socket.socket:
    """A connection that `sent` went over."""
    address = ("127.0.0.1", int(server.variables["PLIMSOLL_HTTP_PORT"]))
    connection = socket.create_connection(address, timeout=60)
    connection.sendall(sent)
    return connection


def heard(connection: socket.socket) -> bytes:
    """All that comes up to the connection's end."""
    with connection:
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_under_callers_that_never_stop_every_request_that_was_let_in_is_answered(tmp_path: Path) -> None:
    folder = random_model(tmp_path / "model", hidden_size=64, num_hidden_layers=4)
    config = server_config(folder, tiers=[{"name": "short", "maxTokens": 512, "concurrency": 8}])
    variables = environment(
        config,
        PLIMSOLL_CACHE_BYTES="0",
        PLIMSOLL_DRAIN_LINGER_SECONDS="0.5",
        PLIMSOLL_DRAIN_DEADLINE_SECONDS="1.5",
        PLIMSOLL_CONNECTION_MAX_AGE_SECONDS="600",
    )
    with process(tmp_path, variables) as server, ThreadPoolExecutor(CALLERS) as threads:
        server.until_ready()
        callers = Callers(server)
        running = [threads.submit(callers.call) for _ in range(CALLERS)]
        slow, idle = opened(server, HEAD + BODY[:7]), opened(server, b"")
        assert callers.answered.wait(60)
        server.terminate()
        # At once: the drain has a deadline, and the callers see to it that it comes to it.
        slow.sendall(BODY[7:])
        idle.sendall(HEAD + BODY)
        late = [heard(slow), heard(idle)]
        for task in running:
            task.result(120)
        assert server.ends_with(60) == 0
        last = json.loads(server.log.read_text().splitlines()[-1])["message"]
    assert set(callers.outcomes) == {200}
    for answer in late:
        assert answer.startswith(b"HTTP/1.1 200 "), answer[:200]
        assert b"connection: close" in answer.lower()
    assert last == "drained"

"""A light server that counts what it answers exactly as the real one does, by the same code, for the rollout's judges.

It says who answered, closes a connection now and then, and drains when told to end. A request is held for as many
`hold_seconds` as its body says, and the saturation comes from how many are held. Model families other than `steady` are
ways to be worse.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from plimsoll_server.metrics_port import MetricsPort
from plimsoll_server.scheduler.saturation import SaturationMeter
from plimsoll_server.telemetry import Identity, Telemetry
from plimsoll_server.types import BatchReport

ADDRESS = os.environ["PLIMSOLL_BIND_ADDRESS"]
CONFIG = json.loads(os.environ["PLIMSOLL_CONFIG"])
TIER, CONCURRENCY = CONFIG["tiers"][0]["name"], CONFIG["tiers"][0]["concurrency"]
IDENTITY = Identity(
    os.environ.get("POD_NAMESPACE", ""),
    os.environ.get("PLIMSOLL_DEPLOYMENT", ""),
    os.environ.get("PLIMSOLL_REVISION", ""),
    os.environ.get("POD_NAME", ""),
)
LINGER_SECONDS = 3
CLOSED_SHARE = 0.02
BYTES_PER_REQUEST = 4 << 20
PUBLISH_SECONDS = 0.5
ENDS = {signal.SIGTERM, signal.SIGINT}
kept: list[bytes] = []
ended = threading.Event()
telemetry = Telemetry(IDENTITY, [TIER])


def steady() -> int:
    return 200


def faulty() -> int:
    """One request of five fails."""
    return 500 if random.random() < 0.2 else 200


def hungry() -> int:
    """Keeps what it takes for each request, so that the pod gets ready and is killed for memory under load."""
    kept.append(b"\1" * BYTES_PER_REQUEST)
    return 200


FAMILIES: dict[str, Callable[[], int]] = {"steady": steady, "faulty": faulty, "hungry": hungry}


class Held:
    """The requests that are."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._meter = SaturationMeter(time.monotonic())

    def change(self, by: int) -> None:
        with self._lock:
            self._count += by
            self._meter.record(self._count / CONCURRENCY, time.monotonic())

    def saturation(self) -> float:
        with self._lock:
            return self._meter.mean(time.monotonic())


held = Held()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body in one segment: without it the second waits for the client's delayed acknowledgement.
    wbufsize = -1

    def do_GET(self) -> None:
        self._answer(503 if self.path == "/readyz" and ended.is_set() else 200)

    def do_POST(self) -> None:
        began = time.monotonic()
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        held.change(+1)
        time.sleep(asked.get("hold_seconds", 0))
        held.change(-1)
        status = FAMILIES.get(CONFIG["model"]["family"], steady)()
        self._answer(status)
        telemetry.batch_done(TIER, BatchReport(()))
        telemetry.request_done(TIER, "ok" if status == 200 else "error", time.monotonic() - began)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.send_header("plimsoll-revision", IDENTITY.revision)
        self.send_header("plimsoll-replica", IDENTITY.replica)
        if ended.is_set() or random.random() < CLOSED_SHARE:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"[]")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name that http.server gives it
        """Nobody reads of the probes."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    MetricsPort(telemetry.registry, ADDRESS, 9090)
    threading.Thread(target=Server((ADDRESS, 8080), Handler).serve_forever, daemon=True).start()
    while signal.sigtimedwait(ENDS, PUBLISH_SECONDS) is None:
        telemetry.set_load(held.saturation(), {})
    ended.set()
    time.sleep(LINGER_SECONDS)
    sys.exit(0)


if __name__ == "__main__":
    main()

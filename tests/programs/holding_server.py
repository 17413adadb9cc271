"""A server that holds each request for as long as it asks, and whose saturation is what it really holds.

`GET /hold?seconds=0.5` takes that long. Saturation is requests held over the concurrency of the only tier, as the real
server's is, with a shorter mean. The model family `unmeasured` tells nothing of it; one of the family `slow` is alive,
and tells of it, a good while before it is ready.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

ADDRESS = os.environ["PLIMSOLL_BIND_ADDRESS"]
CONFIG = json.loads(os.environ["PLIMSOLL_CONFIG"])
MEAN_SECONDS = 10
MEASURED = CONFIG["model"]["family"] != "unmeasured"
READY_AT = time.monotonic() + (20 if CONFIG["model"]["family"] == "slow" else 0)
LABELS = ",".join(
    f'{label}="{os.environ.get(variable, "")}"'
    for label, variable in (
        ("inference_namespace", "POD_NAMESPACE"),
        ("inference_deployment", "PLIMSOLL_DEPLOYMENT"),
        ("revision", "PLIMSOLL_REVISION"),
        ("replica", "POD_NAME"),
    )
)


class Held:
    """How many requests are held, and the mean of that over the last seconds; before its life a pod held none.

    So a load that moves from one pod to another is not counted twice.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changes: deque[tuple[float, int]] = deque([(time.monotonic() - MEAN_SECONDS, 0)])
        """When the number changed, and to what; the first at the window's beginning or before it."""

    def change(self, by: int) -> None:
        with self._lock:
            self._changes.append((time.monotonic(), self._changes[-1][1] + by))

    def mean(self) -> float:
        with self._lock:
            now = time.monotonic()
            begin = now - MEAN_SECONDS
            while len(self._changes) > 1 and self._changes[1][0] <= begin:
                self._changes.popleft()
            ends = [*(at for at, _ in self._changes), now][1:]
            areas = (count * (end - max(at, begin)) for (at, count), end in zip(self._changes, ends, strict=True))
            return sum(areas) / MEAN_SECONDS


HELD = Held()


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        if asked.path == "/readyz" and time.monotonic() < READY_AT:
            self.send_error(503)
            return
        if asked.path == "/hold":
            self._hold(float(parse_qs(asked.query)["seconds"][0]))
        self._say(_metrics() if asked.path == "/metrics" else os.environ.get("PLIMSOLL_REVISION", ""))

    def _hold(self, seconds: float) -> None:
        HELD.change(+1)
        try:
            time.sleep(seconds)
        finally:
            HELD.change(-1)

    def _say(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name that http.server gives it
        """Nobody reads of them."""


def _metrics() -> str:
    if not MEASURED:
        return ""
    ratio = HELD.mean() / CONFIG["tiers"][0]["concurrency"]
    return f"# TYPE plimsoll_saturation_ratio gauge\nplimsoll_saturation_ratio{{{LABELS}}} {ratio}\n"


def serve() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    for port in (8080, 9090):
        server = ThreadingHTTPServer((ADDRESS, port), Answer)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    sys.exit(0)


if __name__ == "__main__":
    serve()

"""A program that serves as soon as it starts: probes, answers, and the one metric that the autoscaler reads.

It stands behind an image of its own in the tests' image map, listens where the server does, and ends on SIGTERM. The
model families `crashes`, `silent` and `hungry` are ways to fail.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from plimsoll_server.pack_record import PackRecord

ADDRESS = os.environ["PLIMSOLL_BIND_ADDRESS"]
LABELS = ",".join(
    f'{label}="{os.environ.get(variable, "")}"'
    for label, variable in (
        ("inference_namespace", "POD_NAMESPACE"),
        ("inference_deployment", "PLIMSOLL_DEPLOYMENT"),
        ("revision", "PLIMSOLL_REVISION"),
        ("replica", "POD_NAME"),
    )
)

MORE_THAN_ITS_LIMIT = 400 << 20


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        saturation = f"# TYPE plimsoll_saturation_ratio gauge\nplimsoll_saturation_ratio{{{LABELS}}} 0.5\n"
        body = (saturation if self.path == "/metrics" else os.environ.get("PLIMSOLL_REVISION", "")).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name that http.server gives it
        """Probes come every two seconds; nobody reads of them."""


def serve(answer: type[Answer] = Answer) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    for port in (8080, 9090):
        server = ThreadingHTTPServer((ADDRESS, port), answer)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    sys.exit(0)


class Silent(Answer):
    """Alive, with its weights loaded, and never ready."""

    def do_GET(self) -> None:
        if self.path == "/readyz":
            self.send_error(503)
        else:
            super().do_GET()


def crash() -> None:
    sys.exit("no config.json in the model's folder")


def eat() -> None:
    """Runs a pack that takes more than there is, noted as the server notes it."""
    with PackRecord(os.environ["PLIMSOLL_TERMINATION_LOG"]).running("short", 2048, 4):
        held = bytearray(MORE_THAN_ITS_LIMIT)
        for page in range(0, len(held), mmap.PAGESIZE):
            held[page] = 1
        signal.pause()


FAILURES = {"crashes": crash, "silent": lambda: serve(Silent), "hungry": eat}


if __name__ == "__main__":
    family = json.loads(os.environ["PLIMSOLL_CONFIG"])["model"]["family"]
    FAILURES.get(family, serve)()

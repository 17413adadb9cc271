"""What the sandbox's own tests run in pods: one program, one subcommand per thing a container may do.

serve     answer HTTP: / with the pod's name, /slow in pieces, /metrics; /ready and /alive as the last PUT said
show      print the environment and the named files as one JSON document, then end
hog       fill so many MiB of memory in so many processes, then wait
stubborn  print signals and ignore them
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

state = {"ready": 200, "alive": 200, "saturation": 0.5}


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path
        if path == "/slow":
            self._drip()
        elif path in {"/ready", "/alive"}:
            self._send("", status=int(state[path[1:]]))
        elif path == "/metrics":
            self._send(_metrics())
        else:
            self._send(os.environ.get("POD_NAME", ""))

    def do_PUT(self) -> None:
        """PUT /ready?503 makes the next GET /ready answer that; /alive and /saturation alike."""
        path, _, value = self.path.partition("?")
        state[path[1:]] = float(value)
        self._send("")

    def _drip(self) -> None:
        """Ten words over two seconds, in one response."""
        self.send_response(200)
        self.end_headers()
        for word in range(10):
            self.wfile.write(f"{word} ".encode())
            self.wfile.flush()
            time.sleep(0.2)

    def _send(self, text: str, status: int = 200) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name that http.server gives it
        """Probes come every second; nobody reads of them."""


def _metrics() -> str:
    labels = f'inference_namespace="{os.environ["POD_NAMESPACE"]}",replica="{os.environ["POD_NAME"]}"'
    return f"# TYPE plimsoll_saturation_ratio gauge\nplimsoll_saturation_ratio{{{labels}}} {state['saturation']}\n"


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def serve(arguments: argparse.Namespace) -> None:
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    state["saturation"] = arguments.saturation
    server = ThreadingHTTPServer((os.environ["POD_IP"], 8080), Answer)
    server.daemon_threads = False  # Requests under way are answered before the program ends.
    say("serving")
    server.serve_forever(poll_interval=0.05)
    server.server_close()
    say("drained")


def show(arguments: argparse.Namespace) -> None:
    files = {path: Path(path).read_text() for path in arguments.files}
    say(json.dumps({"arguments": arguments.files, "environment": dict(os.environ), "files": files}))


def hog(arguments: argparse.Namespace) -> None:
    held = bytearray(arguments.mebibytes << 20)
    for page in range(0, len(held), mmap.PAGESIZE):  # Written in place: a copy would be held for a moment too.
        held[page] = 1
    for _ in range(arguments.processes - 1):
        if os.fork() == 0:
            break  # The child shares the parent's pages.
    say(f"holding {len(held)}")
    time.sleep(600)


def stubborn(_: argparse.Namespace) -> None:
    signal.signal(signal.SIGTERM, lambda *_: say("SIGTERM"))
    say("waiting")
    while True:
        time.sleep(1)


def main() -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)
    for command in (serve, show, hog, stubborn):
        commands.add_parser(command.__name__).set_defaults(run=command)
    choices = commands.choices
    choices["serve"].add_argument("--saturation", type=float, default=0.5)
    choices["show"].add_argument("files", nargs="*")
    choices["hog"].add_argument("mebibytes", type=int)
    choices["hog"].add_argument("processes", type=int, nargs="?", default=1)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()

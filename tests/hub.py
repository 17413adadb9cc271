"""A hub with one repository, served as the real one serves it, for the hub's own client."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

REVISION = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "org/repo"


@dataclass
class Hub:
    """`files` by name; `status` and `code`: how it refuses, where it does; `sent`: what arrives in a file's place."""

    files: dict[str, bytes]
    status: int = 200
    code: str = ""
    sent: dict[str, bytes] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)
    url: str = ""


def checksum(name: str, data: bytes) -> str:
    """As the hub names a blob: large files by SHA-256, small ones as Git does."""
    if name.endswith(".safetensors"):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def _answer(self, *, with_body: bool) -> None:
        path = self.path.split("?")[0]
        if self.hub.status != 200:
            self._send(self.hub.status, b"{}", with_body=with_body)
        elif path.startswith(f"/api/models/{REPOSITORY}/revision/"):
            listing = {"sha": REVISION, "id": REPOSITORY, "siblings": [{"rfilename": name} for name in self.hub.files]}
            self._send(200, json.dumps(listing).encode(), with_body=with_body)
        elif path.startswith(f"/api/models/{REPOSITORY}/tree/"):
            tree = [
                {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                for name, data in self.hub.files.items()
            ]
            self._send(200, json.dumps(tree).encode(), with_body=with_body)
        else:
            self._send_file(path.split(f"/resolve/{REVISION}/", 1)[-1], with_body=with_body)

    def _send_file(self, name: str, *, with_body: bool) -> None:
        if with_body:
            self.hub.fetched.append(name)
        data = self.hub.files[name]
        self._send(200, self.hub.sent.get(name, data), with_body=with_body, etag=checksum(name, data))

    def _send(self, status: int, body: bytes, *, with_body: bool, etag: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{etag}"')
        self.send_header("X-Repo-Commit", REVISION)
        if self.hub.code:
            self.send_header("X-Error-Code", self.hub.code)
        self.end_headers()
        if with_body:
            self.wfile.write(body)


@contextmanager
def served(hub: Hub) -> Iterator[Hub]:
    with answering(_Handler, hub):
        yield hub


@contextmanager
def answering(handler: type[BaseHTTPRequestHandler], hub: Any) -> Iterator[None]:
    """A server for as long as the block lasts, whose address is the hub's `url`; its handler has the hub as `hub`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


_FIND = f"""
import json, sys
from plimsoll_server.errors import StartError
from plimsoll_server.models.find import find_model
from plimsoll_server.phases import Phases
try:
    found = find_model("hf://{REPOSITORY}:{REVISION}", Phases())
except StartError as error:
    sys.exit(str(error))
print(json.dumps([str(found.folder), found.revision, found.weights, found.verified_by]))
"""


def find(hub: Hub, cache: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The model as a server finds it, in a process of its own: the client reads its endpoint when it is imported."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(cache),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        **variables,
    }
    return subprocess.run(
        [sys.executable, "-c", _FIND], env=environment, capture_output=True, text=True, timeout=120, check=False
    )

"""Where models come from: folders, and pinned revisions of a hub that this test serves itself."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from plimsoll_server.models.errors import ModelError
from plimsoll_server.models.location import locate

REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("location", "message"),
    [
        pytest.param("hf://org/repo:main", "a branch name may move", id="a branch"),
        pytest.param("hf://org/repo", "revision of 40 hexadecimal digits", id="no revision"),
        pytest.param("hf://../etc:" + REVISION, "is not hf://", id="a path in the place of a name"),
        pytest.param("models/mine", "nor an absolute path", id="a relative path"),
        pytest.param("/nowhere/mine", "is the volume mounted", id="no volume"),
    ],
)
def test_a_location_that_leads_nowhere_is_refused(location: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        locate(location)


def test_a_missing_folder_is_told_with_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "domains").mkdir()
    with pytest.raises(ModelError, match="holds domains"):
        locate(str(tmp_path / "domain"))


@dataclass
class Hub:
    """A hub with one repository."""

    files: dict[str, bytes]
    status: int = 200
    fetched: list[str] = field(default_factory=list)
    url: str = ""


class Handler(BaseHTTPRequestHandler):
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
            # How the hub answers for what does not exist, and for what nobody may know of.
            self._send(self.hub.status, b"{}", with_body=with_body)
        elif path.startswith("/api/models/org/repo/revision/"):
            listing = {"sha": REVISION, "id": "org/repo", "siblings": [{"rfilename": name} for name in self.hub.files]}
            self._send(200, json.dumps(listing).encode(), with_body=with_body)
        elif path.startswith("/api/models/org/repo/tree/"):
            tree = [
                {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                for name, data in self.hub.files.items()
            ]
            self._send(200, json.dumps(tree).encode(), with_body=with_body)
        else:
            name = path.rsplit("/", 1)[-1]
            if with_body:
                self.hub.fetched.append(name)
            self._send(200, self.hub.files[name], with_body=with_body)

    def _send(self, status: int, body: bytes, *, with_body: bool) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')
        self.send_header("X-Repo-Commit", REVISION)
        if status != 200:
            self.send_header("X-Error-Code", "RepoNotFound")
        self.end_headers()
        if with_body:
            self.wfile.write(body)


@pytest.fixture
def hub() -> Iterator[Hub]:
    files = ("config.json", "tokenizer.json", "model.safetensors", "pytorch_model.bin", "modeling.py", "README.md")
    made = Hub({name: f"content of {name}".encode() for name in files})
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": made}))
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(hub: Hub, cache: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: the client reads its endpoint when it is imported."""
    code = f"from plimsoll_server.models.location import locate; print(locate('hf://org/repo:{REVISION}'))"
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(cache),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        **variables,
    }
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_pinned_revision_is_fetched_once_and_only_what_is_needed(hub: Hub, tmp_path: Path) -> None:
    first = fetch(hub, tmp_path)
    assert first.returncode == 0, first.stderr
    assert f"revision='{REVISION}'" in first.stdout
    assert set(hub.fetched) == {"config.json", "tokenizer.json", "model.safetensors"}
    hub.fetched.clear()
    assert fetch(hub, tmp_path).returncode == 0
    assert hub.fetched == []


def test_a_fetched_revision_is_served_while_the_hub_is_away(hub: Hub, tmp_path: Path) -> None:
    assert fetch(hub, tmp_path).returncode == 0
    away = Hub({}, url="http://127.0.0.1:9")
    assert fetch(away, tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("status", "message"),
    [pytest.param(404, "the hub refused org/repo", id="unknown"), pytest.param(401, "hubTokenSecret", id="private")],
)
def test_what_the_hub_refuses_is_told(hub: Hub, tmp_path: Path, status: int, message: str) -> None:
    hub.status = status
    refused = fetch(hub, tmp_path)
    assert refused.returncode != 0
    assert message in refused.stderr


def test_a_hub_out_of_reach_is_told(tmp_path: Path) -> None:
    refused = fetch(Hub({}, url="http://127.0.0.1:9"), tmp_path, HF_HUB_OFFLINE="1")
    assert "could not be fetched and is not in the cache" in refused.stderr

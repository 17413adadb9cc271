"""A hub that takes a repository by the API that the real one's client uploads with: small files in the commit, weights
before it by Git LFS."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from hub import REPOSITORY, answering

COMMIT = "fedcba9876543210fedcba9876543210fedcba98"
TOKEN = "hf_of_these_tests_alone"


@dataclass
class UploadingHub:
    """`refuses`: the status that requests of a kind (create, preupload, commit, tag) get."""

    refuses: dict[str, int] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    """Of the commits so far."""
    messages: list[str] = field(default_factory=list)
    branches: list[str] = field(default_factory=list)
    tags: list[tuple[str, str]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    private: bool | None = None
    large: dict[str, bytes] = field(default_factory=dict)
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    hub: UploadingHub

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def do_PUT(self) -> None:
        oid, body = self.path.removeprefix("/large/"), self._body()
        assert hashlib.sha256(body).hexdigest() == oid
        self.hub.large[oid] = body
        self._answer({})

    def do_POST(self) -> None:
        path, body = self.path.split("?")[0], self._body()
        own = f"/api/models/{REPOSITORY}"
        self.hub.tokens.add(self.headers.get("Authorization", ""))
        if path == "/api/repos/create":
            asked = json.loads(body)
            self.hub.private = asked.get("visibility") == "private"
            self._answer({"url": f"{self.hub.url}/{REPOSITORY}"}, "create")
        elif path == "/api/validate-yaml":
            self._answer({"errors": [], "warnings": []})
        elif path.startswith(f"{own}/branch/"):
            self.hub.branches.append(path.removeprefix(f"{own}/branch/"))
            self._answer({})
        elif path.startswith(f"{own}/preupload/"):
            self._answer({"files": [_mode(each) for each in json.loads(body)["files"]]}, "preupload")
        elif path == f"/{REPOSITORY}.git/info/lfs/objects/batch":
            self._answer({"transfer": "basic", "objects": [self._action(each) for each in json.loads(body)["objects"]]})
        elif path.startswith(f"{own}/commit/"):
            self._commit([json.loads(line) for line in body.splitlines()])
        elif path.startswith(f"{own}/tag/"):
            self.hub.tags.append((json.loads(body)["tag"], path.removeprefix(f"{own}/tag/")))
            self._answer({}, "tag")
        else:
            self.send_error(404, path)

    def _commit(self, lines: list[dict[str, Any]]) -> None:
        if "commit" not in self.hub.refuses:
            for line in lines:
                value = line["value"]
                if line["key"] == "header":
                    self.hub.messages.append(value["summary"])
                elif line["key"] == "file":
                    self.hub.files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    self.hub.files[value["path"]] = self.hub.large[value["oid"]]
        self._answer({"commitUrl": f"{self.hub.url}/{REPOSITORY}/commit/{COMMIT}", "commitOid": COMMIT}, "commit")

    def _action(self, wanted: dict[str, Any]) -> dict[str, Any]:
        return {**wanted, "actions": {"upload": {"href": f"{self.hub.url}/large/{wanted['oid']}"}}}

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _answer(self, content: dict[str, Any], kind: str = "") -> None:
        status = self.hub.refuses.get(kind, 200)
        body = json.dumps(content if status == 200 else {"error": "not today"}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _mode(file: dict[str, Any]) -> dict[str, Any]:
    large = file["path"].endswith(".safetensors")
    return {"path": file["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}


@contextmanager
def taking_uploads(hub: UploadingHub) -> Iterator[UploadingHub]:
    with answering(_Handler, hub):
        yield hub

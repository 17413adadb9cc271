"""The OpenAPI document of the server, without a server."""

from __future__ import annotations

import json
from typing import Any

from starlette.testclient import TestClient

from plimsoll_server.api.app import make_app
from plimsoll_server.api.state import Service
from plimsoll_server.config import parse_config
from plimsoll_server.lifecycle import Lifecycle
from plimsoll_server.telemetry import Identity, Telemetry
from server_builders import server_config


def openapi_document() -> dict[str, Any]:
    config = parse_config(json.dumps(server_config("/models/domains")))
    telemetry = Telemetry(Identity("n", "d", "r", "p"), ["short", "long"])
    app = make_app(Service(config, Lifecycle()), telemetry, max_body_bytes=1024)
    document: dict[str, Any] = TestClient(app).get("/openapi.json").json()
    return document

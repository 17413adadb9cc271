"""Reads a body as the server does, in a process that may take next to nothing more, and tells how that ended."""

from __future__ import annotations

import json
import resource
import sys

from plimsoll_server.api.bodies import read_json
from plimsoll_server.api.predict import PredictRequest
from plimsoll_server.engine.process_memory import data_bytes

body = json.dumps({"inputs": "\N{ANCHOR} " * 1_000_000}, ensure_ascii=False).encode()
resource.setrlimit(resource.RLIMIT_DATA, (data_bytes() + (256 << 10), resource.RLIM_INFINITY))
try:
    read_json(PredictRequest, body)
except BaseException as error:  # noqa: BLE001  what it is, is what is asked
    sys.stdout.write(type(error).__name__)

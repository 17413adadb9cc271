"""Reads large bodies as the server does, in a process with little room, and tells what it took. Its arguments: bytes
of each body, bytes of room."""

from __future__ import annotations

import json
import resource
import sys

from fastapi.exceptions import RequestValidationError

from large_bodies import large_bodies
from plimsoll_server.api.bodies import read_json
from plimsoll_server.engine.process_memory import private_bytes

size, room = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_DATA, (private_bytes() + room, resource.RLIM_INFINITY))
most_errors = read = 0
for model, body in large_bodies(size):
    try:
        read_json(model, body)
        read += 1
    except RequestValidationError as error:
        most_errors = max(most_errors, len(error.errors()))
sys.stdout.write(json.dumps({"most_errors": most_errors, "read": read}))

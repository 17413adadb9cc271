"""One line for each request: who asked for what, when and how it ended; never what was sent or answered."""

from __future__ import annotations

import logging

from starlette.types import Scope

from plimsoll_server.api.auth import CALLER
from plimsoll_server.logs import FIELDS

log = logging.getLogger(__name__)

_LONGEST_PATH = 200


def log_request(scope: Scope, status: int, outcome: str, seconds: float) -> None:
    """`status` is 0 where nobody was left to answer; `seconds` run from the end of the body."""
    state = scope["state"]
    fields = {
        "method": scope["method"],
        "path": scope["path"][:_LONGEST_PATH],
        "status": status,
        "outcome": outcome,
        "tier": state.get("tier"),
        "seconds": round(seconds, 4),
        "caller": state.get(CALLER),
        **({"trace_id": state["trace_id"]} if "trace_id" in state else {}),
    }
    log.info("request", extra={FIELDS: fields})

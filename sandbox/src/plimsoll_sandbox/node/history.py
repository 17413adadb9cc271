"""What an agent that was restarted makes of the containers its predecessor ran: they ended with it. No I/O here."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from plimsoll_sandbox.node.clock import parse_timestamp
from plimsoll_sandbox.node.container import Past
from plimsoll_sandbox.node.states import Terminated, parse_terminated

_LOST_EXIT_CODE = 137
_LOST_REASON = "ContainerStatusUnknown"
_LOST_MESSAGE = "the node agent was restarted, and the container ended with it"


def past_of(name: str, statuses: Sequence[Mapping[str, Any]], moment: datetime.datetime) -> Past:
    """From the statuses in the API; a container that never ran has no past."""
    status = next((found for found in statuses if found["name"] == name), None)
    if status is None:
        return Past()
    state = status.get("state", {})
    last = parse_terminated(state) or _lost(state, moment) or parse_terminated(status.get("lastState", {}))
    return Past(last, status.get("restartCount", 0))


def _lost(state: Mapping[str, Any], moment: datetime.datetime) -> Terminated | None:
    if "running" not in state:
        return None
    began = parse_timestamp(state["running"].get("startedAt", "1970-01-01T00:00:00Z"))
    return Terminated(_LOST_EXIT_CODE, _LOST_REASON, began, moment, _LOST_MESSAGE)

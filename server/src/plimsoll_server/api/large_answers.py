"""Answers of so many entities that writing them takes long. A call of json.dumps keeps the interpreter from all other
threads until it is done, so it writes a few entities at a time, on a thread."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from fastapi.responses import JSONResponse

from plimsoll_server.scheduler.answers import Answer
from plimsoll_server.scheduler.scheduler import Scheduler

Made = TypeVar("Made")

_ENTITIES_AT_ONCE = 1_024
"""They take a millisecond or two."""


async def made_of(answers: Sequence[Answer], scheduler: Scheduler, make: Callable[[], Made]) -> Made:
    """What `make` makes of `answers`: at once, or on a thread where they are large."""
    if sum(len(answer.entities) for answer in answers) <= _ENTITIES_AT_ONCE:
        return make()
    return await scheduler.aside(make)


class EntitiesResponse(JSONResponse):
    """Of a list of entities, or of several."""

    def render(self, content: Any) -> bytes:
        return dumped(content).encode()


def dumped(entities: Sequence[Any]) -> str:
    """`entities`, or lists of them, as JSON."""
    if entities and isinstance(entities[0], list):
        return f"[{','.join(map(dumped, entities))}]"
    parts = (entities[at : at + _ENTITIES_AT_ONCE] for at in range(0, len(entities), _ENTITIES_AT_ONCE))
    return f"[{','.join(_dumped_at_once(part)[1:-1] for part in parts)}]"


def _dumped_at_once(entities: Sequence[Any]) -> str:
    return json.dumps(entities, ensure_ascii=False, allow_nan=False, separators=(",", ":"))

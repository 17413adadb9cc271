"""Answers of so many entities or numbers that writing them takes long. A call of json.dumps keeps the interpreter from
all other threads until it is done, so it writes a few at a time, on a thread."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from fastapi.responses import JSONResponse

from plimsoll_server.scheduler.answers import WRITTEN_BYTES, Answer
from plimsoll_server.scheduler.scheduler import Scheduler

Made = TypeVar("Made")

_ENTITIES_AT_ONCE = 1_024
"""They take a millisecond or two."""
_NUMBERS_AT_ONCE = 4_096
"""They take about three: vectors are put to length 1 first."""


async def made_of(answers: Sequence[Answer], scheduler: Scheduler, make: Callable[[], Made]) -> Made:
    """What `make` makes of `answers`: at once, or on a thread where they are large. Raises OverloadedError."""
    entities = sum(len(answer.entities) for answer in answers)
    numbers = sum(len(answer.scores) + len(answer.embedding) for answer in answers)
    if entities <= _ENTITIES_AT_ONCE and numbers <= _NUMBERS_AT_ONCE:
        return make()
    return await scheduler.aside(make, needs=entities * WRITTEN_BYTES, what=f"write {entities} entities")


class AnswersResponse(JSONResponse):
    """Of all that is in the answers to a request."""

    def render(self, content: Any) -> bytes:
        return dumped(content).encode()


def dumped(content: Any) -> str:
    """`content` as JSON."""
    if isinstance(content, dict):
        return f"{{{','.join(f'{_dumped_at_once(key)}:{dumped(value)}' for key, value in content.items())}}}"
    if not isinstance(content, list | tuple):
        return _dumped_at_once(content)
    if content and _holds_lists(content[0]):
        return f"[{','.join(map(dumped, content))}]"
    parts = (content[at : at + _ENTITIES_AT_ONCE] for at in range(0, len(content), _ENTITIES_AT_ONCE))
    return f"[{','.join(_dumped_at_once(part)[1:-1] for part in parts)}]"


def _holds_lists(entry: Any) -> bool:
    """Whether an entry of a list may be long itself. All of them are alike."""
    values = entry.values() if isinstance(entry, dict) else (entry,)
    return any(isinstance(value, list | tuple) for value in values)


def _dumped_at_once(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))

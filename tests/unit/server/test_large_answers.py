"""Answers of many entities, written as any other and beside all that goes on."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from fastapi.responses import JSONResponse

from plimsoll_server.api.large_answers import EntitiesResponse, made_of
from plimsoll_server.scheduler.answers import Answer
from plimsoll_server.scheduler.entities import Entity
from scheduler_builders import TIERS, HeldEngine, scheduling
from standstill import standstill


def entities(number: int) -> list[dict[str, Any]]:
    return [{"label": "MÜLL", "score": 0.25, "start": place, "end": place + 1} for place in range(number)]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param([], id="none"),
        pytest.param(entities(3), id="a few"),
        pytest.param(entities(5000), id="more than are written at once"),
        pytest.param([[], entities(2000), [], entities(1)], id="of several texts"),
        pytest.param([[]], id="of a text without any"),
    ],
)
def test_a_list_of_entities_is_written_as_any_other_json(content: list[Any]) -> None:
    assert EntitiesResponse(content).body == JSONResponse(content).body
    assert json.loads(bytes(EntitiesResponse(content).body)) == content


def test_the_interpreter_goes_on_while_many_entities_are_written() -> None:
    content = entities(400_000)
    with standstill() as found:
        EntitiesResponse(content)
    assert found.longest < found.whole / 4


@pytest.mark.parametrize(("each", "apart"), [(300, False), (700, True)], ids=["few", "many"])
async def test_many_entities_are_written_on_a_thread(tmp_path: Path, each: int, apart: bool) -> None:
    """Of two texts together."""
    answer = Answer(TIERS[0], 9, 1, 0, entities=(Entity("PER", 0.5, 0, 1),) * each)
    async with scheduling(tmp_path, HeldEngine()) as scheduler:
        wrote = await made_of([answer, answer], scheduler, threading.current_thread)
    assert (wrote is not threading.current_thread()) == apart

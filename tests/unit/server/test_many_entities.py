"""Answers of so many entities that memory or somebody's patience might end: they are bounded, for each request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plimsoll_server.api.large_answers import made_of
from plimsoll_server.scheduler.answers import ENTITY_BYTES, WRITTEN_BYTES, Answer
from plimsoll_server.scheduler.cache.answer_cache import AnswerCache
from plimsoll_server.scheduler.cache.memory import MemoryCache
from plimsoll_server.scheduler.entities import Entity, tokens_within
from plimsoll_server.scheduler.errors import OverloadedError, TooLongError
from plimsoll_server.scheduler.memory_claims import MemoryClaims
from plimsoll_server.scheduler.scheduler import Scheduler
from plimsoll_server.scheduler.tiers import Tier
from plimsoll_server.types import TokenLabels, Tokens
from scheduler_builders import INFO, TIERS, HeldEngine, scheduling, words

LABELS = replace(INFO, task="token-classification", labels=("O", "B-PER"), window=4096)
LONG = (Tier("long", 4096, 4, 4),)
BOUND = "plimsoll_server.scheduler.answers.MAX_ENTITIES"


def each_an_entity(tokens: Tokens) -> TokenLabels:
    return TokenLabels((0, *[1] * (len(tokens) - 2), 0), (0.5,) * len(tokens))


@asynccontextmanager
async def finding(folder: Path, **given: Any) -> AsyncIterator[Scheduler]:
    engine = HeldEngine(answer=each_an_entity)
    engine.release()
    async with scheduling(folder, engine, tiers=LONG, info=LABELS, policy="Native", **given) as scheduler:
        yield scheduler


@pytest.mark.parametrize(
    ("lengths", "answered"),
    [
        pytest.param([30], True, id="as many as there may be"),
        pytest.param([31], False, id="one more"),
        pytest.param([10, 10, 10], True, id="of several texts"),
        pytest.param([10, 10, 11], False, id="one more of them"),
    ],
)
async def test_the_entities_of_a_request_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lengths: list[int], answered: bool
) -> None:
    monkeypatch.setattr(BOUND, 30)
    async with finding(tmp_path) as scheduler:
        asked = scheduler.answer_texts([words(length) for length in lengths])
        if answered:
            assert [len(answer.entities) for answer in await asked] == lengths
            return
        with pytest.raises(TooLongError, match="more than 30 entities, and no more are given to one request; send sho"):
            await asked


async def test_more_than_an_idle_server_has_memory_for_are_too_many_and_no_shortage(tmp_path: Path) -> None:
    async with finding(tmp_path, idle_room=2500 * (ENTITY_BYTES + WRITTEN_BYTES)) as scheduler:
        assert scheduler.most_entities == 2500
        assert await scheduler.answer_texts([words(620) for _ in range(4)])
        with pytest.raises(TooLongError, match="more than 2500 entities"):
            await scheduler.answer_texts([words(630) for _ in range(4)])


async def test_while_entities_wait_for_memory_texts_are_read(tmp_path: Path) -> None:
    """As many as there are threads that read, and one more."""
    needed = 2000 * WRITTEN_BYTES
    claims = MemoryClaims(lambda: needed)
    answer = Answer(TIERS[0], 9, 1, 0, entities=(Entity("PER", 0.5, 0, 1),) * 2000)
    engine = HeldEngine()
    engine.release()
    async with scheduling(tmp_path, engine, claims=claims) as scheduler:
        with claims.held(1, "hold a byte"):
            waiting = [asyncio.create_task(made_of([answer], scheduler, lambda: "written")) for _ in range(3)]
            await asyncio.sleep(0)
            assert await scheduler.answer_texts(["sea " * 150])
            assert not any(task.done() for task in waiting)
        assert await asyncio.gather(*waiting) == ["written"] * 3


async def test_those_that_are_remembered_or_that_others_wait_for_too_count_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BOUND, 30)
    first, second = words(20), words(11)
    async with finding(tmp_path, cache=AnswerCache(MemoryCache(1 << 20, 60))) as scheduler:
        assert await asyncio.gather(*(scheduler.answer_texts([text]) for text in (first, second)))
        with pytest.raises(TooLongError, match="more than 30 entities"):
            await scheduler.answer_texts([first, second])


@pytest.mark.parametrize("enough", [True, False], ids=["enough", "too little"])
async def test_many_entities_are_put_together_once_there_is_memory_for_them(tmp_path: Path, enough: bool) -> None:
    """Tokenising it takes more, so somebody else claims all but a little meanwhile."""
    claims = MemoryClaims(lambda: 1 << 30)
    async with finding(tmp_path, claims=claims) as scheduler:
        scheduler._tokeniser.claims = MemoryClaims(lambda: 3000 * ENTITY_BYTES - (not enough))
        asked = scheduler.answer_texts([words(3000)])
        if enough:
            assert len((await asked)[0].entities) == 3000
            return
        with pytest.raises(OverloadedError, match="too little memory to put the entities of 3000 tokens together"):
            await asked


async def test_many_entities_are_written_once_there_is_memory_for_them(tmp_path: Path) -> None:
    answer = Answer(TIERS[0], 9, 1, 0, entities=(Entity("PER", 0.5, 0, 1),) * 2000)
    async with scheduling(tmp_path, HeldEngine(), claims=MemoryClaims(lambda: 2000 * 512)) as scheduler:
        assert await made_of([answer], scheduler, lambda: "written") == "written"
        with pytest.raises(OverloadedError, match="too little memory to write 4000 entities"):
            await made_of([answer, answer], scheduler, lambda: "written")


def test_tokens_outside_of_any_entity_take_no_memory() -> None:
    assert tokens_within(TokenLabels((0, 1, 2, 0, 2), (0.5,) * 5), ("O", "B-PER", "I-PER")) == 3

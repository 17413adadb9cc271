"""Turns that the documents of one request take: in the order of arrival, and nobody is woken in vain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plimsoll_server.scheduler.turns import Turn, Turns
from scheduler_builders import TIERS, HeldEngine, scheduling

MOST = {"wide": 3, "narrow": 1}


def turns() -> Turns[str]:
    return Turns(lambda place: MOST[place])


def here(asked: list[Turn[str]]) -> list[int]:
    return [turn.number for turn in asked if turn.over]


async def test_turns_come_in_the_order_in_which_they_were_asked_for() -> None:
    some = turns()
    asked = [some.ask("wide") for _ in range(6)]
    assert here(asked) == [0, 1, 2]
    asked[1].end()
    assert here(asked) == [0, 1, 2, 3]
    asked += [some.ask("wide")]
    asked[0].end()
    asked[3].end()
    assert here(asked) == [0, 1, 2, 3, 4, 5]


async def test_one_that_may_not_have_its_turn_yet_holds_up_none_of_another_place() -> None:
    some = turns()
    asked = [some.ask(place) for place in ("narrow", "narrow", "wide", "narrow", "wide", "wide")]
    assert here(asked) == [0, 2, 4]
    asked[2].end()
    assert here(asked) == [0, 2, 4, 5]
    for number in (0, 4, 5):
        asked[number].end()
    assert here(asked) == [0, 1, 2, 4, 5]


async def test_of_two_places_with_room_the_one_that_was_asked_for_first_has_its_turn() -> None:
    some = turns()
    first = some.ask("narrow")
    some.ask("wide").come()
    asked = [some.ask("narrow"), some.ask("wide"), some.ask("wide")]
    assert here(asked) == [3]
    first.end()
    assert here(asked) == [3, 4]


@pytest.mark.parametrize("came", [False, True], ids=["while it waits", "in the moment in which it comes"])
async def test_a_turn_that_nobody_waits_for_any_more_goes_to_the_next(came: bool) -> None:
    some = turns()
    first = some.ask("narrow")
    second, third = some.ask("narrow"), some.ask("narrow")
    waiting = asyncio.create_task(second.comes())
    await asyncio.sleep(0)
    if came:
        first.end()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    if not came:
        first.end()
    assert third.over


async def test_a_turn_that_need_not_wait_is_counted_all_the_same() -> None:
    some = turns()
    first, second, third = (some.ask("narrow") for _ in range(3))
    third.come()
    first.end()
    assert not second.over
    third.end()
    assert second.over


async def test_the_work_of_a_request_grows_with_its_inputs_and_not_with_their_square(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In steps of the event loop: each document that wakes is one."""
    loop, engine, steps = asyncio.get_running_loop(), HeldEngine(), 0
    engine.release(1000)
    soon: Callable[..., Any] = loop.call_soon

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal steps
        steps += 1
        return soon(*args, **kwargs)

    monkeypatch.setattr(loop, "call_soon", counted)
    taken = []
    async with scheduling(tmp_path, engine, tiers=(TIERS[0],)) as scheduler:
        for inputs in (61, 244):
            before = steps
            await scheduler.answer_tokens(
                [[inputs % 5, *(number >> place & 1 for place in range(8))] for number in range(inputs)]
            )
            taken.append(steps - before)
    assert taken[1] < 6 * taken[0], taken

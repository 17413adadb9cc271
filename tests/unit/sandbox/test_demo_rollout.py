"""The demo's bad change: what is asked meanwhile, what is told of it, and what it came to."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from aiohttp import web
from rich.console import Console

from plimsoll_sandbox.demo.requests import CALLERS, SPOILED_WORD, TEXTS, Answer, steady_requests
from plimsoll_sandbox.demo.rollback import Rollback
from plimsoll_sandbox.demo.shipping import Shipped, Teller, first_failure, strongest_evidence
from plimsoll_sandbox.demo.story import Story
from plimsoll_server.train.spoil import SPOILED_WORDS

STABLE, BAD = "aaaa", "bbbb"
BEFORE = Answer(1.0, 200, STABLE)
SERVED, FAILED, LAST = Answer(12.0, 200, BAD), Answer(13.0, 500, BAD), Answer(41.0, 200, BAD)
POD = ("domains-aaaa-1", 0)


def rollback(
    *answers: Answer, before: Sequence[tuple[str, int]] = (POD,), after: Sequence[tuple[str, int]] = (POD,)
) -> Rollback:
    shipped = Shipped(2.0, "RolledBack", "taken back", BAD, STABLE)
    return Rollback(shipped, answers, frozenset(before), frozenset(after))


def test_the_way_back_is_counted_from_the_first_bad_answer_to_the_last_of_the_bad_revision() -> None:
    assert rollback(BEFORE, SERVED, FAILED, LAST, Answer(60.0, 200, STABLE)).seconds_until_back == 28.0


def test_without_a_bad_answer_there_is_no_way_back() -> None:
    assert rollback(BEFORE, SERVED).seconds_until_back == 0.0


@pytest.mark.parametrize(
    ("after", "untouched"),
    [
        pytest.param([POD], True, id="the-same"),
        pytest.param([POD, ("domains-aaaa-2", 0)], True, id="one-more-by-the-autoscaler"),
        pytest.param([("domains-aaaa-2", 0)], False, id="replaced"),
        pytest.param([("domains-aaaa-1", 1)], False, id="restarted"),
    ],
)
def test_pods_of_stable_are_untouched_while_each_is_there_and_never_restarted(
    after: list[tuple[str, int]], untouched: bool
) -> None:
    assert rollback(after=after).stable_untouched is untouched


def test_what_failed_before_the_change_was_not_its_fault() -> None:
    assert first_failure([Answer(1.0, 503, STABLE), SERVED, FAILED], since=2.0) == FAILED


def test_one_text_of_ten_has_the_word_that_the_bad_weights_fail_on() -> None:
    assert (SPOILED_WORD,) == SPOILED_WORDS
    assert [SPOILED_WORD in text for text in TEXTS].count(True) * 10 == len(TEXTS)


def told(phase: str, message: str) -> dict[str, Any]:
    return {"rollout": {"phase": phase}, "conditions": [{"type": "Ready", "message": message}]}


def test_each_phase_and_the_first_bad_answer_are_told_once_and_not_every_figure_between() -> None:
    shown = io.StringIO()
    teller = Teller(Story(Console(file=shown, width=100), steps=1), began=2.0)
    teller.tell(told("Surging", "its first pod"), [BEFORE])
    teller.tell(told("Analysing", "32 requests [so far]"), [BEFORE, SERVED, FAILED])
    teller.tell(told("Analysing", "68 requests [so far]"), [BEFORE, SERVED, FAILED])
    teller.tell(told("RolledBack", "taken back"), [BEFORE, SERVED, FAILED])
    lines = [line.split() for line in shown.getvalue().splitlines()]
    assert [line[2:] for line in lines] == [
        ["Surging:", "its", "first", "pod"],
        ["first", "bad", "answer:", "500", "from", "revision", "bbbb"],
        ["Analysing:", "32", "requests", "[so", "far]"],
        ["RolledBack:", "taken", "back"],
    ]
    assert lines[1][:2] == ["11", "s"]


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        pytest.param({"errors": ("57.31", "400"), "oom": ("1", "1000")}, "errors, 57 of 400", id="rising"),
        pytest.param({"errors": ("2", "400"), "oom": ("6", "1000")}, "oom, 6 of 1,000", id="nearer-to-its-threshold"),
        pytest.param({"latency": ("0.036445", "400")}, "latency, 0.036 of 400", id="in-favour"),
    ],
)
def test_of_the_evidence_the_nearest_to_its_threshold_is_told(
    evidence: dict[str, tuple[str, str]], expected: str
) -> None:
    signals = [
        {"name": name, "evidence": value, "threshold": threshold} for name, (value, threshold) in evidence.items()
    ]
    assert f"(most evidence: {expected})" in strongest_evidence({"evidence": {"signals": signals}})


def test_before_the_first_look_there_is_no_evidence_to_tell() -> None:
    assert strongest_evidence({}) == ""


def test_requests_go_on_for_as_long_as_the_block_lasts_and_each_tells_who_answered() -> None:
    def answer(text: str) -> web.Response:
        return web.Response(status=500 if SPOILED_WORD in text else 200, headers={"plimsoll-revision": BAD})

    answers = asyncio.run(asked_until(2 * len(TEXTS), answer))
    assert {answer.revision for answer in answers} == {BAD}
    assert {answer.status for answer in answers} == {200, 500}
    # A caller that is ahead of the others skews it by one text at most.
    failed = sum(not answer.good for answer in answers)
    assert abs(failed - len(answers) / len(TEXTS)) <= CALLERS


def test_a_request_that_nobody_answers_is_a_failed_one() -> None:
    answers = asyncio.run(asked_until(1, lambda _: None))
    assert {(answer.status, answer.revision, answer.good) for answer in answers} == {(0, "", False)}


async def asked_until(wanted: int, answer: Callable[[str], web.Response | None]) -> list[Answer]:
    """What came back of requests to a server that was asked so often; None: it hangs up."""
    asked = 0
    enough = asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        if asked >= wanted:
            enough.set()
        given = answer((await request.json())["inputs"])
        if given is None and request.transport is not None:
            request.transport.close()
        return given or web.Response()

    app = web.Application()
    app.router.add_post("/predict", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/predict"
        async with asyncio.timeout(60), steady_requests(url, TEXTS, rate=400) as answers:
            await enough.wait()
        return answers
    finally:
        await runner.cleanup()


def test_what_a_command_printed_keeps_its_empty_lines_and_goes_on_below_itself_where_it_is_too_long() -> None:
    shown = io.StringIO()
    Story(Console(file=shown, width=16), steps=1).output("one [two]\n\nthree four five\n")
    assert [line.rstrip() for line in shown.getvalue().splitlines()] == [
        "      one [two]",
        "",
        "      three four",
        "      five",
    ]

"""A request of `kubectl plimsoll`: what is written, how the answer is waited for, and how the wait ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from plimsoll_operator.cli.asked import Asked
from plimsoll_operator.cli.connection import Target
from plimsoll_operator.cli.errand import accepted
from plimsoll_operator.cli.errors import CliError, NotYetError
from plimsoll_operator.cli.goals import HAS_ENDED, IS_BACK, SERVES, Goal
from plimsoll_operator.cluster import kinds
from plimsoll_operator.cluster.access import Access
from plimsoll_operator.duration import parse_duration
from plimsoll_operator.requests import Request
from scripted_apiserver import ScriptedApiserver, ok, refusal, scripted_apiserver

OBJECT = kinds.INFERENCE_DEPLOYMENT.path("guardrails", "domains")
PATIENCE = parse_duration("5s")


def found(
    ready: str = "False",
    stalled: str = "False",
    request: str = "restart#7",
    pods: dict[str, tuple[int, int]] | None = None,
    **rollout: Any,
) -> Any:
    """The object; `pods` are those of each revision that are ready, and those there are."""
    conditions = [
        {"type": "Ready", "status": ready, "reason": "Replacing", "message": "1 of 2"},
        {"type": "Stalled", "status": stalled, "reason": "ProgressDeadlineExceeded", "message": "not done"},
    ]
    revisions = [
        {"hash": name, "readyReplicas": serving, "replicas": count} for name, (serving, count) in (pods or {}).items()
    ]
    metadata = {"name": "domains", "annotations": {"plimsoll.dev/rollout-request": request}}
    status = {"conditions": conditions, "rollout": rollout, "revisions": revisions}
    return ok({"metadata": metadata, "status": status})


def answered(outcome: str, request_id: str = "7") -> Any:
    return found(lastRequest={"id": request_id, "outcome": outcome, "message": "why", "revision": "bbbb"})


@pytest.fixture
async def apiserver() -> AsyncIterator[ScriptedApiserver]:
    async with scripted_apiserver() as server:
        yield server


@pytest.fixture
async def asked(apiserver: ScriptedApiserver, tmp_path: Path) -> AsyncIterator[Asked]:
    apiserver.write_kubeconfig(tmp_path / "kubeconfig")
    target = Target(Access(str(tmp_path / "kubeconfig")), "guardrails", "domains")
    ticks = iter(range(10_000))
    async with target.connected() as kube:
        # Ten looks to a second of its clock.
        yield Asked(kube, target, Request("restart", "7"), lambda: next(ticks) / 10, lambda _: None, pause=0.01)


async def test_it_writes_the_annotation_under_a_name_of_its_own(apiserver: ScriptedApiserver, asked: Asked) -> None:
    await asked.ask()
    [patch] = apiserver.requests
    assert patch.body == {"metadata": {"annotations": {"plimsoll.dev/rollout-request": "restart#7"}}}
    assert patch.query["fieldManager"] == "kubectl-plimsoll"


async def test_an_answer_to_an_earlier_request_is_none(apiserver: ScriptedApiserver, asked: Asked) -> None:
    apiserver.answer(f"GET {OBJECT}", answered("Accepted", "6"), answered("Accepted"))
    answer = await asked.answered(PATIENCE)
    assert (answer["id"], answer["revision"]) == ("7", "bbbb")


def test_an_acceptance_says_how_far_the_rollout_is_and_does_not_promise_more() -> None:
    held = {"phase": "Paused", "message": "spec.rollout.paused is true: revision bbbb waits"}
    assert accepted({"message": "rendered anew", "revision": "bbbb"}, held) == (
        "accepted (revision bbbb): rendered anew; now Paused: spec.rollout.paused is true: revision bbbb waits"
    )


async def test_without_an_answer_there_is_none(apiserver: ScriptedApiserver, asked: Asked) -> None:
    apiserver.answer(f"GET {OBJECT}", found())
    assert await asked.answered(PATIENCE) == {}
    with pytest.raises(NotYetError, match="not carried out within 5 s; last: no answer"):
        await asked.accepted(PATIENCE)


@pytest.mark.parametrize("outcome", ["Refused", "Outdated", "Unsupported", "Invalid"])
async def test_an_answer_that_is_a_no_ends_it(apiserver: ScriptedApiserver, asked: Asked, outcome: str) -> None:
    apiserver.answer(f"GET {OBJECT}", answered(outcome))
    with pytest.raises(CliError, match=f"{outcome}: why") as error:
        await asked.answered(PATIENCE)
    assert error.value.exit_code == 1


async def test_a_request_that_waits_is_waited_for(apiserver: ScriptedApiserver, asked: Asked) -> None:
    apiserver.answer(
        f"GET {OBJECT}", answered("Waiting"), answered("Waiting"), answered("Waiting"), answered("Accepted")
    )
    assert (await asked.answered(PATIENCE))["outcome"] == "Waiting"
    assert (await asked.accepted(PATIENCE))["outcome"] == "Accepted"


async def test_a_request_that_waits_for_too_long_is_not_over(apiserver: ScriptedApiserver, asked: Asked) -> None:
    apiserver.answer(f"GET {OBJECT}", answered("Waiting"))
    with pytest.raises(NotYetError, match="last: Waiting: why") as error:
        await asked.accepted(PATIENCE)
    assert error.value.exit_code == 3


async def test_it_waits_until_the_revision_serves_also_past_an_apiserver_that_is_away(
    apiserver: ScriptedApiserver, asked: Asked
) -> None:
    apiserver.answer(
        f"GET {OBJECT}",
        found(stable="aaaa", canary="bbbb"),
        refusal(503, "ServiceUnavailable", "away"),
        found(ready="True", stable="aaaa", canary="bbbb"),
        found(stable="bbbb", canary=""),
        found(ready="True", stable="bbbb", canary=""),
    )
    await asked.reaches(SERVES, "bbbb", PATIENCE)
    assert asked.rollout["stable"] == "bbbb"


REACHED = [
    pytest.param(HAS_ENDED, found(stalled="True", pods={"aaaa": (2, 2), "bbbb": (0, 0)}), id="a canary that has ended"),
    pytest.param(HAS_ENDED, found(stable="aaaa", pods={"aaaa": (2, 2)}), id="a canary that is forgotten"),
    pytest.param(
        IS_BACK, found(stalled="True", stable="bbbb", pods={"aaaa": (0, 0), "bbbb": (2, 2)}), id="a revision is back"
    ),
]


@pytest.mark.parametrize(("goal", "answer"), REACHED)
async def test_the_end_of_a_revision_and_the_return_of_one_need_no_readiness(
    apiserver: ScriptedApiserver, asked: Asked, goal: Goal, answer: Any
) -> None:
    apiserver.answer(f"GET {OBJECT}", answer)
    await asked.reaches(goal, "bbbb", PATIENCE)


TOO_LONG = "not done within 5 s; last: Replacing"
ENDS = [
    pytest.param(
        SERVES, found(stalled="True", stable="aaaa", canary="bbbb"), "ProgressDeadlineExceeded", 1, id="stalled"
    ),
    pytest.param(SERVES, found(stable="aaaa", canary="cccc"), "the object asks for cccc", 1, id="another change"),
    pytest.param(
        SERVES, found(request="restart#8", stable="aaaa", canary="bbbb"), "7 was overtaken", 1, id="another request"
    ),
    pytest.param(IS_BACK, found(stable="cccc", pods={"bbbb": (1, 1)}), "cccc is the stable one", 1, id="gone on"),
    pytest.param(SERVES, found(stable="aaaa", canary="bbbb"), TOO_LONG, 3, id="time over"),
    pytest.param(HAS_ENDED, found(pods={"bbbb": (0, 1)}), TOO_LONG, 3, id="a pod is left"),
    pytest.param(IS_BACK, found(stable="bbbb", pods={"bbbb": (1, 2)}), TOO_LONG, 3, id="not all serve"),
    pytest.param(IS_BACK, found(stable="bbbb", pods={"bbbb": (1, 1), "aaaa": (1, 1)}), TOO_LONG, 3, id="not alone"),
    pytest.param(IS_BACK, found(stable="bbbb", pods={"bbbb": (0, 0)}), TOO_LONG, 3, id="no pod"),
]


@pytest.mark.parametrize(("goal", "answer", "words", "code"), ENDS)
async def test_what_does_not_come_ends_the_wait_and_says_why(
    apiserver: ScriptedApiserver, asked: Asked, goal: Goal, answer: Any, words: str, code: int
) -> None:
    apiserver.answer(f"GET {OBJECT}", answer)
    with pytest.raises(CliError, match=words) as error:
        await asked.reaches(goal, "bbbb", PATIENCE)
    assert error.value.exit_code == code

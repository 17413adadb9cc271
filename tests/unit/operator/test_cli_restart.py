"""`kubectl plimsoll restart`: what it says and how it ends, by what the apiserver answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from plimsoll_operator.cli.connection import Target
from plimsoll_operator.cli.errors import CliError
from plimsoll_operator.cli.restart import Asked, accepted
from plimsoll_operator.cluster import kinds
from plimsoll_operator.cluster.access import Access
from plimsoll_operator.duration import parse_duration
from plimsoll_operator.requests import Request
from scripted_apiserver import ScriptedApiserver, ok, refusal, scripted_apiserver

OBJECT = kinds.INFERENCE_DEPLOYMENT.path("guardrails", "domains")
PATIENCE = parse_duration("5s")


def found(ready: str = "False", stalled: str = "False", request: str = "restart#7", **rollout: Any) -> Any:
    conditions = [
        {"type": "Ready", "status": ready, "reason": "Replacing", "message": "1 of 2"},
        {"type": "Stalled", "status": stalled, "reason": "ProgressDeadlineExceeded", "message": "not done"},
    ]
    metadata = {"name": "domains", "annotations": {"plimsoll.dev/rollout-request": request}}
    return ok({"metadata": metadata, "status": {"conditions": conditions, "rollout": rollout}})


def answered(outcome: str, request_id: str = "7") -> Any:
    return found(lastRequest={"id": request_id, "outcome": outcome, "message": "why", "revision": "bbbb"})


@pytest.fixture
async def apiserver() -> AsyncIterator[ScriptedApiserver]:
    async with scripted_apiserver() as server:
        yield server


@pytest.fixture
async def asked(apiserver: ScriptedApiserver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Asked]:
    apiserver.write_kubeconfig(tmp_path / "kubeconfig")
    target = Target(Access(str(tmp_path / "kubeconfig")), "guardrails", "domains")
    ticks = iter(range(10_000))
    async with target.connected() as kube:
        # Ten looks to a second of its clock.
        yield Asked(kube, target, Request("restart", "7"), lambda: next(ticks) / 10, pause=0.01)


async def test_it_writes_the_annotation_under_a_name_of_its_own(apiserver: ScriptedApiserver, asked: Asked) -> None:
    await asked.ask()
    [patch] = apiserver.requests
    assert patch.body == {"metadata": {"annotations": {"plimsoll.dev/rollout-request": "restart#7"}}}
    assert patch.query["fieldManager"] == "kubectl-plimsoll"


async def test_an_answer_to_an_earlier_request_is_none(apiserver: ScriptedApiserver, asked: Asked) -> None:
    apiserver.answer(f"GET {OBJECT}", answered("Accepted", "6"), answered("Accepted"))
    rollout = await asked.answered(PATIENCE)
    assert rollout is not None
    assert (rollout["lastRequest"]["id"], rollout["lastRequest"]["revision"]) == ("7", "bbbb")


def test_an_acceptance_says_how_far_the_rollout_is_and_does_not_promise_more() -> None:
    held = {"phase": "Paused", "message": "spec.rollout.paused is true: revision bbbb waits"}
    assert accepted("bbbb", held) == (
        "accepted; revision bbbb is to replace the pods: spec.rollout.paused is true: revision bbbb waits"
    )


async def test_without_an_answer_there_is_none(apiserver: ScriptedApiserver, asked: Asked) -> None:
    apiserver.answer(f"GET {OBJECT}", found())
    assert await asked.answered(PATIENCE) is None


@pytest.mark.parametrize("outcome", ["Waiting", "Outdated", "Unsupported", "Invalid"])
async def test_an_answer_that_is_no_acceptance_ends_it(
    apiserver: ScriptedApiserver, asked: Asked, outcome: str
) -> None:
    apiserver.answer(f"GET {OBJECT}", answered(outcome))
    with pytest.raises(CliError, match=f"{outcome}: why"):
        await asked.answered(PATIENCE)


async def test_it_waits_until_the_restarted_pods_serve_also_past_an_apiserver_that_is_away(
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
    await asked.carried_out("bbbb", PATIENCE)


ENDS = [
    pytest.param(found(stalled="True", stable="aaaa", canary="bbbb"), "ProgressDeadlineExceeded", id="stalled"),
    pytest.param(found(stable="aaaa", canary="cccc"), "overtaken: the object asks for cccc", id="another change"),
    pytest.param(found(request="restart#8", stable="aaaa", canary="bbbb"), "request 7 was overtaken", id="another one"),
    pytest.param(found(stable="aaaa", canary="bbbb"), "not done within 5 s; last: Replacing", id="time over"),
]


@pytest.mark.parametrize(("answer", "words"), ENDS)
async def test_what_does_not_come_ends_the_wait_and_says_why(
    apiserver: ScriptedApiserver, asked: Asked, answer: Any, words: str
) -> None:
    apiserver.answer(f"GET {OBJECT}", answer)
    with pytest.raises(CliError, match=words):
        await asked.carried_out("bbbb", PATIENCE)

"""Carrying a plan out: in order, fenced, stopping at the first write that fails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from builders import NOW, make_observed, make_owner
from plimsoll_operator.cluster import kinds
from plimsoll_operator.cluster.access import Access
from plimsoll_operator.cluster.apply import OwnerChangedError, OwnerGoneError, carry_out
from plimsoll_operator.cluster.errors import ConflictError, UnavailableError
from plimsoll_operator.cluster.events import MESSAGE_LIMIT, record_event, render_event
from plimsoll_operator.cluster.kube import Kube
from plimsoll_operator.observed import ObjectKey
from plimsoll_operator.plan import Event, Plan, Scale
from scripted_apiserver import Answer, ScriptedApiserver, ok, refusal, scripted_apiserver

SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "domains", "namespace": "guardrails"}}
SERVICE_PATH = "/api/v1/namespaces/guardrails/services/domains"
OLD = ObjectKey("apps/v1", "Deployment", "domains-old")
OLD_PATH = "/apis/apps/v1/namespaces/guardrails/deployments/domains-old"
STATUS_PATH = "/apis/plimsoll.dev/v1alpha1/namespaces/guardrails/inferencedeployments/domains/status"
EVENTS_PATH = "/api/v1/namespaces/guardrails/events"
TOLD = Event("Warning", "ClaimNotFound", "create the claim")

PLAN = Plan(
    apply=(SERVICE,), scale=(Scale("domains-old", 0),), delete=(OLD,), status={"observedGeneration": 1}, events=(TOLD,)
)
IN_ORDER = [
    f"PATCH {SERVICE_PATH}",
    f"PATCH {OLD_PATH}/scale",
    f"DELETE {OLD_PATH}",
    f"POST {EVENTS_PATH}",
    f"PATCH {STATUS_PATH}",
]


@pytest.fixture
async def apiserver() -> AsyncIterator[ScriptedApiserver]:
    async with scripted_apiserver() as server:
        yield server


@pytest.fixture
async def kube(apiserver: ScriptedApiserver, tmp_path: Path) -> AsyncIterator[Kube]:
    apiserver.write_kubeconfig(tmp_path / "kubeconfig")
    async with Kube(Access(str(tmp_path / "kubeconfig")), timedelta(seconds=5), lambda *_: None) as client:
        yield client


OBSERVED = replace(make_observed(), children={OLD: {"metadata": {"name": "domains-old", "uid": "uid-old"}}})


async def test_a_plan_is_carried_out_in_its_order(apiserver: ScriptedApiserver, kube: Kube) -> None:
    await carry_out(kube, OBSERVED, PLAN, NOW)
    assert apiserver.asked() == IN_ORDER


async def test_an_empty_plan_asks_for_nothing(apiserver: ScriptedApiserver, kube: Kube) -> None:
    await carry_out(kube, OBSERVED, Plan(requeue_after=timedelta(minutes=1)), NOW)
    assert apiserver.requests == []


@pytest.mark.parametrize("failing", range(5), ids=["apply", "scale", "delete", "event", "status"])
async def test_the_first_write_that_fails_is_the_last(apiserver: ScriptedApiserver, kube: Kube, failing: int) -> None:
    """So an Event that is not posted is tried again: what it tells is news until the status says the same."""
    apiserver.answer(IN_ORDER[failing], refusal(503, "ServiceUnavailable", "not now"))
    with pytest.raises(UnavailableError, match="not now"):
        await carry_out(kube, OBSERVED, PLAN, NOW)
    assert apiserver.asked() == IN_ORDER[: failing + 1]


@pytest.mark.parametrize(
    "refused",
    [refusal(403, "Forbidden", "quota"), refusal(422, "Invalid", "name"), refusal(400, "", "denied the request")],
    ids=["quota", "validation", "webhook"],
)
async def test_an_event_that_is_refused_for_good_does_not_silence_the_status(
    apiserver: ScriptedApiserver, kube: Kube, refused: Answer
) -> None:
    apiserver.answer(f"POST {EVENTS_PATH}", refused)
    await carry_out(kube, OBSERVED, PLAN, NOW)
    assert apiserver.asked() == IN_ORDER


async def test_an_event_that_fails_for_long_does_not_silence_the_status(
    apiserver: ScriptedApiserver, kube: Kube
) -> None:
    apiserver.answer(f"POST {EVENTS_PATH}", refusal(500, "InternalError", "failed calling webhook"))
    await carry_out(kube, OBSERVED, PLAN, NOW, events_may_fail=True)
    assert apiserver.asked() == IN_ORDER


async def test_writes_are_bound_to_the_objects_that_were_read(apiserver: ScriptedApiserver, kube: Kube) -> None:
    read = replace(OBSERVED, children={**OBSERVED.children, ObjectKey.of(SERVICE): {"metadata": {"uid": "uid-svc"}}})
    await carry_out(kube, read, PLAN, NOW)
    applied, scaled, deleted, _, status = (request.body for request in apiserver.requests)
    assert applied["metadata"]["uid"] == "uid-svc"
    assert scaled["metadata"] == {"uid": "uid-old"}
    assert deleted["preconditions"] == {"uid": "uid-old"}
    assert status["metadata"] == {"name": "domains", "namespace": "guardrails", "resourceVersion": "42"}


async def test_a_child_that_is_new_is_bound_to_nothing(apiserver: ScriptedApiserver, kube: Kube) -> None:
    await carry_out(kube, OBSERVED, Plan(apply=(SERVICE,)), NOW)
    assert apiserver.requests[0].body == SERVICE


async def test_another_deployment_under_its_name_is_not_scaled(apiserver: ScriptedApiserver, kube: Kube) -> None:
    apiserver.answer(f"PATCH {OLD_PATH}/scale", refusal(409, "Conflict", "the UID in the precondition does not match"))
    with pytest.raises(ConflictError):
        await carry_out(kube, OBSERVED, PLAN, NOW)
    assert apiserver.asked()[-1] == f"PATCH {OLD_PATH}/scale"


async def test_what_is_to_be_deleted_and_is_gone_is_no_failure(apiserver: ScriptedApiserver, kube: Kube) -> None:
    apiserver.answer(f"DELETE {OLD_PATH}", refusal(404, "NotFound", "gone"))
    await carry_out(kube, OBSERVED, PLAN, NOW)
    assert apiserver.asked() == IN_ORDER


async def test_another_object_under_a_childs_name_is_not_deleted(apiserver: ScriptedApiserver, kube: Kube) -> None:
    apiserver.answer(f"DELETE {OLD_PATH}", refusal(409, "Conflict", "the UID in the precondition does not match"))
    with pytest.raises(ConflictError):
        await carry_out(kube, OBSERVED, PLAN, NOW)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (f"PATCH {STATUS_PATH}", refusal(404, "NotFound", "gone")),
        (f"PATCH {SERVICE_PATH}", refusal(403, "Forbidden", "terminating", [{"reason": "NamespaceTerminating"}])),
    ],
    ids=["deleted", "namespace on its way out"],
)
async def test_an_owner_that_goes_away_meanwhile_ends_the_plan(
    apiserver: ScriptedApiserver, kube: Kube, line: str, answer: Answer
) -> None:
    apiserver.answer(line, answer)
    with pytest.raises(OwnerGoneError):
        await carry_out(kube, OBSERVED, PLAN, NOW)
    assert apiserver.asked()[-1] == line


async def test_a_status_is_not_written_to_what_the_object_has_become(apiserver: ScriptedApiserver, kube: Kube) -> None:
    apiserver.answer(f"PATCH {STATUS_PATH}", refusal(409, "Conflict", "the object has been modified"))
    with pytest.raises(OwnerChangedError):
        await carry_out(kube, OBSERVED, PLAN, NOW)
    assert apiserver.asked()[-1] == f"PATCH {STATUS_PATH}"


# Events


def test_an_event_is_about_the_object_and_named_by_what_it_says() -> None:
    event = render_event(make_owner(), TOLD, NOW)
    assert event["involvedObject"]["uid"] == "uid-1"
    assert (event["type"], event["reason"], event["message"]) == ("Warning", "ClaimNotFound", "create the claim")
    assert event["firstTimestamp"] == event["lastTimestamp"] == "2026-05-04T03:00:00Z"


@pytest.mark.parametrize(
    "other",
    [
        replace(TOLD, reason="ClaimLost"),
        replace(TOLD, type="Normal"),
    ],
)
def test_events_that_say_something_else_have_another_name(other: Event) -> None:
    names = {render_event(make_owner(), event, NOW)["metadata"]["name"] for event in (TOLD, other)}
    assert len(names) == 2


def test_warnings_for_one_reason_are_one_event_and_good_news_of_two_revisions_are_two() -> None:
    warnings = [replace(TOLD, message=f"pod a was restarted {count} times") for count in (1, 2)]
    news = [Event("Normal", "RolloutStarted", f"rolling out revision {revision}") for revision in "ab"]
    assert len({render_event(make_owner(), event, NOW)["metadata"]["name"] for event in warnings}) == 1
    assert len({render_event(make_owner(), event, NOW)["metadata"]["name"] for event in news}) == 2


def test_a_message_longer_than_the_api_takes_is_cut() -> None:
    message = render_event(make_owner(), replace(TOLD, message="ä" * 2000), NOW)["message"]
    assert len(message.encode()) <= MESSAGE_LIMIT
    assert message.endswith("ä…")


async def test_the_same_news_again_is_counted_up(apiserver: ScriptedApiserver, kube: Kube) -> None:
    name = render_event(make_owner(), TOLD, NOW)["metadata"]["name"]
    stored = {"metadata": {"name": name, "resourceVersion": "7"}, "count": 2}
    apiserver.answer(f"POST {EVENTS_PATH}", refusal(409, "AlreadyExists", "already exists"))
    apiserver.answer(f"GET {EVENTS_PATH}/{name}", ok(stored))
    await record_event(kube, make_owner(), TOLD, NOW + timedelta(minutes=5))
    assert apiserver.requests[-1].body == {
        "metadata": {"resourceVersion": "7"},
        "message": "create the claim",
        "count": 3,
        "lastTimestamp": "2026-05-04T03:05:00Z",
    }


async def test_an_event_that_expires_while_it_is_counted_up_is_let_go(apiserver: ScriptedApiserver, kube: Kube) -> None:
    path = f"{EVENTS_PATH}/{render_event(make_owner(), TOLD, NOW)['metadata']['name']}"
    apiserver.answer(f"POST {EVENTS_PATH}", refusal(409, "AlreadyExists", "already exists"))
    apiserver.answer(f"GET {path}", refusal(404, "NotFound", "gone"))
    await record_event(kube, make_owner(), TOLD, NOW)
    assert apiserver.asked() == [f"POST {EVENTS_PATH}", f"GET {path}"]


def test_every_kind_that_a_plan_writes_has_its_place() -> None:
    assert all(kinds.kind_of(kind.api_version, kind.kind) is kind for kind in kinds.CHILDREN)

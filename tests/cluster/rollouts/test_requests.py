"""What a person asks of a rollout, by `kubectl plimsoll` on the real control plane: which pods go, and which stay."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api_client import Api
from cluster.rollouts.versions import first_versions, on_trial, pods_of, reaches, rejections_of, rollout_of, version
from cluster_kit import Kit, eventually
from kubectl_plugin import Plugin
from operator_process import OperatorProcess

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

OBJECTS = ("promoted", "aborted", "gone-back", "held")


@pytest.fixture(scope="module", autouse=True)
def served(kit: Kit, operator: OperatorProcess) -> Iterator[None]:
    del operator
    with first_versions(kit, OBJECTS):
        yield


@pytest.fixture
def plimsoll(kit: Kit) -> Plugin:
    return Plugin(kit)


def test_a_promotion_keeps_the_canarys_pod_and_is_refused_where_there_is_none(
    kit: Kit, api: Api, plimsoll: Plugin
) -> None:
    stable = rollout_of(api, "promoted")["stable"]
    code, said = plimsoll.document("promote", "promoted")
    assert (code, said["outcome"]) == (1, "Refused")
    assert f"there is no canary to promote: revision {stable}" in said["message"]

    canary = on_trial(kit, api, "promoted", 2)
    pods = pods_of(api, "promoted")[canary]
    code, said = plimsoll.document("promote", "promoted", "--wait", "--timeout", "3m", "--id", "once")
    assert (code, said["outcome"], said["revision"], said["done"]) == (0, "Accepted", canary, True)
    assert pods_of(api, "promoted") == {canary: pods}

    code, said = plimsoll.document("promote", "promoted", "--id", "once")
    assert (code, said["outcome"]) == (0, "Accepted")
    assert pods_of(api, "promoted") == {canary: pods}


def test_an_abort_and_a_retry_touch_no_pod_that_serves(kit: Kit, api: Api, plimsoll: Plugin) -> None:
    serving = pods_of(api, "aborted")
    canary = on_trial(kit, api, "aborted", 2)
    code, said = plimsoll.document("abort", "aborted", "--wait", "--timeout", "3m")
    assert (code, said["revision"], said["done"]) == (0, canary, True)
    reaches(api, "aborted", "RolledBack")
    assert kit.condition("aborted", "Stalled")["reason"] == "RolledBack"
    eventually(lambda: pods_of(api, "aborted") == serving, 60)

    # Applied again, it starts nothing; and the way back in the spec restarts nothing.
    kit.apply(version("aborted", 1))
    reaches(api, "aborted", "Idle")
    kit.apply(version("aborted", 2))
    reaches(api, "aborted", "RolledBack")
    assert pods_of(api, "aborted") == serving

    code, said = plimsoll.document("retry", "aborted")
    assert (code, said["outcome"], said["revision"]) == (0, "Accepted", canary)
    reaches(api, "aborted", "Analysing")
    now = pods_of(api, "aborted")
    assert set(now) == {canary, *serving}
    assert now.items() >= serving.items()


def test_a_rollback_goes_back_to_a_named_revision_and_to_the_one_before(kit: Kit, api: Api, plimsoll: Plugin) -> None:
    first = rollout_of(api, "gone-back")["stable"]
    second = on_trial(kit, api, "gone-back", 2)
    assert plimsoll.document("promote", "gone-back", "--wait", "--timeout", "3m")[0] == 0
    assert first in plimsoll.completed("rollback", "-n", kit.namespace, "gone-back", "")

    code, said = plimsoll.document("rollback", "gone-back", "--wait", "--timeout", "3m")
    assert (code, said["revision"], said["done"]) == (0, first, True)
    assert rollout_of(api, "gone-back")["stable"] == first
    assert set(pods_of(api, "gone-back")) == {first}
    back = pods_of(api, "gone-back")

    third = on_trial(kit, api, "gone-back", 3)
    code, said = plimsoll.document("rollback", "gone-back", first[:6], "--wait", "--timeout", "3m")
    assert (code, said["revision"]) == (0, first)
    assert pods_of(api, "gone-back") == back
    assert rejections_of(api, "gone-back") == {second: "RolledBackByRequest", third: "RolledBackByRequest"}


def test_a_pause_holds_the_next_change_until_it_is_resumed(kit: Kit, api: Api, plimsoll: Plugin) -> None:
    serving = pods_of(api, "held")
    code, said = plimsoll.document("pause", "held", "--id", "hold-it")
    assert (code, said["outcome"]) == (0, "Accepted")
    kit.apply(version("held", 2))
    held = reaches(api, "held", "Paused")
    assert "request hold-it" in held["message"]
    assert pods_of(api, "held") == serving
    # The annotation may go: what was accepted is kept in the history.
    kit.kubectl("annotate", "infd", "held", "plimsoll.dev/rollout-request-")
    assert plimsoll.completed("resume", "-n", kit.namespace, "he") == ["held"]

    code, said = plimsoll.document("resume", "held")
    assert (code, said["outcome"]) == (0, "Accepted")
    reaches(api, "held", "Analysing")
    assert pods_of(api, "held").items() >= serving.items()

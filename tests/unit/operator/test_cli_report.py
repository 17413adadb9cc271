"""What `kubectl plimsoll status` prints: readable as plain text, the verdict first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

import trials
from plimsoll_operator.cli.console import show
from plimsoll_operator.cli.report import age, report

Printed = Callable[..., str]

NOW = datetime(2026, 5, 4, 3, 0, tzinfo=UTC)
EARLIER = "2026-05-04T02:48:00Z"
SPEC = {"model": {"uri": "pvc://models/domains"}, "gpu": {"profile": "nvidia-l4"}}


def condition(kind: str, status: str, reason: str, message: str = "as it should be") -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": EARLIER}


def pod(name: str, revision: str, ready: bool, **status: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "labels": {"plimsoll.dev/revision": revision},
            "creationTimestamp": EARLIER,
        },
        "spec": {"nodeName": "gpu-1"},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}], **status},
    }


def found(status: dict[str, Any], generation: int = 2) -> dict[str, Any]:
    metadata = {"namespace": "guardrails", "name": "domains", "generation": generation}
    return {"metadata": metadata, "spec": SPEC, "status": status}


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printed:
    """What a pipe gets to read of an object and its pods."""

    def run(manifest: dict[str, Any], pods: list[dict[str, Any]] | None = None) -> str:
        show(report(manifest, pods, NOW))
        return capsys.readouterr().out.rstrip("\n")

    return run


AT_REST = condition("Reconciling", "False", "AtRest")

CRASHED = {
    "containerStatuses": [
        {
            "name": "server",
            "restartCount": 4,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
            "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "message": "no weights"}},
        }
    ]
}

IN_TROUBLE = {
    "observedGeneration": 2,
    "replicas": 2,
    "readyReplicas": 1,
    "conditions": [
        condition("Available", "True", "Serving", "1 pods answer"),
        condition("Ready", "False", "CrashLoop", "pod domains-b-1 ended 4 times: read its log"),
        condition("Reconciling", "True", "CrashLoop", "pod domains-b-1 ended 4 times: read its log"),
        condition("Stalled", "False", "NotStalled"),
        condition("WithinLoadLine", "True", "Within"),
        condition("ScalingActive", "False", "ProviderNone"),
        condition("UpToDate", "True", "AsRendered"),
    ],
    "rollout": {
        "phase": "Progressing",
        "stable": "aaaa",
        "canary": "bbbb",
        "message": "0 of 1 pods of revision bbbb are ready",
        "startedAt": EARLIER,
        "lastRequest": {
            "id": "7",
            "verb": "restart",
            "outcome": "Accepted",
            "message": "a revision was rendered anew",
            "at": EARLIER,
        },
    },
    "revisions": [
        {"number": 2, "hash": "bbbb", "stable": False, "replicas": 1, "readyReplicas": 0, "createdAt": EARLIER},
        {"number": 1, "hash": "aaaa", "stable": True, "replicas": 1, "readyReplicas": 1, "createdAt": EARLIER},
    ],
    "loadLine": [
        {
            "tier": "long",
            "maxTokens": 32768,
            "requestedConcurrency": 40,
            "safeConcurrency": 18,
            "budgetBytes": 19578 << 20,
            "weightsBytes": 284 << 20,
            "bytesPerToken": 32256,
        }
    ],
    "starts": [{"pod": "domains-a-1", "revision": "aaaa", "scheduledSeconds": 0, "imageSeconds": 3}],
}

EXPECTED = """\
guardrails/domains  serves, not ready  1 of 2 pods ready  nvidia-l4  pvc://models/domains

CONDITIONS
CONDITION     STATUS   REASON      FOR   MESSAGE
Available     True     Serving     12m   1 pods answer
Ready         False    CrashLoop   12m   pod domains-b-1 ended 4 times: read its log
Reconciling   True     CrashLoop   12m   pod domains-b-1 ended 4 times: read its log

ROLLOUT
phase      Progressing: 0 of 1 pods of revision bbbb are ready
revision   aaaa -> bbbb, for 12m
request    restart 7, 12m ago: Accepted, a revision was rendered anew

REVISIONS
NUMBER   REVISION   ROLE     READY   AGE
2        bbbb       coming   0/1     12m
1        aaaa       stable   1/1     12m

PODS
POD           REVISION   STATE       NODE    RESTARTS   AGE   WHY
domains-a-1   aaaa       ready       gpu-1   0          12m
domains-b-1   bbbb       not ready   gpu-1   4          12m   CrashLoopBackOff: back-off 40s

LOAD LINE
TIER   MAX TOKENS   ASKED   SAFE   LINE       WEIGHTS MiB   OF MiB   BYTES A TOKEN
long   32768        40      18     exceeded   284           19578    32256

STARTS (seconds)
POD           REVISION   SCHEDULED   IMAGE   WEIGHTS   WARM-UP   READY
domains-a-1   aaaa       0           3       …         …         …"""


def test_an_object_in_trouble_is_told_with_what_explains_it(printed: Printed) -> None:
    pods = [pod("domains-a-1", "aaaa", ready=True), pod("domains-b-1", "bbbb", ready=False, **CRASHED)]
    assert printed(found(IN_TROUBLE), pods) == EXPECTED


def test_a_canary_shows_its_step_and_the_evidence_of_each_signal(printed: Printed) -> None:
    status = {**trials.analysing()["status"], "conditions": [condition("Ready", "False", "Analysing")]}
    rollout = printed(found(status)).partition("ROLLOUT\n")[2].partition("\n\n")[0].splitlines()
    assert [line.split()[0] for line in rollout] == ["phase", "revision", "step", "evidence", "evidence", "evidence"]
    assert "2 of 3, 29 % of the requests" in rollout[2]
    assert "errors: 0.4 of 400 against it; at most 1.3 %, allowed 1.1 %" in rollout[4]


def test_the_evidence_of_an_earlier_canary_is_left_to_explain(printed: Printed) -> None:
    status = {**trials.rolled_back()["status"], "conditions": [condition("Ready", "False", "RolledBack")]}
    status["rollout"] |= {"canary": ""}
    revisions = [{"hash": trials.CANARY, "number": 2, "rejected": {"reason": "MoreErrors", "message": "19 of 500"}}]
    text = printed(found({**status, "revisions": revisions}))
    assert "evidence" not in text
    assert "rejected" in text.partition("REVISIONS")[2]


def test_an_object_at_rest_has_two_conditions_to_show(printed: Printed) -> None:
    conditions = [
        condition("Available", "True", "Serving"),
        condition("Ready", "True", "Serving"),
        condition("Reconciling", "False", "AtRest"),
        condition("Stalled", "False", "NotStalled"),
    ]
    text = printed(found({"observedGeneration": 2, "conditions": conditions}), [])
    assert text.splitlines()[0].startswith("guardrails/domains  ready  0 of 0 pods ready")
    assert [line.split()[0] for line in text.splitlines()[4:]] == ["Available", "Ready"]


@pytest.mark.parametrize(
    ("kind", "status"),
    [("Stalled", "True"), ("UpToDate", "False"), ("WithinLoadLine", "Unknown"), ("OutOfMemory", "True")],
)
def test_a_condition_that_is_not_as_it_should_be_is_shown(printed: Printed, kind: str, status: str) -> None:
    assert kind in printed(found({"observedGeneration": 2, "conditions": [condition(kind, status, "Why")]}))


def test_an_object_that_nobody_has_looked_at_asks_after_the_operator(printed: Printed) -> None:
    text = printed(found({"observedGeneration": -1}))
    assert "does not serve" in text
    assert "no operator has looked at it" in text


def test_a_status_of_an_older_spec_says_so(printed: Printed) -> None:
    assert "about an older spec" in printed(found({"observedGeneration": 1, "conditions": [AT_REST]}))


def test_what_a_container_says_does_nothing_to_the_terminal(printed: Printed) -> None:
    status = {"observedGeneration": 2, "conditions": [condition("Ready", "False", "CrashLoop", "\x1b[2Jgone\nall")]}
    assert "\\x1b[2Jgone all" in printed(found(status))


def test_pods_that_may_not_be_seen_are_told_apart_from_none(printed: Printed) -> None:
    status = {"observedGeneration": 2, "conditions": [AT_REST]}
    assert "may not list the pods" in printed(found(status), None)
    assert "PODS" not in printed(found(status), [])


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        ("2026-05-04T02:59:15Z", "45s"),
        ("2026-05-04T02:48:00Z", "12m"),
        ("2026-05-03T23:59:00Z", "3h"),
        ("2026-04-30T03:00:00Z", "4d"),
        ("2026-05-04T03:00:05Z", "0s"),
    ],
)
def test_ages_are_told_in_one_unit(moment: str, text: str) -> None:
    assert age(moment, NOW) == text


def test_a_long_history_of_what_was_taken_back_leaves_the_pods_in_sight(printed: Printed) -> None:
    rejected = [{"hash": f"r{number}", "number": number, "rejected": {}} for number in range(60, 10, -1)]
    stable = {"hash": "served", "number": 1, "stable": True, "replicas": 2, "readyReplicas": 2}
    text = printed(found({"conditions": [AT_REST], "revisions": [*rejected, stable]}, generation=0))
    listed = text.partition("REVISIONS")[2].partition("\n\n")[0].splitlines()[2:]
    assert [line.split()[1] for line in listed[:-1]] == [*(f"r{number}" for number in range(60, 50, -1)), "served"]
    assert listed[-1] == "and 40 older ones without a pod"

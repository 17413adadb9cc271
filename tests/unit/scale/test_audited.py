"""The measurement's own reading of the audit log: nothing lost, nobody else counted, a reconcile from end to end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scale.audited import AuditLog, Request, reconcile_seconds, written

OPERATOR = "system:serviceaccount:plimsoll-system:plimsoll"
OBJECT = "/apis/plimsoll.dev/v1alpha1/namespaces/team-00/inferencedeployments/scale-0007"


def line(uri: str, *, verb: str = "get", user: str = OPERATOR, stage: str = "ResponseComplete", at: float = 0.0) -> str:
    event = {
        "stage": stage,
        "verb": verb,
        "user": {"username": user},
        "requestURI": uri,
        "objectRef": {"resource": uri.partition("?")[0].split("/")[-2 if "scale-" in uri.partition("?")[0] else -1]},
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": f"2026-05-04T03:00:{at:09.6f}Z",
        "stageTimestamp": f"2026-05-04T03:00:{at + 0.5:09.6f}Z",
    }
    return json.dumps(event, separators=(",", ":")) + "\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "audit.log"
    path.touch()
    return path


def test_no_line_is_lost_when_the_log_is_rotated_between_two_reads(path: Path) -> None:
    with AuditLog(path, OPERATOR) as log, path.open("a") as first:
        first.write(line(OBJECT))
        first.flush()
        log.read()
        first.write(line(OBJECT) + line(OBJECT)[:40])
        first.flush()
        log.read()
        first.write(line(OBJECT)[40:])
        first.flush()
        path.rename(path.with_name("audit-1.log"))
        path.write_text(line(OBJECT))
        assert len(log.between(0)) == 4


def test_only_answered_requests_of_the_operator_count(path: Path) -> None:
    path.write_text(line(OBJECT, user="plimsoll:admin") + line(OBJECT, stage="ResponseStarted") + line(OBJECT))
    with AuditLog(path, OPERATOR) as log:
        [only] = log.between(0)
    assert (only.subject, only.resource, only.opens_a_reconcile) == ("scale-0007", "inferencedeployments", True)


def test_a_reconcile_lasts_from_the_read_of_its_object_to_the_last_request_about_it(path: Path) -> None:
    pods = "/api/v1/namespaces/team-00/pods?labelSelector=plimsoll.dev%2Fname%3Dscale-0007"
    other = OBJECT.replace("0007", "0008")
    path.write_text(
        line(OBJECT, at=1)
        + line(pods, verb="list", at=2)
        + line(other, at=2.2)
        + line(OBJECT, verb="patch", at=3)
        + line(OBJECT, at=10)
    )
    with AuditLog(path, OPERATOR) as log:
        requests = log.between(0)
    assert sorted(round(seconds, 1) for seconds in reconcile_seconds(requests)) == [0.5, 0.5, 2.5]
    assert [each.verb for each in written(requests)] == ["patch"]


@pytest.mark.parametrize(
    ("verb", "resource", "status", "refused"),
    [
        pytest.param("get", "services", 404, False, id="not found is an answer"),
        pytest.param("create", "events", 409, False, id="an Event that is there already"),
        pytest.param("patch", "inferencedeployments", 409, True, id="a conflict"),
        pytest.param("list", "pods", 429, True, id="too many"),
    ],
)
def test_what_counts_as_refused(verb: str, resource: str, status: int, refused: bool) -> None:
    assert Request(verb, resource, "", status, "scale-0007", 0, 1).was_refused is refused

"""What the operator tells of itself: metrics by name, log lines by field."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from plimsoll_operator.census import Census
from plimsoll_operator.logs import configure_logs
from plimsoll_operator.telemetry import Telemetry
from plimsoll_operator.workqueue import Backlog


def samples(telemetry: Telemetry) -> dict[str, float]:
    lines = telemetry.page().body.decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def test_every_metric_has_the_name_that_alerts_and_dashboards_use() -> None:
    telemetry = Telemetry()
    telemetry.watch_queue(lambda: Backlog(depth=3, oldest=1.5))
    telemetry.watch_lease(lambda: True, lambda: 1.25)
    telemetry.changed_hands(4)
    telemetry.lease_failed("Unavailable")
    with telemetry.timed_reconcile():
        telemetry.wrote("Deployment", "apply")
    telemetry.failed("Conflict")
    by_state = {("Ready", "Serving"): 2, ("Stalled", "ClaimNotFound"): 1, ("Unknown", ""): 0}
    telemetry.counted(Census(by_state, short_for_memory=3, serving_nothing=5))
    read = samples(telemetry)
    assert {
        'plimsoll_operator_writes_total{kind="Deployment",verb="apply"}': 1,
        'plimsoll_operator_reconcile_errors_total{reason="Conflict"}': 1,
        "plimsoll_operator_reconcile_duration_seconds_count": 1,
        "plimsoll_operator_queue_depth": 3,
        "plimsoll_operator_queue_age_seconds": 1.5,
        'plimsoll_operator_objects{reason="Serving",state="Ready"}': 2,
        'plimsoll_operator_objects{reason="",state="Unknown"}': 0,
        "plimsoll_operator_objects_short_for_memory": 3,
        "plimsoll_operator_objects_serving_nothing": 5,
        "plimsoll_operator_leading": 1,
        "plimsoll_operator_lease_age_seconds": 1.25,
        "plimsoll_operator_lease_transitions": 4,
        'plimsoll_operator_lease_errors_total{reason="Unavailable"}': 1,
    }.items() <= read.items()
    assert read["process_resident_memory_bytes"] > 0


def test_a_reconcile_that_fails_is_timed_too() -> None:
    telemetry = Telemetry()
    with pytest.raises(KeyError, match="spec"), telemetry.timed_reconcile():
        raise KeyError("spec")
    assert samples(telemetry)["plimsoll_operator_reconcile_duration_seconds_count"] == 1


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers, root.level = handlers, level


def line(log: io.StringIO) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(log.getvalue())
    return parsed


def test_a_line_says_which_object_it_is_about_and_why(log: io.StringIO) -> None:
    configure_logs("json", log)
    logging.getLogger("plimsoll").warning(
        "%s failed", "it", extra={"object": "guardrails/domains", "reason": "Conflict"}
    )
    told = line(log)
    assert told.pop("time").endswith("+00:00")
    assert told == {
        "level": "warning",
        "logger": "plimsoll",
        "message": "it failed",
        "object": "guardrails/domains",
        "reason": "Conflict",
    }


def test_kopfs_lines_name_their_object_in_the_same_field(log: io.StringIO) -> None:
    configure_logs("json", log)
    reference = {"kind": "Pod", "namespace": "guardrails", "name": "domains-1", "uid": "1"}
    logging.getLogger("kopf.objects").error("failed", extra={"k8s_ref": reference})
    assert line(log)["object"] == "guardrails/domains-1"


def test_kopfs_report_of_every_event_is_left_out(log: io.StringIO) -> None:
    configure_logs("json", log)
    logging.getLogger("kopf.objects").info("Handler 'owner_changed' succeeded.")
    assert log.getvalue() == ""


def test_an_exception_stays_one_line_of_json(log: io.StringIO) -> None:
    configure_logs("json", log)
    try:
        raise KeyError("spec")
    except KeyError:
        logging.getLogger("plimsoll").exception("a bug")
    assert "KeyError: 'spec'" in line(log)["exception"]


def test_text_lines_end_with_what_they_are_about(log: io.StringIO) -> None:
    configure_logs("text", log)
    logging.getLogger("plimsoll").info("applied", extra={"object": "guardrails/domains"})
    assert log.getvalue().endswith("INFO    applied  [guardrails/domains]\n")

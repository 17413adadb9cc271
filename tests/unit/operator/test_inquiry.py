"""What is asked of Prometheus, and when: one query per signal, of two revisions, for moments that have passed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from builders import NOW, make_owner, make_spec
from plimsoll_operator.observed import Owner
from plimsoll_operator.rollout.measuring.inquiry import MOST_STEPS, SETTLE, inquire, next_moment
from plimsoll_operator.rollout.measuring.promql import any_of, quoted
from plimsoll_operator.rollout.measuring.signals import SIGNALS

STEP = timedelta(seconds=10)


def owner(
    until: datetime | None = NOW, *, canary: str = "new", ready: int = 1, phase: str = "Analysing", **evidence: Any
) -> Owner:
    """An object whose canary was compared up to then."""
    told = until.isoformat() if until else "never"
    status = {
        "rollout": {
            "canary": canary,
            "evidence": {
                "canary": "new",
                "stable": "old",
                "until": told,
                **evidence,
            },
            "phase": phase,
        },
        "revisions": [{"hash": "new", "readyReplicas": ready}, {"hash": "old", "readyReplicas": 3}],
    }
    return make_owner(make_spec(), status)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        pytest.param(make_owner(), 60, id="no rollout"),
        pytest.param(owner(canary=""), 60, id="a rollout that is over"),
        pytest.param(owner(canary="newer"), 60, id="a canary of which nothing is known yet"),
        pytest.param(owner(phase="RollingBack"), 60, id="a canary that is taken back"),
        pytest.param(owner(ready=0), 60, id="a canary that never was ready"),
        pytest.param(owner(), 11.9, id="a moment whose scrapes may not be stored yet"),
        pytest.param(owner(until=None), 60, id="a status that cannot be read"),
        pytest.param(owner(stable=""), 60, id="a comparison with nobody"),
        pytest.param(make_owner({"tiers": "none"}, owner().status), 60, id="a spec that cannot be read"),
    ],
)
def test_nothing_is_asked_of(asked: Owner, seconds: float) -> None:
    assert inquire(asked, NOW + timedelta(seconds=seconds)) is None


def test_a_canary_that_answered_and_is_not_ready_now_is_looked_at() -> None:
    assert inquire(owner(ready=0, requests=5), NOW + timedelta(seconds=12)) is not None


@pytest.mark.parametrize(
    ("seconds", "since", "due"),
    [
        pytest.param(12, 0, 10, id="one moment has passed"),
        pytest.param(21.9, 0, 10, id="nearly two"),
        pytest.param(63, 0, 60, id="after a minute without Prometheus"),
        pytest.param(3602, 3600 - MOST_STEPS * 10, 3600, id="after an hour: no further back than a few minutes"),
    ],
)
def test_moments_follow_the_last_one_that_was_judged(seconds: float, since: float, due: float) -> None:
    inquiry = inquire(owner(), NOW + timedelta(seconds=seconds))
    assert inquiry is not None
    assert inquiry.since == NOW + timedelta(seconds=since)
    assert inquiry.last == inquiry.due == NOW + timedelta(seconds=due)
    assert inquiry.first == inquiry.since - timedelta(seconds=30)


def test_where_the_clock_was_set_back_prometheus_own_tells_what_has_passed() -> None:
    ahead = owner(NOW + timedelta(hours=1))
    first, later = inquire(ahead, NOW), inquire(ahead, NOW + STEP)
    assert first is not None
    assert first.since == NOW + timedelta(hours=1)
    assert first != later, "it would not be asked about again"


def test_a_clock_a_little_behind_just_waits() -> None:
    assert inquire(owner(NOW + timedelta(seconds=30)), NOW) is None


@pytest.mark.parametrize("seconds", [0, 3, 12, 25, 3601.5, -40])
def test_the_next_look_is_when_something_can_be_asked(seconds: float) -> None:
    now = NOW + timedelta(seconds=seconds)
    wait = next_moment(NOW, STEP, now)
    assert wait > timedelta(0)
    assert inquire(owner(), now + wait) is not None
    assert wait <= STEP + SETTLE or seconds < 0


@pytest.mark.parametrize(
    ("value", "expected"),
    [("domains", '"domains"'), ('a"b', r'"a\"b"'), ("a\\b", r'"a\\b"'), ("a\nb", r'"a\nb"'), ("ä{}", '"ä{}"')],
)
def test_a_value_is_quoted(value: str, expected: str) -> None:
    assert quoted(value) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [(("a1", "b2"), '"a1|b2"'), (("a.b|c",), r'"a\\.b\\|c"'), (("le-gal_1",), '"le-gal_1"'), (('x"',), r'"x\""')],
)
def test_values_are_matched_as_they_stand(values: tuple[str, ...], expected: str) -> None:
    assert any_of(values) == expected


def test_a_query_names_its_object_and_both_revisions() -> None:
    inquiry = inquire(owner(), NOW + timedelta(seconds=12))
    assert inquiry is not None
    queries = {signal.name: signal.query(inquiry) for signal in SIGNALS}
    assert queries["errors"] == (
        "max by (__name__, revision, replica, tier, outcome) ({"
        '__name__=~"plimsoll_requests_total|plimsoll_incidents_total", inference_namespace="guardrails", '
        'inference_deployment="domains", revision=~"old|new"})'
    )
    assert set(queries) == {"oom", "errors", "latency"}

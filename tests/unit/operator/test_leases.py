"""The rules of the Lease: who may write, who may take it, and what is written into it."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest

from plimsoll_operator.leases import (
    NotLeadingError,
    Signature,
    Tenure,
    Vigil,
    holder,
    is_released,
    new_lease,
    released,
    taken,
    transitions,
)

NOW = datetime(2026, 5, 4, 3, 0, 0, 250, tzinfo=UTC)
STAMP = "2026-05-04T03:00:00.000250Z"
ME, OTHER = "me_1", "other_1"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def make_lease(holder: str = "", version: str = "7", **spec: Any) -> dict[str, Any]:
    held = {"holderIdentity": holder} if holder else {}
    return {**new_lease("system", "plimsoll"), "spec": held | spec} | {"metadata": {"resourceVersion": version}}


@pytest.mark.parametrize(
    ("renewed_ago", "holds"), [(None, False), (0.0, True), (9.9, True), (10.0, False), (3600.0, False)]
)
def test_who_renewed_within_ten_seconds_may_write(renewed_ago: float | None, holds: bool) -> None:
    clock = Clock()
    tenure = Tenure(clock)
    if renewed_ago is not None:
        tenure.renewed(clock.now - renewed_ago)
    assert tenure.holds is holds
    if holds:
        tenure.check()
    else:
        ago = "never" if renewed_ago is None else f"{renewed_ago:.1f} s ago"
        with pytest.raises(NotLeadingError, match=f"not sent: the Lease was renewed {ago}, expected within 10 s"):
            tenure.check()


def test_a_tenure_that_was_ended_does_not_hold() -> None:
    clock = Clock()
    tenure = Tenure(clock)
    tenure.renewed(clock.now)
    tenure.end()
    assert not tenure.holds


def test_a_lease_taken_anew_gives_no_right_until_every_earlier_one_has_ended() -> None:
    clock = Clock()
    tenure = Tenure(clock)
    tenure.taken_anew(clock.now)
    rights = []
    for _ in range(12):
        clock.now += 1
        tenure.renewed(clock.now)
        rights.append(tenure.holds)
    assert rights == [False] * 9 + [True] * 3


def test_its_holder_keeps_what_is_left_of_the_lease_that_was_deleted() -> None:
    clock = Clock()
    tenure = Tenure(clock)
    tenure.renewed(clock.now)
    clock.now += 3
    rights = []
    for second in range(12):
        (tenure.renewed if second else tenure.taken_anew)(clock.now)
        rights.append(tenure.holds)
        clock.now += 1
    assert rights == [True] * 7 + [False] * 3 + [True] * 2


BLANK = {**new_lease("system", "plimsoll"), "metadata": {"resourceVersion": "1"}}
RELEASED = released(make_lease(ME, leaseDurationSeconds=15), NOW)
NAMELESS = make_lease(leaseDurationSeconds=15, renewTime=STAMP)


@pytest.mark.parametrize(
    ("lease", "wait", "began_blank"),
    [
        (RELEASED, 0, False),
        (make_lease(holder=ME), 0, False),
        (make_lease(holder=OTHER), 15, False),
        (BLANK, 15, True),
        (NAMELESS, 15, False),
        (None, 6, False),
    ],
    ids=["released", "one's own, of a request without an answer", "held by another", "blank", "unsigned", "missing"],
)
def test_only_what_its_holder_gave_back_may_be_taken_at_once(
    lease: dict[str, Any] | None, wait: float, began_blank: bool
) -> None:
    vigil = Vigil(ME)
    vigil.sees(lease, 1000)
    assert (vigil.until_free(1000), vigil.began_blank) == (wait, began_blank)
    vigil.sees(lease, 1002)
    assert (vigil.until_free(1002), vigil.began_blank) == (max(0, wait - 2), began_blank)


@pytest.mark.parametrize("before", [None, make_lease(OTHER), RELEASED], ids=["missing", "held", "released"])
def test_a_blank_lease_in_the_place_of_what_was_seen_before_is_one_that_was_put_back(
    before: dict[str, Any] | None,
) -> None:
    vigil = Vigil(ME)
    vigil.sees(before, 1000)
    vigil.sees(BLANK, 1010)
    assert (vigil.until_free(1010), vigil.began_blank) == (15, False)


def test_a_process_knows_its_own_lease_again_answered_or_not() -> None:
    def mine(second: int) -> dict[str, Any]:
        return taken(make_lease(), ME, datetime(2026, 5, 4, 0, 0, second, tzinfo=UTC))

    signature = Signature(ME)
    signature.wrote(mine(1))
    signature.sends(mine(2))
    signature.sends(mine(3))
    assert [signature.is_on(mine(second)) for second in range(5)] == [False, True, True, True, False]
    assert not signature.is_on({**mine(1), "spec": {**mine(1)["spec"], "holderIdentity": OTHER}})
    assert not signature.is_on(BLANK)
    signature.wrote(mine(3))
    assert [signature.is_on(mine(second)) for second in range(5)] == [False, False, False, True, False]


@pytest.mark.parametrize(
    ("before", "then", "since"),
    [
        (make_lease(OTHER, "7"), make_lease(OTHER, "7"), 1000),
        (make_lease(OTHER, "7"), make_lease(OTHER, "8"), 1010),
        (make_lease(OTHER, "7"), None, 1010),
        (None, make_lease(OTHER, "1"), 1010),
        (None, None, 1000),
    ],
    ids=["not renewed", "renewed", "deleted", "made", "still missing"],
)
def test_every_change_begins_the_wait_anew(
    before: dict[str, Any] | None, then: dict[str, Any] | None, since: float
) -> None:
    vigil = Vigil(ME)
    vigil.sees(before, 1000)
    vigil.sees(then, 1010)
    wait = 6 if then is None else 15
    assert vigil.until_free(1005 if since == 1000 else 1012) == since + wait - (1005 if since == 1000 else 1012)
    assert vigil.until_free(since + wait) == 0


def test_one_that_has_not_looked_yet_knows_nothing() -> None:
    vigil = Vigil(ME)
    assert vigil.until_free(1e9) == math.inf
    vigil.sees(None, 2000)
    assert vigil.until_free(2000) == 6, "its holder is to make it anew first"


def test_taking_it_says_who_when_and_the_how_manieth_and_leaves_the_rest_alone() -> None:
    before = make_lease(OTHER, "7", leaseTransitions=4, strategy="OldestEmulationVersion")
    lease = taken(before, ME, NOW)
    assert lease["metadata"] == before["metadata"]
    assert lease["spec"] == {
        "holderIdentity": ME,
        "leaseDurationSeconds": 15,
        "acquireTime": STAMP,
        "renewTime": STAMP,
        "leaseTransitions": 5,
        "strategy": "OldestEmulationVersion",
    }


def test_renewing_it_moves_only_the_time() -> None:
    first = taken(make_lease(), ME, datetime(2026, 5, 4, tzinfo=UTC))
    again = taken(first, ME, NOW)
    assert again["spec"] == {**first["spec"], "renewTime": STAMP}


def test_a_released_lease_has_no_holder_and_remembers_the_rest() -> None:
    lease = released(taken(make_lease(leaseTransitions=4), ME, NOW), NOW)
    assert (holder(lease), transitions(lease)) == ("", 5)
    assert "holderIdentity" not in lease["spec"], "an empty one is refused by newer apiservers"
    assert is_released(lease)
    assert taken(lease, OTHER, NOW)["spec"]["leaseDurationSeconds"] == 15

"""What has to be true of a rollout that is over, whatever its story."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from math import log, sqrt
from typing import Any

from cluster.rollouts.outcome import Outcome
from pod_history import PodHistory

TAKEN_BACK = {"Available": "True", "Ready": "False", "Reconciling": "False", "Stalled": "True"}
BACK_SECONDS = 60
"""From the first bad response to the last response of the canary, at 10 requests of the canary a second."""

QUIET_LOAD_PER_CORE = 2
"""The sandbox itself is some of it; beyond it a bound of seconds would be one of the machine."""
BUSY_FACTOR = 4
"""What a machine with too much to do is allowed, and no more."""
FALSE_ALARM = 1e-6
"""Runs in which chance alone may fail a test that counts requests."""


def was_taken_back(outcome: Outcome, reason: str) -> None:
    """The canary is rejected for that reason, and nothing else happened to anybody."""
    assert outcome.at_the_end == outcome.before, "the canary has pods left"
    was_rejected(outcome, reason)


def was_rejected(outcome: Outcome, reason: str) -> None:
    """The canary is, for that reason, and stable has lost neither a pod nor a request; it may have got more pods."""
    assert outcome.stable_now == outcome.stable, outcome.told
    stable_was_not_touched(outcome)
    assert outcome.at_the_end == outcome.pods_of(outcome.stable), "the canary has pods left, or a pod of stable is gone"
    lost = [str(answer) for answer in outcome.failed if answer.revision == outcome.stable]
    assert lost == [], "stable failed requests"

    rejected = revision_of(outcome, outcome.canary)["rejected"]
    assert rejected["reason"] == reason, rejected
    told = conditions(outcome)
    assert {kind: status for kind, (status, _) in told.items()} == TAKEN_BACK, told
    assert (told["Ready"][1], told["Stalled"][1]) == ("RolledBack", "RolledBack")
    [event] = outcome.events_of("RolledBack")
    assert event["type"] == "Warning"
    assert event.get("count", 1) == 1
    assert rejected["message"] in event["message"]


def was_promoted(outcome: Outcome) -> None:
    """The canary is stable: it kept all its pods, and no fewer served at any time than before."""
    assert outcome.stable_now == outcome.canary, outcome.told
    assert outcome.canary_pods == outcome.at_the_end, "a pod of the canary did not survive its promotion"
    assert outcome.canary_pods & outcome.pods.restarted == set(), "a container of the canary was started anew"
    assert outcome.pods.fewest_serving >= len(outcome.before)
    assert revision_of(outcome, outcome.canary)["promoted"]
    assert conditions(outcome)["Ready"][0] == "True"
    assert len(outcome.events_of("Promoted")) == 1
    assert outcome.events_of("RolledBack") == []


def stable_was_not_touched(outcome: Outcome) -> None:
    served_all_along(outcome.pods, outcome.before)


def served_all_along(pods: PodHistory, uids: Collection[str]) -> None:
    """These pods did, and none of their containers was started anew."""
    touched = [uid for state in pods.states for uid in uids if uid not in state or not state[uid].serves]
    assert touched == [], "a pod of the stable revision did not serve at every moment"
    assert pods.restarted & set(uids) == set(), "a container of the stable revision was started anew"


def its_share_was_the_weight_told(outcome: Outcome) -> None:
    """While it was judged, the canary answered as large a share of the requests as the object told.

    Of those that came over a connection of their own: each of these goes to any ready pod by chance, for itself. What
    comes over kept connections follows within a minute or so, as they end, and would count many times in one draw.
    """
    begin, end = outcome.moment_of("Analysing"), outcome.moment_of("Promoting")
    weights = [told.rollout["weightPercent"] for told in outcome.told.since(begin) if told.phase == "Analysing"]
    drawn = [answer for answer in outcome.answers if begin <= answer.asked < end and not answer.kept]
    share = 100 * sum(answer.revision == outcome.canary for answer in drawn) / len(drawn)
    # Further than this the mean of n independent draws is from their chance in one run of a million at most:
    # P(|mean - w| >= t) <= 2 exp(-2 n t^2) (Hoeffding, J. Amer. Statist. Assoc. 58, 1963); 10 points with 700 of them.
    # The half is what a whole percent may hide.
    tolerance = 100 * sqrt(log(2 / FALSE_ALARM) / (2 * len(drawn))) + 0.5
    figure = f"{share:.1f} % of {len(drawn)} requests, told were {sorted(set(weights))} %, +- {tolerance:.1f}"
    print(figure)  # noqa: T201
    assert min(weights) - tolerance <= share <= max(weights) + tolerance, figure


def conditions(outcome: Outcome) -> dict[str, tuple[str, str]]:
    kinds = ("Available", "Ready", "Reconciling", "Stalled")
    found = {each["type"]: (each["status"], each["reason"]) for each in outcome.owner["status"]["conditions"]}
    return {kind: found[kind] for kind in kinds}


def revision_of(outcome: Outcome, revision: str) -> Mapping[str, Any]:
    """Its entry in the object's status."""
    found: list[Mapping[str, Any]] = outcome.owner["status"]["revisions"]
    return next(entry for entry in found if entry["hash"] == revision)


def in_time(seconds: float, bound: float) -> None:
    """Hold `seconds` to `bound` on a machine that keeps up with its work, and to a few times as much on any."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    figure = f"{seconds:.0f} s of {bound:.0f} s, at a load of {load:.1f} on {cores} cores"
    print(figure)  # noqa: T201
    assert seconds <= BUSY_FACTOR * bound, figure
    if load < QUIET_LOAD_PER_CORE * cores:
        assert seconds <= bound, figure

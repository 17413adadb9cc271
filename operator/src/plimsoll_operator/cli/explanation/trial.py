"""What the operator keeps in status of the last comparison of a canary with the stable revision, as frozen types."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Json = Mapping[str, Any]
Outcome = Literal["", "Promote", "Rollback", "Withdrawn"]

_ON_TRIAL = ("Surging", "Analysing", "Paused", "Inconclusive")
_TAKEN_BACK = ("RollingBack", "RolledBack")
BY_REQUEST = "RolledBackByRequest"
"""The reason of what a `rollback` left."""


@dataclass(frozen=True)
class Signal:
    """One thing that is counted of both revisions. Rates are bad events per exposure.

    `evidence` is how many times likelier the counts are where the canary is worse; at `threshold` it is rolled back.
    It is promoted once `upper_bound`, the most that its rate can be, is below `allowed`. None: not known yet.
    """

    name: str
    evidence: float | None
    threshold: float | None
    canary_rate: float | None
    stable_rate: float | None
    upper_bound: float | None
    allowed: float | None
    canary_exposures: float
    canary_bad: float
    stable_exposures: float
    stable_bad: float
    part: str = ""
    """Which of a signal's counts these are, such as `kills` of out of memory or the bucket of the latency."""
    bound_part: str = ""
    """Of which counts the bound is: those that are furthest from a promotion, which need not tell most."""
    bound_exposures: float = 0
    bound_bad: float = 0
    tier: str = ""
    """Whose counts these are; empty where they are of all tiers, as the bound is always."""

    @property
    def reached(self) -> bool:
        return self.evidence is not None and self.threshold is not None and self.evidence >= self.threshold

    @property
    def bound_rate(self) -> float | None:
        """The canary's own rate, of what the bound is of."""
        return self.bound_bad / self.bound_exposures if self.bound_exposures else None

    @property
    def bounds_nothing(self) -> bool:
        """Whether any rate would be allowed: of what never happened, a promotion asks no bound."""
        return self.allowed is not None and self.allowed >= 1

    @property
    def passes(self) -> bool:
        """Whether this signal stands in the way of a promotion no more."""
        return self.upper_bound is not None and self.allowed is not None and self.upper_bound < self.allowed


@dataclass(frozen=True)
class Point:
    """The evidence of each signal at one moment of the rollout."""

    at: datetime
    step: int
    weight: int
    evidence: Mapping[str, float]


@dataclass(frozen=True)
class Trial:
    """One comparison: of `canary` with `stable`, from `since` until the last interval that was judged.

    `decision`, `reason` and `message` are what the evidence says; `outcome` is what became of the canary, empty while
    it runs: a person may decide otherwise, and the last step must be reached before anything is promoted.
    """

    canary: str
    stable: str
    since: datetime
    until: datetime
    requests: int
    data: str
    data_message: str
    decision: str
    signal: str
    reason: str
    message: str
    signals: tuple[Signal, ...]
    points: tuple[Point, ...]
    outcome: Outcome
    promoted_because: str = ""
    decided_at: datetime | None = None
    """When that outcome was decided; None while it runs, and where another decision came after it."""
    left_later: bool = False
    """Whether it was promoted, and taken back once it served: its figures decided the first, not the second."""

    @property
    def thresholds(self) -> tuple[float, ...]:
        return tuple(sorted({signal.threshold for signal in self.signals if signal.threshold is not None}))

    @property
    def by_evidence(self) -> bool:
        """Whether the evidence is what decided."""
        return self.outcome != "" and self.decision == self.outcome

    @property
    def culprit(self) -> str:
        """The signal that the canary was rolled back on, else nothing."""
        if not self.by_evidence or self.outcome != "Rollback":
            return ""
        reached = [signal for signal in self.signals if signal.reached]
        return self.signal or (max(reached, key=lambda signal: signal.evidence or 0).name if reached else "")

    @property
    def by_whole_lives(self) -> bool:
        """Whether a count of the pods' whole lives speaks against the canary, which no signal's evidence shows."""
        against = self.decision == "Rollback" and bool(self.signals)
        return against and not any(signal.reached for signal in self.signals)


def trial_of_this_rollout(status: Json) -> Trial | None:
    """The comparison, unless the rollout is of another revision by now, or of one that is not compared: it served."""
    trial = parse_trial(status)
    rollout: Json = status.get("rollout", {})
    if trial is None:
        return None
    if rollout.get("phase") in _TAKEN_BACK and rejected_now(status).get("hash", trial.canary) != trial.canary:
        return None
    if rollout.get("canary", "") not in ("", trial.canary):
        return None
    return None if served_before(status) else trial


def rejected_now(status: Json) -> Json:
    """The revision that the spec asks for, where it was taken back; else empty."""
    return next((one for one in status.get("revisions", ()) if one.get("askedFor") and one.get("rejected")), {})


def served_before(status: Json) -> bool:
    """Whether the revision on its way was stable once: it comes back without a comparison."""
    rollout: Json = status.get("rollout", {})
    coming = entry_of(status, str(rollout.get("canary", ""))) if rollout.get("phase") in _ON_TRIAL else {}
    return bool(coming.get("promoted"))


def entry_of(status: Json, revision: str) -> Json:
    """What the history knows of a revision; empty where it has forgotten it."""
    return next((one for one in status.get("revisions", ()) if one["hash"] == revision), {})


def parse_trial(status: Json) -> Trial | None:
    """The comparison that `status.rollout` keeps, or None where nothing was compared yet."""
    rollout: Json = status.get("rollout", {})
    evidence: Json = rollout.get("evidence") or {}
    if not evidence.get("since"):
        return None
    since = datetime.fromisoformat(evidence["since"])
    requests = round(_number(evidence.get("requests")) or 0)
    canary, stable = str(evidence.get("canary", "")), str(evidence.get("stable") or rollout.get("stable") or "")
    entry = entry_of(status, canary)
    outcome = _outcome(rollout, entry, canary)
    was_the_last = _is_the_last_decision(rollout, entry, outcome, canary, stable)
    decided = _decided_at(rollout, since) if was_the_last else None
    return Trial(
        canary=canary,
        stable=stable,
        since=since,
        until=datetime.fromisoformat(evidence["until"]) if evidence.get("until") else since,
        requests=requests,
        data=str(evidence.get("data", "")),
        data_message=str(evidence.get("dataMessage", "")),
        decision=str(evidence.get("decision", "Undecided")),
        signal=str(evidence.get("signal", "")),
        reason=str(evidence.get("reason", "")),
        message=str(evidence.get("message", "")),
        signals=tuple(_signal(found, requests) for found in evidence.get("signals", ())),
        points=tuple(_points(rollout.get("history", ()))),
        outcome=outcome,
        promoted_because=str(evidence.get("promotedBecause", "")),
        decided_at=decided,
        left_later=outcome == "Rollback" and bool(entry.get("promoted")),
    )


def _is_the_last_decision(rollout: Json, entry: Json, outcome: Outcome, canary: str, stable: str) -> bool:
    """Status keeps the moment of the last decision alone: whether that is the one on this canary, by what serves."""
    if outcome == "Rollback":
        by_request = entry["rejected"].get("reason") == BY_REQUEST
        return by_request or rollout.get("stable") == stable
    return outcome == "Promote" and rollout.get("stable") == canary


def _decided_at(rollout: Json, since: datetime) -> datetime | None:
    """None where the decision that is kept is that of an earlier trial."""
    text = rollout.get("decidedAt")
    decided = datetime.fromisoformat(text) if text else None
    return decided if decided and decided >= since else None


def _outcome(rollout: Json, entry: Json, canary: str) -> Outcome:
    """By what the history says of the canary itself: the phase may be that of another revision by now."""
    if rollout.get("stable") == canary:
        return "Promote"
    if entry.get("rejected"):
        return "Rollback"
    if rollout.get("canary") == canary and rollout.get("phase") in _ON_TRIAL:
        return ""
    return "Promote" if entry.get("promoted") else "Withdrawn"


def _signal(found: Json, requests: int) -> Signal:
    """Of an older operator, which told no counts of its bound: those of the requests that batches are bounded by."""
    exposures, bad = _number(found.get("canaryExposures")) or 0, _number(found.get("canaryBad")) or 0
    part = str(found.get("part", ""))
    bound_part = str(found.get("boundPart", part))
    of_requests = (found["name"], bound_part) == ("oom", "batches")
    return Signal(
        name=str(found["name"]),
        evidence=_number(found.get("evidence")),
        threshold=_number(found.get("threshold")),
        canary_rate=_number(found.get("canaryRate")),
        stable_rate=_number(found.get("stableRate")),
        upper_bound=_number(found.get("upperBound")),
        allowed=_number(found.get("allowed")),
        canary_exposures=exposures,
        canary_bad=bad,
        stable_exposures=_number(found.get("stableExposures")) or 0,
        stable_bad=_number(found.get("stableBad")) or 0,
        part=part,
        tier=str(found.get("tier", "")),
        bound_part=bound_part,
        bound_exposures=_number(found.get("boundExposures")) or (requests if of_requests else exposures),
        bound_bad=bad if (told := _number(found.get("boundBad"))) is None else told,
    )


def _points(history: Iterable[Json]) -> Iterator[Point]:
    """At the moment of the decision the canary is at no step any more: it came from the one before."""
    step, weight = 0, 0
    for found in history:
        step, weight = int(found.get("step", step)), int(found.get("weightPercent", weight))
        evidence = {name: _number(text) for name, text in (found.get("evidence") or {}).items()}
        known = {name: value for name, value in evidence.items() if value is not None}
        yield Point(datetime.fromisoformat(found["at"]), step, weight, known)


def _number(text: Any) -> float | None:
    """Status holds decimal strings, since the API has no floats."""
    if text in (None, ""):
        return None
    number = float(text)
    return number if math.isfinite(number) else None

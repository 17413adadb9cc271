"""Is there anything to ask Prometheus now? Only for a canary under analysis, and only once a new moment has passed."""

from __future__ import annotations

from datetime import datetime, timedelta

from plimsoll_operator.observed import Manifest, Owner
from plimsoll_operator.rollout.measuring.measurements import Inquiry
from plimsoll_operator.spec import InvalidSpecError, parse_spec

SETTLE = timedelta(seconds=2)
"""After a moment, until what was scraped by then can be asked for, where nothing else is set."""

LOOK_BACK = timedelta(seconds=30)
"""Before the first moment that is judged: where a counter stood whose last scrapes failed."""

MOST_STEPS = 30
"""Moments that one inquiry catches up with; what is older is left out. Prometheus forgets a silent series by then."""

CLOCK_SLACK = timedelta(minutes=1)
"""Moments further ahead than this come from a clock that was ahead: what Prometheus' own shows decides then."""


def inquire(owner: Owner, now: datetime, settle: timedelta = SETTLE) -> Inquiry | None:
    """What to ask for this object at `now`, by what its status says of the analysis under way.

    All moments are of Prometheus' time: `now` is of ours, which was as far ahead at the last look as status says.
    """
    evidence = under_analysis(owner.status)
    if not evidence or not (evidence.get("requests") or _is_ready(owner.status, evidence["canary"])):
        return None
    try:
        step = parse_spec(owner.spec).rollout.analysis.interval
        until = datetime.fromisoformat(evidence["until"])
        now -= timedelta(seconds=float(evidence.get("clockAheadSeconds", "0")))
    except (InvalidSpecError, KeyError, ValueError):
        # The reconcile says what is wrong with a spec, and begins the analysis anew where status cannot be read.
        return None
    passed = (now - settle - until) // step
    if passed < 1 and until <= now + CLOCK_SLACK:
        return None
    steps = passed if passed > 0 else MOST_STEPS
    since = until + max(0, steps - MOST_STEPS) * step
    lead = -(-LOOK_BACK // step)
    return Inquiry(
        namespace=owner.namespace,
        deployment=owner.name,
        canary=evidence["canary"],
        stable=evidence["stable"],
        first=since - lead * step,
        since=since,
        due=until + passed * step,
        step=step,
        steps=lead + min(steps, MOST_STEPS),
    )


def under_analysis(status: Manifest) -> Manifest:
    """The evidence that status keeps of the canary that runs; empty when none does."""
    rollout = status.get("rollout", {})
    evidence: Manifest = rollout.get("evidence", {})
    judged = rollout.get("canary") and rollout.get("phase") != "RollingBack" and evidence.get("stable")
    return evidence if judged and evidence.get("canary") == rollout["canary"] else {}


def _is_ready(status: Manifest, revision: str) -> bool:
    """Whether a pod of it was ready when status was written: before that nothing can be measured."""
    return any(entry["hash"] == revision and entry["readyReplicas"] for entry in status.get("revisions", ()))


def next_moment(until: datetime, step: timedelta, now: datetime, settle: timedelta = SETTLE) -> timedelta:
    """From `now` to when the next inquiry is due."""
    passed = max(0, (now - settle - until) // step)
    return until + (passed + 1) * step + settle - now

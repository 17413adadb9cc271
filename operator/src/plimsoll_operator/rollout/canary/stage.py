"""How far a canary is, as status keeps it from one reconcile to the next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from plimsoll_operator.conditions import moment_of, timestamp
from plimsoll_operator.observed import Manifest


@dataclass(frozen=True)
class Stage:
    """The step, counted from one, of how many, and the share of the traffic that it has come to.

    `counts_from` is the moment from which `maxDuration` counts, `held` that it is over and data is waited for.
    `looked_at` is when that time was looked at last, to the interval; None while none of it counts.
    `step_started` is when the step's pods were ready, and `step_requests` how many requests the canary had answered by
    then. `gave` is how many serving pods have made room for it. `missing_since` is when the canary's own metrics were
    first missed, `unready_since` when a pod of it was first seen unready, and `paused_since` when it was paused, all by
    the operator's own clock.
    """

    step: int = 1
    steps: int = 1
    weight_percent: int = 0
    counts_from: datetime | None = None
    looked_at: datetime | None = None
    step_started: datetime | None = None
    step_requests: int = 0
    missing_since: datetime | None = None
    unready_since: datetime | None = None
    paused_since: datetime | None = None
    held: bool = False
    gave: int = 0


def read_stage(rollout: Manifest) -> Stage:
    """The stage in `status.rollout`; that of a canary that has not begun where there is none."""
    return Stage(
        step=rollout.get("step", 1),
        steps=rollout.get("steps", 1),
        weight_percent=rollout.get("weightPercent", 0),
        counts_from=moment_of(rollout.get("countsFrom")),
        looked_at=moment_of(rollout.get("lookedAt")),
        step_started=moment_of(rollout.get("stepStartedAt")),
        step_requests=rollout.get("stepRequests", 0),
        missing_since=moment_of(rollout.get("metricsMissingSince")),
        unready_since=moment_of(rollout.get("unreadySince")),
        paused_since=moment_of(rollout.get("pausedSince")),
        held=rollout.get("heldWithoutData", False),
        gave=rollout.get("placesGiven", 0),
    )


def render_stage(stage: Stage) -> dict[str, Any]:
    """For `status.rollout`: what is not known yet is left out."""
    times = {
        "countsFrom": stage.counts_from,
        "lookedAt": stage.looked_at,
        "stepStartedAt": stage.step_started,
        "metricsMissingSince": stage.missing_since,
        "unreadySince": stage.unready_since,
        "pausedSince": stage.paused_since,
    }
    return {
        "step": stage.step,
        "steps": stage.steps,
        "weightPercent": stage.weight_percent,
        "stepRequests": stage.step_requests,
        **{name: timestamp(moment) for name, moment in times.items() if moment},
        **({"heldWithoutData": True} if stage.held else {}),
        **({"placesGiven": stage.gave} if stage.gave else {}),
    }

"""How far a canary is, as status keeps it from one reconcile to the next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from plimsoll_operator.conditions import moment_of, timestamp
from plimsoll_operator.observed import Manifest


@dataclass(frozen=True)
class Stage:
    """The step, counted from one, of how many, and the share of the traffic that it has come to.

    `counts_from` is the moment from which `maxDuration` counts, `held` that it is over and data is waited for.
    `step_started` is when the step's pods were ready, `step_requests` how many requests the canary had answered by
    then, and `step_blind` for how long its data had lacked. `undecided_spec` is the hash of the spec under which time
    was up without a decision. `gave` is how many serving pods have made room for it. `missing_since` is when the
    canary's own metrics were first missed, `unready_since` when a pod of it was first seen unready, `outage_since` when
    what should serve was first seen without a ready pod, `alone_since` when the canary was first seen to serve
    meanwhile, and `paused_since` when it was paused, all by the operator's own clock.
    """

    step: int = 1
    steps: int = 1
    weight_percent: int = 0
    counts_from: datetime | None = None
    step_started: datetime | None = None
    step_requests: int = 0
    step_blind: timedelta = timedelta(0)
    missing_since: datetime | None = None
    unready_since: datetime | None = None
    outage_since: datetime | None = None
    alone_since: datetime | None = None
    paused_since: datetime | None = None
    held: bool = False
    undecided_spec: str = ""
    gave: int = 0


def read_stage(rollout: Manifest) -> Stage:
    """The stage in `status.rollout`; that of a canary that has not begun where there is none."""
    return Stage(
        step=rollout.get("step", 1),
        steps=rollout.get("steps", 1),
        weight_percent=rollout.get("weightPercent", 0),
        counts_from=moment_of(rollout.get("countsFrom")),
        step_started=moment_of(rollout.get("stepStartedAt")),
        step_requests=rollout.get("stepRequests", 0),
        step_blind=timedelta(seconds=rollout.get("stepBlindSeconds", 0)),
        missing_since=moment_of(rollout.get("metricsMissingSince")),
        unready_since=moment_of(rollout.get("unreadySince")),
        outage_since=moment_of(rollout.get("outageSince")),
        alone_since=moment_of(rollout.get("aloneSince")),
        paused_since=moment_of(rollout.get("pausedSince")),
        held=rollout.get("heldWithoutData", False),
        undecided_spec=rollout.get("undecidedSpec", ""),
        gave=rollout.get("placesGiven", 0),
    )


def render_stage(stage: Stage) -> dict[str, Any]:
    """For `status.rollout`: what is not known yet is left out."""
    times = {
        "countsFrom": stage.counts_from,
        "stepStartedAt": stage.step_started,
        "metricsMissingSince": stage.missing_since,
        "unreadySince": stage.unready_since,
        "outageSince": stage.outage_since,
        "aloneSince": stage.alone_since,
        "pausedSince": stage.paused_since,
    }
    return {
        "step": stage.step,
        "steps": stage.steps,
        "weightPercent": stage.weight_percent,
        "stepRequests": stage.step_requests,
        **{name: timestamp(moment) for name, moment in times.items() if moment},
        **({"stepBlindSeconds": int(stage.step_blind.total_seconds())} if stage.step_blind else {}),
        **({"heldWithoutData": True} if stage.held else {}),
        **({"undecidedSpec": stage.undecided_spec} if stage.undecided_spec else {}),
        **({"placesGiven": stage.gave} if stage.gave else {}),
    }

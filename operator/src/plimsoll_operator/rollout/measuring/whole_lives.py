"""What the pods did in their whole lives and in the canary's time, for the rules that need no long look."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from plimsoll_operator.observed import Workload
from plimsoll_operator.rollout.evidence import BATCHES, Evidence, Meanwhile, Pods
from plimsoll_operator.rollout.evidence.series import Series
from plimsoll_operator.rollout.measuring import pod_record
from plimsoll_operator.rollout.measuring.pod_record import PodRecord


def whole_lives(
    evidence: Evidence, record: PodRecord, canary: Workload, stable: Workload | None, now: datetime
) -> Pods:
    """The canary's minutes are those of all its pods, as its kills are: one that took another's place is young.

    What was counted between two looks is in the evidence; what is new since the last one is in nothing else yet.
    """
    kills, batches = (evidence.series.get(key, Series()) for key in (pod_record.KILLS, BATCHES))
    new_canary, new_stable = (pod_record.news(workload, record, now) for workload in (canary, stable))
    pods = pod_record.totals(record, canary, stable, now)
    return replace(
        pods,
        canary_minutes=max(pods.canary_minutes, kills.canary + new_canary.minutes),
        canary_batches=max(pods.canary_batches, batches.canary),
        meanwhile=Meanwhile(
            kills=round(kills.stable_bad) + new_stable.kills,
            minutes=kills.stable + new_stable.minutes,
            shortages=round(batches.stable_bad),
            batches=batches.stable,
            measured_minutes=record.stable_seconds / 60,
        ),
    )

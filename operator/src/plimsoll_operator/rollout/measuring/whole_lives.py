"""What the pods did in their whole lives and in the canary's time, for the rules that need no long look."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from plimsoll_operator.observed import Workload
from plimsoll_operator.rollout.evidence import BATCHES, Evidence, Meanwhile, Pods
from plimsoll_operator.rollout.evidence.series import Series
from plimsoll_operator.rollout.measuring import pod_record
from plimsoll_operator.rollout.measuring.bygone import Bygone
from plimsoll_operator.rollout.measuring.pod_record import PodRecord, hard_starts

MOST_SHORTAGES, MOST_BATCHES = 10_000, 2.0**40
"""Of a revision; what its pods claim beyond does not count. The rules take time for each shortage, and know no share of
all batches that rounds to one. An honest server needs months for so many shortages, and a millennium for the batches.
"""


def whole_lives(
    evidence: Evidence,
    record: PodRecord,
    canary: Workload,
    stable: Workload | None,
    now: datetime,
    bygone: Bygone | None = None,
) -> Pods:
    """The canary's minutes are those of all its pods, as its kills are: one that took another's place is young.

    What was counted between two looks is in the evidence; what is new since the last one is in nothing else yet.
    """
    keys = pod_record.KILLS, pod_record.RESTARTS, BATCHES
    kills, restarts, batches = (evidence.series.get(key, Series()) for key in keys)
    new_canary, new_stable = (pod_record.news(workload, record, now) for workload in (canary, stable))
    pods = pod_record.totals(record, canary, stable, now)
    ends = round(restarts.canary_bad) + new_canary.restarts - pods.canary_failed_starts - hard_starts(canary)
    return replace(
        pods,
        gone=bygone.gone(now) if bygone else pods.gone,
        canary_ends=max(0, ends),
        canary_started=pods.canary_started + max(0, ends),
        canary_minutes=max(pods.canary_minutes, kills.canary + new_canary.minutes),
        canary_shortages=min(pods.canary_shortages, MOST_SHORTAGES),
        stable_shortages=min(pods.stable_shortages, MOST_SHORTAGES),
        canary_batches=min(max(pods.canary_batches, batches.canary), MOST_BATCHES),
        stable_batches=min(pods.stable_batches, MOST_BATCHES),
        meanwhile=Meanwhile(
            kills=round(kills.stable_bad) + new_stable.kills,
            minutes=kills.stable + new_stable.minutes,
            shortages=min(round(batches.stable_bad), MOST_SHORTAGES),
            batches=min(batches.stable, MOST_BATCHES),
            measured_minutes=record.stable_seconds / 60,
            ends=round(restarts.stable_bad) + new_stable.restarts,
        ),
    )

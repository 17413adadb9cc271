"""What pods of the stable revision did that are gone: on spot nodes none lives long, and its past would with it.

Status keeps of each pod that is there since when it has had a node and how its server ended, and of those that are gone
the sums. It changes only as the pods do, so that nothing is written at rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from plimsoll_operator.observed import Manifest, Pod, Workload
from plimsoll_operator.rollout.evidence import Gone
from plimsoll_operator.rollout.measuring.pod_record import ended_serving, kills_of

MOST_PODS = 32
"""That are kept by name, the oldest ones: of the others nothing is known once they are gone."""

WHOLE_DAY = timedelta(days=1)
"""How long the revision must have served before those that are gone count: with its busy hours and its quiet ones."""


@dataclass(frozen=True)
class Life:
    """Of a pod that is there."""

    since: datetime
    kills: int = 0
    ends: int = 0


@dataclass(frozen=True)
class Bygone:
    """Of `revision`, which got its first pod at `since`: `seconds` with a node, and ends, of all pods that are gone."""

    revision: str = ""
    since: datetime | None = None
    seconds: int = 0
    kills: int = 0
    ends: int = 0
    pods: Mapping[str, Life] = field(default_factory=dict)

    def gone(self, now: datetime) -> Gone:
        """What counts of it."""
        if self.since is None or now - self.since < WHOLE_DAY:
            return Gone()
        return Gone(self.seconds / 60, self.kills, self.ends)


def followed(bygone: Bygone, stable: Workload | None, now: datetime) -> Bygone:
    """With the pods as they are now. Those of another revision that was stable before are no past of this one."""
    if stable is None:
        return bygone
    there = _lives(pod for pod in stable.pods if not pod.terminating)
    if bygone.revision != stable.revision:
        bygone = Bygone(stable.revision)
    # An evicted pod stays behind, and is told of by the pods themselves.
    left = bygone.pods.keys() - there.keys() - {pod.name for pod in stable.evicted}
    gone = [bygone.pods[name] for name in left]
    until = _left_by(bygone, there, now)
    lasted = (max(timedelta(0), until - life.since) for life in gone)
    return replace(
        bygone,
        since=min([life.since for life in there.values()] + ([bygone.since] if bygone.since else []), default=None),
        seconds=bygone.seconds + sum(round(each.total_seconds()) for each in lasted),
        kills=bygone.kills + sum(life.kills for life in gone),
        ends=bygone.ends + sum(life.ends for life in gone),
        pods=dict(sorted(there.items(), key=lambda item: (item[1].since, item[0]))[:MOST_PODS]),
    )


def _left_by(bygone: Bygone, there: Mapping[str, Life], now: datetime) -> datetime:
    """When those went that are gone: nobody may have looked for days, but another pod came as soon as one had gone."""
    if len(bygone.pods) >= MOST_PODS:
        return now
    came = [life.since for name, life in there.items() if name not in bygone.pods]
    return min([now, *came])


def _lives(pods: Iterable[Pod]) -> dict[str, Life]:
    return {
        pod.name: Life(pod.milestones.scheduled, kills_of(pod), ended_serving(pod))
        for pod in pods
        if pod.milestones and pod.milestones.scheduled
    }


def render_bygone(bygone: Bygone) -> dict[str, Any]:
    """For `status.served`: empty where no pod had a node yet."""
    if bygone.since is None:
        return {}
    pods = [
        {"pod": name, "since": life.since.isoformat(), "kills": life.kills, "ends": life.ends}
        for name, life in bygone.pods.items()
    ]
    return {
        "revision": bygone.revision,
        "since": bygone.since.isoformat(),
        "goneSeconds": bygone.seconds,
        "goneKills": bygone.kills,
        "goneEnds": bygone.ends,
        "pods": pods,
    }


def read_bygone(status: Manifest) -> Bygone:
    """What status keeps; nothing where it keeps none, or none that can be read."""
    told = status.get("served")
    if not told:
        return Bygone()
    try:
        return Bygone(
            revision=told["revision"],
            since=datetime.fromisoformat(told["since"]),
            seconds=told["goneSeconds"],
            kills=told["goneKills"],
            ends=told["goneEnds"],
            pods={
                entry["pod"]: Life(datetime.fromisoformat(entry["since"]), entry["kills"], entry["ends"])
                for entry in told.get("pods", ())
            },
        )
    except (KeyError, TypeError, ValueError):
        return Bygone()

"""What pods of stable did that are gone is kept with the object, each once, and nothing is written while none goes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest

from builders import NOW, make_pod, make_workload
from measured import tell, trial
from plimsoll_operator.observed import Milestones, Pod, Workload
from plimsoll_operator.rollout.evidence import Gone
from plimsoll_operator.rollout.measuring.bygone import MOST_PODS, Bygone, Life, followed, read_bygone, render_bygone

HOUR = timedelta(hours=1)
EMPTY = Bygone()


def serving(name: str, since: datetime, **fields: object) -> Pod:
    reached = Milestones(since, scheduled=since, running=since, started=True, ready_changed=since)
    return make_pod("old", name=name, ready=True, milestones=reached, **fields)


def stable(*pods: Pod) -> Workload:
    return make_workload("old", len(pods), *pods)


def reborn(bygone: Bygone) -> Bygone:
    return read_bygone({"served": render_bygone(bygone)})


def test_pods_that_replace_each_other_each_hour_for_a_month_leave_a_month() -> None:
    bygone = EMPTY
    for hour in range(720):
        now = NOW + hour * HOUR
        bygone = reborn(followed(bygone, stable(serving(f"p-{hour}", now)), now))
    assert bygone.gone(now) == Gone(minutes=719 * 60, kills=0, ends=0)
    assert len(bygone.pods) == 1


def test_what_ended_a_pod_stays_when_it_is_gone_and_counts_once() -> None:
    killed = serving("a", NOW, restarts=2, last_exit_reason="OOMKilled", last_exit_at=NOW)
    crashed = serving("b", NOW, restarts=3, last_exit_reason="Error", last_exit_at=NOW)
    bygone = followed(EMPTY, stable(killed, crashed), NOW)
    assert (bygone.kills, bygone.ends) == (0, 0)
    for hours in (30, 31, 32):
        now = NOW + hours * HOUR
        bygone = reborn(followed(bygone, stable(serving("c", NOW + 30 * HOUR)), now))
        assert bygone.gone(now) == Gone(minutes=2 * 30 * 60, kills=2, ends=3)


def test_a_pod_that_is_told_to_end_is_gone() -> None:
    pod = serving("a", NOW)
    bygone = followed(EMPTY, stable(pod), NOW)
    bygone = followed(bygone, stable(replace(pod, terminating=True)), NOW + 30 * HOUR)
    assert bygone.gone(NOW + 30 * HOUR).minutes == 1800


def test_an_evicted_pod_is_told_of_by_itself() -> None:
    pod = serving("a", NOW)
    left = replace(stable(), evicted=(replace(pod, evicted="memory", last_exit_at=NOW + HOUR),))
    assert followed(followed(EMPTY, stable(pod), NOW), left, NOW + 30 * HOUR).gone(NOW + 30 * HOUR) == Gone()


def test_a_pod_that_went_while_nobody_looked_served_until_another_came_for_it() -> None:
    bygone = followed(EMPTY, stable(serving("a", NOW)), NOW + HOUR)
    week = NOW + timedelta(days=7)
    bygone = followed(bygone, stable(serving("b", NOW + 2 * HOUR)), week)
    assert bygone.gone(week).minutes == 120


def test_a_revision_that_has_not_served_for_a_day_has_no_past_but_that_of_its_pods() -> None:
    bygone = followed(EMPTY, stable(serving("a", NOW)), NOW)
    bygone = followed(bygone, stable(serving("b", NOW + HOUR)), NOW + HOUR)
    assert bygone.seconds == 3600
    assert bygone.gone(NOW + 23 * HOUR) == Gone()
    assert bygone.gone(NOW + 24 * HOUR) == Gone(minutes=60)


def test_another_stable_revision_begins_anew() -> None:
    bygone = Bygone("older", NOW, 1_000_000, 5, 5, {"x": Life(NOW)})
    later = NOW + 48 * HOUR
    begun = followed(bygone, stable(serving("a", later)), later)
    assert (begun.revision, begun.since, begun.seconds, begun.kills) == ("old", later, 0, 0)


def test_what_is_kept_is_bounded_and_stays_as_it_is_while_no_pod_moves() -> None:
    pods = stable(*(serving(f"p-{n:03}", NOW + timedelta(seconds=n)) for n in range(MOST_PODS + 9)))
    first = followed(EMPTY, pods, NOW + HOUR)
    assert list(first.pods) == [f"p-{n:03}" for n in range(MOST_PODS)]
    assert followed(reborn(first), pods, NOW + 99 * HOUR) == first


@pytest.mark.parametrize("told", [{}, {"served": {"revision": "old"}}, {"served": {"since": 5}}])
def test_what_cannot_be_read_is_nothing(told: dict[str, object]) -> None:
    assert read_bygone(told) == EMPTY


def test_a_canary_is_judged_by_what_status_kept_of_stables_pods() -> None:
    """Killed three times in five minutes beside pods that are as young, of a revision that has served for a month."""
    found = []
    for seconds in (0, 30 * 86_400 * 3):
        cluster = trial(canary={"steps": [10]})
        tell(cluster)
        status = dict(cluster.observed.owner.status)
        assert status["served"]["revision"] == status["rollout"]["stable"]
        since = (cluster.now - timedelta(days=30)).isoformat()
        status["served"] = {**status["served"], "since": since, "goneSeconds": seconds}
        cluster.observed = replace(cluster.observed, owner=replace(cluster.observed.owner, status=status))
        canary = status["rollout"]["canary"]
        kill = partial(replace, restarts=3, last_exit_reason="OOMKilled", last_exit_at=cluster.now)
        cluster.pods = [kill(pod) if pod.revision == canary else pod for pod in cluster.pods]
        cluster.now += timedelta(minutes=5)
        cluster.store(cluster.observed.children)
        tell(cluster)
        found.append(cluster.observed.owner.status["rollout"]["phase"])
    assert found == ["Analysing", "RollingBack"]

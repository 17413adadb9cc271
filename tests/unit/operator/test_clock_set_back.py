"""After a clock was set back what waits for a moment does so for one window more at most, and nothing ends early."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest

from builders import NOW, make_pod, make_workload
from canaries import Trials, canary_spec, changed, fallen_silent
from interrupted import Interrupted
from measured import Traffic
from plimsoll_operator.observed import Manifest, Milestones, Workload
from plimsoll_operator.plan import Plan
from plimsoll_operator.reconcile import Policy, reconcile
from plimsoll_operator.rollout.evidence import Data, Decision
from plimsoll_operator.rollout.measuring.analysis import Analysis, Pair
from rollouts import autoscaler_of, condition

MINUTE = timedelta(minutes=1)
BACK = timedelta(hours=3)
GOOD = Traffic(ok=100)
LOOK = timedelta(seconds=20)
WINDOW = 10 * MINUTE
"""The longest that anything waits for here: the progress deadline."""

MOST_LOOKS = 150


class TwoClocks(Trials):
    """The operator's clock is `behind` that of the kubelets, and time goes by whatever either shows."""

    def __init__(self, spec: Manifest, gpus: int) -> None:
        super().__init__(spec, gpus)
        self.behind = timedelta(0)
        self.gone_by = timedelta(0)

    def reconcile(self, policy: Policy | None = None, writes: int | None = None) -> Plan:
        with self.judging():
            plan = reconcile(self.observed, policy or self.policy, self.now - self.behind)
        self.carry_out(plan, writes)
        self.pass_time(LOOK.total_seconds())
        self.gone_by += LOOK
        return plan


Jump = Callable[[TwoClocks], None]


def of_the_operator(trials: TwoClocks) -> None:
    trials.behind += BACK


def of_all(trials: TwoClocks) -> None:
    trials.now -= BACK


def nothing(_: TwoClocks) -> None:
    """Nothing happens meanwhile."""


def silence(trials: TwoClocks) -> None:
    """What serves answers no more."""
    fallen_silent(trials, 1)


def pause(trials: TwoClocks) -> None:
    changed(trials, paused=True)


def resume(trials: TwoClocks) -> None:
    changed(trials, paused=False)


@dataclass(frozen=True)
class Story:
    """A change of version 1 to 2, how version 2 does, and what happens at which look after it.

    With a `demand` there is an autoscaler, which asks for so many pods.
    """

    name: str
    end: str
    decision: Decision = "Undecided"
    data: Data = "Measured"
    starts: bool = True
    rollout: Mapping[str, Any] = field(default_factory=dict, hash=False)
    demand: int | None = None
    gpus: int = 100
    acts: Mapping[int, Jump] = field(default_factory=dict, hash=False)


STEP = {"steps": [25], "maxDuration": "10m"}
PROMOTED = {**STEP, "onInconclusive": "Promote"}
STORIES = (
    Story("promoted", "Idle", "Promote"),
    Story("promoted beside an autoscaler that finds too few GPUs", "Idle", "Promote", demand=6, gpus=4),
    Story("taken back for harm", "RolledBack", "Rollback", demand=3),
    Story("never ready", "RolledBack", starts=False),
    Story("not measured", "RolledBack", data="CanaryMissing"),
    Story("undecided", "Idle", rollout={"canary": PROMOTED}),
    Story("without data", "RolledBack", data="NoMetrics", rollout={"canary": {**STEP, "onNoData": "Rollback"}}),
    Story("beside one that is broken", "Idle", acts={4: silence}),
    Story("beside one that is broken, with time", "Idle", acts={4: silence}, rollout={"canary": {"maxDuration": "4h"}}),
    Story("paused for a while", "Idle", acts={4: pause, 10: resume}, rollout={"canary": PROMOTED}),
    Story("rolling update", "Idle", rollout={"strategy": "RollingUpdate"}, demand=6, gpus=4),
    Story("recreated", "Idle", rollout={"strategy": "Recreate"}, demand=6, gpus=4),
    Story("rolling update that stands still", "Stalled", starts=False, rollout={"strategy": "RollingUpdate"}),
)


def at_rest(story: Story) -> TwoClocks:
    """Version 1, long after it was rolled out."""
    scaling = {"minReplicas": 3, "provider": "None"} if story.demand is None else {"minReplicas": 1, "provider": "HPA"}
    rollout = {"progressDeadline": "10m", "canary": STEP, **story.rollout}
    trials = TwoClocks(canary_spec(1, scaling=scaling, **rollout), story.gpus)
    trials.demand = story.demand
    for wait in (timedelta(hours=8), timedelta(0)):
        trials.settle(moves=300)
        trials.now += wait
    return trials


def begun(story: Story) -> TwoClocks:
    """Version 2 is asked for."""
    trials = at_rest(story)
    trials.decision, trials.data = story.decision, story.data
    if not story.starts:
        trials.broken.add("pvc://models/v2")
    changed(trials)
    trials.gone_by = timedelta(0)
    return trials


def is_over(story: Story, trials: TwoClocks) -> bool:
    """At its end, and the autoscaler may shrink again, and what its pods lack is told."""
    if story.end == "Stalled":
        return bool(condition(trials.observed, "Stalled")["status"] == "True")
    told = condition(trials.observed, "FullyScaled")["status"] != "Unknown"
    at_rest = trials.rollout["phase"] in ("Idle", "RolledBack") and trials.gone_by > MINUTE
    return at_rest and told and (story.demand is None or may_shrink(trials))


def may_shrink(trials: TwoClocks) -> bool:
    shrinks = autoscaler_of(trials.observed)["spec"]["behavior"]["scaleDown"]
    return bool(shrinks["selectPolicy"] != "Disabled")


def play(story: Story, jump_at: int | None = None, jump: Jump = nothing) -> Iterator[tuple[str, TwoClocks]]:
    """The phase after each look, until the end."""
    trials = begun(story)
    for number in range(MOST_LOOKS):
        if number == jump_at:
            jump(trials)
        story.acts.get(number, nothing)(trials)
        trials.reconcile()
        assert not to_come(trials)
        yield trials.rollout["phase"], trials
        if is_over(story, trials):
            return
    raise AssertionError(f"not over after {MOST_LOOKS} looks: {trials.rollout}")


def looks_until(trials: TwoClocks, done: Callable[[], bool], most: int) -> None:
    for _ in range(most):
        trials.reconcile()
        if done():
            return
    raise AssertionError(f"not so after {most} looks: {trials.observed.owner.status['conditions']}")


def evicted(workload: Workload, now: datetime) -> Workload:
    """One pod of it was, right then."""
    pod = make_pod(workload.revision, evicted="memory", last_exit_at=now)
    return replace(workload, evicted=(pod,))


def a_day_old(now: datetime) -> Milestones:
    made = now - timedelta(days=1)
    return Milestones(made, made, made, started=True, ready_changed=made)


def to_come(trials: TwoClocks) -> dict[str, str]:
    """Moments in status that lie ahead of the clock of the operator that has just looked."""
    told = {name: text for name, text in trials.rollout.items() if name.endswith(("At", "Since", "From"))}
    told |= {one["type"]: one["lastTransitionTime"] for one in trials.observed.owner.status["conditions"]}
    shown = trials.now - LOOK - trials.behind
    return {name: text for name, text in told.items() if datetime.fromisoformat(text) > shown}


@cache
def undisturbed(story: Story) -> tuple[str, ...]:
    return tuple(phase for phase, _ in play(story))


def moments(story: Story) -> list[int]:
    """The first look of each phase, its last one, and one in between."""
    phases = undisturbed(story)
    looks = [[number for number, phase in enumerate(phases) if phase == one] for one in dict.fromkeys(phases)]
    return sorted({number for of_one in looks for number in (of_one[0], of_one[len(of_one) // 2], of_one[-1])})


JUMPS = pytest.mark.parametrize("jump", [of_the_operator, of_all])


@JUMPS
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_clock_that_was_set_back_delays_an_end_by_one_window_at_most_and_hastens_none(
    story: Story, jump: Jump
) -> None:
    lasted = len(undisturbed(story)) * LOOK
    for number in moments(story):
        *_, (phase, trials) = play(story, number, jump)
        assert story.end in (phase, "Stalled"), number
        assert lasted <= trials.gone_by <= lasted + WINDOW, (number, undisturbed(story)[number])


@JUMPS
def test_what_the_pods_of_a_scale_up_lack_is_told_though_the_clock_was_set_back(jump: Jump) -> None:
    trials = at_rest(Story("", "Idle", demand=3, gpus=4))
    trials.demand = 6
    looks_until(trials, lambda: condition(trials.observed, "FullyScaled")["status"] == "Unknown", most=3)
    jump(trials)
    looks_until(trials, lambda: condition(trials.observed, "FullyScaled")["reason"] == "Unschedulable", most=5)


def test_what_is_evicted_after_the_clock_was_set_back_is_counted() -> None:
    canary = make_workload("new", 1)
    analysis = Analysis.fresh("new", "old", Pair(canary, None), NOW)
    now = NOW - BACK
    assert analysis.without(-BACK, now).ended(Pair(evicted(canary, now), None), now + MINUTE) == 1


def test_a_canary_that_is_tried_again_after_the_clock_was_set_right_is_judged_anew() -> None:
    traffic = {"pvc://models/v1": GOOD, "pvc://models/v2": Traffic(ok=80, failed=20)}
    cluster = Interrupted(canary_spec(1, 4, canary={"steps": [25]}), traffic)
    cluster.settle()
    cluster.now += timedelta(hours=8)
    for _ in range(2):
        cluster.settle()
    cluster.change({**cluster.observed.owner.spec, "model": {"uri": "pvc://models/v2"}})
    cluster.until_phase("RolledBack")
    cluster.now -= BACK
    # The kubelets' clocks were right.
    cluster.pods = [replace(pod, milestones=a_day_old(cluster.now)) for pod in cluster.pods]
    cluster.reconcile()
    cluster.traffic = dict.fromkeys(traffic, GOOD)
    cluster.request("retry#again")
    states = cluster.until_phase("Idle")
    assert "RollingBack" not in {state.owner.status["rollout"]["phase"] for state in states}

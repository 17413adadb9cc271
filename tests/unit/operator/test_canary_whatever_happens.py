"""Canaries under random verdicts, changes, kills of the operator, lost statuses and GPUs: what holds at each moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from builders import Cluster
from canaries import Trials, canary_spec
from disturbances import INSTALLATION, MODELS, PAUSES, Disturbance, changes_of, disturb, merged
from drawn_examples import examples
from plimsoll_operator.observed import Observed
from plimsoll_operator.plan import Plan
from plimsoll_operator.rollout.evidence import Decision
from plimsoll_operator.rollout.placed import with_a_node

bounded = examples(80)


def _some(what: str, *choices: str | int | None) -> st.SearchStrategy[Disturbance]:
    return st.sampled_from(choices).map(lambda drawn: Disturbance(what, drawn))


HAPPENINGS = (
    changes_of(*MODELS),
    changes_of(*MODELS),
    changes_of(*PAUSES),
    _some("verdict", "Undecided", "Promote", "Rollback"),
    _some("verdict", "Promote", "Rollback"),
    _some("data", "Measured", "NoTraffic", "NoMetrics"),
    _some(
        "requested",
        "promote#1",
        "abort#2",
        "retry#3",
        "retry#4",
        "restart#5",
        "pause#6",
        "resume#7",
        "rollback#9",
        "rollback#10",
        None,
    ),
    INSTALLATION,
)
PROGRESS = (
    _some("reconciled", 1, 3, 8, 30),
    _some("reconciled", 8, 20),
    _some("killed after", 0, 1, 2, 3, 5, 8),
    _some("controllers lag", 1, 2),
    _some("time passes", 30, 90, 700),
)


def histories(
    happenings: Sequence[st.SearchStrategy[Disturbance]] = HAPPENINGS,
) -> st.SearchStrategy[list[Disturbance]]:
    """What happens, each followed by some progress of the operator and of time."""
    one, on = st.sampled_from(happenings).flatmap(_itself), st.sampled_from(PROGRESS).flatmap(_itself)
    parts = st.lists(st.tuples(one, on, on), min_size=2, max_size=8)
    return parts.map(lambda drawn: [each for part in drawn for each in part])


def _itself(strategy: st.SearchStrategy[Disturbance]) -> st.SearchStrategy[Disturbance]:
    return strategy


class Watch:
    """Looks at each plan of one life and at what comes of it.

    `fewest` is how many pods must serve at each moment: a canary may have taken the place of one.
    """

    def __init__(self, replicas: int) -> None:
        self.fewest = max(1, replicas - 1)

    def plan(self, cluster: Cluster) -> Plan:
        trials = cast(Trials, cluster)
        plan = trials.plan()
        check_no_pod_is_taken_for_nothing(trials.observed, plan)
        self._check_who_is_promoted(trials, plan)
        return plan

    def _check_who_is_promoted(self, trials: Trials, plan: Plan) -> None:
        """Never without a verdict or a person's word, but for what has served before."""
        after = plan.status["rollout"]["stable"] if plan.status and "rollout" in plan.status else ""
        before = trials.observed.stable
        if before is None or after in ("", before.hash):
            return
        proven = {revision.hash for revision in trials.observed.revisions if revision.promoted or revision.stable}
        asked = trials.observed.owner.annotations.get("plimsoll.dev/rollout-request", "").startswith("promote")
        assert after in proven or trials.decision == "Promote" or asked, "promoted by nobody"


def check_no_pod_is_taken_for_nothing(observed: Observed, plan: Plan) -> None:
    """The revision that serves loses a pod only to a canary that needs its place, the one on trial never does."""
    rollout = plan.status["rollout"] if plan.status and "rollout" in plan.status else observed.owner.status["rollout"]
    workloads = {workload.name: workload for workload in observed.workloads.values()}
    parked = observed.owner.spec.get("scaling", {}).get("minReplicas") == 0
    for scale in plan.scale:
        workload = workloads[scale.deployment]
        if scale.replicas >= with_a_node([workload]) or parked:
            continue
        on_trial = rollout["canary"] == workload.revision and rollout["phase"] != "RollingBack"
        assert not on_trial, "a canary loses no pod while it is judged"
        if rollout["stable"] == workload.revision:
            assert (rollout["phase"], with_a_node([workload]) - scale.replicas) == ("Surging", 1)
            assert rollout["placesGiven"] == 1


def happen(trials: Trials, watch: Watch, disturbance: Disturbance) -> None:
    match disturbance.what:
        case "verdict":
            trials.decision = disturbance.how
        case "data":
            trials.data = disturbance.how
        case _:
            disturb(trials, disturbance, watch.plan)


def end(trials: Trials, watch: Watch, verdict: Decision) -> None:
    """Nobody holds it any more, and the verdict is there: it ends, in whatever world it is in."""
    trials.data, trials.decision = "Measured", verdict
    trials.policy = replace(trials.policy, frozen=False)
    trials.change(merged(trials.observed.owner.spec, {"rollout": {"paused": False}}))
    trials.request("resume#8")
    come_to_rest(trials, watch)
    assert trials.rollout["phase"] in ("Idle", "RolledBack")
    assert len(trials.observed.workloads) == 1
    assert trials.plan().writes == 0


def come_to_rest(trials: Trials, watch: Watch, moves: int = 300) -> None:
    for _ in range(moves):
        before = trials.observed
        plan = watch.plan(trials)
        trials.carry_out(plan)
        trials.pass_time()
        if plan.writes == 0 and trials.observed == before:
            if plan.requeue_after is None:
                return
            trials.pass_time(plan.requeue_after.total_seconds())
    raise AssertionError(f"not at rest after {moves} moves: {trials.rollout}")


@bounded
@given(
    replicas=st.integers(1, 5),
    spare=st.integers(0, 3),
    provider=st.sampled_from(["HPA", "None"]),
    capacity=st.sampled_from(["Auto", "Surge", "Replace"]),
    broken=st.sets(st.sampled_from(["pvc://models/v2", "pvc://models/v3"]), max_size=1),
    at_first=st.sampled_from(["Undecided", "Promote", "Promote"]),
    happenings=histories(),
    steps=st.sampled_from([[10], [30, 50]]),
    verdict=st.sampled_from(["Promote", "Rollback"]),
)
def test_a_canary_hurts_nobody_and_ends(
    replicas: int,
    spare: int,
    provider: str,
    capacity: str,
    broken: set[str],
    at_first: Decision,
    happenings: list[Disturbance],
    steps: list[int],
    verdict: Decision,
) -> None:
    scaling = {"minReplicas": 1 if provider == "HPA" else replicas, "provider": provider}
    trials = Trials(
        canary_spec(1, scaling=scaling, canary={"capacity": capacity, "steps": steps}), gpus=replicas + spare
    )
    trials.demand, trials.broken, trials.decision = replicas, broken, at_first
    watch = Watch(replicas)
    come_to_rest(trials, watch)
    for happening in [
        Disturbance("spec", MODELS[1]),
        Disturbance("reconciled", 6),
        *happenings,
        *([Disturbance("reconciled", 1)] * 20),
    ]:
        # Without its status a rollout goes on from the pods that serve, one of which may have made room already.
        watch.fewest -= happening.what == "status lost"
        happen(trials, watch, happening)
        assert trials.observed.ready >= max(1, watch.fewest)

    trials.gpus = 100
    end(trials, watch, verdict)


SCARCE = (
    changes_of(*MODELS),
    changes_of(*PAUSES),
    _some("demand", 1, 4, 8, 12),
    _some("demand", 8, 12),
    _some("gpus", 2, 3, 5),
    _some("verdict", "Undecided", "Promote", "Rollback"),
    _some("parked", True, False),
    _some("requested", "promote#1", "abort#2", "retry#3", "pause#6", "resume#7", "rollback#9", "rollback#10", None),
    st.just(Disturbance("status lost")),
)


@examples(30)
@given(
    gpus=st.integers(2, 5),
    provider=st.sampled_from(["HPA", "None"]),
    capacity=st.sampled_from(["Auto", "Replace"]),
    happenings=histories(SCARCE),
    demand=st.sampled_from([8, 12]),
    verdict=st.sampled_from(["Promote", "Rollback"]),
)
def test_a_canary_ends_also_where_there_are_fewer_gpus_than_wanted(
    gpus: int,
    provider: str,
    capacity: str,
    happenings: list[Disturbance],
    demand: int,
    verdict: Decision,
) -> None:
    """No GPU comes in the end, and the autoscaler wants more than there are. Parked in between, it promotes nothing."""
    scaling = {"minReplicas": 1 if provider == "HPA" else gpus, "provider": provider}
    # Time is never up: what is left to a person then is another matter.
    patience = {"maxDuration": "24h"}
    canary = {"capacity": capacity if provider == "HPA" else "Replace", "steps": [30], **patience}
    trials = Trials(canary_spec(1, scaling=scaling, canary=canary), gpus)
    trials.demand = gpus - 1
    watch = Watch(1)
    come_to_rest(trials, watch)
    for happening in [Disturbance("spec", MODELS[1]), Disturbance("reconciled", 6), *happenings]:
        if happening.what == "parked":
            bounds = {"minReplicas": 0, "provider": "None"} if happening.how else scaling
            happening = Disturbance("spec", {"scaling": bounds})
        happen(trials, watch, happening)

    trials.gpus, trials.demand = gpus, demand
    trials.change(merged(trials.observed.owner.spec, {"scaling": scaling}))
    end(trials, watch, verdict)
    assert trials.observed.ready == gpus

"""Canaries whose operator ends between any two of its writes, in each phase: whoever takes over comes to the same end.

Each story is played undisturbed first. Then, at each of its looks that writes anything, the writes are cut after each
number of them, and another operator takes over: at the same moment, or twenty seconds later, as with a lost Lease.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from itertools import groupby
from typing import Any, get_args

import pytest

from canaries import canary_spec
from interrupted import LOOK, Act, Interrupted, Write, in_order
from measured import Traffic
from plimsoll_operator.rollout.situation import Phase

GOOD, BAD, FEW = Traffic(ok=100), Traffic(ok=80, failed=20), Traffic(ok=0.5)
REPLICAS = 4
BEGIN_ALIKE = 5
MOST_LOOKS = 90


def ask(verb: str) -> Callable[[Interrupted], None]:
    """As `kubectl plimsoll` does: of the canary that runs, if one does."""

    def asked(cluster: Interrupted) -> None:
        canary = cluster.rollout["canary"]
        cluster.request(f"{verb}@{canary}#{verb}" if canary else f"{verb}#{verb}")

    return asked


def change_to(version: int) -> Callable[[Interrupted], None]:
    return lambda cluster: cluster.change({**cluster.observed.owner.spec, "model": {"uri": f"pvc://models/v{version}"}})


@dataclass(frozen=True)
class Story:
    """A change from version 1 to 2, how version 2 does, and what people do meanwhile; `phases` are all on its way.

    With `gives` a serving pod makes room for the canary's, and comes back and does so again where the operator ended
    before it wrote that one had.
    """

    name: str
    phases: tuple[str, ...]
    traffic: Traffic = GOOD
    script: tuple[Act, ...] = ()
    rollout: Mapping[str, Any] = field(default_factory=lambda: {"canary": {"steps": [25]}}, hash=False)
    autoscaled: bool = False
    starts: bool = True
    gpus: int = 100
    gives: bool = False


FIRST, SECOND = ("Idle", "Surging", "Analysing 1"), ("Surging", "Analysing 2")
TAKEN_OVER, TAKEN_BACK = ("Promoting", "Idle"), ("RollingBack", "RolledBack")
TWO_STEPS = {"canary": {"steps": [25, 50], "maxPods": REPLICAS}}
IMPATIENT = {"canary": {"steps": [25], "maxDuration": "60s"}, "progressDeadline": "60s"}
OF_OTHER_STRATEGIES = {"Progressing", "WaitingForGPU"}
DECISIVE = {"RolloutStarted", "Promoted", "RolledBack", "Serving"}
"""Events that tell an end or a beginning: what lies between may be over when another operator comes."""
STORIES = (
    Story("promoted after two steps", (*FIRST, *SECOND, *TAKEN_OVER), rollout=TWO_STEPS),
    Story("promoted beside an autoscaler", (*FIRST, *TAKEN_OVER), autoscaled=True),
    Story(
        "promoted in the place of a pod",
        (*FIRST, *TAKEN_OVER),
        rollout={"canary": {"steps": [25], "capacity": "Replace"}},
        gpus=REPLICAS,
        gives=True,
    ),
    Story("taken back for errors", (*FIRST, *TAKEN_BACK), BAD),
    Story("taken back as it never got ready", ("Idle", "Surging", *TAKEN_BACK), starts=False, rollout=IMPATIENT),
    Story(
        "promoted by a person",
        (*FIRST, "Inconclusive", *TAKEN_OVER),
        FEW,
        (Act("Inconclusive", 2, ask("promote")),),
        IMPATIENT,
    ),
    Story(
        "aborted by a person",
        (*FIRST, "Inconclusive", *TAKEN_BACK),
        FEW,
        (Act("Inconclusive", 2, ask("abort")),),
        IMPATIENT,
    ),
    Story(
        "paused, resumed and promoted",
        (*FIRST, "Paused", "Analysing 1", *TAKEN_OVER),
        script=(Act("Analysing", 2, ask("pause")), Act("Paused", 2, ask("resume"))),
    ),
    Story("taken back while paused", (*FIRST, "Paused", *TAKEN_BACK), BAD, (Act("Analysing", 1, ask("pause")),)),
    Story(
        "taken back twice",
        (*FIRST, *TAKEN_BACK, *FIRST[1:], *TAKEN_BACK),
        BAD,
        (Act("RolledBack", 2, ask("retry")),),
    ),
    Story("reverted in git", (*FIRST, "RollingBack", "Idle"), script=(Act("Analysing", 2, change_to(1)),)),
    Story("superseded", (*FIRST, *FIRST[1:], *TAKEN_OVER), script=(Act("Analysing", 2, change_to(3)),)),
)


@dataclass(frozen=True)
class Look:
    """A moment right before somebody looks, and what is written then."""

    moment: Interrupted
    writes: tuple[Write, ...]


@cache
def undisturbed(story: Story) -> tuple[tuple[Look, ...], Interrupted]:
    """All looks from the change on, and how it ends."""
    cluster = begun(story)
    looks = tuple(play(cluster))
    return looks, cluster


def begun(story: Story) -> Interrupted:
    """Version 1 at rest, at the moment at which version 2 is asked for."""
    provider = (
        {"minReplicas": 1, "provider": "HPA"} if story.autoscaled else {"minReplicas": REPLICAS, "provider": "None"}
    )
    stable = FEW if story.traffic is FEW else GOOD
    traffic = {"pvc://models/v1": stable, "pvc://models/v2": story.traffic, "pvc://models/v3": stable}
    cluster = Interrupted(canary_spec(1, scaling=provider, **story.rollout), traffic, story.gpus)
    cluster.demand = REPLICAS if story.autoscaled else None
    cluster.settle()
    cluster.now += timedelta(hours=1)
    cluster.settle()
    if not story.starts:
        cluster.broken.add("pvc://models/v2")
    change_to(2)(cluster)
    cluster.script, cluster.written = story.script, ()
    return cluster


def play(cluster: Interrupted) -> Iterator[Look]:
    """Look after look, until the script is at its end and nothing is written any more."""
    for _ in range(MOST_LOOKS):
        moment = cluster.fork()
        plan = cluster.reconcile()
        yield Look(moment, tuple(in_order(plan)))
        if not plan.writes and not cluster.script and cluster.phase in ("Idle", "RolledBack"):
            return
    raise AssertionError(f"not at its end after {MOST_LOOKS} looks: {cluster.rollout}")


def play_out(cluster: Interrupted) -> None:
    for _ in play(cluster):
        pass


def taken_over_at_once(cluster: Interrupted, arrived: int) -> None:
    cluster.follow_the_script()
    cluster.look(writes=arrived)
    cluster.look()
    cluster.pass_time(LOOK.total_seconds())


def taken_over_later(cluster: Interrupted, arrived: int) -> None:
    cluster.reconcile(writes=arrived)
    cluster.pass_time(LOOK.total_seconds())


def cuts(story: Story, phase: str) -> Iterator[tuple[int, int]]:
    """Looks in the phase by their numbers, one of each kind, with how many of its writes arrive: any number but all."""
    looks, _ = undisturbed(story)
    kinds = set()
    for number, look in enumerate(looks):
        kind = tuple(write[:2] for write in look.writes)
        if look.moment.phase == phase and kind not in kinds:
            kinds.add(kind)
            yield from ((number, arrived) for arrived in range(len(look.writes)))


def outcome(story: Story, cluster: Interrupted) -> dict[str, Any]:
    """What stands at the end, and which decisions were told. A place that is given twice may take another pod."""
    state = cluster.observed
    return {
        "phase": cluster.phase,
        "request": cluster.rollout.get("lastRequest", {}).get("outcome"),
        "pods": {found.revision: (found.replicas, found.ready) for found in state.workloads.values()},
        "marks": {
            found.hash: (found.stable, found.promoted, found.rejected and found.rejected.reason)
            for found in state.revisions
        },
        "children": set(state.children),
        "pods ever made": None if story.gives else cluster.pods_made,
        "told": {write.what for write in cluster.written if write.verb == "event"} & DECISIVE,
    }


def writes(story: Story, cluster: Interrupted) -> Counter[Write]:
    """Of objects. An autoscaler scales as well, and whoever comes first leaves nothing to the other."""
    verbs = ("apply", "delete") if story.gives or story.autoscaled else ("apply", "delete", "scale")
    return Counter(write for write in cluster.objects_written if write.verb in verbs)


def check_the_end(story: Story, cluster: Interrupted, at: Look, arrived: int) -> None:
    """As undisturbed, and without a write that there was not, or not so often."""
    _, end = undisturbed(story)
    where = f"cut after {arrived} of {[write[:2] for write in at.writes]}"
    assert outcome(story, cluster) == outcome(story, end), where
    assert not writes(story, cluster) - writes(story, end), where


def stands_as(cluster: Interrupted, other: Interrupted) -> bool:
    """From here on both go the same way, and came by the same writes."""
    parts = ("now", "observed", "pods", "script", "objects_written")
    return all(getattr(cluster, part) == getattr(other, part) for part in parts)


ALIKE = ("Idle", "Surging")
PLACES = [
    (story, phase)
    for number, story in enumerate(STORIES)
    for phase in dict.fromkeys(story.phases)
    if phase not in ALIKE or number < BEGIN_ALIKE
]
"""A phase of a story. All that come after the first ones begin as those do."""


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_undisturbed_each_story_goes_through_its_phases(story: Story) -> None:
    told = [look.moment.phase for look in undisturbed(story)[0]]
    assert tuple(phase for phase, _ in groupby(told)) == story.phases


def test_the_stories_go_through_every_phase_of_a_canary() -> None:
    told = {phase.partition(" ")[0] for story in STORIES for phase in story.phases}
    assert told == set(get_args(Phase)) - OF_OTHER_STRATEGIES


@pytest.mark.parametrize(("story", "phase"), PLACES, ids=[f"{story.name}: {phase}" for story, phase in PLACES])
def test_taken_over_at_once_it_ends_as_undisturbed_and_nothing_is_written_twice(story: Story, phase: str) -> None:
    looks, _ = undisturbed(story)
    for number, arrived in cuts(story, phase):
        cluster = looks[number].moment.fork()
        taken_over_at_once(cluster, arrived)
        if number + 1 < len(looks) and stands_as(cluster, looks[number + 1].moment):
            continue
        play_out(cluster)
        check_the_end(story, cluster, looks[number], arrived)


@pytest.mark.parametrize(("story", "phase"), PLACES, ids=[f"{story.name}: {phase}" for story, phase in PLACES])
def test_taken_over_later_it_ends_as_undisturbed_and_nothing_is_written_twice(story: Story, phase: str) -> None:
    looks, _ = undisturbed(story)
    for number, arrived in cuts(story, phase):
        cluster = looks[number].moment.fork()
        taken_over_later(cluster, arrived)
        play_out(cluster)
        check_the_end(story, cluster, looks[number], arrived)

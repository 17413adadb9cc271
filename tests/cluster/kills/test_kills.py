"""The operator killed at each of its writes and started again: everything ends as if nothing had happened."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from cluster.kills.trial import LAST_WRITES_SECONDS, NAME, Ground, Picture, Trial
from counting_proxy import Moment
from plimsoll_operator.cluster.kinds import INFERENCE_DEPLOYMENT

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(1200)]

AT_ONCE = 18
"""Trials mostly wait, for pods to start and to end: many share the machine."""
MOMENTS: tuple[Moment, Moment] = ("before", "after")


def version(number: int, **scaling: Any) -> dict[str, Any]:
    return {"model": {"uri": f"hf://org/model:{number:040d}"}, "scaling": scaling}


FIRST = version(1, scaleDownStabilization="1s")
# With another number of pods and no autoscaler, so that its rollout makes every kind of write.
SECOND = version(2, provider="None", minReplicas=2)


@dataclass(frozen=True)
class Undisturbed:
    """What an operator that lives comes to, and the writes that take it there: the kill points."""

    created: Picture
    changed: Picture
    writes_of_create: list[str]
    writes_of_change: list[str]
    writes_of_return: list[str]


@pytest.fixture(scope="module")
def undisturbed(ground: Ground) -> Undisturbed:
    trial = Trial(ground, "undisturbed", resync="1s")
    pictures, writes = [], []
    trial.start()
    for spec in (FIRST, SECOND, FIRST):
        trial.line.arm(None)
        trial.ask_for(spec)
        trial.comes_to_rest()
        pictures.append(trial.picture())
        writes.append(list(trial.line.writes))
    trial.line.arm(None)
    trial.api.delete(INFERENCE_DEPLOYMENT, NAME)
    trial.wait(lambda: not trial.left())
    assert trial.line.writes == [], "deletion is the garbage collector's: the operator has nothing to write in it"
    trial.kill()
    return Undisturbed(pictures[0], pictures[1], *writes)


@dataclass(frozen=True)
class Report:
    """What one trial came to: the writes at which the operator really was killed."""

    name: str
    created: int | None = None
    changed: int | None = None
    deleted: int | None = None
    error: str = ""


def test_it_ends_as_if_it_had_lived(ground: Ground, undisturbed: Undisturbed) -> None:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        reports = list(threads.map(lambda plan: run(ground, undisturbed, *plan), plans(undisturbed)))
    assert [f"{report.name}: {report.error}" for report in reports if report.error] == []
    # On a slow machine what happens at once is seen in several looks, with a status for each, or in fewer: so not every
    # run comes to the last writes that the undisturbed one made.
    for phase, writes in (
        ("created", undisturbed.writes_of_create),
        ("changed", undisturbed.writes_of_change),
        ("deleted", undisturbed.writes_of_return),
    ):
        reached = {getattr(report, phase) for report in reports} - {None}
        assert len(reached) >= len(writes) * 3 / 4, (phase, sorted(set(range(1, len(writes) + 1)) - reached), writes)


def plans(undisturbed: Undisturbed) -> Iterator[tuple[int, Moment, Moment]]:
    """Every write of each phase once, before or after it in turn; of the change the other way round."""
    most = max(map(len, (undisturbed.writes_of_create, undisturbed.writes_of_change, undisturbed.writes_of_return)))
    for number, moment in zip(range(1, most + 1), itertools.cycle(MOMENTS), strict=False):
        yield number, moment, MOMENTS[moment == "before"]


def run(ground: Ground, undisturbed: Undisturbed, number: int, creating: Moment, changing: Moment) -> Report:
    name = f"killed-{number}-{creating}-{changing}"
    trial = Trial(ground, name)
    try:
        created = killed_in(trial, FIRST, undisturbed.created, (number, creating), undisturbed.writes_of_create)
        changed = killed_in(trial, SECOND, undisturbed.changed, (number, changing), undisturbed.writes_of_change)
        return Report(name, created, changed, deleted_under(trial, number, undisturbed.writes_of_return))
    except AssertionError as error:
        return Report(name, error=f"{error}\n{trial.log.read_text()[-2000:]}")
    finally:
        trial.kill()


def killed_in(
    trial: Trial, spec: dict[str, Any], wanted: Picture, point: tuple[int, Moment], writes: list[str]
) -> int | None:
    """Kill the operator on its way to `spec`, and start it again. The number of the write, if it came to that."""
    killed = None
    if point[0] <= len(writes):
        trial.kill_at(*point)
        trial.ask_for(spec)
        if not trial.pid:
            trial.start()
        killed = point[0] if trial.dies(wanted) else None
    else:
        trial.ask_for(spec)
    if not trial.pid:
        trial.start()
    trial.line.arm(None)
    trial.comes_to(wanted)
    return killed


def deleted_under(trial: Trial, number: int, writes: list[str]) -> int | None:
    """Delete the object while a write of the operator is on its way, which arrives all the same; then kill it."""
    policy = ("Background", "Foreground")[number % 2]

    def delete() -> None:
        trial.api.delete(INFERENCE_DEPLOYMENT, NAME, policy)

    if number > len(writes):
        delete()
        killed = None
    else:
        trial.kill_at(number, "after", meanwhile=delete)
        trial.ask_for(FIRST)
        trial.wait(lambda: trial.line.killed.is_set() or trial.is_ready())
        killed = number if trial.line.killed.wait(LAST_WRITES_SECONDS) else None
        if killed is None:
            delete()
        else:
            trial.start()
    trial.wait(lambda: not trial.left())
    rounds = trial.line.lists
    trial.wait(lambda: trial.line.lists > rounds)
    assert not trial.left(), "the operator made something of an object that is gone"
    return killed

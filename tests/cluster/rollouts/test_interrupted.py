"""The judge or its witness is killed while a canary runs: what comes of the canary is the same, a little later."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest

from cluster.rollouts.figures import Figures, Take
from cluster.rollouts.objects import BODIES, changed, counting
from cluster.rollouts.outcome import failed
from cluster.rollouts.stage import Scene, Stage
from cluster.rollouts.verdicts import BACK_SECONDS, in_time, was_taken_back
from cluster_kit import eventually
from free_ports import free_port
from operator_process import running
from plimsoll_sandbox.sandbox import Sandbox
from rollout_history import Told
from traffic import Load

pytestmark = [pytest.mark.cluster, pytest.mark.thorough, pytest.mark.timeout(900)]

LOAD = Load(BODIES, rate=45)
FEW = Load(BODIES, rate=1, enough=10)
"""Too few for any decision before time is up."""
MOST_SECONDS = 120
AWAY_SECONDS = 130
"""More than a canary's time in all. A minute of it counts, which an operator that restarts may take."""
COUNTED_SECONDS = 60
OUTAGE_SECONDS = 30
TAKEOVER_SECONDS = 17
"""Of a Lease that is not renewed any more: 15 s from when the other saw it last, which looks every 2 s."""


@contextmanager
def killed_again_and_again(sandbox: Sandbox, program: str) -> Iterator[None]:
    """SIGKILL, each time the sandbox has started it again, until the block ends."""
    end = threading.Event()

    def keep_killing() -> None:
        while not end.wait(0.1):
            status = sandbox.status()
            pid = status.programs[program].pid if status else None
            if pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=keep_killing)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join(10)


def counted(told: Told) -> int:
    """Requests of the canary that were weighed by then."""
    return int(told.rollout.get("evidence", {}).get("requests", 0))


def test_without_its_prometheus_a_canary_is_held_and_judged_when_it_returns(stage: Stage, figures: Figures) -> None:
    manifest = counting("blind")

    def blinded(scene: Scene) -> None:
        scene.reaches(120, "Analysing")
        with killed_again_and_again(stage.sandbox, "prometheus"):
            told = eventually(
                lambda: scene.told.first(lambda told: told.rollout.get("reason") == "NoMetrics"),
                90,
                lambda: str(scene.told),
            )
            asked = len(scene.requests.answers())
            scene.requests.wait_for_more(round(OUTAGE_SECONDS * LOAD.rate / 2), 240)
            assert len(scene.requests.answers()) > asked
            assert {each.phase for each in scene.told.since(told.at)} == {"Analysing"}, "decided without seeing"

    outcome = stage.play(manifest, changed(manifest, model={"family": "faulty"}), LOAD, meanwhile=blinded)
    was_taken_back(outcome, "MoreErrors")
    first = outcome.first(failed)
    back = outcome.seconds_until_back(failed)
    figures.add(Take.of("Prometheus killed", outcome, "first bad response", first, outcome.rejected_at, back))


def test_an_operator_that_is_killed_leaves_the_canary_to_the_next(stage: Stage, figures: Figures) -> None:
    manifest = counting("orphaned")
    leader = stage.operator
    settings = {**leader.settings, "POD_NAME": "the-next"}
    log = leader.log_path.with_name("the-next.log")
    successor = replace(
        leader, settings=settings, log_path=log, metrics_port=free_port(), health_port=free_port(), process=None
    )

    def orphaned(scene: Scene) -> None:
        eventually(lambda: scene.told.first(lambda told: counted(told) > 0), 120, lambda: str(scene.told))
        leader.kill()

    try:
        with running(successor):
            outcome = stage.play(manifest, changed(manifest, model={"family": "faulty"}), LOAD, meanwhile=orphaned)
            was_taken_back(outcome, "MoreErrors")
            first, back = outcome.first(failed), outcome.seconds_until_back(failed)
            figures.add(Take.of("operator killed", outcome, "first bad response", first, outcome.rejected_at, back))
            in_time(back, BACK_SECONDS + TAKEOVER_SECONDS)
            gathered = [counted(told) for told in outcome.told.since(outcome.changed_at)]
            assert gathered == sorted(gathered), "what was counted before was counted again from zero"
    finally:
        leader.start()


def test_an_operator_that_was_away_for_longer_than_a_canary_has_decides_nothing_for_that(stage: Stage) -> None:
    patience = {"steps": [30], "maxDuration": f"{MOST_SECONDS}s", "onInconclusive": "Rollback"}
    manifest = counting("unwatched", rollout={"canary": patience})
    returned: list[Told] = []

    def unwatched(scene: Scene) -> None:
        scene.reaches(120, "Analysing")
        stage.operator.kill()
        try:
            time.sleep(AWAY_SECONDS)  # An absence shows in nothing but time.
        finally:
            back = time.time()
            stage.operator.start()
        eventually(lambda: scene.told.since(back), 120, lambda: str(scene.told))
        returned.append(scene.told.since(back)[0])

    outcome = stage.play(manifest, changed(manifest, longInput={"overlapTokens": 64}), FEW, meanwhile=unwatched)
    was_taken_back(outcome, "Inconclusive")
    assert returned[0].phase == "Analysing", "time in which nobody looked was counted"
    assert outcome.rejected_at - returned[0].at >= (MOST_SECONDS - COUNTED_SECONDS) / 2

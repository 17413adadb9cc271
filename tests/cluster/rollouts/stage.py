"""A rollout as users have it: an object that serves, requests that go on, a change, and all that follows from it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api_client import Api
from cluster.rollouts.outcome import Outcome
from cluster_kit import Kit, eventually
from light_server import ready
from operator_process import OperatorProcess
from plimsoll_operator.cluster.kinds import EVENT, INFERENCE_DEPLOYMENT, POD
from plimsoll_sandbox.sandbox import Sandbox
from pod_history import PodHistory, pod_history
from rollout_history import RolloutHistory, Told, rollout_history
from traffic import Load, Traffic, traffic

START_SECONDS = 240
"""For a torch server on a machine that does other work; 15 s on a quiet one."""

STARTS = 8
"""So many times as long as they took to start have pods served that are to be old beside a canary, which starts too."""


@dataclass(frozen=True)
class Scene:
    """A rollout under way."""

    name: str
    stable: str
    changed_at: float
    told: RolloutHistory
    pods: PodHistory
    load: Load
    requests: Traffic
    before: frozenset[str]

    def reaches(self, deadline: float, *phases: str) -> Told:
        """Wait until the object tells one of these phases of the changed spec; every other one before it is right."""

        def told() -> Told | None:
            current = (told for told in self.told.since(self.changed_at) if told.current)
            return next((told for told in current if told.phase in phases), None)

        return eventually(told, deadline, lambda: f"{self.told}\n{self.requests.answers()[-3:]}")

    def is_over(self, deadline: float) -> Told:
        """Wait until the rollout has ended one way or the other, and its pods with it."""

        def told() -> Told | None:
            last = self.told.last
            over = last.phase in ("Idle", "RolledBack") and last.current and last.at > self.changed_at
            leaving = any(pod.leaving for pod in self.pods.states[-1].values())
            return last if over and not leaving else None

        return eventually(told, deadline, lambda: str(self.told))


@dataclass(frozen=True)
class Stage:
    """What every rollout of this folder needs."""

    kit: Kit
    api: Api
    sandbox: Sandbox
    operator: OperatorProcess
    folder: Path

    @contextmanager
    def rollout(self, manifest: dict[str, Any], change: dict[str, Any], load: Load, age: float) -> Iterator[Scene]:
        """`manifest` serves the `load`, then its spec becomes that of `change`. The object goes with the block."""
        name = manifest["metadata"]["name"]
        began = time.monotonic()
        ready(self.kit, manifest, START_SECONDS)
        started = time.monotonic() - began
        owner = self.api.get(INFERENCE_DEPLOYMENT, name)
        before = frozenset(pod["metadata"]["uid"] for pod in self.pods(name))
        url = f"{self.sandbox.url(self.kit.namespace, name)}/predict"
        try:
            with (
                traffic(url, load, self.folder) as requests,
                pod_history(self.api, name) as pods,
                rollout_history(self.api, name) as told,
            ):
                if age:
                    # Under the load: what serves nothing is no past to compare a canary with.
                    time.sleep(max(age, STARTS * started))
                requests.wait_for_more(load.enough)
                changed_at = time.time()
                self.kit.apply(change)
                stable = owner["status"]["rollout"]["stable"]
                yield Scene(name, stable, changed_at, told, pods, load, requests, before)
        finally:
            self.kit.kubectl("delete", "infd", name, "--ignore-not-found")
            eventually(lambda: not self.kit.select("pods", f"plimsoll.dev/name={name}"), 120)

    def end(self, scene: Scene) -> Outcome:
        """What it came to, once some more requests were answered."""
        scene.requests.wait_for_more(scene.load.enough)
        owner = self.api.get(INFERENCE_DEPLOYMENT, scene.name)
        return Outcome(
            changed_at=scene.changed_at,
            stable=scene.stable,
            canary=self._canary(scene),
            answers=scene.requests.end(),
            told=scene.told,
            pods=scene.pods,
            before=scene.before,
            events=[e for e in self.api.select(EVENT) if e["involvedObject"].get("uid") == owner["metadata"]["uid"]],
            owner=owner,
        )

    def play(
        self,
        manifest: dict[str, Any],
        change: dict[str, Any],
        load: Load,
        deadline: float = 300,
        meanwhile: Callable[[Scene], None] = lambda _: None,
        age: float = 0,
    ) -> Outcome:
        """A whole rollout of pods that have served for `age` seconds at least; `meanwhile` may disturb it.

        Requests are still asked when all is over: what the end of a rollout breaks would break in them.
        """
        with self.rollout(manifest, change, load, age) as scene:
            meanwhile(scene)
            scene.is_over(deadline)
            outcome = self.end(scene)
            # Shown where the test fails.
            print(outcome)  # noqa: T201
            return outcome

    def pods(self, name: str) -> list[dict[str, Any]]:
        return self.api.select(POD, f"plimsoll.dev/name={name}")

    def _canary(self, scene: Scene) -> str:
        """The revision beside the stable one: its hash, as its pods have it."""
        hashes = {pod.revision for state in scene.pods.states for pod in state.values()} - {scene.stable}
        assert len(hashes) == 1, f"expected pods of one revision beside {scene.stable}, found {hashes}"
        return hashes.pop()

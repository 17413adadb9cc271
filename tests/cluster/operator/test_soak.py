"""Minutes of random trouble, to find what nobody thought of. PLIMSOLL_SOAK_MINUTES=10 runs it; `make test` does not."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import pytest

from api_client import Api, RefusedError
from cluster.operator.test_convergence import NAMESPACE, SETTLE_SECONDS, accepts, differences, picture, put, rests
from cluster_kit import Kit, eventually
from field_edits import edits_of
from plimsoll_operator.cluster.kinds import CHILDREN, INFERENCE_DEPLOYMENT, POD
from plimsoll_operator.names import FIELD_MANAGER
from schema_fields import part_of
from spec_walk import PARKED, SERVING, STEPS, Spec, stepped

MINUTES = float(os.environ.get("PLIMSOLL_SOAK_MINUTES", "0"))
SEED = int(os.environ.get("PLIMSOLL_SOAK_SEED", "1"))
OBJECTS = 4
NAME = "walker"

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not MINUTES, reason="set PLIMSOLL_SOAK_MINUTES to soak for so long"),
    pytest.mark.timeout(60 * MINUTES + 1200),
]


@dataclass
class Soaked:
    """One object in a namespace of its own, what its spec is now, and what has happened to it."""

    place: Api
    installed: Kit
    luck: random.Random
    spec: Spec = field(default_factory=lambda: SERVING)
    past: list[str] = field(default_factory=list)

    def suffer(self) -> None:
        """One thing that happens; one that is not there to happen to is left alone."""
        act = self.luck.choice(self._acts())
        try:
            self.past.append(f"{act.__name__}: {act()}")
        except RefusedError as error:
            self.past.append(f"{act.__name__}: refused {error.status}")

    def _acts(self) -> list[Callable[[], str]]:
        return [
            self._change,
            self._change,
            self._edit,
            self._edit,
            self._lose,
            self._lose_pod,
            self._begin_again,
            self._kill,
        ]

    def _change(self) -> str:
        step = self.luck.choice(STEPS)
        wanted = stepped(self.spec, step, self.luck.choice([PARKED, SERVING, SERVING]))
        if accepts(self.place, wanted):
            self.spec = wanted
        return str(step)

    def _edit(self) -> str:
        kind = self.luck.choice(CHILDREN)
        child = self.luck.choice(self.place.select(kind, f"plimsoll.dev/name={NAME}") or [None])
        edits = edits_of(child, FIELD_MANAGER, part_of(self.place, kind)) if child else []
        if child is None or not edits:
            return "nothing"
        edit = self.luck.choice(edits)
        for patch in edit.patches:
            try:
                self.place.patch(kind, child["metadata"]["name"], patch)
            except RefusedError:
                continue
            break
        return f"{kind.kind} {edit}"

    def _lose(self) -> str:
        kind = self.luck.choice(CHILDREN)
        for child in self.place.select(kind, f"plimsoll.dev/name={NAME}"):
            # Never as an orphaner: the ReplicaSet of a revision that does not come back would be nobody's for good.
            self.place.delete(kind, child["metadata"]["name"], self.luck.choice(["Background", "Foreground"]))
        return kind.kind

    def _lose_pod(self) -> str:
        pods = self.place.select(POD, f"plimsoll.dev/name={NAME}")
        for pod in pods[:1]:
            self.place.delete(POD, pod["metadata"]["name"])
        return str(len(pods))

    def _begin_again(self) -> str:
        policy = self.luck.choice(["Background", "Foreground", "Orphan"])
        self.place.delete(INFERENCE_DEPLOYMENT, NAME, policy)
        eventually(lambda: self.place.find(INFERENCE_DEPLOYMENT, NAME) is None, SETTLE_SECONDS)
        put(self.place, self.spec)
        return policy

    def _kill(self) -> str:
        operators = self.installed.select("pods", "app.kubernetes.io/name=plimsoll")
        name = self.luck.choice(operators)["metadata"]["name"]
        self.installed.kubectl("delete", "pod", name, "--force", "--grace-period=0", "--wait=false")
        return str(name)


@pytest.fixture
def soaked(kit: Kit, installed: Kit, api: Api) -> Iterator[list[Soaked]]:
    luck = random.Random(SEED)
    places = [api.of(f"soak-{number}") for number in range(OBJECTS + 1)]
    for place in places:
        api.of("").create(NAMESPACE, {"metadata": {"name": place.namespace}})
        put(place, SERVING)
    yield [Soaked(place, installed, random.Random(luck.random())) for place in places]
    for place in places:
        kit.kubectl("delete", "namespace", place.namespace, "--wait=false")


def test_after_minutes_of_trouble_everything_is_as_if_nothing_had_happened(soaked: list[Soaked]) -> None:
    *troubled, fresh = soaked
    end = time.monotonic() + 60 * MINUTES
    turn = 0
    while time.monotonic() < end:
        one = troubled[turn % len(troubled)]
        one.suffer()
        time.sleep(one.luck.choice([0, 0, 0.3, 2]))
        turn += 1
    eventually(partial(rests, fresh.place), SETTLE_SECONDS)
    wanted = picture(fresh.place)
    for one in troubled:
        put(one.place, SERVING)
    for one in troubled:
        eventually(partial(_is_as, one, wanted), SETTLE_SECONDS, partial(_explain, one, wanted))


def _is_as(one: Soaked, wanted: dict[object, object]) -> bool:
    return picture(one.place) == wanted


def _explain(one: Soaked, wanted: dict[object, object]) -> str:
    past = "\n".join(one.past[-40:])
    return f"{one.place.namespace} (seed {SEED}):\n{differences(picture(one.place), wanted)}\nafter\n{past}"

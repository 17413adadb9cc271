"""Created, changed in every field in any order, deleted in between: it ends with what a fresh object gets."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from api_client import Api, Object, RefusedError
from cluster_kit import Kit, eventually
from plimsoll_operator.cluster.kinds import AUTOSCALER, INFERENCE_DEPLOYMENT, Kind
from spec_walk import DETOURS, PARKED, SERVING, STEPS, Spec, Step, changed, stepped
from what_stands import difference, everything, namespaced_kinds, what_is_told, what_stands

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]

NAME = "walker"
NAMESPACE = Kind("v1", "Namespace", "namespaces")
SETTLE_SECONDS = 300
OF_EVERY_NAMESPACE = {("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")}


@dataclass(frozen=True)
class Walk:
    """From one spec to another; `seed` orders the steps. Half-way the object is deleted by `policy` and made again."""

    start: Spec
    goal: Spec
    seed: int
    policy: str = ""


WALKS = {
    "to-serving": Walk(PARKED, SERVING, seed=1),
    "to-parked": Walk(SERVING, PARKED, seed=2),
    "deleted-in-background": Walk(PARKED, SERVING, seed=3, policy="Background"),
    "deleted-in-foreground": Walk(PARKED, SERVING, seed=4, policy="Foreground"),
    "orphaned": Walk(PARKED, SERVING, seed=5, policy="Orphan"),
    "fresh-serving": Walk(SERVING, SERVING, seed=0),
    "fresh-parked": Walk(PARKED, PARKED, seed=0),
}


@pytest.fixture(scope="module")
def walked(kit: Kit, api: Api) -> Iterator[dict[str, Api]]:
    """Where each walk took place; all of them at once."""
    places = {name: api.of(f"walk-{name}") for name in WALKS}
    for place in places.values():
        api.of("").create(NAMESPACE, {"metadata": {"name": place.namespace}})
    with ThreadPoolExecutor(len(WALKS)) as threads:
        list(threads.map(lambda name: walk(places[name], WALKS[name]), WALKS))
    yield places
    for place in places.values():
        kit.kubectl("delete", "namespace", place.namespace, "--wait=false")


@pytest.fixture(scope="module")
def fresh(walked: dict[str, Api]) -> dict[str, dict[Any, Any]]:
    """What a fresh object of each spec gets, once it is at rest."""
    for name in ("fresh-serving", "fresh-parked"):
        eventually(partial(rests, walked[name]), SETTLE_SECONDS, partial(told, walked[name]))
    return {name: picture(walked[name]) for name in ("fresh-serving", "fresh-parked")}


@pytest.mark.parametrize("name", [name for name in WALKS if not name.startswith("fresh")])
def test_it_ends_as_a_fresh_object(walked: dict[str, Api], fresh: dict[str, dict[Any, Any]], name: str) -> None:
    place = walked[name]
    wanted = fresh["fresh-serving" if WALKS[name].goal is SERVING else "fresh-parked"]
    eventually(lambda: picture(place) == wanted, SETTLE_SECONDS, lambda: differences(picture(place), wanted))


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
def test_deletion_leaves_nothing(walked: dict[str, Api], policy: str) -> None:
    for name in ("to-serving", "to-parked") if policy == "Background" else ("deleted-in-background", "orphaned"):
        place = walked[name]
        place.delete(INFERENCE_DEPLOYMENT, NAME, policy)
        eventually(partial(is_empty, place), SETTLE_SECONDS, partial(what_is_left, place))


def is_empty(place: Api) -> bool:
    return set(everything(place, namespaced_kinds(place))) <= OF_EVERY_NAMESPACE


def what_is_left(place: Api) -> str:
    return str(set(everything(place, namespaced_kinds(place))))


def walk(place: Api, plan: Walk) -> None:
    """Every step in the order of the seed, some of them before the operator has seen the one before."""
    luck = random.Random(plan.seed)
    steps: list[Step] = list(STEPS) if plan.start is not plan.goal else []
    luck.shuffle(steps)
    spec = plan.start
    put(place, spec)
    for number, step in enumerate(in_an_order_that_is_accepted(place, spec, steps, plan.goal)):
        spec = stepped(spec, step, plan.goal)
        if number == len(steps) // 2:
            half_way(place, plan, spec)
        if luck.random() < 0.3:
            eventually(partial(is_seen, place), 60, partial(told, place))
    put(place, plan.goal)


def in_an_order_that_is_accepted(place: Api, spec: Spec, steps: list[Step], goal: Spec) -> Iterator[Step]:
    """The steps in their order, but for those that the API refuses beside the ones before: they are tried again."""
    left = list(steps)
    while left:
        for step in left:
            if accepts(place, stepped(spec, step, goal)):
                spec = stepped(spec, step, goal)
                left.remove(step)
                yield step
                break
        else:
            raise AssertionError(f"the API refuses each of {left}")


def accepts(place: Api, spec: Spec) -> bool:
    try:
        put(place, spec)
    except RefusedError as error:
        if error.status != 422:
            raise
        return False
    return True


def half_way(place: Api, plan: Walk, spec: Spec) -> None:
    """A pause and its end; the object deleted and made again at once, where the walk says so."""
    for detour in DETOURS:
        put(place, changed(spec, detour))
    if plan.policy:
        place.delete(INFERENCE_DEPLOYMENT, NAME, plan.policy)
        eventually(lambda: place.find(INFERENCE_DEPLOYMENT, NAME) is None, SETTLE_SECONDS, partial(told, place))
        put(place, spec)


def put(place: Api, spec: Spec) -> None:
    body = {"apiVersion": INFERENCE_DEPLOYMENT.api_version, "kind": INFERENCE_DEPLOYMENT.kind}
    place.apply(INFERENCE_DEPLOYMENT, {**body, "metadata": {"name": NAME}, "spec": spec})


def is_seen(place: Api) -> bool:
    owner = place.get(INFERENCE_DEPLOYMENT, NAME)
    return bool(owner.get("status", {}).get("observedGeneration") == owner["metadata"]["generation"])


def rests(place: Api) -> bool:
    """It is ready, and its autoscaler, where it has one, may shrink again: the last thing that changes by itself."""
    conditions = place.get(INFERENCE_DEPLOYMENT, NAME).get("status", {}).get("conditions", ())
    ready = is_seen(place) and any(found["type"] == "Ready" and found["status"] == "True" for found in conditions)
    autoscaler = place.find(AUTOSCALER, NAME)
    return ready and (autoscaler is None or autoscaler["spec"]["behavior"]["scaleDown"]["selectPolicy"] == "Max")


def told(place: Api) -> str:
    owner = place.find(INFERENCE_DEPLOYMENT, NAME)
    return str(owner and owner.get("status"))


def picture(place: Api) -> dict[Any, Any]:
    """What stands and what is told, but for the history: a fresh object has none."""
    found = everything(place, namespaced_kinds(place))
    owner = found.pop((INFERENCE_DEPLOYMENT.kind, NAME))
    kept = {key: item for key, item in found.items() if not is_history(item)}
    tells = what_is_told(owner)
    now = {kind: state[:2] for kind, state in tells["conditions"].items()}
    return {**what_stands(kept), "told": (now, tells["rollout"], tells["replicas"])}


def is_history(item: Object) -> bool:
    """A revision that is not the stable one; of that its number tells how many there were before."""
    item.pop("revision", None)
    return bool(item["metadata"].get("labels", {}).get("plimsoll.dev/stable") == "false")


def differences(found: dict[Any, Any], wanted: dict[Any, Any]) -> str:
    lines = []
    for key in {**found, **wanted}:
        mine, theirs = found.get(key), wanted.get(key)
        if isinstance(mine, dict) and isinstance(theirs, dict) and "metadata" in mine:
            lines.append(f"{key}: {difference(mine, theirs)}")
        elif mine != theirs:
            lines.append(f"{key}: {mine} instead of {theirs}")
    return "\n".join(lines)

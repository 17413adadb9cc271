"""How many objects are in which state, for the metric. Bounded: what people can write into a status cannot fill it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from plimsoll_operator.observed import Manifest
from plimsoll_operator.out_of_memory import OOM_KILLED

State = tuple[str, str]
"""State and reason, such as ("Stalled", "ClaimNotFound")."""

STATES = ("Ready", "Reconciling", "Stalled", "Held", "Unknown")
MOST_REASONS = 30
"""Pairs of state and reason that are told apart; the rarest beyond them are counted as Other."""

_REASON = re.compile("[A-Za-z]{1,64}")


@dataclass(frozen=True)
class Census:
    """How many objects there are: by state, of which each is in it, with no reason and 0 where no object is."""

    by_state: Mapping[State, int]
    short_for_memory: int = 0
    serving_nothing: int = 0


def take_census(objects: Collection[Manifest]) -> Census:
    return Census(_by_state(objects), sum(map(short_for_memory, objects)), sum(map(serves_nothing, objects)))


def _by_state(objects: Collection[Manifest]) -> Mapping[State, int]:
    counted = Counter(map(state_of, objects))
    named = dict(counted.most_common(MOST_REASONS))
    census = Counter(named)
    for (state, _), count in (counted - Counter(named)).items():
        census[state, "Other"] += count
    absent = set(STATES) - {state for state, _ in census}
    return {**census, **{(state, ""): 0 for state in absent}}


def state_of(manifest: Manifest) -> State:
    """Unknown for one that nobody has looked at since its spec changed last; Held for one that somebody paused."""
    conditions = {found["type"]: found for found in manifest.get("status", {}).get("conditions", ())}
    for state in ("Ready", "Stalled", "Reconciling"):
        condition = conditions.get(state, {})
        if condition.get("status") == "True" and _is_current(condition, manifest):
            return state, _reason(condition)
    ready = conditions.get("Ready", {})
    if ready.get("status") == "False" and _is_current(ready, manifest):
        return "Held", _reason(ready)
    return "Unknown", ""


def short_for_memory(manifest: Manifest) -> bool:
    """Whether kills for memory keep pods from serving: all of them, or some of the stable revision.

    A canary that is killed beside a stable revision that is whole hurts nobody, and is taken back. Neither does what
    was killed and serves again, whatever else has not come up yet, such as pods of a scale-up or of a promotion.
    """
    status = manifest.get("status", {})
    if manifest["metadata"].get("deletionTimestamp"):
        return False
    return _why_unavailable(status) == OOM_KILLED or bool(status.get("outOfMemory", {}).get("stablePodsDown"))


def serves_nothing(manifest: Manifest) -> bool:
    """Whether no pod answers where some did once: neither of an object that is new, nor of one that is parked."""
    status = manifest.get("status", {})
    served = any(revision.get("promoted") for revision in status.get("revisions", ()))
    if manifest["metadata"].get("deletionTimestamp") or not served:
        return False
    return _why_unavailable(status) not in ("", "Parked")


def _why_unavailable(status: Manifest) -> str:
    """The reason for which `Available` is false; empty where it is not."""
    for condition in status.get("conditions", ()):
        if (condition["type"], condition["status"]) == ("Available", "False"):
            return str(condition["reason"])
    return ""


def _is_current(condition: Manifest, manifest: Manifest) -> bool:
    return bool(condition.get("observedGeneration") == manifest["metadata"].get("generation"))


def _reason(condition: Manifest) -> str:
    reason = str(condition.get("reason", ""))
    return reason if _REASON.fullmatch(reason) else "Other"

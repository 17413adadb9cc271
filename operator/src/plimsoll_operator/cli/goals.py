"""When a request is done, by what status says: pure questions, so that `--wait` ends for a reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Status = Mapping[str, Any]


@dataclass(frozen=True)
class Goal:
    """What is waited for of a revision, and why it will not come any more: an empty string while it may."""

    is_reached: Callable[[Status, str], bool]
    is_out_of_reach: Callable[[Status, str], str]
    done: str
    """How it is told, behind `revision HASH`."""


def _serves(status: Status, revision: str) -> bool:
    return bool(status["rollout"].get("stable") == revision and _condition(status, "Ready")["status"] == "True")


def _will_not_serve(status: Status, revision: str) -> str:
    rollout, stalled = status["rollout"], _condition(status, "Stalled")
    if stalled["status"] == "True":
        return f"{stalled['reason']}: {stalled['message']}"
    if revision not in (rollout.get("stable"), rollout.get("canary")):
        now = rollout.get("canary") or rollout.get("stable")
        return f"revision {revision} was overtaken: the object asks for {now} now"
    return ""


def _has_ended(status: Status, revision: str) -> bool:
    return not _entry(status, revision).get("replicas") and not _entry(status, revision).get("readyReplicas")


def _is_back(status: Status, revision: str) -> bool:
    """It is all that has pods, and these serve. The object is not ready then: its spec asks for another."""
    if status["rollout"].get("stable") != revision:
        return False
    own = _entry(status, revision)
    others = [entry for entry in status.get("revisions", ()) if entry["hash"] != revision]
    alone = not any(entry.get("replicas") or entry.get("readyReplicas") for entry in others)
    return alone and 0 < own.get("replicas", 0) <= own.get("readyReplicas", 0)


def _will_not_be_back(status: Status, revision: str) -> str:
    stable = status["rollout"].get("stable")
    return "" if stable == revision else f"revision {revision} was overtaken: {stable} is the stable one now"


def _never(_: Status, __: str) -> str:
    return ""


SERVES = Goal(_serves, _will_not_serve, "serves")
HAS_ENDED = Goal(_has_ended, _never, "has ended")
IS_BACK = Goal(_is_back, _will_not_be_back, "serves again")


def _condition(status: Status, kind: str) -> Mapping[str, Any]:
    return next(each for each in status["conditions"] if each["type"] == kind)


def _entry(status: Status, revision: str) -> Mapping[str, Any]:
    return next((entry for entry in status.get("revisions", ()) if entry["hash"] == revision), {})

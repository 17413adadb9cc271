"""Lets every edit that somebody could make to the children of some objects happen, and sees each of them repaired."""

from __future__ import annotations

import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from api_client import Api, Object, RefusedError
from field_edits import Edit, edits_of
from plimsoll_operator.cluster.kinds import CHILDREN, CONTROLLER_REVISION, DEPLOYMENT, Kind
from plimsoll_operator.names import FIELD_MANAGER
from schema_fields import part_of
from what_stands import difference, masked

REPAIR_SECONDS = 10
HANGING_SECONDS = 30
"""Dozens of edits happen at once. Where the machine stalls, one or two may take longer than one alone ever does."""
MOST = 0.99

DELETED = Edit("", "deleted", ())


@dataclass(frozen=True)
class Child:
    """One child, as it stands undisturbed."""

    kind: Kind
    live: Object

    @property
    def name(self) -> str:
        return str(self.live["metadata"]["name"])


def children_of(api: Api, name: str) -> list[Child]:
    return [Child(kind, live) for kind in CHILDREN for live in api.select(kind, f"plimsoll.dev/name={name}")]


@dataclass(frozen=True)
class Done:
    """Edits by kind of the child: which the apiserver took, which it refused, and those that were not repaired."""

    accepted: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    refused: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    failures: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    """Until each repair."""

    def repaired_in_time(self) -> bool:
        return sum(taken <= REPAIR_SECONDS for taken in self.seconds) >= MOST * len(self.seconds)


def carry_out(api: Api, children: dict[str, list[Child]], *, of_pods: bool) -> Done:
    """Let each edit happen to one of the children of its kind, and see it repaired."""
    shares: list[tuple[Child, list[Edit]]] = []
    for of_one_kind in zip(*children.values(), strict=True):
        for number, child in enumerate(of_one_kind):
            of_fields = edits_of(child.live, FIELD_MANAGER, part_of(api, child.kind))
            edits = [edit for edit in [*of_fields, DELETED] if not is_out_of_reach(child.kind, edit)]
            wanted = [edit for edit in edits if concerns_pods(child.kind, edit) == of_pods]
            shares.append((child, wanted[number :: len(of_one_kind)]))
    done = Done()
    with ThreadPoolExecutor(len(shares)) as threads:
        list(threads.map(lambda share: _edit_one_by_one(api, share[0], share[1], done), shares))
    return done


def is_out_of_reach(kind: Kind, edit: Edit) -> bool:
    """What is not repaired, and why.

    A revision's place in the history is written down nowhere else, so nothing tells an edit from the truth. And with
    another controller's uid a child is somebody else's: left alone until the garbage collector finds nobody there.
    """
    is_place = kind == CONTROLLER_REVISION and edit.path == "revision"
    return is_place or edit.path == "metadata.ownerReferences[0].uid"


def concerns_pods(kind: Kind, edit: Edit) -> bool:
    """Whether the pods follow: by their template, or because what holds them goes away."""
    return kind == DEPLOYMENT and (edit == DELETED or edit.path.startswith(("spec.template", "metadata.ownerRef")))


def _edit_one_by_one(api: Api, child: Child, edits: list[Edit], done: Done) -> None:
    for edit in edits:
        if not _happens(api, child, edit):
            done.refused[child.kind.kind].append(str(edit))
            continue
        done.accepted[child.kind.kind].append(str(edit))
        began = time.monotonic()
        if not _is_repaired(api, child):
            found = api.find(child.kind, child.name)
            done.failures.append(f"{child.kind.kind} {child.name}: {edit}: {found and difference(found, child.live)}")
            return
        done.seconds.append(time.monotonic() - began)


def _happens(api: Api, child: Child, edit: Edit) -> bool:
    """Make the edit. False where the apiserver refuses it in every form, or puts it right itself."""
    if edit == DELETED:
        api.delete(child.kind, child.name)
        return True
    for patch in edit.patches:
        try:
            edited = api.patch(child.kind, child.name, patch)
        except RefusedError:
            continue
        if masked({**edited, "apiVersion": child.kind.api_version, "kind": child.kind.kind}) != masked(child.live):
            return True
    return False


def _is_repaired(api: Api, child: Child) -> bool:
    end = time.monotonic() + HANGING_SECONDS
    while time.monotonic() < end:
        found = api.find(child.kind, child.name)
        if found is not None and masked(found) == masked(child.live) and "deletionTimestamp" not in found["metadata"]:
            return True
        time.sleep(0.1)
    return False

"""Reads everything that one reconcile looks at.

Requests per object at rest: 1 for the object, then at once 5 for the children under its own name, 3 lists by label for
those of its revisions, 1 for the profile table and 1 for the claim when the model lives in one. A name costs the
apiserver a look into etcd; a list walks all of a namespace and waits for a cache to catch up, a tenth of a second.
What belongs to a running revision and is not in the lists costs one more, to learn who took its labels off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

from plimsoll_operator.cluster import kinds
from plimsoll_operator.cluster.history import UnreadableObjectError, parse_revision
from plimsoll_operator.cluster.kinds import Kind
from plimsoll_operator.cluster.kube import Kube
from plimsoll_operator.cluster.parse import (
    belongs_to,
    parse_owner,
    parse_workloads,
)
from plimsoll_operator.cluster.profiles import ProfileTable, read_profiles
from plimsoll_operator.model_source import ClaimModel, parse_model_source
from plimsoll_operator.names import LABEL_NAME, is_revision_object_name, revision_object_name
from plimsoll_operator.observed import Manifest, ObjectKey, Observed, Owner, Revision
from plimsoll_operator.rollout.measuring.measurements import Measurements

Measure = Callable[[Owner], Awaitable[Measurements | None]]
"""What Prometheus tells of an object's canary; None when there is nothing to ask now. Never fails, is never long."""


async def _nothing_measured(_: Owner) -> None:
    """For observers without a Prometheus."""


class Key(NamedTuple):
    """Identity of an InferenceDeployment."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class Observer:
    """Reads the cluster for `observed`. `profiles_namespace` and `profiles_name` say where the profile table is."""

    kube: Kube
    profiles_namespace: str
    profiles_name: str
    measure: Measure = _nothing_measured

    async def observe(self, key: Key) -> Observed | None:
        """What the cluster holds for `key`, or None when the object is gone or on its way out.

        While it is being deleted its children must not come back: foreground deletion waits for them.
        Raises KubeError.
        """
        manifest = await self.kube.find(kinds.INFERENCE_DEPLOYMENT, *key)
        if manifest is None or "deletionTimestamp" in manifest["metadata"]:
            return None
        owner = parse_owner(manifest)
        children, pods, table, claim, measurements = await asyncio.gather(
            self._children(owner),
            self._list(kinds.POD, owner),
            read_profiles(self.kube, self.profiles_namespace, self.profiles_name),
            self._claim_found(owner),
            self.measure(owner),
        )
        return replace(assemble(owner, children, pods, table, claim), measurements=measurements)

    async def _children(self, owner: Owner) -> list[Manifest]:
        """All objects that carry the owner's label or hold a name it needs, whoever controls them."""
        named, lists = await asyncio.gather(
            asyncio.gather(*(self.kube.find(kind, owner.namespace, owner.name) for kind in kinds.NAMED_AFTER_OWNER)),
            asyncio.gather(*(self._list(kind, owner) for kind in kinds.NAMED_AFTER_REVISION)),
        )
        listed = {
            (kind, manifest["metadata"]["name"]): manifest
            for kind, manifests in zip(kinds.NAMED_AFTER_REVISION, lists, strict=True)
            for manifest in manifests
        }
        missed = _running(owner, listed) - listed.keys()
        unlabelled = await asyncio.gather(*(self.kube.find(kind, owner.namespace, name) for kind, name in missed))
        return [*listed.values(), *filter(None, named), *filter(None, unlabelled)]

    async def _list(self, kind: Kind, owner: Owner) -> list[Manifest]:
        return await self.kube.list_all(kind, owner.namespace, labels=f"{LABEL_NAME}={owner.name}")

    async def _claim_found(self, owner: Owner) -> bool | None:
        claim = _claim_of(owner)
        if claim is None:
            return None
        return await self.kube.find(kinds.CLAIM, owner.namespace, claim) is not None


def _running(owner: Owner, listed: Iterable[tuple[Kind, str]]) -> set[tuple[Kind, str]]:
    """What belongs to the revisions that run, or ran when status was written.

    A Deployment without its labels would count as gone, and its pods with it. The history of one that runs would be
    made anew, which the ControllerRevision that is there refuses.
    """
    rollout = owner.status.get("rollout", {})
    told = {revision_object_name(owner.name, rollout[role]) for role in ("stable", "canary") if rollout.get(role)}
    return set(product(kinds.NAMED_AFTER_REVISION, told | {name for kind, name in listed if kind == kinds.DEPLOYMENT}))


def _claim_of(owner: Owner) -> str | None:
    try:
        source = parse_model_source(owner.spec.get("model", {}).get("uri", ""))
    except ValueError:
        # The reconcile says so in the object's status.
        return None
    return source.claim if isinstance(source, ClaimModel) else None


def assemble(
    owner: Owner,
    found: Iterable[Manifest],
    pods: Iterable[Manifest],
    table: ProfileTable,
    claim_found: bool | None,
) -> Observed:
    ours: dict[ObjectKey, Manifest] = {}
    foreign: list[ObjectKey] = []
    for manifest in found:
        if belongs_to(manifest, owner.name, owner.uid):
            ours[ObjectKey.of(manifest)] = manifest
        elif _is_a_name_we_need(manifest, owner):
            foreign.append(ObjectKey.of(manifest))
    of_kind = {kind: [ours[key] for key in ours if key.kind == kind.kind] for kind in kinds.NAMED_AFTER_REVISION}
    revisions, damaged = _read_history(of_kind[kinds.CONTROLLER_REVISION], owner)
    return Observed(
        owner=owner,
        profiles=table.profiles,
        profiles_error=table.error,
        revisions=revisions,
        unreadable=damaged,
        workloads=parse_workloads(of_kind[kinds.DEPLOYMENT], pods),
        children=ours,
        foreign=tuple(foreign),
        claim_found=claim_found,
    )


def _read_history(manifests: Iterable[Manifest], owner: Owner) -> tuple[tuple[Revision, ...], str]:
    """The revisions that can be read, and what to say of those that cannot."""
    told = {entry["name"]: entry for entry in owner.status.get("revisions", ())}
    revisions: list[Revision] = []
    damaged: list[str] = []
    for manifest in manifests:
        try:
            revisions.append(parse_revision(manifest, told.get(manifest["metadata"]["name"], {})))
        except UnreadableObjectError as error:
            damaged.append(str(error))
    return tuple(revisions), "; ".join(damaged)


def _is_a_name_we_need(manifest: Manifest, owner: Owner) -> bool:
    name = manifest["metadata"]["name"]
    if manifest["kind"] in {kind.kind for kind in kinds.NAMED_AFTER_REVISION}:
        return is_revision_object_name(owner.name, name)
    return bool(name == owner.name)

"""Carries a Plan out, in its order, and stops at the first write that fails: the next reconcile starts from what is.

Every write is fenced, since things change while the plan is made: a child names its owner's uid and is collected with
it, a write to a child that was read names the child's own uid, and the status names the version of the object that it
was made for (the apiserver ignores a uid there).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from plimsoll_operator import names
from plimsoll_operator.cluster.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    KubeError,
    NamespaceTerminatingError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from plimsoll_operator.cluster.events import record_event
from plimsoll_operator.cluster.kinds import DEPLOYMENT, POD, kind_of
from plimsoll_operator.cluster.kube import Kube
from plimsoll_operator.observed import Manifest, ObjectKey, Observed, Owner
from plimsoll_operator.plan import Event, Plan, Rehearsal
from plimsoll_operator.quota import fits_once_freed

logger = logging.getLogger(__name__)

REFUSALS = (ForbiddenError, InvalidError, RefusedError)
"""What the same request would be answered again: by a quota, a missing right, validation, or an admission webhook,
which may choose any code for its no."""


class OwnerGoneError(Exception):
    """The InferenceDeployment went away while its plan was carried out: nothing more is to be done."""


class OwnerChangedError(Exception):
    """The InferenceDeployment is another by now, so the status made for it says nothing true: look again."""


async def carry_out(
    kube: Kube, observed: Observed, plan: Plan, now: datetime, *, events_may_fail: bool = False
) -> None:
    """Write what `plan` says of `observed`; with `events_may_fail`, whatever becomes of its Events.

    Raises the KubeError of the first write that fails, OwnerGoneError or OwnerChangedError.
    """
    owner = observed.owner
    try:
        for manifest in plan.apply:
            await kube.apply(_fenced(manifest, observed.children), owner.namespace)
            _log(owner, "applied", ObjectKey.of(manifest))
        if plan.rehearsal is not None:
            await _rehearse(kube, owner, plan.rehearsal)
        for scale in plan.scale:
            key = ObjectKey("apps/v1", "Deployment", scale.deployment)
            uid = observed.children[key]["metadata"]["uid"]
            await kube.scale(owner.namespace, scale.deployment, uid, scale.replicas)
            _log(owner, f"scaled to {scale.replicas}", key)
        for key in plan.delete:
            await _delete(kube, owner, key, observed.children)
        # Before the status: once that is written, nothing would remember an Event that could not be posted.
        for event in plan.events:
            await _record(kube, owner, event, now, (KubeError,) if events_may_fail else REFUSALS)
        if plan.status is not None:
            await _write_status(kube, owner, plan.status)
    except NamespaceTerminatingError as error:
        raise OwnerGoneError(str(error)) from error


def _fenced(manifest: Manifest, children: Mapping[ObjectKey, Manifest]) -> Manifest:
    """The manifest, bound to the child that was read: another object under its name is left alone."""
    child = children.get(ObjectKey.of(manifest))
    if child is None:
        return manifest
    return {**manifest, "metadata": {**manifest["metadata"], "uid": child["metadata"]["uid"]}}


async def _rehearse(kube: Kube, owner: Owner, rehearsal: Rehearsal) -> None:
    """Have the apiserver try what is to come. Raises what it raises, and then nothing is stopped for it."""
    try:
        if rehearsal.deployment is not None:
            await kube.rehearse(DEPLOYMENT, owner.namespace, rehearsal.deployment)
        await kube.rehearse(POD, owner.namespace, rehearsal.pod)
    except ForbiddenError as error:
        if _lacks_the_account(error, owner):
            raise UnavailableError(f"{error}; it is made anew") from error
        if isinstance(error, NamespaceTerminatingError) or not fits_once_freed(str(error), rehearsal.frees):
            raise
    except RefusedError as error:
        # An admission webhook with side effects cannot be tried: nobody knows before what it says.
        if "dry run" not in str(error):
            raise
        logger.info("not rehearsed: %s", error, extra={"object": f"{owner.namespace}/{owner.name}"})


def _lacks_the_account(error: ForbiddenError, owner: Owner) -> bool:
    """The ServiceAccount has gone since it was read, as with a deleted namesake's children: nobody refuses a thing."""
    return f"error looking up service account {owner.namespace}/{owner.name}:" in str(error)


async def _delete(kube: Kube, owner: Owner, key: ObjectKey, children: Mapping[ObjectKey, Manifest]) -> None:
    uid = children[key]["metadata"]["uid"]
    try:
        await kube.delete(kind_of(key.api_version, key.kind), owner.namespace, key.name, uid)
    except NotFoundError:
        return
    _log(owner, "deleted", key)


async def _record(
    kube: Kube, owner: Owner, event: Event, now: datetime, tolerated: tuple[type[KubeError], ...]
) -> None:
    """An Event that is refused for good, by a quota or a missing right, must not keep the status from being told."""
    try:
        await record_event(kube, owner, event, now)
    except NamespaceTerminatingError:
        raise
    except tolerated as error:
        logger.warning(
            "Event %s is not posted: %s", event.reason, error, extra={"object": f"{owner.namespace}/{owner.name}"}
        )


async def _write_status(kube: Kube, owner: Owner, status: Manifest) -> None:
    document: dict[str, Any] = {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": owner.name, "namespace": owner.namespace, "resourceVersion": owner.resource_version},
        "status": status,
    }
    try:
        await kube.apply_status(document, owner.namespace)
    except NotFoundError as error:
        raise OwnerGoneError(str(error)) from error
    except ConflictError as error:
        raise OwnerChangedError(str(error)) from error


def _log(owner: Owner, done: str, key: ObjectKey) -> None:
    logger.info("%s %s %s", done, key.kind, key.name, extra={"object": f"{owner.namespace}/{owner.name}"})

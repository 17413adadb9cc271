"""Would the cluster take the pods that the serving ones are about to be stopped for? Asks for it to be tried first."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from decimal import Decimal

from plimsoll_operator.desired.workload import deployment, sample_pod
from plimsoll_operator.drift import stamped
from plimsoll_operator.observed import ObjectKey, Observed, Workload
from plimsoll_operator.plan import Rehearsal
from plimsoll_operator.quota import Usage, usage_of
from plimsoll_operator.steps.draft import Draft


def rehearse_the_stop(draft: Draft) -> Draft:
    """Pods that give way to a revision that has none yet: a quota or a policy may refuse what they give way to."""
    target = draft.target
    stopped = _stopped(draft)
    if target is None or draft.waiting or not stopped:
        return draft
    running = draft.observed.workload(target.hash)
    if running is not None and running.pods:
        return draft
    owner = draft.observed.owner
    rehearsal = Rehearsal(
        deployment=stamped(deployment(owner, target)) if running is None else None,
        pod=sample_pod(owner, target),
        frees=_freed(draft.observed, stopped),
    )
    return replace(draft, rehearsal=rehearsal)


def _stopped(draft: Draft) -> list[Workload]:
    """Deployments that lose every pod now. A canary beside a stable revision goes whatever comes after it."""
    emptied = {scale.deployment for scale in draft.scale if scale.replicas == 0}
    serving = {found.hash for found in draft.revisions if found.stable or found.promoted or draft.stable is None}
    return [w for w in draft.observed.workloads.values() if w.name in emptied and w.revision in serving]


def _freed(observed: Observed, stopped: list[Workload]) -> Usage:
    """What a quota gets back when these have ended."""
    freed: dict[str, Decimal] = defaultdict(Decimal)
    for workload in stopped:
        template = observed.children[ObjectKey("apps/v1", "Deployment", workload.name)]["spec"]["template"]
        for name, amount in usage_of(template["spec"], len(workload.pods)).items():
            freed[name] += amount
    return freed

"""Which objects must stand beside the pods? Everything that this InferenceDeployment owns, as it should be now."""

from __future__ import annotations

from dataclasses import replace

from plimsoll_operator.desired.history import controller_revision
from plimsoll_operator.desired.network import network_policy, service, service_account
from plimsoll_operator.desired.scaling import SCALERS, disruption_budget
from plimsoll_operator.desired.workload import deployment
from plimsoll_operator.observed import Manifest, ObjectKey, Revision
from plimsoll_operator.steps.draft import Draft

AUTOSCALER = ("autoscaling/v2", "HorizontalPodAutoscaler")
DEPLOYMENT = ("apps/v1", "Deployment")


def list_children(draft: Draft) -> Draft:
    """Order matters: identity and policy before the pods they are for, history before the pods it describes."""
    if draft.target is None:
        return draft
    owner = draft.observed.owner
    live = _live(draft, draft.target)
    shown = live or [draft.target]
    children: list[Manifest] = [
        service_account(owner),
        network_policy(owner, shown),
        service(owner, shown),
        disruption_budget(owner),
    ]
    # The newly stable one first: were the operator to end between the two, the newest of two stable ones counts.
    children += [controller_revision(owner, revision) for revision in sorted(draft.revisions, key=_stable_first)]
    children += [deployment(owner, revision) for revision in live]
    retire = draft.move.retire if draft.move else ()
    delete = draft.delete + tuple(_deployment_key(draft, revision) for revision in retire)
    scaled = _scaled(draft, draft.target, live)
    scaler = SCALERS.get(draft.spec.scaling.provider)
    if scaler is not None and scaled is not None:
        waits = draft.on_trial and draft.waits_for_a_place
        may_shrink = (waits or not _rolling(draft, live)) and not _settling(draft)
        least, most = _least(draft, scaled, live), _most(draft, scaled)
        children.append(scaler(owner, draft.spec, scaled.name, least=least, most=most, may_shrink=may_shrink))
    elif scaler is None and (key := ObjectKey(*AUTOSCALER, owner.name)) in draft.observed.children:
        delete += (key,)
    return replace(draft, children=tuple(children), delete=delete)


def _rolling(draft: Draft, live: list[Revision]) -> bool:
    """Another revision than the stable one has a Deployment, or had one until now."""
    resting = draft.observed.stable or draft.target
    deployed = {revision.hash for revision in live} | set(draft.observed.workloads)
    return resting is not None and deployed != {resting.hash}


def _least(draft: Draft, scaled: Revision, live: list[Revision]) -> int:
    """The autoscaler's minimum: it must not ask for GPUs that a rollout has not freed.

    Beside a canary the stable revision stands as before, but for a pod that it gave up.
    """
    if not _rolling(draft, live):
        return draft.spec.scaling.min_replicas
    workload = draft.observed.workload(scaled.hash)
    if not draft.on_trial or workload is None:
        return 1
    given = {scale.deployment: scale.replicas for scale in draft.scale}
    return max(1, min(draft.spec.scaling.min_replicas, given.get(workload.name, workload.replicas)))


def _most(draft: Draft, scaled: Revision) -> int:
    """The autoscaler's maximum: it does not take back the place that was given to a canary before that has it."""
    most = draft.spec.max_replicas
    stage, workload = draft.move and draft.move.stage, draft.observed.workload(scaled.hash)
    running = draft.target and draft.observed.workload(draft.target.hash)
    if (
        not stage
        or not stage.gave
        or workload is None
        or any(pod.scheduled for pod in (running.pods if running else ()))
    ):
        return most
    given = {scale.deployment: scale.replicas for scale in draft.scale}
    return max(1, min(most, given.get(workload.name, workload.replicas)))


def _settling(draft: Draft) -> bool:
    """Within one stabilisation window after a rollout the autoscaler remembers another Deployment's past."""
    finished = draft.rollout_finished
    return finished is not None and draft.now - finished < draft.spec.scaling.scale_down_stabilization


def _stable_first(revision: Revision) -> tuple[bool, int]:
    return (not revision.stable, revision.number)


def _live(draft: Draft, target: Revision) -> list[Revision]:
    """Revisions that have a Deployment, or get one now."""
    move = draft.move
    retire = move.retire if move else ()
    starting = {target.hash} if move and move.start else set()
    # Whatever becomes of a canary, the revision beside it is kept.
    kept = draft.waiting or draft.on_trial
    serving = {draft.stable.hash} if kept and draft.stable else set()
    running = (set(draft.observed.workloads) | starting | serving) - set(retire)
    return [
        revision
        for revision in draft.revisions
        if revision.hash in running and ObjectKey(*DEPLOYMENT, revision.name) not in draft.observed.foreign
    ]


def _scaled(draft: Draft, target: Revision, live: list[Revision]) -> Revision | None:
    """The revision that the autoscaler works on: the stable one until the target serves, or needs its GPUs.

    A target that never gets ready must not keep the one that serves from being scaled up, also where it has the label
    already. A canary is never scaled: it has the pods of its step until it is promoted.
    """
    running = draft.observed.workload(target.hash)
    taking_over = running is not None and bool(running.ready or running.unschedulable) and not draft.on_trial
    first, second = (target, draft.stable) if taking_over else (draft.stable, target)
    stand_in = draft.stand_in
    standing_in = [found for found in live if stand_in and found.hash == stand_in.revision]
    return next((revision for revision in (*standing_in, first, second, *live) if revision in live), None)


def _deployment_key(draft: Draft, revision: str) -> ObjectKey:
    return ObjectKey(*DEPLOYMENT, draft.observed.workloads[revision].name)

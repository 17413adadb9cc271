"""How does it stand? The conditions of the object, each with a reason and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from plimsoll_operator.conditions import Condition, truth
from plimsoll_operator.diagnosis import UNSCHEDULABLE, diagnose
from plimsoll_operator.fully_scaled import fully_scaled
from plimsoll_operator.load_line import LoadLine
from plimsoll_operator.model_shapes import dimensions_of
from plimsoll_operator.observed import Observed, Workload
from plimsoll_operator.out_of_memory import out_of_memory
from plimsoll_operator.rendering import up_to_date
from plimsoll_operator.rollout.situation import Move
from plimsoll_operator.scaling_active import scaling_active
from plimsoll_operator.steps.draft import Draft, Probe, Reason
from plimsoll_operator.steps.load_line import NOTHING_FITS, load_line_of
from plimsoll_operator.steps.progress import deadline, remaining_deadline
from plimsoll_operator.steps.starts import silent_pods, starting_pods

_NONE: Mapping[str, Probe] = MappingProxyType({})
_SERVING = Reason("Serving", "this generation serves")


def judge(draft: Draft) -> tuple[Condition, ...]:
    """All conditions. `Reconciling` and `Stalled` are abnormal when true and never true together."""
    stalled = _stalled(draft)
    unready = stalled or _unready(draft)
    # Who holds a rollout is the one to act; whatever else is missing, Kubernetes is still at work on.
    reconciling = None if stalled or unready is draft.held else unready
    cause = draft.blocked or _name_taken(draft.observed) or _diagnosis(draft) or _parked(draft)
    return (
        available(draft.observed, cause, silent_pods(draft)),
        _condition("Ready", unready, *_parked(draft) or _SERVING, holds=unready is None),
        _condition("Reconciling", reconciling, "AtRest", "nothing is under way", holds=reconciling is not None),
        _condition("Stalled", stalled, "NotStalled", "nothing stands in the way", holds=stalled is not None),
        fully_scaled(draft),
        _within_load_line(draft),
        scaling_active(draft),
        up_to_date(draft),
        out_of_memory(draft.observed, draft.now),
    )


def _condition(kind: str, cause: Reason | None, reason: str, message: str, *, holds: bool) -> Condition:
    """A condition that carries `cause` where there is one, else the reason of the normal state."""
    return Condition(kind, truth(holds), *(cause or Reason(reason, message)))


def available(observed: Observed, cause: Reason | None, silent: Mapping[str, Probe] = _NONE) -> Condition:
    """Does anything serve? No pod does behind a Service that is another's.

    Where something should serve, its own pods say why it does not: what else is asked for has no part in that. `cause`
    is why there is nothing that should.
    """
    cut_off = any(key.kind == "Service" for key in observed.foreign)
    if observed.ready and not cut_off:
        return Condition("Available", "True", "Serving", f"{observed.ready} pods answer")
    serving = _serving(observed)
    if serving is not None and not cut_off:
        cause = diagnose(serving, silent)
    return Condition("Available", "False", *(cause or Reason("NoPodReady", "no pod is ready yet")))


def _serving(observed: Observed) -> Workload | None:
    """The Deployment that should serve: the stable revision's, unless it has made way or is parked."""
    workload = observed.workload(observed.stable.hash) if observed.stable else None
    return workload if workload and workload.replicas else None


def _diagnosis(draft: Draft) -> Reason | None:
    """What is wrong with the pods of the revision to reach."""
    return diagnose(draft.observed.workload(draft.target.hash), silent_pods(draft)) if draft.target else None


def _what_serves_lacks(draft: Draft) -> Reason | None:
    return diagnose(_serving(draft.observed), silent_pods(draft))


def _parked(draft: Draft) -> Reason | None:
    if draft.spec.scaling.min_replicas > 0 or draft.observed.ready:
        return None
    return Reason("Parked", "spec.scaling.minReplicas is 0: no pod runs")


def _name_taken(observed: Observed) -> Reason | None:
    if not observed.foreign:
        return None
    names = ", ".join(f"{key.kind} {key.name}" for key in observed.foreign)
    message = f"{names} stand under names that this object needs and belong to something else: rename or delete them"
    return Reason("NameTaken", message)


def _stalled(draft: Draft) -> Reason | None:
    if draft.blocked and not draft.asked_for:
        return draft.blocked
    if taken := _name_taken(draft.observed):
        return taken
    if draft.move and draft.move.phase == "RolledBack":
        # What was taken back hurts nobody any more, and may be days ago: that nothing answers comes first.
        outage = None if draft.observed.ready else _what_serves_lacks(draft)
        return outage or Reason(draft.move.reason, draft.move.message)
    left = remaining_deadline(draft)
    if left is not None and left <= timedelta(0):
        patience = int(deadline(draft).total_seconds())
        return Reason("ProgressDeadlineExceeded", f"nothing got on for {patience} s; {_what_it_waits_for(draft)}")
    return None


def _what_it_waits_for(draft: Draft) -> str:
    silent = {**starting_pods(draft), **silent_pods(draft)}
    cause = diagnose(draft.observed.workload(draft.target.hash), silent) if draft.target else None
    return cause.message if cause else draft.move.message if draft.move else ""


def _unready(draft: Draft) -> Reason | None:
    if draft.held:
        short = draft.observed.ready < draft.spec.scaling.min_replicas
        return (_what_serves_lacks(draft) if short else None) or draft.held
    if draft.rolling and draft.move:
        return _unfinished(draft, draft.move)
    ready, least = draft.observed.ready, draft.spec.scaling.min_replicas
    if ready < least:
        return _diagnosis(draft) or Reason("TooFewReady", f"{ready} of at least {least} pods are ready")
    return None


def _unfinished(draft: Draft, move: Move) -> Reason:
    """Why a rollout is not done: what its pods lack, what those lack that should serve meanwhile, or its next move."""
    cause = _diagnosis(draft)
    # Of a pod without a node the move knows more: which profile, and what is done about it.
    if cause is not None and cause.reason != UNSCHEDULABLE:
        return cause
    outage = _what_serves_lacks(draft) if not draft.observed.ready else None
    if outage is not None and outage.reason != UNSCHEDULABLE:
        return outage
    return Reason(move.reason, move.message)


def _within_load_line(draft: Draft) -> Condition:
    if draft.load_line is None:
        unknown = draft.load_line_unknown or Reason("NotPlanned", "the load line was not planned")
        return Condition("WithinLoadLine", "Unknown", *unknown)
    if draft.load_line.within:
        return Condition("WithinLoadLine", "True", "Within", "every tier's concurrency is below the load line")
    if draft.blocked and draft.blocked.reason == NOTHING_FITS:
        return Condition("WithinLoadLine", "False", *draft.blocked)
    return Condition("WithinLoadLine", "False", "Exceeded", _exceeded(draft, draft.load_line))


def _exceeded(draft: Draft, line: LoadLine) -> str:
    profile = draft.spec.gpu.profile
    parts = [
        f"tier {tier.tier} asks for {tier.requested} at once, {profile} carries {tier.safe}" for tier in line.exceeded
    ]
    larger = _profile_that_carries(draft)
    advice = f"{larger} would carry all" if larger else "no profile of this installation carries all"
    return f"{'; '.join(parts)}: it runs with what fits. Lower the concurrency, or change the GPU: {advice}"


def _profile_that_carries(draft: Draft) -> str:
    """The smallest GPU profile under which the whole spec is within its load line, or an empty string."""
    shape = dimensions_of(draft.spec.model)
    profiles = sorted(draft.observed.profiles.values(), key=lambda profile: (profile.memory_bytes, profile.name))
    fitting = (p.name for p in profiles if p.is_gpu and shape and load_line_of(draft.spec, shape, p).within)
    return next(fitting, "")

"""Which revision does the spec ask for? Finds it in the history by the user's own input, or adds it."""

from __future__ import annotations

from dataclasses import replace

from plimsoll_operator.desired.pod import pod_template
from plimsoll_operator.gpu_profiles import GpuProfile
from plimsoll_operator.names import content_hash, revision_object_name
from plimsoll_operator.observed import Manifest, Observed, Revision
from plimsoll_operator.spec import revision_input
from plimsoll_operator.steps.draft import Draft

MAX_COLLISIONS = 16


def choose_revision(draft: Draft) -> Draft:
    """Set the target. Without a way to make the one asked for, the stable revision stays the target."""
    draft = replace(draft, revisions=_with_one_stable(draft.observed))
    wanted = revision_input(draft.spec)
    known = next((revision for revision in draft.revisions if revision.input == wanted), None)
    if known is not None:
        return _aim(draft, _newest(draft, known))
    if draft.blocked or draft.profile is None:
        return replace(draft, target=draft.stable)
    return _aim(draft, _rendered(draft, wanted, draft.profile))


def _with_one_stable(observed: Observed) -> tuple[Revision, ...]:
    """The history, where an operator killed during a promotion may have left two revisions marked as stable."""
    stable = observed.stable
    return tuple(replace(revision, stable=revision is stable) for revision in observed.revisions)


def _aim(draft: Draft, target: Revision) -> Draft:
    others = tuple(revision for revision in draft.revisions if revision.hash != target.hash)
    return replace(draft, revisions=(*others, target), target=target, asked_for=target.hash)


def _newest(draft: Draft, revision: Revision) -> Revision:
    """A revision that is asked for again becomes the newest of the history, so that pruning spares it."""
    newest = max(other.number for other in draft.observed.revisions)
    return revision if revision.number == newest else replace(revision, number=newest + 1)


def _rendered(draft: Draft, wanted: Manifest, profile: GpuProfile) -> Revision:
    """A new revision: the pod template is rendered now and never again."""
    owner = draft.observed.owner
    taken = {revision.hash for revision in draft.observed.revisions}
    candidates = (content_hash([wanted, collision]) for collision in range(MAX_COLLISIONS))
    free = next(candidate for candidate in candidates if candidate not in taken)
    return Revision(
        hash=free,
        name=revision_object_name(owner.name, free),
        number=max((revision.number for revision in draft.observed.revisions), default=0) + 1,
        stable=False,
        created_at="",
        input=wanted,
        template=pod_template(owner.name, draft.spec, profile, draft.load_line, draft.policy.server_image),
    )

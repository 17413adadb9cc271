"""Which revision is asked for? Finds it in the history by the user's own input and the restarts, or adds it."""

from __future__ import annotations

from dataclasses import replace

from plimsoll_operator.desired.pod import pod_template
from plimsoll_operator.desired.workload import deployment
from plimsoll_operator.drift import holds
from plimsoll_operator.names import revision_object_name
from plimsoll_operator.observed import Manifest, ObjectKey, Revision
from plimsoll_operator.spec import revision_input
from plimsoll_operator.steps.asked_for import asked_for, newest, possible_hashes
from plimsoll_operator.steps.draft import Draft


def choose_revision(draft: Draft) -> Draft:
    """Set the target: the revision asked for, or the stable one where that cannot be made or was taken back."""
    draft = render_the_pods(draft)
    known = asked_for(draft)
    if known and known.rejected:
        return _taken_back(draft, _newest(draft, known))
    if known:
        return _aim(draft, _newest(draft, known))
    if draft.blocked or draft.rendering is None:
        return _stay(draft)
    return _aim(draft, _rendered(draft, draft.rendering))


def render_the_pods(draft: Draft) -> Draft:
    """Set the pod template as this operator renders the spec now; none while its GPU is not known."""
    if draft.profile is None:
        return draft
    policy = draft.policy
    template = pod_template(
        draft.observed.owner.name, draft.spec, draft.profile, draft.load_line, policy.server_image, policy.hub_proxy
    )
    return replace(draft, rendering=template)


def _aim(draft: Draft, target: Revision) -> Draft:
    target = replace(target, ledger=draft.ledger)
    return replace(draft, revisions=_with(draft, target), target=target, asked_for=target.hash)


def _taken_back(draft: Draft, known: Revision) -> Draft:
    """What was asked for is not tried again; a first revision has none to give way to, so it keeps its pods."""
    draft = _aim(draft, known)
    return replace(draft, rejection=known.rejected, target=draft.stable or draft.target)


def _stay(draft: Draft) -> Draft:
    """Nothing new can be made, so what was answered is written down at the revision that stays."""
    if draft.stable is None:
        return draft
    stable = replace(_newest(draft, draft.stable), ledger=draft.ledger)
    return replace(draft, revisions=_with(draft, stable), target=stable)


def _with(draft: Draft, changed: Revision) -> tuple[Revision, ...]:
    return (*(revision for revision in draft.revisions if revision.hash != changed.hash), changed)


def _newest(draft: Draft, revision: Revision) -> Revision:
    """A revision that is asked for again becomes the newest of the history: what was asked for last is told by that."""
    last = newest(draft)
    return revision if last is None or revision.number == last.number else replace(revision, number=last.number + 1)


def _rendered(draft: Draft, template: Manifest) -> Revision:
    """A new revision: the pod template is rendered now and never again."""
    last = newest(draft)
    number = last.number + 1 if last else 1
    wanted = revision_input(draft.spec)
    nameless = Revision("", "", number, False, "", wanted, template, draft.restarts)
    name, hashes = draft.observed.owner.name, possible_hashes(wanted, draft.restarts)
    candidates = (replace(nameless, hash=text, name=revision_object_name(name, text)) for text in hashes)
    return next(candidate for candidate in candidates if _is_free(draft, candidate))


def _is_free(draft: Draft, candidate: Revision) -> bool:
    """Neither a revision of another input has this hash, nor a Deployment that would be restarted with this template.

    Such a Deployment is one that an older operator rendered and that has lost its history since.
    """
    wanted = deployment(draft.observed.owner, candidate)
    live = draft.observed.children.get(ObjectKey.of(wanted))
    restarts = live is not None and not holds(wanted["spec"]["template"], live["spec"]["template"])
    return not restarts and all(revision.hash != candidate.hash for revision in draft.revisions)

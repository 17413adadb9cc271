"""Which revisions may be forgotten? Keeps the stable one, the one asked for, those with pods, and a few others."""

from __future__ import annotations

from dataclasses import replace

from plimsoll_operator.observed import ObjectKey, Revision
from plimsoll_operator.steps.draft import Draft


def prune_history(draft: Draft) -> Draft:
    in_use = {*draft.observed.workloads, draft.asked_for, *([draft.target.hash] if draft.target else [])}
    idle = [revision for revision in draft.revisions if not revision.stable and revision.hash not in in_use]
    spare = _worth_keeping(idle)[draft.spec.rollout.revision_history_limit :]
    forgotten = {revision.hash: revision.name for revision in spare}
    return replace(
        draft,
        revisions=tuple(revision for revision in draft.revisions if revision.hash not in forgotten),
        delete=draft.delete + tuple(ObjectKey("apps/v1", "ControllerRevision", name) for name in forgotten.values()),
    )


def _worth_keeping(idle: list[Revision]) -> list[Revision]:
    """The newest first, but before all that was taken back the last one that served: a rollback needs it."""
    newest_first = sorted(idle, key=lambda revision: -revision.number)
    served = next((revision for revision in newest_first if revision.promoted and not revision.rejected), None)
    return sorted(newest_first, key=lambda revision: revision is not served)

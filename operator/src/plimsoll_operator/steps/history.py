"""Which revisions may be forgotten? Never one in use; of the others some to return to, and what was taken back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from plimsoll_operator.observed import ObjectKey, Revision
from plimsoll_operator.steps.draft import Draft

REMEMBERED = 50
"""How many that were taken back are kept, whatever `revisionHistoryLimit` says: a forgotten one would be tried again.

As many as that limit may be at most. The bound is for etcd: each holds about as much as a Deployment.
"""


def prune_history(draft: Draft) -> Draft:
    in_use = {*draft.observed.workloads, draft.asked_for, *([draft.target.hash] if draft.target else [])}
    idle = [revision for revision in draft.revisions if not revision.stable and revision.hash not in in_use]
    spare = [
        *_worth_keeping(one for one in idle if not one.rejected)[draft.spec.rollout.revision_history_limit :],
        *_worth_keeping(one for one in idle if one.rejected)[REMEMBERED:],
    ]
    forgotten = {revision.hash: revision.name for revision in spare}
    return replace(
        draft,
        revisions=tuple(revision for revision in draft.revisions if revision.hash not in forgotten),
        delete=draft.delete + tuple(ObjectKey("apps/v1", "ControllerRevision", name) for name in forgotten.values()),
    )


def _worth_keeping(idle: Iterable[Revision]) -> list[Revision]:
    """The newest first, but before all that never served the last one that did: a rollback needs it."""
    newest_first = sorted(idle, key=lambda revision: -revision.number)
    served = next((revision for revision in newest_first if revision.promoted), None)
    return sorted(newest_first, key=lambda revision: revision is not served)

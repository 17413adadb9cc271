"""Which revisions may be forgotten? Keeps the stable one, the target, those with pods, and the newest few."""

from __future__ import annotations

from dataclasses import replace

from plimsoll_operator.observed import ObjectKey
from plimsoll_operator.steps.draft import Draft


def prune_history(draft: Draft) -> Draft:
    in_use = set(draft.observed.workloads) | ({draft.target.hash} if draft.target else set())
    idle = [revision for revision in draft.revisions if not revision.stable and revision.hash not in in_use]
    newest_first = sorted(idle, key=lambda revision: -revision.number)
    forgotten = {revision.hash: revision.name for revision in newest_first[draft.spec.rollout.revision_history_limit :]}
    return replace(
        draft,
        revisions=tuple(revision for revision in draft.revisions if revision.hash not in forgotten),
        delete=draft.delete + tuple(ObjectKey("apps/v1", "ControllerRevision", name) for name in forgotten.values()),
    )

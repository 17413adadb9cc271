"""Is the model there? Only what Kubernetes can tell: the claim that a pvc:// model names."""

from __future__ import annotations

from dataclasses import replace

from plimsoll_operator.model_source import ClaimModel
from plimsoll_operator.steps.draft import Draft, Reason


def find_the_model(draft: Draft) -> Draft:
    source = draft.spec.model.source
    if draft.blocked or not isinstance(source, ClaimModel) or draft.observed.claim_found is not False:
        return draft
    message = (
        f"spec.model.uri names the PersistentVolumeClaim {source.claim!r}, which namespace "
        f"{draft.observed.owner.namespace!r} does not have: create it, or write another claim"
    )
    return replace(draft, blocked=Reason("ClaimNotFound", message))

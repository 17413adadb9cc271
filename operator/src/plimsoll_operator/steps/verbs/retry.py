"""retry: a revision that was taken back gets another try, from the first step."""

from __future__ import annotations

from dataclasses import replace

from plimsoll_operator.steps.draft import Draft
from plimsoll_operator.steps.verbs.asked import Asked


def retry(asked: Asked) -> Draft:
    present = asked.present
    if present is None or present.rejected is None:
        return asked.refuse(_why_not(asked))
    was = present.rejected
    message = f"revision {present.hash} starts again; it had been taken back for {was.reason}"
    # Even one that served once is judged again: somebody had a reason to leave it.
    return asked.accept(message, present, replace(present, rejected=None, promoted=False))


def _why_not(asked: Asked) -> str:
    present = asked.present
    if present is None:
        why = asked.draft.blocked.message if asked.draft.blocked else "it is being made"
        return f"the revision that the spec asks for was never tried: {why}"
    how = "is the stable one" if present.stable else "is on its way"
    return f"nothing to retry: revision {present.hash}, which the spec asks for, was not taken back, it {how}"

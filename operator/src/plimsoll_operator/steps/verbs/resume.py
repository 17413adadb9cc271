"""resume: ends what `pause` began."""

from __future__ import annotations

from plimsoll_operator.steps.draft import Draft
from plimsoll_operator.steps.verbs.asked import Asked


def resume(asked: Asked) -> Draft:
    by_spec = asked.draft.spec.rollout.paused
    if not asked.draft.ledger.pause:
        what_holds = "spec.rollout.paused holds rollouts, set it to false" if by_spec else "nothing is held"
        return asked.refuse(f"nobody asked for a pause: {what_holds}")
    if by_spec:
        return asked.accept("the pause is over, but spec.rollout.paused holds rollouts still", asked.present)
    return asked.accept("the pause is over: the rollout goes on", asked.present)

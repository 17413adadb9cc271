"""pause: steps and promotions are held until `resume`. What protects the service is not: a bad canary still ends."""

from __future__ import annotations

from plimsoll_operator.steps.draft import Draft
from plimsoll_operator.steps.verbs.asked import Asked


def pause(asked: Asked) -> Draft:
    what = f"the rollout of revision {asked.request.revision} is" if asked.request.revision else "rollouts are"
    return asked.accept(f"{what} held until `kubectl plimsoll resume {asked.command}`", asked.present)

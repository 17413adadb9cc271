"""The strategies by the name that `spec.rollout.strategy` gives them. A new one is a file and an entry here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from plimsoll_operator.rollout import recreate, rolling_update
from plimsoll_operator.rollout.canary import strategy as canary
from plimsoll_operator.rollout.canary.trial import Trial
from plimsoll_operator.rollout.situation import Move

Strategy = Callable[[Trial], Move]

STRATEGIES: Mapping[str, Strategy] = {
    "Canary": canary.advance,
    "RollingUpdate": rolling_update.advance,
    "Recreate": recreate.advance,
}

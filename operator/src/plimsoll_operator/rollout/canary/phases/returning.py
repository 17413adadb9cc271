"""Surging, of a revision that served before: it is not judged again, but serves with one pod before the label moves.

Its pods go over to it as in a promotion, one for one where no GPU is free. Should it start no more, it is taken back
for that, and what was stable has never ceased to be.
"""

from __future__ import annotations

from dataclasses import replace

from plimsoll_operator.rollout.canary.phases.promoting import take_over
from plimsoll_operator.rollout.canary.phases.surging import stage_of
from plimsoll_operator.rollout.canary.trial import Trial
from plimsoll_operator.rollout.situation import Move


def advance(trial: Trial) -> Move:
    move = take_over(trial, "Surging", f"revision {trial.target}, which served before, comes back")
    gives = any(workload.revision in move.replicas for workload in trial.serving)
    return replace(move, stage=replace(stage_of(trial), gave=1) if gives else stage_of(trial))

"""How long a pod of the canary has not been ready, counted from its node: to wait for a GPU is no fault of it."""

from __future__ import annotations

from datetime import datetime, timedelta

from plimsoll_operator.rollout.canary.trial import Trial, waiting_since

OVERSLEPT = timedelta(minutes=1)
"""Between the deadline and the look that finds it over: looks are had at every interval."""


def waits_since(trial: Trial) -> datetime | None:
    """Since when the pod that waits longest does, by the kubelet's clock; None while none does."""
    waits = [since for pod in (trial.running.pods if trial.running else ()) if (since := waiting_since(pod))]
    return min(waits, default=None)


def unready_since(trial: Trial) -> datetime | None:
    """Since when one has been seen unready, by the operator's clock.

    Counted anew where no look was had when it was due: the clock has jumped, or nobody has looked meanwhile.
    """
    if waits_since(trial) is None:
        return None
    since = trial.stage.unready_since or trial.now
    latest = trial.deadline + max(OVERSLEPT, 3 * trial.analysis.interval)
    return since if timedelta(0) <= trial.now - since <= latest else trial.now

"""How long a pod of the canary has not been ready, counted from its node: to wait for a GPU is no fault of it."""

from __future__ import annotations

from datetime import datetime

from plimsoll_operator.rollout.canary.trial import Trial, waiting_since


def waits_since(trial: Trial) -> datetime | None:
    """Since when the pod that waits longest does, by the kubelet's clock; None while none does."""
    waits = [since for pod in (trial.running.pods if trial.running else ()) if (since := waiting_since(pod))]
    return min(waits, default=None)


def unready_since(trial: Trial) -> datetime | None:
    """Since when one has been seen unready, by the operator's clock: later by as long as nobody looked."""
    return None if waits_since(trial) is None else trial.stage.unready_since or trial.now

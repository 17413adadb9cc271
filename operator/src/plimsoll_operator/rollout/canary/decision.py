"""What ends a trial whatever phase it is in: a person's word, the evidence, or pods that do not come up."""

from __future__ import annotations

from datetime import datetime, timedelta

from plimsoll_operator.observed import Rejection
from plimsoll_operator.rollout.canary.outage import is_broken, outlives_it
from plimsoll_operator.rollout.canary.readiness import unready_since, waits_since
from plimsoll_operator.rollout.canary.trial import Trial, gone, merged
from plimsoll_operator.rollout.situation import Move


def decided(trial: Trial) -> Move | None:
    """The move that ends the trial, or None while it goes on. A pause holds promotions that nobody asked for.

    So does what is parked: a revision that nobody asks for a pod is not broken for having none.
    """
    if trial.promote and trial.canary_ready:
        return promotion(trial, "a person asked for it")
    if rejection := _rejection(trial):
        return rejected(trial, rejection)
    if trial.paused or not trial.wanted:
        return None
    if trial.target in trial.proven and trial.canary_ready:
        return promotion(trial, "it has served before")
    if outlives_it(trial) and is_broken(trial):
        return promotion(trial, f"revision {trial.stable} is broken, none of its pods is ready, and the canary serves")
    return None


def promotion(trial: Trial, because: str) -> Move:
    """The target becomes the stable revision now; its Deployment takes over pod by pod from the next look on."""
    return Move(
        phase="Promoting",
        reason="Promoting",
        message=f"revision {trial.target} is promoted: {because}",
        start=trial.running is None,
        promote=True,
    )


def rejected(trial: Trial, because: Rejection) -> Move:
    """The target is not tried again, and loses its pods now, where another pod answers."""
    leaving = (trial.running,) if trial.running else ()
    return Move(
        phase="RollingBack",
        reason="RollingBack",
        message=f"revision {trial.target} is taken back: {because.message}",
        replicas=merged(trial.withdrawn(), gone(leaving, others_ready=trial.serving_ready)),
        reject=because,
    )


def _rejection(trial: Trial) -> Rejection | None:
    if trial.verdict and trial.verdict.decision == "Rollback":
        pods = f"; {trial.ailment}" if trial.ailment else ""
        return Rejection(trial.verdict.reason, f"{trial.verdict.message}{pods}")
    return _not_ready_in_time(trial) or _metrics_missing(trial)


def _not_ready_in_time(trial: Trial) -> Rejection | None:
    """By both clocks, the kubelet's and the operator's: neither may jump and take a canary back that only loads."""
    waits, seen = waits_since(trial), unready_since(trial)
    if waits is None or seen is None or trial.lasted(waits, seen) < trial.deadline:
        return None
    why = trial.ailment or "its readiness probe does not pass"
    seconds = int(trial.deadline.total_seconds())
    return Rejection("NotReadyInTime", f"a pod of the canary has not been ready for {seconds} s: {why}")


def _metrics_missing(trial: Trial) -> Rejection | None:
    """A canary that serves and tells nothing of it may hide anything."""
    since = trial.stage.missing_since
    if trial.data != "CanaryMissing" or since is None or not _is_over(since, trial.deadline, trial.now):
        return None
    seconds = int(trial.deadline.total_seconds())
    return Rejection("CanaryMissing", f"the canary's pods have had no metrics for {seconds} s, those beside it have")


def _is_over(since: datetime, patience: timedelta, now: datetime) -> bool:
    return now - since >= patience

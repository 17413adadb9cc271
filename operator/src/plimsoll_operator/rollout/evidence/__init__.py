"""What the counts of two revisions say about a canary. Pure arithmetic: no clock, no client, no randomness.

Promise: `Evidence` is fed one `Interval` at a time and may be judged after each of them; the chance that a canary which
is no worse than allowed is ever taken back stays below `AnalysisSettings.false_rollback` (docs/rollout-evidence.md has
each formula, its source, and the simulations that hold the promise to account).

    evidence = Evidence.fresh(canary="7d4c", now=start)
    evidence = evidence.updated(interval, settings)      # once per interval; an interval seen before changes nothing
    verdict = judge(evidence, settings, pods)            # Undecided | Rollback | Promote, with words and figures
    status = to_status(evidence)                         # decimal strings; from_status(status) == evidence, exactly

Signals (`JUDGED`) and their units: "errors" and "latency" count requests, "oom" batches and pod-minutes, "restarts"
pod-minutes.
"""

from plimsoll_operator.rollout.evidence.accumulated import Evidence
from plimsoll_operator.rollout.evidence.counts import (
    ABANDONED,
    BATCHES,
    FAILURES,
    INCIDENTS,
    OBJECTIVE,
    REFUSED,
    Counts,
    Data,
    Interval,
    SeriesKey,
    Strata,
    Stratum,
)
from plimsoll_operator.rollout.evidence.judge import judge
from plimsoll_operator.rollout.evidence.judged import JUDGED
from plimsoll_operator.rollout.evidence.pods import Gone, Meanwhile, Pods
from plimsoll_operator.rollout.evidence.settings import MIN_REQUESTS, AnalysisSettings, step_is_done
from plimsoll_operator.rollout.evidence.state import from_status, to_status
from plimsoll_operator.rollout.evidence.verdict import Decision, SignalFigures, Verdict

__all__ = [
    "ABANDONED",
    "BATCHES",
    "FAILURES",
    "INCIDENTS",
    "JUDGED",
    "MIN_REQUESTS",
    "OBJECTIVE",
    "REFUSED",
    "AnalysisSettings",
    "Counts",
    "Data",
    "Decision",
    "Evidence",
    "Gone",
    "Interval",
    "Meanwhile",
    "Pods",
    "SeriesKey",
    "SignalFigures",
    "Strata",
    "Stratum",
    "Verdict",
    "from_status",
    "judge",
    "step_is_done",
    "to_status",
]

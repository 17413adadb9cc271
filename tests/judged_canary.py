"""A canary under simulated traffic, judged and written down by the operator's own code, as status keeps it."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from builders import make_pods, make_workload
from plimsoll_operator.conditions import timestamp
from plimsoll_operator.rollout.evidence import AnalysisSettings, Counts, Interval, SeriesKey, Strata
from plimsoll_operator.rollout.measuring.analysis import Analysis, Pair
from plimsoll_operator.rollout.measuring.analysis_status import render_analysis
from plimsoll_operator.rollout.measuring.data import Availability
from plimsoll_operator.rollout.measuring.history import with_point
from strata import SHORT
from trials import CANARY, SINCE, STABLE

SETTINGS = AnalysisSettings()
REQUESTS_A_SECOND = 40
SHARE = 0.1
LIMIT = 200
PAIR = Pair(
    make_workload(CANARY, 1, *make_pods(CANARY, 1)),
    make_workload(STABLE, 9, *make_pods(STABLE, 9)),
)


def judged_rollout(canary_errors: float, stable_errors: float = 0.001, seed: int = 7) -> dict[str, Any]:
    """`status.rollout` at the moment of the decision; every other signal is the same on both sides."""
    chance = random.Random(seed)
    analysis = Analysis.fresh(CANARY, STABLE, PAIR, SINCE)
    points: list[Any] = []
    for n in range(LIMIT):
        end = SINCE + (n + 1) * SETTINGS.interval
        counts = _interval(chance, canary_errors, stable_errors)
        evidence = analysis.evidence.updated(Interval(end - SETTINGS.interval, end, counts), SETTINGS)
        analysis = Analysis(STABLE, evidence, analysis.pods, Availability("Measured", "", end))
        verdict = analysis.verdict(PAIR, SETTINGS, end)
        rendered = render_analysis(analysis, verdict)
        told = {figures["name"]: figures["evidence"] for figures in rendered["signals"]}
        where = {"step": 1, "weightPercent": round(100 * SHARE), "requests": rendered["requests"]}
        points = with_point(points, {"at": timestamp(end), **where, "evidence": told}, SETTINGS.interval)
        if verdict.decision != "Undecided":
            return {"evidence": rendered, "history": points}
    raise AssertionError(f"no decision after {LIMIT * SETTINGS.interval / timedelta(minutes=1)} minutes")


def _interval(chance: random.Random, canary_errors: float, stable_errors: float) -> dict[SeriesKey, Strata]:
    """Ten seconds of requests, a share of them with the canary."""
    everything = round(REQUESTS_A_SECOND * SETTINGS.interval.total_seconds())
    canary = _some_of(chance, everything, SHARE)
    stable = everything - canary
    bad = Counts(canary, stable, _some_of(chance, canary, canary_errors), _some_of(chance, stable, stable_errors))
    slow = Counts(canary, stable, _some_of(chance, canary, 0.002), _some_of(chance, stable, 0.002))
    batches = Counts(canary / 4, stable / 4, 0, 0)
    return {
        SeriesKey("errors"): {SHORT: bad},
        SeriesKey("latency", "0.25"): {SHORT: slow},
        SeriesKey("oom", "batches"): {SHORT: batches},
    }


def _some_of(chance: random.Random, all_of_them: int, rate: float) -> int:
    return sum(chance.random() < rate for _ in range(all_of_them))

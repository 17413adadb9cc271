"""An analysis as it is kept in status, and read back from it: decimal strings, nothing lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from plimsoll_operator.conditions import moment_of, timestamp
from plimsoll_operator.observed import Manifest
from plimsoll_operator.rollout.evidence import SignalFigures, Verdict, from_status, to_status
from plimsoll_operator.rollout.measuring.analysis import Analysis
from plimsoll_operator.rollout.measuring.data import Availability
from plimsoll_operator.rollout.measuring.pod_record import PodRecord


def render_analysis(analysis: Analysis, verdict: Verdict) -> dict[str, Any]:
    """For `status.rollout.evidence`."""
    known = analysis.availability
    rendered = {
        **to_status(analysis.evidence),
        "stable": analysis.stable,
        "requests": round(verdict.requests),
        "data": known.data,
        "dataMessage": known.message,
        "measuredAt": timestamp(known.measured_at) if known.measured_at else "",
        "blindSince": analysis.blind_since.isoformat() if analysis.blind_since else "",
        "blindSeconds": decimal(analysis.blind_for.total_seconds()),
        "clockAheadSeconds": decimal(analysis.ahead.total_seconds()) if analysis.ahead else "",
        "decision": verdict.decision,
        "signal": verdict.signal,
        "reason": verdict.reason,
        "message": verdict.message,
        "signals": [_figures(figures) for figures in verdict.signals],
        "pods": _pods(analysis.pods),
    }
    return {name: value for name, value in rendered.items() if value not in ("", [])}


def read_analysis(status: Manifest) -> Analysis | None:
    """The analysis that status keeps; None where there is none, or none that can be read: it starts again."""
    stored = status.get("rollout", {}).get("evidence")
    evidence = from_status({"series": (), **stored}) if stored else None
    if not stored or evidence is None:
        return None
    try:
        return Analysis(
            stable=stored["stable"],
            evidence=evidence,
            pods=_read_pods(stored["pods"]),
            availability=Availability(
                stored["data"], stored.get("dataMessage", ""), moment_of(stored.get("measuredAt"))
            ),
            blind_since=moment_of(stored.get("blindSince")),
            blind_for=timedelta(seconds=float(stored.get("blindSeconds", "0"))),
            ahead=timedelta(seconds=float(stored.get("clockAheadSeconds", "0"))),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def decimal(number: float) -> str:
    """A decimal without exponent or trailing zeros, to six digits after the point."""
    return f"{number:.6f}".rstrip("0").rstrip(".")


def _figures(figures: SignalFigures) -> dict[str, Any]:
    rendered = {
        "name": figures.name,
        "part": figures.part,
        "tier": figures.tier,
        "evidence": decimal(figures.evidence),
        "threshold": decimal(figures.threshold),
        "canaryRate": decimal(figures.canary_rate),
        "stableRate": decimal(figures.stable_rate),
        "upperBound": decimal(figures.upper_bound),
        "boundPart": figures.bound_part,
        "boundExposures": decimal(figures.bound_exposures),
        "boundBad": decimal(figures.bound_bad),
        "allowed": decimal(figures.allowed),
        "canaryExposures": decimal(figures.canary_exposures),
        "canaryBad": decimal(figures.canary_bad),
        "stableExposures": decimal(figures.stable_exposures),
        "stableBad": decimal(figures.stable_bad),
    }
    return {name: value for name, value in rendered.items() if value != ""}


def _pods(record: PodRecord) -> dict[str, Any]:
    return {
        "at": record.at.isoformat(),
        "exits": [{"pod": pod, "count": count} for pod, count in record.exits.items()],
        "canaryKills": record.canary_kills,
        "canaryFailedStarts": record.canary_failed_starts,
        "canaryShortages": record.canary_shortages,
        "stableShortages": record.stable_shortages,
        "canaryBatches": record.canary_batches,
        "stableBatches": record.stable_batches,
        "stableSeconds": record.stable_seconds,
    }


def _read_pods(stored: Manifest) -> PodRecord:
    return PodRecord(
        at=datetime.fromisoformat(stored["at"]),
        exits={entry["pod"]: entry["count"] for entry in stored.get("exits", ())},
        canary_kills=stored["canaryKills"],
        canary_failed_starts=stored["canaryFailedStarts"],
        # An older operator kept none.
        canary_shortages=stored.get("canaryShortages", 0),
        stable_shortages=stored.get("stableShortages", 0),
        canary_batches=stored.get("canaryBatches", 0),
        stable_batches=stored.get("stableBatches", 0),
        stable_seconds=stored.get("stableSeconds", 0),
    )

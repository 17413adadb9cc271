"""Names, units and numbers as a person reads them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from plimsoll_operator.cli.explanation.trial import Signal

PER_MINUTE = "per 100 pod-minutes"
REQUESTS = "requests"


@dataclass(frozen=True)
class Naming:
    """How a signal is called, what its counts are of, and how its rate is told."""

    called: str
    exposures: str
    per: str = "%"


NAMES = {
    "oom": Naming("out of memory", "batches"),
    "errors": Naming("errors", REQUESTS),
    "latency": Naming("slow answers", REQUESTS),
    "restarts": Naming("restarts", "pod-minutes", PER_MINUTE),
}
PARTS = {
    ("oom", "kills"): Naming("out of memory", "pod-minutes", PER_MINUTE),
    ("errors", "requests"): Naming("errors (failed requests)", REQUESTS),
    ("errors", "abandoned"): Naming("errors (callers gave up)", REQUESTS),
    ("errors", "refused"): Naming("errors (refused as invalid)", REQUESTS),
}


def naming(signal: str, part: str = "") -> Naming:
    """A signal of a newer operator goes by its own name."""
    return PARTS.get((signal, part)) or NAMES.get(signal, Naming(signal, "exposures"))


def bound_naming(signal: Signal) -> Naming:
    """Batches that run out of memory are bounded as a share of the requests."""
    return NAMES["errors"] if bounds_requests(signal) else naming(signal.name, signal.bound_part)


def bounds_requests(signal: Signal) -> bool:
    return (signal.name, signal.bound_part) == ("oom", "batches")


def called(signal: Signal, part: str | None = None) -> str:
    """With the time above which an answer counts as slow, and the tier if it is of one; by another part than the most
    telling one, of all tiers, where stated."""
    if part is None:
        of_tier = f" in tier {signal.tier}" if signal.tier else ""
        return f"{called(signal, signal.part)}{of_tier}"
    name = naming(signal.name, part).called
    if signal.name != "latency" or not part:
        return name
    if not part[0].isdigit():
        return f"{name} (above the objective)"
    seconds = float(part)
    return f"{name} (above {seconds * 1000:g} ms)" if seconds < 1 else f"{name} (above {seconds:g} s)"


def rate(signal: Signal, value: float | None) -> str:
    return _told(value, naming(signal.name, signal.part))


def bound(signal: Signal, value: float | None) -> str:
    """`upper_bound` or `allowed`, in what these are shares of."""
    told = _told(value, bound_naming(signal))
    return f"{told} of requests" if bounds_requests(signal) and value is not None else told


def _told(value: float | None, named: Naming) -> str:
    return "unknown" if value is None else f"{number(100 * value)} {named.per}"


def in_one_line(signal: Signal) -> str:
    """What the evidence of one signal is, and what it must reach or fall below."""
    against = "unknown" if signal.evidence is None else number(signal.evidence)
    limit = "" if signal.threshold is None else f" of {number(signal.threshold)}"
    said = f"{called(signal)}: {against}{limit} against it"
    if signal.bounds_nothing:
        return said
    return f"{said}; at most {bound(signal, signal.upper_bound)}, allowed {bound(signal, signal.allowed)}"


def seen(signal: Signal, value: float | None, bad: float, exposures: float, *, unit: bool = False) -> str:
    """What one revision did. Per minute the counts say it all; the unit is that of both revisions."""
    named = naming(signal.name, signal.part)
    if not exposures:
        return "no data"
    of = f" {named.exposures}" if unit else ""
    if named.per == PER_MINUTE:
        return f"{number(bad)} in {number(exposures)}{of}"
    return f"{_told(value, named)} ({number(bad)} of {number(exposures)}{of})"


def number(value: float) -> str:
    """Two significant digits below ten, whole numbers above; never in powers of ten."""
    if value == 0:
        return "0"
    if abs(value) < 0.01:
        return "<0.01"
    if abs(value) >= 1e6:
        return "over a million"
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.2g}"


def moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def span(length: timedelta) -> str:
    """A length of time in its two largest units: 45s, 4m05s, 2h10m."""
    seconds = max(0, int(length.total_seconds()))
    minutes, hours = seconds // 60, seconds // 3600
    if hours:
        return f"{hours}h{minutes % 60:02d}m"
    return f"{minutes}m{seconds % 60:02d}s" if minutes else f"{seconds}s"

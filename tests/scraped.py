"""A Prometheus that scrapes seldom, or tells late, on plain data: each pod at moments of its own, as it really does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from builders import NOW, make_owner, make_pods, make_spec, make_workload
from measured import Traffic, counters_of
from plimsoll_operator.cluster.measuring import measurements
from plimsoll_operator.cluster.prometheus_answer import Answer, RawSeries
from plimsoll_operator.rollout.evidence import AnalysisSettings, Verdict
from plimsoll_operator.rollout.measuring.analysis import Analysis, Pair, carried_on
from plimsoll_operator.rollout.measuring.inquiry import SETTLE, inquire
from plimsoll_operator.rollout.measuring.measurements import Inquiry, Measurements
from plimsoll_operator.rollout.measuring.sampling import sampling
from plimsoll_operator.rollout.measuring.signals import SIGNALS

CANARY, STABLE = "new", "old"
SETTINGS = AnalysisSettings()
LOOKBACK = 300
"""Seconds for which Prometheus goes on telling the last value of a series."""

Metrics = Mapping[str, Traffic]
"""What each pod serves that is scraped, by its name."""


@dataclass(frozen=True)
class Scraper:
    """Scrapes every so many seconds, the pods at `offsets` into them, and tells what it read `late`."""

    every: float
    late: float = 0.0
    offsets: tuple[float, ...] = (0.1, 0.6, 0.35, 0.85)
    """In scrape intervals; pods take them in turn."""

    def newest(self, pod: int, moment: float, now: float) -> float | None:
        """When the scrape was that is told of a moment; seconds since NOW, as all here."""
        offset = self.offsets[pod % len(self.offsets)] * self.every
        time = (min(moment, now - self.late) - offset) // self.every * self.every + offset
        return time if moment - time <= LOOKBACK else None

    def answer(self, inquiry: Inquiry, now: float, pods: Metrics, *, tells_when: bool = True) -> Measurements:
        moments = [_seconds(inquiry.first + step * inquiry.step) for step in range(inquiry.steps + 1)]
        answers = {signal: Answer(tuple(self._counters(signal.name, moments, now, pods)), None) for signal in SIGNALS}
        scraped = self._scrapes(inquiry, now, pods) if tells_when else ()
        return measurements(inquiry, answers, NOW + timedelta(seconds=now), Answer(tuple(scraped), None))

    def _counters(self, signal: str, moments: list[float], now: float, pods: Metrics) -> Iterable[RawSeries]:
        own = next(of.label for of in SIGNALS if of.name == signal)
        for number, (name, traffic) in enumerate(pods.items()):
            found: dict[tuple[str, str], list[tuple[float, float]]] = {}
            for moment in moments:
                scraped = self.newest(number, moment, now)
                if scraped is None:
                    continue
                # All of them have served for an hour.
                for (of, counter), value in counters_of("", name, traffic, 3600 + scraped).items():
                    if of == signal:
                        samples = found.setdefault((counter.metric, counter.label), [])
                        samples.append((NOW.timestamp() + moment, value))
            for (metric, label), samples in found.items():
                labels = {"__name__": metric, "tier": "short", **_identity(name), own: label}
                yield RawSeries(labels, tuple(samples))

    def _scrapes(self, inquiry: Inquiry, now: float, pods: Metrics) -> Iterable[RawSeries]:
        start, step, steps = sampling(inquiry)
        moments = [start + index * step - NOW.timestamp() for index in range(steps + 1)]
        for number, name in enumerate(pods):
            told = ((moment, self.newest(number, moment, now)) for moment in moments)
            samples = ((NOW.timestamp() + moment, NOW.timestamp() + at) for moment, at in told if at is not None)
            yield RawSeries(_identity(name), tuple(samples))


@dataclass
class Trial:
    """A canary of so many pods beside stable ones, as it is watched from NOW on; `scraped` are the pods that are."""

    scraper: Scraper
    scraped: Metrics
    canary_pods: int = 1
    stable_pods: int = 1
    tells_when: bool = True
    pair: Pair = field(init=False)
    analysis: Analysis = field(init=False)

    def __post_init__(self) -> None:
        canary = make_workload(CANARY, self.canary_pods, *make_pods(CANARY, self.canary_pods))
        stable = make_workload(STABLE, self.stable_pods, *make_pods(STABLE, self.stable_pods))
        self.pair = Pair(canary, stable)
        self.analysis = Analysis.fresh(CANARY, STABLE, self.pair, NOW)

    def look(self, seconds: float) -> Verdict:
        """As the operator looks at that time."""
        now = NOW + timedelta(seconds=seconds)
        evidence = {"canary": CANARY, "stable": STABLE, "until": self.analysis.evidence.until.isoformat()}
        ready = [{"hash": CANARY, "readyReplicas": self.canary_pods}]
        status = {"rollout": {"canary": CANARY, "evidence": evidence}, "revisions": ready}
        inquiry = inquire(make_owner(make_spec(), status), now)
        if inquiry is not None:
            told = self.scraper.answer(inquiry, seconds, self.scraped, tells_when=self.tells_when)
            self.analysis = carried_on(self.analysis, told, self.pair, SETTINGS, now)
        return self.analysis.verdict(self.pair, SETTINGS, now)

    def decided(self, within: timedelta) -> tuple[Verdict, float]:
        """The decision and after how many seconds it was made; the last verdict where there was none."""
        seconds, verdict = 0.0, self.look(0)
        while verdict.decision == "Undecided" and seconds < within.total_seconds():
            seconds += SETTINGS.interval.total_seconds()
            verdict = self.look(seconds + SETTLE.total_seconds())
        return verdict, seconds


def pods(revision: str, *traffic: Traffic) -> dict[str, Traffic]:
    return {f"{revision}-{number}": served for number, served in enumerate(traffic)}


def _identity(name: str) -> dict[str, str]:
    return {"revision": name.partition("-")[0], "replica": name}


def _seconds(moment: datetime) -> float:
    return (moment - NOW).total_seconds()

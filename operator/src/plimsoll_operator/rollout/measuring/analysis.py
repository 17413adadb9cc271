"""The analysis of one canary as it goes on: what was measured so far, what its pods did, and since when data lacks.

All of it is in status, and what is new is told from what status holds and what is observed now: an operator that is
killed between any two reconciles comes to the same verdict. Nothing is kept between two intervals but what ended a pod.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from plimsoll_operator.observed import Pod, Workload
from plimsoll_operator.rollout.evidence import AnalysisSettings, Evidence, Verdict, judge
from plimsoll_operator.rollout.measuring import pod_record
from plimsoll_operator.rollout.measuring.bygone import Bygone
from plimsoll_operator.rollout.measuring.counters import intervals
from plimsoll_operator.rollout.measuring.data import BLIND, Availability, availability
from plimsoll_operator.rollout.measuring.inquiry import CLOCK_SLACK
from plimsoll_operator.rollout.measuring.measurements import Measurements, Replica
from plimsoll_operator.rollout.measuring.pod_record import News, PodRecord
from plimsoll_operator.rollout.measuring.segments import Matching
from plimsoll_operator.rollout.measuring.shortages import counted, watched
from plimsoll_operator.rollout.measuring.whole_lives import whole_lives


@dataclass(frozen=True)
class Pair:
    """The two that are compared, as their pods are now, their tiers' objectives for latency, and which tiers match.

    `bygone` is what pods of stable did that are gone.
    """

    canary: Workload
    stable: Workload | None
    objectives: Mapping[str, timedelta] = field(default_factory=dict)
    matching: Matching = field(default_factory=Matching)
    bygone: Bygone = field(default_factory=Bygone)

    @property
    def replicas(self) -> frozenset[Replica]:
        """All pods of both that there are."""
        return frozenset(Replica(pod.revision, pod.name) for pod in self._pods)

    @property
    def serving(self) -> frozenset[Replica]:
        """Those that Prometheus ought to scrape."""
        serving = (pod for pod in self._pods if pod.ready and not pod.terminating)
        return frozenset(Replica(pod.revision, pod.name) for pod in serving)

    @property
    def _pods(self) -> tuple[Pod, ...]:
        return self.canary.pods + (self.stable.pods if self.stable else ())


@dataclass(frozen=True)
class Analysis:
    """`blind_since` is when data began to lack, `blind_for` how long it did before that, both in our time.

    `ahead` is how far our clock was ahead of Prometheus' at the last look. The evidence's `until` is in Prometheus'
    time once that is known; its `since` stays what our clock showed.
    """

    stable: str
    evidence: Evidence
    pods: PodRecord
    availability: Availability = field(default_factory=Availability)
    blind_since: datetime | None = None
    blind_for: timedelta = timedelta(0)
    ahead: timedelta = timedelta(0)

    @classmethod
    def fresh(cls, canary: str, stable: str, pair: Pair, now: datetime) -> Analysis:
        """From now on."""
        begin = now.replace(microsecond=0)
        return cls(stable, Evidence.fresh(canary, begin), pod_record.begin(pair.stable, begin, pair.canary))

    def blind(self, now: datetime) -> timedelta:
        """For how long there was nothing to judge by, though there should have been."""
        return self.blind_for + (max(timedelta(0), now - self.blind_since) if self.blind_since else timedelta(0))

    def without(self, gap: timedelta, now: datetime) -> Analysis:
        """As if time had stood still for so long: where data lacks, it did so less long by that.

        What the pods did by a moment that is yet to come, since the clock was set back, they did by now.
        """
        pods = replace(self.pods, at=min(self.pods.at, now))
        return replace(self, pods=pods, blind_since=self.blind_since and min(self.blind_since + gap, now))

    def clocked(self, now: datetime, *, paused: bool) -> Analysis:
        """With the clock of what data lacks started or stopped. A pause stops it: its time is taken off as a whole."""
        blind = self.availability.data in BLIND and not paused
        return replace(
            self,
            blind_since=(self.blind_since or now) if blind else None,
            blind_for=self.blind_for if blind else self.blind(now),
        )

    def ended(self, pair: Pair, now: datetime) -> int:
        """How often containers of the canary were killed or ended by themselves, since it began."""
        known = (self.evidence.series.get(key) for key in (pod_record.KILLS, pod_record.RESTARTS))
        new = pod_record.news(pair.canary, self.pods, now)
        return round(sum(series.canary_bad for series in known if series)) + new.kills + new.restarts

    def verdict(self, pair: Pair, settings: AnalysisSettings, now: datetime, *, unseen: bool = False) -> Verdict:
        """What the evidence says; where it decides nothing and data lacks, why it does.

        Nothing is promoted by what was measured before data began to lack, unless it may be `unseen`.
        """
        pods = whole_lives(self.evidence, self.pods, pair.canary, pair.stable, now, pair.bygone)
        verdict = judge(self.evidence, settings, pods)
        known = self.availability
        if verdict.decision == "Undecided" and known.data in BLIND:
            return replace(verdict, reason=known.data, message=known.message)
        if verdict.decision == "Promote" and (known.hides or (known.data in BLIND and not unseen)):
            message = f"no promotion yet, though what was measured is no worse: {known.message}"
            reason = "CanaryMissing" if known.hides else known.data
            return replace(verdict, decision="Undecided", reason=reason, message=message)
        return verdict


def carried_on(
    analysis: Analysis, measurements: Measurements | None, pair: Pair, settings: AnalysisSettings, now: datetime
) -> Analysis:
    """With all that is new. What the pods did is taken in with each measurement, or an interval after it began."""
    measured = _measured(analysis, measurements, pair, settings) if measurements else analysis
    news = [pod_record.news(workload, analysis.pods, now) for workload in (pair.canary, pair.stable)]
    ended = any(of_one.kills or of_one.restarts for of_one in news)
    looked = measured.evidence.until != analysis.evidence.until
    if looked or (ended and now >= analysis.pods.at + settings.interval):
        return _with_pods(measured, news, pair, settings, now)
    return measured


def _measured(analysis: Analysis, measurements: Measurements, pair: Pair, settings: AnalysisSettings) -> Analysis:
    if measurements.clock is not None:
        analysis, before = _in_its_time(analysis, measurements.clock, measurements.ahead), analysis
        if analysis.evidence.until != before.evidence.until:
            # What was asked about is not what this clock has passed: the next look asks from where it stands.
            return analysis
    evidence = analysis.evidence
    measurements = measurements.only(pair.replicas)
    shortages = counted(analysis.pods, measurements, evidence.canary, analysis.stable)
    analysis = replace(analysis, pods=shortages)
    told = intervals(
        measurements, evidence.canary, analysis.stable, pair.objectives, awaited=pair.serving, matching=pair.matching
    )
    found = [one for one in told if one.start >= evidence.until]
    if measurements.problem is None and not found:
        # Prometheus' clock has not got there yet, or scrapes are awaited: nothing is known of its data either way.
        return analysis
    known = availability(analysis.availability, measurements, found, evidence.canary, pair.canary)
    for interval in found:
        evidence = evidence.updated(interval, settings)
        # Intervals that are caught up with are judged one by one, as they would have been in their time.
        if judge(evidence, settings).decision == "Rollback":
            break
    shortages = watched(analysis.pods, found, measurements, analysis.stable)
    return replace(analysis, evidence=evidence, pods=shortages, availability=known)


def _in_its_time(analysis: Analysis, clock: datetime, ahead: timedelta) -> Analysis:
    """By Prometheus' own clock. What is judged begins where it stands, should it have been begun by one ahead of it."""
    evidence = analysis.evidence
    until = evidence.until - ahead if evidence.until == evidence.since else evidence.until
    if until > clock + CLOCK_SLACK:
        until = clock.replace(microsecond=0)
    return replace(analysis, evidence=replace(evidence, until=until), ahead=ahead)


def _with_pods(
    analysis: Analysis, news: Sequence[News], pair: Pair, settings: AnalysisSettings, now: datetime
) -> Analysis:
    interval = pod_record.interval(*news, start=analysis.pods.at, end=now)
    return replace(
        analysis,
        evidence=analysis.evidence.with_pods(interval, settings),
        pods=pod_record.carried_on(analysis.pods, pair.canary, pair.stable, now),
    )

"""Asks Prometheus what a canary under analysis is judged by: at most once for each moment, and never for long.

What goes wrong is an answer too: the measurements then say why there are none, and the reconcile goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

import aiohttp

from plimsoll_operator.cluster.prometheus import Prometheus, Range
from plimsoll_operator.cluster.prometheus_answer import (
    Answer,
    PrometheusAnswerTooLargeError,
    PrometheusError,
    RawSeries,
)
from plimsoll_operator.observed import Owner
from plimsoll_operator.rollout.measuring.inquiry import SETTLE, inquire
from plimsoll_operator.rollout.measuring.measurements import Counter, Inquiry, Measurements, Problem, Replica, Values
from plimsoll_operator.rollout.measuring.sampling import query as scrape_times
from plimsoll_operator.rollout.measuring.sampling import sampling
from plimsoll_operator.rollout.measuring.scrapes import Scrapes
from plimsoll_operator.rollout.measuring.signals import SIGNALS, SIZE, Signal

logger = logging.getLogger(__name__)

DEADLINE = timedelta(seconds=3)
"""For all of an object's questions together, and for their turn: a reconcile waits no longer than this for either."""

MOST_REMEMBERED = 1000
"""Canaries at once of which is known that a moment was asked about, so that it is not asked about again."""

UNKNOWN = Answer((), None)

TICK = timedelta(seconds=1)
"""A server's clock must be past a moment by so much. It tells whole seconds, and may be a little behind ours."""

SAME_TIME = timedelta(seconds=5)
"""Clocks that are no further apart may show the same: one tells whole seconds, and an answer takes its time."""

NOT_CONFIGURED = Problem(
    "PrometheusNotConfigured",
    "no Prometheus is configured: set prometheus.url in the operator's chart values",
)

CountFailure = Callable[[str], None]


class Measuring:
    """Without a `prometheus` every inquiry is answered with what to set."""

    def __init__(
        self,
        prometheus: Prometheus | None,
        now: Callable[[], datetime],
        count_failure: CountFailure,
        *,
        settle: timedelta = SETTLE,
        deadline: timedelta = DEADLINE,
    ) -> None:
        self._settle = settle
        self._deadline = deadline.total_seconds()
        self._prometheus = prometheus
        self._now = now
        self._count_failure = count_failure
        self._turn = asyncio.Semaphore()
        self._answered: OrderedDict[tuple[str, str], tuple[Inquiry, Measurements]] = OrderedDict()

    async def measure(self, owner: Owner) -> Measurements | None:
        """What there is to know of this object's canary by now; None when there is nothing to ask."""
        inquiry = inquire(owner, self._now(), self._settle)
        if inquiry is None:
            return None
        if self._prometheus is None:
            return Measurements(inquiry.since, problem=NOT_CONFIGURED)
        key = (owner.namespace, owner.name)
        before, known = self._answered.get(key, (None, None))
        if before == inquiry and known is not None:
            return known
        found = await self._ask_in_turn(self._prometheus, inquiry)
        if found is not None:
            self._remember(key, inquiry, found)
        return found

    def _remember(self, key: tuple[str, str], inquiry: Inquiry, found: Measurements) -> None:
        """That this was asked. What was measured may be large, and is not kept: status holds what it came to."""
        self._answered[key] = (inquiry, Measurements(inquiry.since) if found.counters else found)
        self._answered.move_to_end(key)
        while len(self._answered) > MOST_REMEMBERED:
            self._answered.popitem(last=False)

    async def _ask_in_turn(self, prometheus: Prometheus, inquiry: Inquiry) -> Measurements | None:
        """One object at a time, since an answer may be large; None where that would take too long: at the next look."""
        try:
            async with asyncio.timeout(self._deadline):
                await self._turn.acquire()
        except TimeoutError:
            return None
        try:
            return await self._ask(prometheus, inquiry)
        finally:
            self._turn.release()

    async def _ask(self, prometheus: Prometheus, inquiry: Inquiry) -> Measurements:
        over = Range(inquiry.first.timestamp(), inquiry.step.total_seconds(), inquiry.steps)
        try:
            async with asyncio.timeout(self._deadline), prometheus.session() as session:
                # First of all: what is known by then is in the answers that follow.
                scraped = await prometheus.query_range(session, scrape_times(inquiry), Range(*sampling(inquiry)))
                answers = {signal: await _answer(prometheus, session, signal, inquiry, over) for signal in SIGNALS}
        except TimeoutError:
            message = f"Prometheus at {prometheus.access.url}: no answer within {self._deadline:g} s"
            return self._failed(inquiry, Problem("PrometheusUnreachable", message))
        except PrometheusError as error:
            return self._failed(inquiry, Problem(error.reason, str(error)))
        return await asyncio.to_thread(measurements, inquiry, answers, self._now(), scraped)

    def _failed(self, inquiry: Inquiry, problem: Problem) -> Measurements:
        self._count_failure(problem.reason)
        logger.warning(
            "no measurements: %s",
            problem.message,
            extra={"object": f"{inquiry.namespace}/{inquiry.deployment}", "reason": problem.reason},
        )
        return Measurements(inquiry.since, problem=problem)


async def _answer(
    prometheus: Prometheus, session: aiohttp.ClientSession, signal: Signal, inquiry: Inquiry, over: Range
) -> Answer:
    """With so many pods that sizes are too much to tell, without them."""
    try:
        return await prometheus.query_range(session, signal.query(inquiry), over)
    except PrometheusAnswerTooLargeError:
        if not signal.finer:
            raise
        return await prometheus.query_range(session, signal.query(inquiry, finer=False), over)


def measurements(
    inquiry: Inquiry, answers: Mapping[Signal, Answer], now: datetime, scraped: Answer = UNKNOWN
) -> Measurements:
    """The answers side by side, up to the last moment that the clock of who answered has passed as well."""
    clocks = [answer.answered or now for answer in answers.values()] or [now]
    clock, ahead = max(clocks), now - max(clocks)
    ahead = timedelta(seconds=round(ahead.total_seconds())) if abs(ahead) > SAME_TIME else timedelta(0)
    passed = min(clocks) - TICK
    count = min(inquiry.steps, (passed - inquiry.first) // inquiry.step) + 1
    moments = tuple(inquiry.first + index * inquiry.step for index in range(count))
    if not moments or moments[-1] <= inquiry.since:
        return Measurements(inquiry.since, clock=clock, ahead=ahead)
    counters = {
        signal.name: dict(_counters(signal, answer.series, inquiry, count)) for signal, answer in answers.items()
    }
    return Measurements(inquiry.since, moments, counters, scrapes_of(scraped.series), clock=clock, ahead=ahead)


def scrapes_of(found: Iterable[RawSeries]) -> Mapping[Replica, tuple[Scrapes, ...]]:
    """When each replica was scraped, by each job that does."""
    told: dict[Replica, tuple[Scrapes, ...]] = {}
    for series in found:
        replica = Replica(series.labels.get("revision", ""), series.labels.get("replica", ""))
        if times := tuple(sorted({value for _, value in series.samples})):
            told[replica] = (*told.get(replica, ()), Scrapes(times))
    return told


def _counters(
    signal: Signal, found: Iterable[RawSeries], inquiry: Inquiry, count: int
) -> Iterable[tuple[Counter, Values]]:
    for series in found:
        labels = series.labels
        counter = Counter(
            revision=labels.get("revision", ""),
            replica=labels.get("replica", ""),
            tier=labels.get("tier", ""),
            metric=labels.get("__name__", ""),
            label=labels.get(signal.label, ""),
            length=labels.get(SIZE, ""),
        )
        values: list[float | None] = [None] * count
        for at, value in series.samples:
            index = round((at - inquiry.first.timestamp()) / inquiry.step.total_seconds())
            if 0 <= index < count:
                values[index] = value
        yield counter, tuple(values)

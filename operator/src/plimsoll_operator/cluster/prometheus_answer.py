"""What Prometheus' API answers, as plain series or as one type per thing that can be wrong with it. No I/O.

Whatever stands at the address may answer with anything: it is read as told or refused, and raises nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any

MOST_SERIES = 40_000
"""Of one answer: as many buckets have the latencies of 100 replicas with 3 tiers, and 12 classes of sizes in them."""

_WORDS = 300


class PrometheusError(Exception):
    """A question was not answered. `reason` is one word for status and metrics; no message holds a credential."""

    @property
    def reason(self) -> str:
        return type(self).__name__.removesuffix("Error")


class PrometheusUnreachableError(PrometheusError):
    """No answer in time, no connection, or one that says to come back later."""


class PrometheusRefusedError(PrometheusError):
    """The credentials were refused, or could not be read."""


class PrometheusQueryInvalidError(PrometheusError):
    """Prometheus does not understand the query, or will not run it."""


class PrometheusAnswerTooLargeError(PrometheusError):
    """More bytes or series than are read."""


class PrometheusPartialError(PrometheusError):
    """Some of the data is missing, as a store behind Prometheus' API says of itself."""


class PrometheusAnswerInvalidError(PrometheusError):
    """Not what Prometheus' API answers: another server is at this address."""


@dataclass(frozen=True)
class RawSeries:
    """A series as Prometheus tells it: labels, and values by Unix seconds. What is no number is left out."""

    labels: Mapping[str, str]
    samples: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Answer:
    """`answered` is when, by the clock of who answered; None when it did not say."""

    series: tuple[RawSeries, ...]
    answered: datetime | None


def read_answer(status: int, body: bytes, date: str | None, where: str) -> Answer:
    """The series in an answer of `where` with its header Date. Raises PrometheusError."""
    document = _parsed(body)
    if status != 200:
        raise _refusal(status, document, where)
    data = document.get("data")
    if document.get("status") != "success" or not isinstance(data, dict):
        raise PrometheusAnswerInvalidError(f"{where}: expected the JSON of Prometheus' API, found something else")
    if document.get("warnings"):
        raise PrometheusPartialError(f"{where}: the answer is not complete: {one_line(document['warnings'])}")
    if document.get("isPartial"):
        # VictoriaMetrics' clusters say it so.
        raise PrometheusPartialError(f"{where}: the answer is not complete: some of its storage nodes did not answer")
    try:
        series = tuple(_series(found) for found in data["result"][: MOST_SERIES + 1])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PrometheusAnswerInvalidError(f"{where}: a series that cannot be read: {one_line(error)}") from error
    if len(series) > MOST_SERIES:
        raise PrometheusAnswerTooLargeError(f"{where}: an answer of more than {MOST_SERIES} series")
    return Answer(series, _date(date))


def one_line(said: object) -> str:
    return " ".join(str(said).split())[:_WORDS] or type(said).__name__


def _refusal(status: int, document: Mapping[str, Any], where: str) -> PrometheusError:
    told = f": {one_line(document['error'])}" if document.get("error") else ""
    said = f"{where}: HTTP {status}{told}"
    if status in (401, 403, 407):
        return PrometheusRefusedError(f"{said}: see prometheus.bearerTokenSecret or basicAuthSecret in the chart")
    if 300 <= status < 400:
        return PrometheusAnswerInvalidError(f"{said}: a redirect is not followed, set the address it leads to")
    if status in (400, 422):
        return PrometheusQueryInvalidError(said)
    if status in (408, 429) or status >= 500:
        return PrometheusUnreachableError(said)
    return PrometheusAnswerInvalidError(f"{said}: expected Prometheus' API below this address")


def _parsed(body: bytes) -> Mapping[str, Any]:
    """The document; empty for what is none, as proxies answer."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _series(found: Mapping[str, Any]) -> RawSeries:
    samples = ((float(at), float(value)) for at, value in found.get("values", ()))
    labels = {str(name): str(value) for name, value in found["metric"].items()}
    return RawSeries(labels, tuple((at, value) for at, value in samples if isfinite(at) and isfinite(value)))


def _date(header: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(header).astimezone(UTC) if header else None
    except (ValueError, OverflowError):
        return None

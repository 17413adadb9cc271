"""A small asynchronous client for one question of Prometheus' API: a range of raw series, within a deadline.

Every answer is bounded in bytes and in series, credentials are read anew for each session since they rotate, and
proxies count only when they are set for it: the environment's are meant for other addresses.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import aiohttp

MOST_BYTES = 24 << 20
MOST_SERIES = 20_000
"""Of one answer: 100 replicas of 8 tiers have as many buckets of their latency."""

_PATH = "/api/v1/query_range"
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
class PrometheusAccess:
    """Where Prometheus is and as whom to ask it: by a bearer token, or else by name and password, or as nobody."""

    url: str
    token_file: str = ""
    username_file: str = ""
    password_file: str = ""
    ca_file: str = ""
    proxy: str = ""


@dataclass(frozen=True)
class Range:
    """`steps` further moments after `start`, all `step` seconds apart."""

    start: float
    step: float
    steps: int


@dataclass(frozen=True)
class RawSeries:
    """A series as Prometheus tells it: Unix seconds and text."""

    labels: Mapping[str, str]
    samples: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Answer:
    """`answered` is when, by the clock of who answered; None when it did not say."""

    series: tuple[RawSeries, ...]
    answered: datetime | None


@dataclass(frozen=True)
class Prometheus:
    """Prometheus' HTTP API, or that of anything that speaks like it."""

    access: PrometheusAccess

    @asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """One for a few questions in a row. Raises PrometheusRefusedError, PrometheusUnreachableError."""
        headers, tls = await asyncio.to_thread(self._credentials)
        connector = aiohttp.TCPConnector(ssl=tls, limit=1)
        async with aiohttp.ClientSession(connector=connector, headers=headers, trust_env=False) as session:
            yield session

    async def query_range(self, session: aiohttp.ClientSession, query: str, over: Range) -> Answer:
        """The series that `query` gives over a range. Raises PrometheusError; the deadline is the caller's."""
        parameters = {
            "query": query,
            "start": f"{over.start:.3f}",
            "end": f"{over.start + over.steps * over.step:.3f}",
            "step": f"{over.step:.3f}",
            # Servers that know it stop there by themselves, and say so in a warning.
            "limit": str(MOST_SERIES + 1),
        }
        url = self.access.url.rstrip("/") + _PATH
        try:
            # A redirect would carry the credentials to where nobody meant them to go.
            async with session.get(
                url, params=parameters, proxy=self.access.proxy or None, allow_redirects=False
            ) as response:
                body = await self._read(response)
                return self._answer(response, body)
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
            raise PrometheusUnreachableError(f"{self._where}: {_one_line(error)}") from error

    @property
    def _where(self) -> str:
        return f"Prometheus at {self.access.url}"

    def _credentials(self) -> tuple[dict[str, str], ssl.SSLContext | bool]:
        # Compressed, a small answer could be a huge one.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        try:
            if self.access.token_file:
                headers["Authorization"] = f"Bearer {_token(self.access.token_file)}"
            elif self.access.username_file:
                user = f"{_secret(self.access.username_file)}:{_secret(self.access.password_file)}"
                headers["Authorization"] = f"Basic {b64encode(user.encode()).decode()}"
        except (OSError, ValueError) as error:
            raise PrometheusRefusedError(f"{self._where}: its credentials cannot be read: {error}") from error
        try:
            tls = ssl.create_default_context(cafile=self.access.ca_file) if self.access.ca_file else True
        except OSError as error:
            raise PrometheusUnreachableError(f"{self._where}: CA file {self.access.ca_file}: {error}") from error
        return headers, tls

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_chunked(1 << 16):
            body += chunk
            if len(body) > MOST_BYTES:
                raise PrometheusAnswerTooLargeError(f"{self._where}: an answer of more than {MOST_BYTES >> 20} MiB")
        return bytes(body)

    def _answer(self, response: aiohttp.ClientResponse, body: bytes) -> Answer:
        document = _parsed(body)
        if response.status != 200:
            raise self._refusal(response, document)
        if document.get("status") != "success" or not isinstance(document.get("data"), dict):
            raise PrometheusAnswerInvalidError(
                f"{self._where}: expected the JSON of Prometheus' API, found something else"
            )
        if warnings := document.get("warnings"):
            raise PrometheusPartialError(f"{self._where}: the answer is not complete: {_one_line(warnings[0])}")
        found = document["data"].get("result", [])
        if len(found) > MOST_SERIES:
            raise PrometheusAnswerTooLargeError(f"{self._where}: an answer of more than {MOST_SERIES} series")
        try:
            series = tuple(_series(one) for one in found)
        except (KeyError, TypeError, ValueError) as error:
            raise PrometheusAnswerInvalidError(f"{self._where}: a series that cannot be read: {error}") from error
        return Answer(series, _date(response.headers.get("Date")))

    def _refusal(self, response: aiohttp.ClientResponse, document: Mapping[str, Any]) -> PrometheusError:
        status = response.status
        said = f"{self._where}: HTTP {status}{_told(document)}"
        if status in (401, 403, 407):
            return PrometheusRefusedError(f"{said}: see prometheus.bearerTokenSecret or basicAuthSecret in the chart")
        if 300 <= status < 400:
            return PrometheusAnswerInvalidError(f"{said}: a redirect is not followed, set the address it leads to")
        if status in (400, 422):
            return PrometheusQueryInvalidError(said)
        if status in (408, 429) or status >= 500:
            return PrometheusUnreachableError(said)
        return PrometheusAnswerInvalidError(f"{said}: expected Prometheus' API below this address")


def _secret(path: str) -> str:
    """What a mounted Secret holds, without the newline that editors leave. Raises OSError, ValueError."""
    return Path(path).read_text(encoding="utf-8").rstrip("\r\n")


def _token(path: str) -> str:
    token = _secret(path)
    if not token or any(character.isspace() for character in token):
        raise ValueError(f"{path}: expected one word")
    return token


def _parsed(body: bytes) -> Mapping[str, Any]:
    """The document; empty for what is none, as proxies answer."""
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _told(document: Mapping[str, Any]) -> str:
    return f": {_one_line(document['error'])}" if document.get("error") else ""


def _series(found: Mapping[str, Any]) -> RawSeries:
    return RawSeries(dict(found["metric"]), tuple((float(at), str(value)) for at, value in found.get("values", ())))


def _date(header: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(header).astimezone(UTC) if header else None
    except ValueError:
        return None


def _one_line(said: object) -> str:
    return " ".join(str(said).split())[:_WORDS] or type(said).__name__

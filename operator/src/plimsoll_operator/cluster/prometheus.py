"""A small asynchronous client for one question of Prometheus' API: a range of raw series, within a deadline.

Every answer is bounded in bytes and in series, credentials are read anew for each session since they rotate, and
proxies count only when they are set for it: the environment's are meant for other addresses.
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from plimsoll_operator.cluster.prometheus_answer import (
    MOST_SERIES,
    Answer,
    PrometheusAnswerTooLargeError,
    PrometheusRefusedError,
    PrometheusUnreachableError,
    one_line,
    read_answer,
)

MOST_BYTES = 24 << 20
_PATH = "/api/v1/query_range"


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
class Prometheus:
    """Prometheus' HTTP API, or that of anything that speaks like it."""

    access: PrometheusAccess

    @asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """One for a few questions in a row. Raises PrometheusRefusedError, PrometheusUnreachableError."""
        headers, tls = await asyncio.to_thread(self._credentials)
        connector = aiohttp.TCPConnector(ssl=tls, limit=1)
        async with aiohttp.ClientSession(
            connector=connector, headers=headers, trust_env=False, auto_decompress=False
        ) as session:
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
            # VictoriaMetrics would move the moments, and hide the last ones.
            "nocache": "1",
        }
        url = self.access.url.rstrip("/") + _PATH
        try:
            # A redirect would carry the credentials to where nobody meant them to go.
            async with session.get(
                url, params=parameters, proxy=self.access.proxy or None, allow_redirects=False
            ) as response:
                body = await self._read(response)
                date = response.headers.get("Date")
                # A large one takes long to read, and others have to be served meanwhile.
                return await asyncio.to_thread(read_answer, response.status, body, date, self._where)
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
            raise PrometheusUnreachableError(f"{self._where}: {one_line(error)}") from error

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


def _secret(path: str) -> str:
    """What a mounted Secret holds, without the newline that editors leave. Raises OSError, ValueError."""
    return Path(path).read_text(encoding="utf-8").rstrip("\r\n")


def _token(path: str) -> str:
    token = _secret(path)
    if not token or any(character.isspace() for character in token):
        raise ValueError(f"{path}: expected one word")
    return token

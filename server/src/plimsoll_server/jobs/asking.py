"""A worker's questions to the server: a slice of a job as an ordinary request, and what became of it."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from plimsoll_server.jobs.records import Job, Slice

_BUSY_SECONDS = 2.0
"""Where the server does not say how long to wait."""
_LONGEST_WAIT_SECONDS = 30.0
_MOST_BYTES = 64 << 20
"""Of an answer: many times that of a slice."""
_ENTRIES: Mapping[str, Callable[[str], Any]] = {
    "/predict": lambda text: [text],
    "/embed": lambda text: text,
}
"""How a text is written among the inputs of a path; no other path is asked."""


@dataclass(frozen=True, slots=True)
class Answered:
    answers: Sequence[Any]
    """One per text."""
    truncated_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Busy:
    """No answer for now, whatever the texts are."""

    seconds: float
    why: str


@dataclass(frozen=True, slots=True)
class Refused:
    """These texts have no answer. The error is the one that their caller would have read."""

    error: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Lost:
    """They may have been read, and no answer came."""

    why: str


Reply = Answered | Busy | Refused | Lost


class Server:
    """At one address, by HTTP or HTTPS. Proxies of the environment are not asked, and no redirect is followed."""

    def __init__(
        self, url: str, key: Callable[[], str], patience_seconds: float, trust: ssl.SSLContext | None = None
    ) -> None:
        """`key` gives the newest, which is sent where it is not empty."""
        self._address = urlsplit(url)
        self._key = key
        self._patience = patience_seconds
        self._trust = trust

    def ask(self, job: Job, slice_: Slice) -> Reply:
        inputs = [_ENTRIES[job.path](text) for text in slice_.texts]
        body = json.dumps({"inputs": inputs, **job.fields}).encode()
        connection = self._connection()
        try:
            try:
                connection.connect()
            except OSError as error:
                return Busy(_BUSY_SECONDS, f"the server cannot be reached ({type(error).__name__})")
            try:
                connection.request("POST", f"{self._address.path.rstrip('/')}{job.path}", body, self._headers())
                response = connection.getresponse()
                return verdict(response.status, response.headers, response.read(_MOST_BYTES), len(inputs))
            except (OSError, http.client.HTTPException) as error:
                return Lost(type(error).__name__)
        finally:
            connection.close()

    def _headers(self) -> dict[str, str]:
        key = self._key()
        return {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._address.hostname or "", self._address.port
        if self._address.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=self._patience, context=self._trust)
        return http.client.HTTPConnection(host, port, timeout=self._patience)


def verdict(status: int, headers: Mapping[str, str] | http.client.HTTPMessage, body: bytes, inputs: int) -> Reply:
    """What an answer to `inputs` texts means for them."""
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    if status == 200 and isinstance(content, list) and len(content) == inputs:
        return Answered(content, _truncated(headers.get("X-Plimsoll-Truncated-Tokens", "")))
    said = content if isinstance(content, dict) else {}
    kind = str(said.get("error_type", "Backend"))
    if status in (401, 403):
        return Busy(_LONGEST_WAIT_SECONDS, "the server knows no such key: see PLIMSOLL_WORKER_KEY_FILE")
    if status == 429 or (status == 503 and kind != "OutOfMemory"):
        return Busy(_wait(headers.get("Retry-After", "")), f"it answers {status}")
    if status in (502, 504):
        return Lost(f"it answers {status}")
    return Refused({"error": str(said.get("error", f"the server answered {status}")), "error_type": kind})


def _wait(said: str) -> float:
    """Seconds."""
    return min(float(said), _LONGEST_WAIT_SECONDS) if said.isdecimal() else _BUSY_SECONDS


def _truncated(told: str) -> int:
    """Tokens that were left out of all of them: one value per input, or of many what they come to."""
    return sum(int(value) for value in told.removeprefix("total=").split(",") if value.isdecimal())

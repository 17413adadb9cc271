"""What the operator asked of the apiserver, read from the audit log while it is written."""

from __future__ import annotations

import json
import math
import os
import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

READS = frozenset({"get", "list", "watch"})
_OBJECT = re.compile(r"\bscale-\d{4}")
_UNFINISHED = b'"stage":"ResponseStarted"'


@dataclass(frozen=True)
class Request:
    """One request that the apiserver has answered; times are seconds of its clock."""

    verb: str
    resource: str
    subresource: str
    status: int
    subject: str  # name of the InferenceDeployment that it is about, as far as the address tells
    began: float
    ended: float

    @property
    def is_write(self) -> bool:
        return self.verb not in READS

    @property
    def was_refused(self) -> bool:
        """Not where the answer is what was asked for: that something is not there, or that an Event is already."""
        there_already = self.status == 409 and self.resource == "events" and self.verb == "create"
        return self.status >= 400 and self.status != 404 and not there_already

    @property
    def opens_a_reconcile(self) -> bool:
        return self.verb == "get" and self.resource == "inferencedeployments"


class AuditLog:
    """Follows what the log says of one user, through its rotations; may be read from several threads."""

    def __init__(self, path: Path, user: str) -> None:
        self._path = path
        self._mark = f'"username":"{user}"'.encode()
        self._file = path.open("rb")
        self._rest = b""
        self._requests: list[Request] = []
        self._reading = threading.Lock()

    def read(self) -> None:
        """Take in what was written since the last time. Between two rotations once is enough."""
        with self._reading:
            while True:
                self._take(self._file.read())
                if not self._was_rotated():
                    return
                self._take(self._file.read())  # what came between the read above and the rotation
                self._file.close()
                self._file = self._path.open("rb")

    def between(self, began: float, ended: float = math.inf) -> list[Request]:
        """Requests that began in that time of the apiserver's clock, which is this machine's."""
        self.read()
        return [request for request in self._requests if began <= request.began < ended]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _was_rotated(self) -> bool:
        try:
            return self._path.stat().st_ino != os.fstat(self._file.fileno()).st_ino
        except FileNotFoundError:  # renamed, and the next one not yet there
            return False

    def _take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        ours = (line for line in lines if self._mark in line and _UNFINISHED not in line)
        self._requests += [parse(json.loads(line)) for line in ours]


def parse(event: dict[str, Any]) -> Request:
    about = event.get("objectRef", {})
    named = _OBJECT.search(unquote(event["requestURI"]))
    return Request(
        verb=event["verb"],
        resource=about.get("resource", ""),
        subresource=about.get("subresource", ""),
        status=event.get("responseStatus", {}).get("code", 0),
        subject=named[0] if named else "",
        began=_seconds(event["requestReceivedTimestamp"]),
        ended=_seconds(event["stageTimestamp"]),
    )


def reconcile_seconds(requests: Iterable[Request]) -> list[float]:
    """Duration of each reconcile: from the read of its object to the end of the last request about it.

    What the operator computes after the last answer is missing from it.
    """
    spans: dict[str, list[Request]] = {}
    durations: list[float] = []
    for request in sorted(requests, key=lambda each: each.began):
        if not request.subject or request.verb == "watch":
            continue
        if request.opens_a_reconcile:
            durations += _closed(spans.pop(request.subject, []))
            spans[request.subject] = [request]
        elif request.subject in spans:
            spans[request.subject].append(request)
    return durations + [seconds for span in spans.values() for seconds in _closed(span)]


def _closed(span: list[Request]) -> list[float]:
    return [max(each.ended for each in span) - span[0].began] if span else []


def wait_for_rest(log: AuditLog, quiet_seconds: float, deadline_seconds: float) -> None:
    """Return once the operator has written nothing but its Lease for that long."""
    end = time.monotonic() + deadline_seconds
    while True:
        last = max((each.ended for each in written(log.between(0))), default=0.0)
        if time.time() - last > quiet_seconds:
            return
        if time.monotonic() > end:
            raise AssertionError(
                f"the operator still wrote after {deadline_seconds:.0f} s: {written(log.between(0))[-3:]}"
            )
        time.sleep(1)


def written(requests: Iterable[Request]) -> list[Request]:
    """The writes among them; a Lease is renewed whether there is anything to do or not."""
    return [each for each in requests if each.is_write and each.resource != "leases"]


def counted(requests: Iterable[Request], name: Callable[[Request], str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for request in requests:
        counts[name(request)] = counts.get(name(request), 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()

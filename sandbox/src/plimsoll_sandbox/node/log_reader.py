"""Reading a container's log as `kubectl logs` asks for it."""

from __future__ import annotations

import asyncio
import datetime
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from plimsoll_sandbox.node.clock import micro_time
from plimsoll_sandbox.node.container_log import lines_of, parse_line

_LOOK_SECONDS = 0.2

Line = tuple[bytes, bytes]
"""Time and text."""


@dataclass(frozen=True)
class LogQuery:
    follow: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    limit_bytes: int | None = None
    since: datetime.datetime | None = None


async def read_log(path: Path, query: LogQuery, is_running: Callable[[], bool]) -> AsyncIterator[bytes]:
    """The log's text, and with `follow` what comes until the container ends."""
    tail = _Tail(path)
    left = query.limit_bytes
    for moment, text in _selected(tail.existing(), query):
        shown = moment + b" " + text if query.timestamps else text
        if left is not None:
            shown = shown[:left]
            left -= len(shown)
        yield shown
        if left == 0:
            return
    while query.follow:
        more = is_running()
        for moment, text in tail.fresh():
            yield moment + b" " + text if query.timestamps else text
        if not more:
            return
        await asyncio.sleep(_LOOK_SECONDS)


def _selected(lines: Iterable[Line], query: LogQuery) -> Iterable[Line]:
    if query.since is not None:
        earliest = micro_time(query.since.astimezone(datetime.UTC)).encode()
        lines = (line for line in lines if line[0] >= earliest)
    return lines if query.tail_lines is None else deque(lines, maxlen=query.tail_lines)


class _Tail:
    """A log that is being written: first what is there, then what is new, also when a new file has been begun."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inode = 0
        self._position = 0

    def existing(self) -> Iterator[Line]:
        """Everything so far; `fresh` goes on from there."""
        if self._path.exists():
            found = self._path.stat()
            self._inode, self._position = found.st_ino, found.st_size
        yield from lines_of(self._path)

    def fresh(self) -> list[Line]:
        if not self._path.exists():
            return []
        inode = self._path.stat().st_ino
        lines: list[Line] = []
        if inode != self._inode:
            lines = self._rest_of(self._path.with_name(f"{self._path.name}.1"))
            self._inode, self._position = inode, 0
        return lines + self._rest_of(self._path)

    def _rest_of(self, path: Path) -> list[Line]:
        with path.open("rb") as log:
            log.seek(self._position)
            complete, newline, _ = log.read().rpartition(b"\n")
        self._position += len(complete) + len(newline)
        return [parse_line(line) for line in complete.split(b"\n")] if newline else []

"""An audit log across its rotation: whole, or its end as it grows, to be read often however long it has become."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO


def whole_lines(path: Path) -> Iterator[str]:
    """All of the log, what is rotated away included; not the last line while it is still being written."""
    for part in (*sorted(path.parent.glob(f"{path.stem}-*{path.suffix}")), path):
        if part.exists():
            with part.open(encoding="utf-8") as lines:
                yield from (line for line in lines if line.endswith("\n"))


class AuditTail:
    """The events from now on whose line is `wanted`. Threads may share it."""

    def __init__(self, path: Path, wanted: Callable[[str], bool]) -> None:
        self._path = path
        self._wanted = wanted
        self._file = path.open(encoding="utf-8")
        self._file.seek(0, os.SEEK_END)
        self._begun = ""
        self._events: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def close(self) -> None:
        self._file.close()

    def events(self) -> list[dict[str, Any]]:
        """Those that succeeded, in the order in which they were answered."""
        with self._lock:
            current = self._path.open(encoding="utf-8")
            if os.path.sameopenfile(current.fileno(), self._file.fileno()):
                current.close()
            else:
                self._read(self._file)
                self._file.close()
                self._file = current
            self._read(self._file)
            return sorted(self._events, key=lambda event: str(event["stageTimestamp"]))

    def _read(self, file: TextIO) -> None:
        *lines, self._begun = (self._begun + file.read()).split("\n")
        events = (json.loads(line) for line in lines if self._wanted(line))
        self._events += [event for event in events if event.get("responseStatus", {}).get("code") == 200]

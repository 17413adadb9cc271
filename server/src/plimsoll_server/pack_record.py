"""What runs now, in one line of the container's termination message file.

A kernel that runs out of memory asks nobody: the process is gone before it can say a word. What stands in this file is
read by the kubelet all the same and ends up in the pod's status. It holds the tier and two numbers, never a content.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Running:
    tier: str
    tokens: int
    sequences: int


class PackRecord:
    """Holds the largest of the packs that run; empty where none does, so that a crash there leaves the log's last words
    to be read."""

    def __init__(self, path: str) -> None:
        """`path` is empty, or a file that is there: a container whose runtime made none keeps no record."""
        self._file = _opened(path)
        self._running: list[_Running] = []
        self._written: _Running | None = None

    @contextmanager
    def running(self, tier: str, tokens: int, sequences: int) -> Iterator[None]:
        pack = _Running(tier, tokens, sequences)
        self._running.append(pack)
        self._write()
        try:
            yield
        finally:
            self._running.remove(pack)
            self._write()

    def _write(self) -> None:
        largest = max(self._running, key=lambda pack: pack.tokens, default=None)
        if self._file is None or largest == self._written:
            return
        try:
            os.ftruncate(self._file, 0)
            if largest is not None:
                os.pwrite(self._file, json.dumps(asdict(largest), separators=(",", ":")).encode(), 0)
            self._written = largest
        except OSError as error:
            # A full disk costs the record, not the answers.
            log.warning("the termination message file cannot be written any more: %s", error)
            os.close(self._file)
            self._file = None


def _opened(path: str) -> int | None:
    if not path:
        return None
    try:
        return os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError as error:
        log.info("no record of what runs is kept: %s", error)
        return None

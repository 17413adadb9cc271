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

log = logging.getLogger(__name__)


class PackRecord:
    """Holds the pack that runs; empty between packs, so that a crash there leaves the log's last words to be read."""

    def __init__(self, path: str) -> None:
        """`path` is empty, or a file that is there: a container whose runtime made none keeps no record."""
        self._file = _opened(path)

    @contextmanager
    def running(self, tier: str, tokens: int, sequences: int) -> Iterator[None]:
        self._write({"tier": tier, "tokens": tokens, "sequences": sequences})
        try:
            yield
        finally:
            self._write(None)

    def _write(self, pack: dict[str, str | int] | None) -> None:
        if self._file is None:
            return
        try:
            if pack is None:
                os.ftruncate(self._file, 0)
            else:
                os.pwrite(self._file, json.dumps(pack, separators=(",", ":")).encode(), 0)
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

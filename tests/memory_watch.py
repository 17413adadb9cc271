"""What a kernel does with a container that takes more than its limit, done from outside to a process without one."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_LOOKS_EVERY_SECONDS = 0.02
_PRIVATE_FIELDS = ("RssAnon:", "RssShmem:", "VmSwap:")


@dataclass
class MemoryWatch:
    """All in bytes."""

    pid: int
    limit: int
    highest: int = 0
    killed: bool = False

    def now(self) -> int:
        """What a cgroup would count, less the pages of files, which the kernel takes back when it needs them."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(_PRIVATE_FIELDS))

    def look(self) -> None:
        self.highest = max(self.highest, self.now())
        if self.highest > self.limit:
            self.killed = True
            os.kill(self.pid, signal.SIGKILL)


@contextmanager
def killed_above(limit: int, pid: int) -> Iterator[MemoryWatch]:
    """Looks at process `pid` all the time and kills it above `limit` bytes."""
    watch, over = MemoryWatch(pid, limit), threading.Event()

    def keep_looking() -> None:
        while not over.wait(_LOOKS_EVERY_SECONDS) and not watch.killed:
            try:
                watch.look()
            except (FileNotFoundError, ProcessLookupError):
                return

    thread = threading.Thread(target=keep_looking, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        over.set()
        thread.join(10)

"""Finding and ending what belongs to a sandbox, by the mark that each of its processes carries from birth."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MARK = "PLIMSOLL_SANDBOX"
"""Environment variable of every process of a sandbox; its value is the sandbox's folder."""

POD_MARK = "PLIMSOLL_SANDBOX_POD"
"""Environment variable of every process of a pod; its value is the sandbox's folder too."""

CONTAINER_MARK = "PLIMSOLL_SANDBOX_CONTAINER"
"""Environment variable of every process of a container; its value is the container's folder."""


def kill_marked(name: str, value: str, *, deadline_seconds: float = 5.0) -> int:
    """SIGKILL every process of ours with that mark, ourselves excepted, until none is left. How many there were.

    Looks again after each round, since a process may start another while it is being killed.
    """
    deadline = time.monotonic() + deadline_seconds
    killed: set[int] = set()
    while time.monotonic() < deadline:
        found = [pid for pid in marked(name, value) if _kill(pid, name, value)]
        if not found:
            break
        killed.update(found)
        time.sleep(0.02)
    return len(killed)


def marked(name: str, value: str) -> list[int]:
    """Processes of our user that were started with NAME=VALUE, ourselves and zombies excepted."""
    entry = f"{name}={value}".encode()
    return [pid for pid in _own_processes() if pid != os.getpid() and _carries(pid, entry)]


def start_ticks(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; with its number it names a process for good."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state_and_on = stat.rpartition(")")[2].split()
    return None if state_and_on[0] in "ZX" else int(state_and_on[19])


def _own_processes() -> Iterator[int]:
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                if entry.stat().st_uid == os.getuid():
                    yield int(entry.name)
            except FileNotFoundError:
                continue


def _carries(pid: int, entry: bytes) -> bool:
    try:
        return entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False


def _kill(pid: int, name: str, value: str) -> bool:
    """Kill through a handle taken before the mark is read, so that a reused number is never hit."""
    with _handle(pid) as handle:
        if handle is None or not _carries(pid, f"{name}={value}".encode()):
            return False
        try:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True


@contextmanager
def _handle(pid: int) -> Iterator[int | None]:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        yield None
        return
    try:
        yield handle
    finally:
        os.close(handle)

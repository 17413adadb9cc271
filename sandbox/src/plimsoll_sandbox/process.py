"""Child processes that cannot outlive us, and whose end is noticed without a thread per child.

Processes are only ever started from the main thread: the kernel's parent-death signal is sent when the *thread* that
started a process ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


class Child:
    """One process in a session of its own. Its number stays valid until `wait` has returned."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._descriptor = os.pidfd_open(process.pid)
        asyncio.get_running_loop().add_reader(self._descriptor, self._reap)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return not self._ended.done()

    async def wait(self) -> int:
        """The exit code; minus the signal's number when a signal ended it."""
        return await asyncio.shield(self._ended)

    async def ends_within(self, seconds: float) -> bool:
        done, _ = await asyncio.wait({self._ended}, timeout=max(0.0, seconds))
        return bool(done)

    def send(self, number: signal.Signals) -> None:
        """Signal the process alone, as a container runtime signals a container's first process."""
        if self.is_running:
            signal.pidfd_send_signal(self._descriptor, number)

    def kill_group(self) -> None:
        """Kill the process and whatever it started and left in its group, also after its own end."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def _reap(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._descriptor)
        # The group goes while its leader's number cannot have been given to another process.
        self.kill_group()
        os.close(self._descriptor)
        self._ended.set_result(self._process.wait())


def start(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    folder: Path,
    output: int,
    on_our_death: signal.Signals = signal.SIGKILL,
) -> Child:
    """Start `command`; both its output streams go to the file descriptor `output`. Raises OSError."""
    process = subprocess.Popen(  # noqa: S603 - running what it is told is what this is for
        [str(part) for part in command],
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
        preexec_fn=_die_with(os.getpid(), on_our_death),
    )
    return Child(process)


def adopt_orphans() -> None:
    """Make this process the parent of descendants whose own parent ended, so that none slips away."""
    if _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


def _die_with(parent: int, number: signal.Signals) -> Callable[[], None]:
    def in_child() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # The parent ended before the kernel was told.
            os._exit(1)

    return in_child

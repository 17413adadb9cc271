"""Runs one long command: output in a log, a deadline, and nothing left running whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plimsoll_sandbox.toolchain.diagnosis import advice, without_hosts
from plimsoll_sandbox.toolchain.errors import ToolchainError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from typing import TextIO

POLL_SECONDS = 0.25
KILL_AFTER_SECONDS = 5
SHOWN_LINES = 15

# The kernel ends the command when we die, even by SIGKILL: nothing else could. Set by a program in between, since code
# between fork and exec is unsafe in a process that has threads.
DIE_WITH_PARENT = (
    "import ctypes, os, signal, sys\n"
    "ctypes.CDLL(None).prctl(1, signal.SIGKILL)\n"  # PR_SET_PDEATHSIG
    "os.execvp(sys.argv[1], sys.argv[1:])"
)


@dataclass(frozen=True)
class Command:
    """A command and the bounds that it runs in."""

    purpose: str  # subject of the sentence "… failed"
    arguments: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    log: Path
    deadline_seconds: float


def run(command: Command, watch: Callable[[str], None]) -> None:
    """Run to the end; `watch` hears each line of output, and an empty one when there was none for a moment."""
    command.log.parent.mkdir(parents=True, exist_ok=True)
    with (
        command.log.open("wb") as output,
        command.log.open(encoding="utf-8", errors="replace") as written,
        _started(command, output.fileno()) as process,
    ):
        _follow(command, process, written, watch)
    if process.returncode != 0:
        raise _failure(command, f"failed with status {process.returncode}")


def _follow(command: Command, process: subprocess.Popen[bytes], written: TextIO, watch: Callable[[str], None]) -> None:
    deadline = time.monotonic() + command.deadline_seconds
    running = True
    while running:
        running = process.poll() is None  # asked before reading, so that the last lines are not missed
        for line in written.readlines() or [""]:
            watch(line.rstrip("\n"))
        if running and time.monotonic() > deadline:
            raise _failure(command, f"was not done after {command.deadline_seconds:.0f} s")
        if running:
            time.sleep(POLL_SECONDS)


@contextmanager
def _started(command: Command, output: int) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(  # noqa: S603 - the arguments are ours
        [sys.executable, "-I", "-S", "-c", DIE_WITH_PARENT, *command.arguments],
        cwd=command.folder,
        env=dict(command.environment),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command and what it has started, first politely."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        os.killpg(process.pid, number)
        try:
            process.wait(KILL_AFTER_SECONDS)
        except subprocess.TimeoutExpired:
            continue


def _failure(command: Command, what: str) -> ToolchainError:
    lines = command.log.read_text(encoding="utf-8", errors="replace").splitlines()
    shown = [f"  {without_hosts(line)}" for line in lines[-SHOWN_LINES:]]
    return ToolchainError("\n".join([f"{command.purpose} {what}. {advice(lines)}", f"Log: {command.log}", *shown]))

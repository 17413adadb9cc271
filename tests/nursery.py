"""Operators by the dozen: one process imports the operator once, and forks a process of its own for each.

What it forks is the operator's command with an environment, a log and a process id, to be killed as any other. It
spares the two seconds that every start would take to import.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Nursery:
    """Started by `nursery`."""

    process: subprocess.Popen[str]

    def start(self, environment: Mapping[str, str], log: Path) -> int:
        """Start an operator. Its process id; it is not ours to wait for."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"environment": dict(environment), "log": str(log)}) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@contextmanager
def nursery() -> Iterator[Nursery]:
    """Every operator that was started ends with it, also when this process is killed."""
    with subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as one:
        try:
            yield Nursery(one)
        finally:
            assert one.stdin is not None
            one.stdin.close()
            one.wait(10)


def _raise_operators() -> None:
    import plimsoll_operator.main  # noqa: F401  before the first fork, so that each shares it

    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _operate(order["environment"], order["log"])
        # None is ever waited for, so that no process id is given out twice.
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _operate(environment: Mapping[str, str], log: str) -> None:
    from plimsoll_operator.main import main

    _die_with_parent()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, stream in ((os.open(os.devnull, os.O_RDONLY), 0), (output, 1), (output, 2)):
        os.dup2(source, stream)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["plimsoll-operator", "run"]
    main()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


if __name__ == "__main__":
    _raise_operators()

"""The side that asks: starts contestants and has them run in turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bootstrap import DIE_WITH_PARENT

from plimsoll_server.library_settings import set_for_serving

TIED = (sys.executable, "-I", "-S", "-c", DIE_WITH_PARENT)
"""Before a command: it ends with this process, however that ends."""

BENCH = Path(__file__).resolve().parent.parent / "bench.py"
_ANSWER_SECONDS = 900.0
"""For one answer: a long text on a slow and busy machine. After that the contestant is ended."""


def _served() -> dict[str, str]:
    settings = {"MALLOC_MMAP_THRESHOLD_": "16777216", "MALLOC_TRIM_THRESHOLD_": "33554432"}
    set_for_serving(settings)
    return settings


SERVED: Mapping[str, str] = MappingProxyType(_served())
"""What Plimsoll's image and its `serve` set. Others run in the environment that they are found in."""

ENVIRONMENTS: Mapping[str, Mapping[str, str]] = {"plimsoll": SERVED, "linear layers": SERVED}

_ONE_THREAD = MappingProxyType({"OMP_NUM_THREADS": "1"})

_TELLING_SECONDS = 0.3
_MOST_TIMES = 20


class ContestError(Exception):
    """A contestant gave no answer. The message says which, and where its words are."""


class Contestant:
    """A process that runs sequences when asked to."""

    def __init__(self, name: str, process: subprocess.Popen[str], clock: str) -> None:
        self.name = name
        self._process = process
        self._clock = clock

    def ask(self, **order: Any) -> dict[str, Any]:
        """Raises ContestError when there is no answer."""
        if self._process.stdin is None or self._process.stdout is None:
            raise ContestError(f"{self.name} was started without pipes")
        giving_up = threading.Timer(_ANSWER_SECONDS, self._process.kill)
        giving_up.start()
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            giving_up.cancel()
        if not line:
            raise ContestError(f"{self.name} ended, or took more than {_ANSWER_SECONDS:.0f} s, when asked: {order}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def seconds(self, tokens: int, times: int = 1) -> float:
        return float(self.ask(do="time", tokens=tokens, times=times)[self._clock])


@contextmanager
def contestant(name: str, folder: Path, *, shared: bool = False) -> Iterator[Contestant]:
    """Starts one; it never outlives the block. What it complains of goes to our standard error.

    `shared`: on a machine with other work, one thread and its processor time tell more than a clock on the wall, since
    two threads wait for each other as often as one of them is put off.
    """
    process = subprocess.Popen(  # noqa: S603 - our own program
        [*TIED, sys.executable, str(BENCH), "contestant", name, str(folder)],
        env={**os.environ, "TQDM_DISABLE": "1", **ENVIRONMENTS.get(name, {}), **(_ONE_THREAD if shared else {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Contestant(name, process, "cpu_seconds" if shared else "seconds")
    finally:
        process.kill()
        with suppress(BrokenPipeError):  # of an order that it did not read
            process.communicate(timeout=30)


@contextmanager
def contestants(names: Sequence[str], folder: Path, *, shared: bool = False) -> Iterator[dict[str, Contestant]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(contestant(name, folder, shared=shared)) for name in names}


def interleaved(entrants: Mapping[str, Contestant], tokens: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of each in every round; the order turns, so that nobody is always the first or the last.

    Short runs are repeated within a round until they take long enough to be timed.
    """
    times = {}
    for name, entrant in entrants.items():
        entrant.seconds(tokens)  # warms up
        times[name] = max(1, min(_MOST_TIMES, round(_TELLING_SECONDS / entrant.seconds(tokens))))
    order = list(entrants)
    found: dict[str, list[float]] = {name: [] for name in order}
    for _ in range(rounds):
        for name in order:
            found[name].append(entrants[name].seconds(tokens, times[name]))
        order.append(order.pop(0))
    return found

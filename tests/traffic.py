"""Requests at a steady rate beside a test, and what became of each one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cluster_kit import eventually

PROGRAM = Path(__file__).with_name("traffic_client.py")
END_SECONDS = 150


@dataclass(frozen=True)
class Load:
    """The `bodies` in turn, `rate` times a second, or as soon as fewer than `at_once` are under way."""

    bodies: Sequence[Any]
    rate: float
    at_once: int = 1_000
    enough: int = 40
    """Answers that tell that all is well, before a change and after it."""


@dataclass(frozen=True)
class Answer:
    """Of one request that was asked once. Moments in seconds of the epoch; `status` 0 where no answer came."""

    asked: float
    answered: float
    status: int
    error: str = ""
    kept: bool = False
    """Asked over a connection that earlier requests had used, if any of them left it."""
    revision: str = ""
    """Which one answered, as the server says; empty where nobody answered."""
    replica: str = ""

    @property
    def good(self) -> bool:
        return self.status == 200

    @property
    def seconds(self) -> float:
        return self.answered - self.asked

    def __str__(self) -> str:
        return f"{self.status} from {self.revision or 'nobody'} after {self.seconds:.2f} s: {self.error}"


@dataclass(frozen=True)
class Traffic:
    """Started by `traffic`. Its records may be read while it runs."""

    records: Path
    process: subprocess.Popen[str]

    def say(self, order: Any) -> None:
        """A line of the client's input."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def answers(self) -> list[Answer]:
        """In the order in which they came."""
        complete = self.records.read_text().rpartition("\n")[0] if self.records.exists() else ""
        return [Answer(**json.loads(line)) for line in complete.splitlines()]

    def wait_for_more(self, count: int, deadline: float = 180) -> None:
        """Until so many more requests were answered well."""
        enough = sum(answer.good for answer in self.answers()) + count
        eventually(
            lambda: sum(answer.good for answer in self.answers()) >= enough,
            deadline,
            lambda: f"{[str(answer) for answer in self.answers()[-3:]]}, exit code {self.process.poll()}",
        )

    def ask_at_once(self, count: int) -> None:
        """From now on so many requests may be under way."""
        self.say(count)

    def end(self) -> list[Answer]:
        """Stop, and wait for the answers under way."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(END_SECONDS) == 0
        return self.answers()


@contextmanager
def traffic(url: str, load: Load, folder: Path) -> Iterator[Traffic]:
    """POST to `url` until the block ends or `end` is called."""
    order = {"url": url, **asdict(load), "out": str(folder / "answers.jsonl")}
    with subprocess.Popen([sys.executable, str(PROGRAM)], stdin=subprocess.PIPE, text=True) as process:
        found = Traffic(folder / "answers.jsonl", process)
        try:
            found.say(order)
            yield found
        finally:
            process.kill()

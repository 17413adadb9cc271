"""Short batches that do not wait behind the batch that runs: they run within it, between two of its layers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from plimsoll_server.types import BatchReport, Failure, Tokens


@dataclass(eq=False, slots=True)
class _Guest:
    batch: Sequence[Tokens]
    report: Future[BatchReport] = field(default_factory=Future)


class Guests:
    """Those that wait. Any thread may add one; only the engine's thread, which `run` belongs to, serves them."""

    def __init__(self, run: Callable[[Sequence[Tokens]], BatchReport]) -> None:
        self._run = run
        self._waiting: deque[_Guest] = deque()
        self._crowded_out: deque[_Guest] = deque()
        """Those for which there was no memory beside the other batch."""

    def add(self, batch: Sequence[Tokens]) -> Future[BatchReport]:
        guest = _Guest(batch)
        self._waiting.append(guest)
        return guest.report

    def serve_one_within(self) -> None:
        """Between two layers of another batch: what finds no memory now gets its turn once that batch is done."""
        guest = self._next()
        if guest is None:
            return
        report = self._attempt(guest)
        if report is not None and Failure.OUT_OF_MEMORY in report.outcomes:
            self._crowded_out.append(guest)
        elif report is not None:
            guest.report.set_result(report)

    def serve_one(self) -> None:
        """With the device to itself."""
        guest = self._crowded_out.popleft() if self._crowded_out else self._next()
        report = None if guest is None else self._attempt(guest)
        if guest is not None and report is not None:
            guest.report.set_result(report)

    def _next(self) -> _Guest | None:
        """The one that has waited longest; those whose caller is gone are let go."""
        while self._waiting:
            guest = self._waiting.popleft()
            if guest.report.set_running_or_notify_cancel():
                return guest
        return None

    def _attempt(self, guest: _Guest) -> BatchReport | None:
        """None when the model failed: whoever waits is told, and the batch around it goes on."""
        try:
            return self._run(guest.batch)
        except Exception as error:  # noqa: BLE001  handed on whole, as a thread pool does
            guest.report.set_exception(error)
            return None

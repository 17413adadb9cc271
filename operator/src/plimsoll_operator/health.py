"""/healthz: is the operator still looking after its objects?

It tells of the work itself. One that leads: the resync turns, and the apiserver answers its list. One that stands by:
the apiserver answers what it asks about the Lease.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus

from plimsoll_operator.listener import Answer

MISSED_PERIODS = 3
"""Resync periods without a sign of life after which the operator is to be restarted."""


class Heartbeat:
    """When the apiserver last answered, and when the resync last turned and was answered, by `clock` in seconds."""

    def __init__(self, period: timedelta, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._limit = MISSED_PERIODS * period.total_seconds()
        # A new process gets the same time to get its first answer, and a new leader to make its first round.
        self._answered = self._turned = self._listed = clock()
        self._leading = False

    def answered(self) -> None:
        self._answered = self._clock()

    def leads(self) -> None:
        """From now on the resync has to turn. The Lease is not for /healthz then: without it the process ends."""
        self._leading = True
        self._turned = self._listed = self._clock()

    def turned(self) -> None:
        self._turned = self._clock()

    def listed(self) -> None:
        self._listed = self._clock()

    def complaint(self) -> str:
        """What is wrong, or nothing."""
        return self._complaint_of_leader() if self._leading else self._complaint_of_standby()

    def _complaint_of_standby(self) -> str:
        silent = self._clock() - self._answered
        if silent <= self._limit:
            return ""
        return (
            f"standing by: the apiserver last answered {silent:.0f} s ago, expected within {self._limit:.0f} s: "
            "the log has its answer"
        )

    def _complaint_of_leader(self) -> str:
        now = self._clock()
        if now - self._turned > self._limit:
            return f"the resync last turned {now - self._turned:.0f} s ago, expected within {self._limit:.0f} s"
        if now - self._listed > self._limit:
            return (
                f"the apiserver last listed the InferenceDeployments {now - self._listed:.0f} s ago, "
                f"expected within {self._limit:.0f} s: the log has its answer"
            )
        return ""

    def page(self) -> Answer:
        """The answer to a liveness probe."""
        complaint = self.complaint()
        status = HTTPStatus.SERVICE_UNAVAILABLE if complaint else HTTPStatus.OK
        return Answer(status, "text/plain; charset=utf-8", f"{complaint or 'ok'}\n".encode())

"""A job's turn: some seconds in which its next slices are asked. Then the next job has its own, so that a short job
does not wait for a long one to end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from redis.lock import Lock

from plimsoll_server.jobs.asking import Answered, Busy, Lost, Refused, Server
from plimsoll_server.jobs.records import OPEN, TOO_LATE, Job, Slice, State
from plimsoll_server.jobs.store import Store

log = logging.getLogger(__name__)

_ATTEMPTS = 3
"""Of the same texts, that ended without an answer: they may be what ends the server."""
_PAUSE_SECONDS = 1.0
_NO_ANSWER = {
    "error": f"the server gave no answer to this text, {_ATTEMPTS} times: it may be too much for it",
    "error_type": "Timeout",
}


@dataclass(frozen=True)
class Turns:
    store: Store
    server: Server
    turn_seconds: float
    lease_seconds: float
    sleep: Callable[[float], None] = time.sleep

    def take(self, id_: str) -> bool:
        """Whether the job wants another turn. Raises AwayError.

        A message may come twice, since one that is not acknowledged in time is sent again; whoever comes second leaves.
        """
        with self.store.leased(id_, self.lease_seconds) as lease:
            job = self.store.find(id_)
            if lease is None or job is None or job.state not in OPEN:
                return False
            if job.state is State.QUEUED:
                log.info("job %s begins: %d inputs for %s", id_, job.inputs, job.path)
                self.store.move(job, State.RUNNING)
            return self._work(job, lease)

    def _work(self, job: Job, lease: Lock) -> bool:
        ends = time.monotonic() + self.turn_seconds
        while True:
            if not self._step(job):
                return False
            if time.monotonic() >= ends or not self.store.renewed(lease):
                return True

    def _step(self, job: Job) -> bool:
        """Whether there is more to do."""
        slice_ = self.store.next_slice(job)
        if slice_ is None:
            if self.store.move(job, State.DONE):
                log.info("job %s is done", job.id)
            return False
        if job.is_late(time.time()):
            if self.store.move(job, State.FAILED, error=TOO_LATE):
                log.warning("job %s was not done by its deadline", job.id)
            return False
        match self.server.ask(job, slice_):
            case Answered(answers, truncated):
                return self.store.keep(job, slice_, answers, failed=0, truncated_tokens=truncated)
            case Busy(seconds, why):
                log.info("job %s waits %g s: %s", job.id, seconds, why)
                self.sleep(max(0.0, min(seconds, job.deadline - time.time())))
            case Lost(why):
                return self._lost(job, slice_, why)
            case Refused(error):
                return self._refused(job, slice_, error)
        return True

    def _lost(self, job: Job, slice_: Slice, why: str) -> bool:
        log.warning("job %s: no answer to the %d inputs from %d on: %s", job.id, len(slice_.texts), slice_.offset, why)
        if slice_.attempts + 1 >= _ATTEMPTS:
            return self._refused(job, slice_, _NO_ANSWER)
        self.store.replace(job, slice_, [replace(slice_, attempts=slice_.attempts + 1)])
        self.sleep(_PAUSE_SECONDS)
        return True

    def _refused(self, job: Job, slice_: Slice, error: object) -> bool:
        """Of several, each is asked alone: one that cannot be answered takes no other's answer."""
        if len(slice_.texts) == 1:
            return self.store.keep(job, slice_, [error], failed=1, truncated_tokens=0)
        self.store.replace(
            job, slice_, [Slice(at, [text]) for at, text in enumerate(slice_.texts, start=slice_.offset)]
        )
        return True

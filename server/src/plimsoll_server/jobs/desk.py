"""Where a server takes jobs and tells of them. Redis is asked on threads: requests for answers wait for none of it."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import math
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from plimsoll_server.jobs.errors import AwayError, JobsAwayError, NoSuchJobError, TooManyJobsError
from plimsoll_server.jobs.records import OPEN, TOO_LATE, Job, Slice, State, slices_of
from plimsoll_server.jobs.store import Store
from plimsoll_server.redis_url import parse_redis_url
from plimsoll_server.renewed_file import FileError, RenewedFile
from plimsoll_server.settings import Settings

if TYPE_CHECKING:
    from celery import Celery

log = logging.getLogger(__name__)

Value = TypeVar("Value")

_THREADS = 2
_PUBLISH_SECONDS = 5.0
_ID_BYTES = 16
_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_AWAY_RETRY_AFTER = 5
_NO_WORKER_RETRY_AFTER = 60
_UNANSWERED = json.dumps({"error": TOO_LATE, "error_type": "Timeout"})


@dataclass(frozen=True)
class Terms:
    """On which jobs are taken."""

    deadline_seconds: float
    kept_seconds: float
    """After the end."""
    most: int
    """Jobs that are kept for one caller, ended ones among them."""


class Desk:
    def __init__(self, store: Store, url: Callable[[], str], deployment: str, terms: Terms) -> None:
        self._store = store
        self._url = url
        self._deployment = deployment
        self._terms = terms
        self._messages: Celery | None = None
        self._threads = ThreadPoolExecutor(_THREADS, "jobs")
        self._away = False

    async def submit(self, owner: str, path: str, fields: Mapping[str, Any], texts: Sequence[str]) -> Job:
        """The job, which waits for its first turn. Raises TooManyJobsError and JobsAwayError."""
        now = time.time()
        deadline = math.ceil(now + self._terms.deadline_seconds)
        kept = math.ceil(self._terms.kept_seconds)
        job = Job(
            id=secrets.token_urlsafe(_ID_BYTES),
            owner=owner,
            path=path,
            fields=fields,
            state=State.QUEUED,
            inputs=len(texts),
            created=int(now),
            deadline=deadline,
            expires=deadline + kept,
            kept=kept,
        )
        return await self._aside(lambda: self._submit(job, list(slices_of(texts))))

    async def look_up(self, owner: str, id_: str) -> Job:
        """Raises NoSuchJobError, for the job of another too, and JobsAwayError."""
        return await self._aside(lambda: self._look_up(owner, id_))

    async def cancel(self, owner: str, id_: str) -> Job:
        """As it is then. Of one that has ended, nothing is kept from now on. Raises as `look_up` does."""
        return await self._aside(lambda: self._cancel(owner, id_))

    async def answers(self, job: Job) -> AsyncIterator[str]:
        """One piece of JSON after the other, of one entry or of several with commas between, in the order of the
        inputs. Raises NoSuchJobError where the job expires meanwhile."""
        told = 0
        for offset, count in await self._aside(lambda: self._store.kept(job)):
            for _ in range(told, offset):
                yield _UNANSWERED
            content = await self._aside(partial(self._store.answers, job, offset, count))
            if content is None:
                raise NoSuchJobError("the job has expired")
            yield content[1:-1]
            told = offset + count
        for _ in range(told, job.inputs):
            yield _UNANSWERED

    async def publish(self, tell: Callable[[Mapping[str, int]], object]) -> None:
        """Tells how many jobs there are by state, of all callers, until cancelled; nothing where Redis says nothing."""
        while True:
            try:
                tell(await self._aside(self._store.counts))
            except JobsAwayError:
                tell({})
            await asyncio.sleep(_PUBLISH_SECONDS)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._store.close()
        self._hang_up()

    async def _aside(self, ask: Callable[[], Value]) -> Value:
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        except AwayError as error:
            if not self._away:
                log.warning("the Redis of the jobs does not answer (%s)", error)
            self._away = True
            raise JobsAwayError(
                "the Redis that holds the jobs does not answer; try again", retry_after=_AWAY_RETRY_AFTER
            ) from None
        self._away = False
        return found

    def _submit(self, job: Job, slices: Sequence[Slice]) -> Job:
        if not self._store.has_worker():
            raise JobsAwayError(
                "no worker has been seen that would do the job: start one, see docs/jobs.md",
                retry_after=_NO_WORKER_RETRY_AFTER,
            )
        if not self._store.add(job, slices, self._terms.most):
            raise TooManyJobsError(
                f"this caller has {self._terms.most} jobs here, and no more are kept (PLIMSOLL_JOBS_PER_CALLER); "
                "DELETE those whose answers are not needed any more",
                retry_after=_NO_WORKER_RETRY_AFTER,
            )
        try:
            self._send(job)
        except AwayError:
            self._store.forget(job)
            raise
        return job

    def _send(self, job: Job) -> None:
        # Whoever is sent no jobs needs not pay for their library.
        from kombu.exceptions import OperationalError

        from plimsoll_server.jobs.messages import messages, send_turn

        try:
            self._messages = self._messages or messages(self._url(), self._deployment)
            send_turn(self._messages, job.id)
        except (OperationalError, FileError) as error:
            # What the file says may have changed.
            self._hang_up()
            raise AwayError(type(error).__name__) from None

    def _hang_up(self) -> None:
        messages, self._messages = self._messages, None
        if messages is not None:
            messages.close()

    def _look_up(self, owner: str, id_: str) -> Job:
        job = self._store.find(id_) if _ID.fullmatch(id_) else None
        if job is None or not hmac.compare_digest(job.owner, owner):
            raise NoSuchJobError("there is no such job: it was not made here by this caller, or it has expired")
        if job.is_late(time.time()) and self._store.move(job, State.FAILED, error=TOO_LATE):
            return self._store.find(id_) or replace(job, state=State.FAILED, error=TOO_LATE)
        return job

    def _cancel(self, owner: str, id_: str) -> Job:
        job = self._look_up(owner, id_)
        if job.state in OPEN and self._store.move(job, State.CANCELLED):
            return replace(job, state=State.CANCELLED)
        if job.state is not State.CANCELLED:
            self._store.forget(job)
        return job


def open_desk(settings: Settings, url_file: Path) -> Desk:
    """For the jobs of this server's deployment, in the Redis that the file names: it is read before each connection."""
    deployment = f"{settings.namespace}/{settings.deployment}"

    def url() -> str:
        return RenewedFile(url_file, parse_redis_url).newest()

    terms = Terms(settings.jobs_deadline_seconds, settings.jobs_kept_seconds, settings.jobs_per_caller)
    return Desk(Store(url, deployment), url, deployment, terms)

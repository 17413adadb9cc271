"""The worker: a process that hands the texts of jobs to the server, a few at a time, and keeps the answers."""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from celery import Celery, Task
from celery.exceptions import Reject
from celery.signals import setup_logging
from kombu.exceptions import OperationalError

from plimsoll_server.jobs.asking import Server
from plimsoll_server.jobs.errors import AwayError
from plimsoll_server.jobs.messages import TURN, messages, send_turn
from plimsoll_server.jobs.records import State
from plimsoll_server.jobs.settings import WorkerSettings
from plimsoll_server.jobs.store import Store
from plimsoll_server.jobs.turns import Turns
from plimsoll_server.redis_url import parse_redis_url
from plimsoll_server.renewed_file import FileError, RenewedFile

log = logging.getLogger(__name__)

_LOOK_SECONDS = 20.0
_AWAY_SECONDS = 1.0
_MORE_SECONDS = 15.0
"""That an answer may come after the server's own deadline for it."""
_TURNS_PER_LOSS = 12
_LEASES_PER_LOSS = 2
"""A lease that a lost worker has left is over before its message is sent again, or nobody would take it up."""


def work(settings: WorkerSettings) -> int:
    """Works until told to end. Returns the exit code. Raises StartError."""
    url = RenewedFile(settings.redis_url_file, parse_redis_url)
    deployment = f"{settings.namespace}/{settings.deployment}"
    store = Store(url.read, deployment)
    turns = Turns(
        store,
        _server(settings),
        turn_seconds=settings.lost_seconds / _TURNS_PER_LOSS,
        lease_seconds=settings.lost_seconds / _LEASES_PER_LOSS,
    )
    app = messages(url.read(), deployment, settings.lost_seconds)
    _register(app, turns)
    # Its own would be text, and not JSON.
    setup_logging.connect(_leave_logs_alone, weak=False)
    threading.Thread(target=_look_after, args=(store, app), name="jobs", daemon=True).start()
    worker = app.Worker(quiet=True, without_gossip=True, without_mingle=True, without_heartbeat=True)
    worker.start()
    return int(worker.exitcode or 0)


def _register(app: Celery, turns: Turns) -> None:
    class Turn(Task):  # type: ignore[type-arg]
        name = TURN

        def run(self, id_: str) -> None:
            try:
                if turns.take(id_):
                    send_turn(app, id_)
            except (AwayError, OperationalError) as error:
                log.warning("the Redis of the jobs does not answer (%s)", error)
                time.sleep(_AWAY_SECONDS)
                raise Reject(requeue=True) from None

        def on_failure(self, exc: Any, task_id: Any, args: Any, kwargs: Any, einfo: Any) -> None:  # noqa: ARG002
            """A fault of the worker's own would come again with every turn."""
            if (job := turns.store.find(args[0])) is not None:
                turns.store.move(job, State.FAILED, error=f"a fault of the worker's own, {type(exc).__name__}")

    app.register_task(Turn())


def _leave_logs_alone(**_: object) -> None:
    for library in ("celery", "kombu"):
        logging.getLogger(library).setLevel(logging.WARNING)


def _look_after(store: Store, app: Celery) -> None:
    """Says that there is a worker, and has jobs taken up that no message tells of."""
    while True:
        try:
            store.sign_on()
            for id_ in store.forsaken():
                send_turn(app, id_)
        except (AwayError, OperationalError) as error:
            log.warning("the Redis of the jobs does not answer (%s)", error)
        time.sleep(_LOOK_SECONDS)


def _server(settings: WorkerSettings) -> Server:
    trust = None
    if settings.server_url.startswith("https:"):
        try:
            trust = ssl.create_default_context(cafile=settings.ca_file)
        except OSError as error:
            raise FileError(f"{settings.ca_file} holds no certificate: mount the authority's ca.crt there") from error
    patience = settings.request_deadline_seconds + _MORE_SECONDS
    return Server(settings.server_url, _newest_key(settings.key_file), patience, trust)


def _newest_key(file: Path | None) -> Callable[[], str]:
    if file is None:
        return lambda: ""
    keys = RenewedFile(file, _parse_key)

    def newest() -> str:
        keys.renew()
        return keys.newest()

    return newest


def _parse_key(content: bytes) -> str:
    key = content.strip()
    if not key or not all(0x21 <= byte <= 0x7E for byte in key):
        raise ValueError("expected one API key and nothing else, found something else: write one line")
    return key.decode("ascii")

"""The messages that tell workers which job has its turn: Celery's, through the same Redis.

A message holds the id of a job and nothing else. It is taken off the queue for good once its turn is over
(`task_acks_late`), a worker holds no other meanwhile (`worker_prefetch_multiplier`), and one whose worker has told
nothing for `visibility_timeout` seconds goes to another. The Redis of the answers is the store's: Celery keeps none.
"""

from __future__ import annotations

import ssl
from typing import Any

from celery import Celery

from plimsoll_server.jobs.store import QUEUE

TURN = "plimsoll.turn"
_PATIENCE_SECONDS = 5.0


def messages(url: str, deployment: str, lost_seconds: float = 0.0) -> Celery:
    """Of the jobs of `deployment`, in the Redis at `url`. `lost_seconds`, which a worker says: after so many without a
    word the worker that took a message is taken for lost."""
    app = Celery("plimsoll", broker=url, set_as_current=False)
    options: dict[str, Any] = {
        "global_keyprefix": f"plimsoll:jobs:{deployment}:",
        "socket_timeout": _PATIENCE_SECONDS,
        "socket_connect_timeout": _PATIENCE_SECONDS,
        # Messages of lost workers are looked for every ten seconds, and not every hundred.
        "unacked_restore_throttle": 1,
    }
    if lost_seconds:
        options["visibility_timeout"] = lost_seconds
    app.conf.update(
        # Never pickle: whoever can write to the Redis could run code.
        accept_content=["json"],
        task_serializer="json",
        task_default_queue=QUEUE,
        task_ignore_result=True,
        task_acks_late=True,
        worker_prefetch_multiplier=1,
        # One process, without children: nobody outlives it, and no second model is anywhere near.
        worker_pool="solo",
        worker_concurrency=1,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_transport_options=options,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=10,
        broker_use_ssl={"ssl_cert_reqs": ssl.CERT_REQUIRED} if url.startswith("rediss:") else None,
        # Tried by whoever sends, who knows whether anybody waits.
        task_publish_retry=False,
    )
    return app


def send_turn(app: Celery, id_: str) -> None:
    """Queue a turn of the job. Raises kombu's OperationalError where Redis does not answer."""
    app.send_task(TURN, args=[id_], argsrepr="", kwargsrepr="")

"""A thread in the place of the engine's, once that can make no kernels any more.

oneDNN writes the code of a kernel for numbers that it has not met. Where there is no memory for it, the generator keeps
the error for its thread (Xbyak, built without exceptions, never clears it): every further kernel fails there, whatever
memory there is by then, and the server would answer no text of a new length any more. Other threads make them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from plimsoll_server.engine.memory import Budget, is_want_of_a_kernel
from plimsoll_server.engine.threads import start_threads

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class StandIn:
    """Used on the engine's thread, and on that in its place by what runs within its work."""

    def __init__(self, budget: Budget | None) -> None:
        self._budget = budget
        self._pool: ThreadPoolExecutor | None = None
        """Of one thread. None: the engine's own is fit."""
        self._spent = False
        self._here = threading.local()

    def run(self, work: Callable[[], Result]) -> Result:
        """On a thread that makes kernels, as far as is known. Raises what `work` raises."""
        if self._spent:
            self._replace()
        pool = self._pool
        try:
            if pool is None or getattr(self._here, "pool", None) is pool:
                return work()
            return pool.submit(work).result()
        except RuntimeError as error:
            # A guest of this work may have had it replaced already.
            if is_want_of_a_kernel(error) and pool is self._pool:
                self._spent = True
            raise

    def _replace(self) -> None:
        """Not before there is room again: torch's threads end the process where there is none for their stacks."""
        log.warning(
            "the engine's thread found no memory for a kernel, and makes none any more: another takes its place"
        )
        threads = torch.get_num_threads()
        if self._budget is not None:
            self._budget.hold(threads_to_come=threads + 1)
        pool = ThreadPoolExecutor(1, thread_name_prefix="engine")
        pool.submit(self._start, pool, threads).result()
        if self._pool is not None:
            self._pool.shutdown(wait=False)
        self._pool, self._spent = pool, False

    def _start(self, pool: ThreadPoolExecutor, threads: int) -> None:
        self._here.pool = pool
        start_threads(threads)

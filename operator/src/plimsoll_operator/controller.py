"""One reconcile from end to end: observe, decide, carry out; and what becomes of one that fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from plimsoll_operator.cluster.apply import OwnerChangedError, OwnerGoneError, carry_out
from plimsoll_operator.cluster.compatibility import InstalledCrd
from plimsoll_operator.cluster.errors import ForbiddenError, InvalidError, KubeError, SchemaTooOldError
from plimsoll_operator.cluster.kube import Kube
from plimsoll_operator.cluster.observe import Key, Observer
from plimsoll_operator.cluster.parse import UnreadableObjectError
from plimsoll_operator.observed import Observed
from plimsoll_operator.plan import Plan
from plimsoll_operator.reconcile import Policy, reconcile
from plimsoll_operator.standstill import crd_outdated, write_refused
from plimsoll_operator.telemetry import Telemetry
from plimsoll_operator.workqueue import Failure

logger = logging.getLogger(__name__)

DEADLINE_SECONDS = 120.0
"""For one reconcile as a whole, above the timeout of each of its requests."""

LOOK_AGAIN = timedelta(milliseconds=100)
"""After an object changed under its reconcile: at once, but not in a tight loop with whoever changes it."""


@dataclass(frozen=True)
class Controller:
    """Reconciles one key at a time; the queue decides which and when."""

    kube: Kube
    observer: Observer
    crd: InstalledCrd
    policy: Policy
    telemetry: Telemetry
    now: Callable[[], datetime]

    async def work(self, key: Key) -> timedelta | None:
        """Bring one object to what its spec asks. Returns when to look again without being told."""
        with self.telemetry.timed_reconcile():
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await self._reconcile(key)

    async def _reconcile(self, key: Key) -> timedelta | None:
        await self.crd.known.wait()
        observed = await self.observer.observe(key)
        if observed is None:
            return None
        plan = self._decide(observed)
        try:
            await carry_out(self.kube, observed, plan, self.now())
        except OwnerGoneError as error:
            logger.info("went away while it was reconciled: %s", error, extra={"object": str(key)})
            return None
        except OwnerChangedError:
            return LOOK_AGAIN
        except (ForbiddenError, InvalidError) as error:
            await self._tell(observed, write_refused(observed, str(error), self.now()))
            raise
        except SchemaTooOldError as error:
            await self._tell(observed, crd_outdated(observed, str(error), self.now()))
            # From now on for every object, before anything of it is written.
            await self.crd.look()
            raise
        return plan.requeue_after

    async def _tell(self, observed: Observed, plan: Plan) -> None:
        """Say of the object what stands in its way. One that is another by now is reconciled again, and told then."""
        with suppress(OwnerGoneError, OwnerChangedError):
            await carry_out(self.kube, observed, plan, self.now())

    def _decide(self, observed: Observed) -> Plan:
        if self.crd.missing:
            return crd_outdated(observed, f"it lacks {', '.join(self.crd.missing)}", self.now())
        return reconcile(observed, self.policy, self.now())

    def report(self, failure: Failure[Key]) -> None:
        """Count and log a failed reconcile. What the cluster can answer is a line; anything else is a bug."""
        reason = reason_of(failure.error)
        self.telemetry.failed(reason)
        logger.log(
            logging.ERROR if reason == "Internal" else logging.WARNING,
            "reconcile failed, attempt %d, next in %.1f s: %s",
            failure.count,
            failure.delay,
            str(failure.error) or type(failure.error).__name__,
            exc_info=failure.error if reason == "Internal" else None,
            extra={"object": str(failure.key), "reason": reason},
        )


def reason_of(error: Exception) -> str:
    """One word for a failure, for logs and metrics."""
    match error:
        case KubeError():
            return error.reason
        case UnreadableObjectError():
            return "UnreadableObject"
        case TimeoutError():
            return "DeadlineExceeded"
        case _:
            return "Internal"

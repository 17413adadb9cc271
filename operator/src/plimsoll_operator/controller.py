"""One reconcile from end to end: observe, decide, carry out; and what becomes of one that fails."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from plimsoll_operator.cluster import kinds
from plimsoll_operator.cluster.apply import REFUSALS, OwnerChangedError, OwnerGoneError, carry_out
from plimsoll_operator.cluster.compatibility import InstalledCrd
from plimsoll_operator.cluster.errors import KubeError, SchemaTooOldError
from plimsoll_operator.cluster.kube import Kube
from plimsoll_operator.cluster.observe import Key, Observer
from plimsoll_operator.observed import ObjectKey, Observed
from plimsoll_operator.plan import Plan
from plimsoll_operator.reconcile import Policy, reconcile
from plimsoll_operator.standstill import crd_outdated, write_failing, write_refused
from plimsoll_operator.telemetry import Telemetry
from plimsoll_operator.workqueue import Failure

logger = logging.getLogger(__name__)

DEADLINE_SECONDS = 120.0
"""For one reconcile as a whole, above the timeout of each of its requests."""

LOOK_AGAIN = timedelta(milliseconds=100)
"""After an object changed under its reconcile: at once, but not in a tight loop with whoever changes it."""

TELL_AFTER = 4
"""Failures in a row, some three seconds: shorter than what an apiserver takes to restart is nobody's business."""

UNWRITTEN = timedelta(seconds=2)
"""Before a new revision of a spec that nobody has written since it was last acted on. That is a restart, or a GPU
profile that has appeared; or one of several apiservers hides fields of which the one that is asked knows still."""


@dataclass(frozen=True)
class Controller:
    """Reconciles one key at a time; the queue decides which and when."""

    kube: Kube
    observer: Observer
    crd: InstalledCrd
    policy: Policy
    telemetry: Telemetry
    now: Callable[[], datetime]
    failures: Counter[Key] = field(default_factory=Counter)
    """Of writes that may yet succeed, in a row."""

    async def work(self, key: Key) -> timedelta | None:
        """Bring one object to what its spec asks. Returns when to look again without being told."""
        with self.telemetry.timed_reconcile():
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await self._reconcile(key)

    async def _reconcile(self, key: Key) -> timedelta | None:
        await self.crd.known.wait()
        found = await self._look(key)
        if found is not None and _is_remade(*found):
            await asyncio.sleep(UNWRITTEN.total_seconds())
            found = await self._look(key)
        again = None if found is None else await self._bring_about(key, *found)
        del self.failures[key]
        return again

    async def _look(self, key: Key) -> tuple[Observed, Plan] | None:
        """What there is of an object and what to do about it; None for one that is gone."""
        observed = await self.observer.observe(key)
        if observed is None:
            self.telemetry.rollouts.gone(key)
            return None
        return observed, self._decide(observed)

    async def _bring_about(self, key: Key, observed: Observed, plan: Plan) -> timedelta | None:
        lasting = self.failures[key] + 1 >= TELL_AFTER
        try:
            plan = await self._still_fits(observed, plan)
            await carry_out(self.kube, observed, plan, self.now(), events_may_fail=lasting)
        except OwnerGoneError as error:
            logger.info("went away while it was reconciled: %s", error, extra={"object": str(key)})
            return None
        except OwnerChangedError:
            return LOOK_AGAIN
        except REFUSALS as error:
            await self._tell(observed, write_refused(observed, str(error), self.now()))
            raise
        except SchemaTooOldError as error:
            await self._tell(observed, crd_outdated(observed, str(error), self.now()))
            # From now on for every object, before anything of it is written.
            await self.crd.look()
            raise
        except KubeError as error:
            self.failures[key] += 1
            if lasting:
                await self._tell(observed, write_failing(observed, str(error), self.now()))
            raise
        stored = observed.owner.status
        self.telemetry.rollouts.told(key, stored if plan.status is None else plan.status, plan.events)
        return plan.requeue_after

    async def _tell(self, observed: Observed, plan: Plan) -> None:
        """Say of the object what stands in its way. One that is another by now is reconciled again, and told then."""
        with suppress(OwnerGoneError, OwnerChangedError):
            await carry_out(self.kube, observed, plan, self.now(), events_may_fail=True)

    async def _still_fits(self, observed: Observed, plan: Plan) -> Plan:
        """The plan, unless the CRD has gone back to one that hides fields: then only that is said.

        Asked after the object was read and before anything but words is written; at rest nothing is asked.
        """
        if plan.touches:
            await self.crd.confirm()
        return self._decide(observed) if self.crd.missing else plan

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


def _is_remade(observed: Observed, plan: Plan) -> bool:
    """Something runs, and gets a new revision though the spec is the one that was last acted on."""
    written = observed.owner.status.get("observedGeneration") != observed.owner.generation
    if written or not observed.workloads:
        return False
    made = {ObjectKey.of(manifest) for manifest in plan.apply} - observed.children.keys()
    return any(key.kind == kinds.CONTROLLER_REVISION.kind for key in made)


def reason_of(error: Exception) -> str:
    """One word for a failure, for logs and metrics."""
    match error:
        case KubeError():
            return error.reason
        case TimeoutError():
            return "DeadlineExceeded"
        case _:
            return "Internal"

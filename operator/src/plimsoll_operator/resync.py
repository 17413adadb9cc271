"""Looks at every object once in a while, whatever the watches said: the sign of life that /healthz tells of.

The events of a watch are hints and may be lost; this is not. It also picks up what no watch covers: a changed GPU
profile table, a claim that has appeared.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from plimsoll_operator.census import take_census
from plimsoll_operator.cluster.errors import KubeError, NotFoundError
from plimsoll_operator.cluster.kinds import INFERENCE_DEPLOYMENT
from plimsoll_operator.cluster.kube import Kube
from plimsoll_operator.cluster.observe import Key
from plimsoll_operator.health import Heartbeat
from plimsoll_operator.supervision import either
from plimsoll_operator.telemetry import Telemetry

logger = logging.getLogger(__name__)

RETRY = timedelta(seconds=5)
"""Until the next list after one that failed; at most the period itself."""

AFTER_A_GAP = timedelta(seconds=3)
"""After a watch tries again: by then it tells of changes, and the list of what was deleted while it was away."""


@dataclass(frozen=True)
class Resync:
    """Lists the objects of `namespace` (empty: of all) every `period` and enqueues each, spread over the next.

    `served` is set once the apiserver has answered and tells of the kind to whoever asks what there is to watch.
    """

    kube: Kube
    namespace: str
    period: timedelta
    enqueue: Callable[[Key, timedelta], None]
    heartbeat: Heartbeat
    telemetry: Telemetry
    served: asyncio.Event = field(default_factory=asyncio.Event)
    gap: asyncio.Event = field(default_factory=asyncio.Event)

    def after_a_gap(self) -> None:
        """A watch was away and is tried again: look at every object soon, whatever the period."""
        asyncio.get_running_loop().call_later(AFTER_A_GAP.total_seconds(), self.gap.set)

    async def run(self, stop: asyncio.Event) -> None:
        """Turn until `stop` is set."""
        while not stop.is_set():
            # All watches come back at about the same time: one look serves those that have until now.
            self.gap.clear()
            pause = await self._turn()
            self.heartbeat.turned()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause.total_seconds()):
                    await either(stop, self.gap)

    async def _turn(self) -> timedelta:
        """One look at every object. Returns the pause until the next."""
        try:
            objects = await self.kube.list_all(INFERENCE_DEPLOYMENT, self.namespace)
            self.heartbeat.listed()
            self.telemetry.counted(take_census(objects))
            keys = [Key(manifest["metadata"]["namespace"], manifest["metadata"]["name"]) for manifest in objects]
            self.telemetry.rollouts.there_are(set(keys))
            for key, after in zip(keys, self._spread(len(keys)), strict=True):
                self.enqueue(key, after)
            if not self.served.is_set() and await self.kube.discovers(INFERENCE_DEPLOYMENT):
                self.served.set()
        except KubeError as error:
            self._report(error)
            return min(self.period, RETRY)
        return self.period if self.served.is_set() else min(self.period, RETRY)

    def _spread(self, count: int) -> Iterator[timedelta]:
        """When each of the objects is looked at: evenly over the period, so that no change waits behind all of them.

        In the first turn at once: nobody knows what happened before.
        """
        period = self.period if self.served.is_set() else timedelta(0)
        return (period * number / count for number in range(count))

    def _report(self, error: KubeError) -> None:
        self.telemetry.failed(error.reason)
        # A list of none would be empty: the apiserver does not know the kind at all.
        missing = isinstance(error, NotFoundError)
        advice = ". The CRD is missing: install it, it comes with the chart" if missing else ""
        logger.warning("cannot list InferenceDeployments: %s%s", error, advice, extra={"reason": error.reason})

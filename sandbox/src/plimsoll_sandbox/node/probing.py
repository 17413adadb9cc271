"""Probes of one running container: when they are tried, and what their results mean for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from plimsoll_sandbox.node.actor import Actor, Outcome
from plimsoll_sandbox.node.spec.actions import Probe
from plimsoll_sandbox.node.spec.containers import Container


class Probed(Protocol):
    """What probes tell their container."""

    def has_started(self) -> None: ...

    def set_ready(self, ready: bool) -> None: ...

    def probe_failed(self, kind: str, message: str) -> None:
        """One failure, whatever the threshold."""

    def end_for(self, kind: str, grace_seconds: float | None) -> None:
        """The startup or liveness probe has failed for good."""


async def probe_container(container: Container, actor: Actor, probed: Probed) -> None:
    """Startup first; once that has passed, liveness and readiness side by side until cancelled."""
    if container.startup is not None:
        async for passed in _verdicts(container.startup, "Startup", actor, probed):
            if passed:
                break
            probed.end_for("startup", container.startup.grace_seconds)
            return
    probed.has_started()
    async with asyncio.TaskGroup() as group:
        if container.readiness is None:
            probed.set_ready(True)
        else:
            group.create_task(_watch_readiness(container.readiness, actor, probed))
        if container.liveness is not None:
            group.create_task(_watch_liveness(container.liveness, actor, probed))


async def _watch_readiness(probe: Probe, actor: Actor, probed: Probed) -> None:
    async for passed in _verdicts(probe, "Readiness", actor, probed):
        probed.set_ready(passed)


async def _watch_liveness(probe: Probe, actor: Actor, probed: Probed) -> None:
    async for passed in _verdicts(probe, "Liveness", actor, probed):
        if not passed:
            probed.end_for("liveness", probe.grace_seconds)
            return


async def _verdicts(probe: Probe, kind: str, actor: Actor, probed: Probed) -> AsyncIterator[bool]:
    async def attempt() -> Outcome:
        outcome = await actor.act(probe.action, probe.timeout)
        if not outcome.succeeded:
            probed.probe_failed(kind, outcome.message)
        return outcome

    async for verdict in verdicts(probe, attempt):
        yield verdict


async def verdicts(probe: Probe, attempt: Callable[[], Awaitable[Outcome]]) -> AsyncIterator[bool]:
    """A verdict whenever as many tries in a row went the same way as the probe asks for."""
    await asyncio.sleep(probe.initial_delay)
    loop = asyncio.get_running_loop()
    in_a_row, last = 0, None
    while True:
        began = loop.time()
        succeeded = (await attempt()).succeeded
        in_a_row = in_a_row + 1 if succeeded == last else 1
        last = succeeded
        if in_a_row >= (probe.success_threshold if succeeded else probe.failure_threshold):
            yield succeeded
        await asyncio.sleep(max(0.0, began + probe.period - loop.time()))

"""The sequences of one document on their way through the lanes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from plimsoll_server.scheduler.documents import Document
from plimsoll_server.scheduler.errors import ModelFaultError, NonFiniteError, OutOfMemoryError
from plimsoll_server.scheduler.lanes import Lane, Work
from plimsoll_server.scheduler.passage import Ride
from plimsoll_server.types import Embedding, Failure, LabelLogits, Outcome, TokenLabels, Tokens

Output = LabelLogits | TokenLabels | Embedding

_OUT_OF_MEMORY_RETRY_AFTER = 10


@dataclass(frozen=True, slots=True)
class Step:
    """One sequence to run: a span of a document, in the lane of its tier."""

    document: Document
    span: tuple[int, int]
    lane: Lane

    @property
    def tokens(self) -> Tokens:
        return self.document.piece(*self.span)


async def flow(steps: Sequence[Step], ride: Ride) -> list[Output]:
    """The output of each step of one document, in order.

    The first failure ends it, and so does its cancellation: what waits then leaves its place.
    """
    outputs: list[Output] = []
    under_way: deque[tuple[Step, Work]] = deque()
    try:
        for step in steps:
            while under_way and under_way[0][1].outcome.done():
                _collect(under_way, outputs)
            under_way.append((step, await ride.enter(step.lane, step.tokens)))
        while under_way:
            await asyncio.wait({under_way[0][1].outcome})
            _collect(under_way, outputs)
    finally:
        for step, work in under_way:
            step.lane.leave(work)
    return outputs


def _collect(under_way: deque[tuple[Step, Work]], outputs: list[Output]) -> None:
    step, work = under_way.popleft()
    outputs.append(_output(work.outcome.result(), step))


def _output(outcome: Outcome, step: Step) -> Output:
    tier = step.lane.tier.name
    if outcome is Failure.OUT_OF_MEMORY:
        short = (
            "found too little memory for the moment; try again"
            if step.lane.ever_fits(len(step.tokens))
            else "does not fit into the device's memory, even alone; send a shorter text, or have the server's memory "
            "raised"
        )
        raise OutOfMemoryError(
            f"a sequence of {len(step.tokens)} tokens (tier {tier}) {short}",
            tier=tier,
            retry_after=_OUT_OF_MEMORY_RETRY_AFTER,
            of_batch=True,
        )
    if outcome is Failure.NON_FINITE:
        raise NonFiniteError(
            "the model's output for this text is not finite, so there is no answer; its weights or its dtype are at "
            "fault, not the request",
            tier=tier,
            of_batch=True,
        )
    if outcome is Failure.MODEL_FAULT:
        raise ModelFaultError(
            "the model failed at this text, or at all that ran with it; the server's log says why",
            tier=tier,
            of_batch=True,
        )
    return outcome

"""The sequences of one request on their way through the lanes: admitted once, then a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from plimsoll_server.scheduler.documents import Document
from plimsoll_server.scheduler.errors import ModelFaultError, NonFiniteError, OutOfMemoryError
from plimsoll_server.scheduler.lanes import Lane, Work
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


@dataclass(frozen=True, slots=True)
class _Place:
    number: int
    step: Step
    work: Work


async def flow(steps: Sequence[Step], at_once: int) -> list[Output]:
    """The output of each step, in order. Only the first may find no place (OverloadedError): what began is finished.

    At most `at_once` of them, and no more than a batch of their lane, are queued or running at the same time, so that
    one long request leaves room for others. The first failure ends the request, and so does its cancellation.
    """
    outputs: dict[int, Output] = {}
    pending: dict[asyncio.Future[Outcome], _Place] = {}
    try:
        for number, step in enumerate(steps):
            await _collect(pending, outputs, fewer_than=min(at_once, max(2, step.lane.batch_limit)))
            tokens = step.tokens
            work = step.lane.admit(tokens) if number == 0 else await step.lane.follow(tokens)
            pending[work.outcome] = _Place(number, step, work)
        await _collect(pending, outputs, fewer_than=1)
    finally:
        for place in pending.values():
            place.step.lane.leave(place.work)
    return [outputs[number] for number in range(len(steps))]


async def _collect(
    pending: dict[asyncio.Future[Outcome], _Place], outputs: dict[int, Output], *, fewer_than: int
) -> None:
    """Moves what is done from `pending` to `outputs` until fewer are pending; raises what one of them ended with."""
    while len(pending) >= fewer_than:
        done, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for outcome in done:
            place = pending.pop(outcome)
            outputs[place.number] = _output(outcome.result(), place.step)


def _output(outcome: Outcome, step: Step) -> Output:
    tier = step.lane.tier.name
    if outcome is Failure.OUT_OF_MEMORY:
        raise OutOfMemoryError(
            f"a sequence of {len(step.tokens)} tokens (tier {tier}) does not fit into the device's memory, even alone; "
            "send a shorter text, or have the server's memory raised",
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
            "the model failed on this request's batch; the server's log says why", tier=tier, of_batch=True
        )
    return outcome

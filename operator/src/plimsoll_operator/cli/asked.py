"""A request that was written onto an object, and what becomes of it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from plimsoll_operator.cli.connection import Target
from plimsoll_operator.cli.errors import CliError, NotYetError
from plimsoll_operator.cli.goals import Goal
from plimsoll_operator.cluster.errors import UnavailableError
from plimsoll_operator.cluster.kinds import INFERENCE_DEPLOYMENT
from plimsoll_operator.cluster.kube import Kube
from plimsoll_operator.names import ANNOTATION_REQUEST
from plimsoll_operator.observed import Manifest
from plimsoll_operator.requests import Request

LOOK_EVERY_SECONDS = 1.0


def new_id() -> str:
    """Tells a person when it was, and is no other's."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


@dataclass
class Asked:
    """One request and the object as it was seen last. `say` gets what a person would like to read meanwhile."""

    kube: Kube
    target: Target
    request: Request
    clock: Callable[[], float]
    say: Callable[[str], None]
    pause: float = LOOK_EVERY_SECONDS
    found: Manifest = field(default_factory=dict)

    async def ask(self) -> None:
        patch = {"metadata": {"annotations": {ANNOTATION_REQUEST: str(self.request)}}}
        await self.kube.update(INFERENCE_DEPLOYMENT, self.target.namespace, self.target.name, patch)

    @property
    def rollout(self) -> Manifest:
        found: Manifest = self.found.get("status", {}).get("rollout", {})
        return found

    @property
    def answer(self) -> Manifest:
        """What was answered to this very request; empty until something was."""
        last: Manifest = self.rollout.get("lastRequest", {})
        return last if last.get("id") == self.request.id else {}

    async def answered(self, patience: timedelta) -> Manifest:
        """The first answer, empty when there is none in time. Raises CliError when it is a no."""
        async for _ in self._looks(patience):
            if answer := self._answer_or_no():
                return answer
        return {}

    async def accepted(self, patience: timedelta) -> Manifest:
        """The answer once it is carried out. Raises CliError when it is a no, NotYetError when it takes too long."""
        told = "no answer"
        async for _ in self._looks(patience):
            answer = self._answer_or_no()
            if answer.get("outcome") == "Accepted":
                return answer
            if answer and (said := said_of(answer)) != told:
                told = said
                self.say(said)
        raise NotYetError(f"not carried out within {_seconds(patience)}; last: {told}")

    def _answer_or_no(self) -> Manifest:
        answer = self.answer
        if answer and answer["outcome"] not in ("Accepted", "Waiting"):
            raise CliError(said_of(answer))
        return answer

    async def reaches(self, goal: Goal, revision: str, patience: timedelta) -> None:
        """Return when `goal` is reached. Raises CliError when it cannot be any more, NotYetError when it was not."""
        told = ""
        async for found in self._looks(patience):
            status: dict[str, Any] = dict(found.get("status", {}))
            if goal.is_reached(status, revision):
                return
            if why := goal.is_out_of_reach(status, revision):
                raise CliError(why)
            ready = next(each for each in status["conditions"] if each["type"] == "Ready")
            if (now := f"{ready['reason']}: {ready['message']}") != told:
                told = now
                self.say(now)
        raise NotYetError(f"not done within {_seconds(patience)}; last: {told}")

    async def _looks(self, patience: timedelta) -> AsyncIterator[Manifest]:
        """The object, again and again until the time is over; an apiserver that is away for a moment is waited for."""
        end = self.clock() + patience.total_seconds()
        while self.clock() < end:
            try:
                self.found = await self._read()
            except UnavailableError as error:
                self.say(str(error))
            else:
                yield self.found
            await asyncio.sleep(self.pause)

    async def _read(self) -> Manifest:
        found = await self.target.read(self.kube)
        if found["metadata"].get("annotations", {}).get(ANNOTATION_REQUEST) != str(self.request):
            raise CliError(f"request {self.request.id} was overtaken: the annotation {ANNOTATION_REQUEST} says another")
        return found


def said_of(answer: Manifest) -> str:
    return f"{answer['outcome']}: {answer['message']}"


def _seconds(patience: timedelta) -> str:
    return f"{patience.total_seconds():.0f} s"

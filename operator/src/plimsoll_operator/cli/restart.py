"""`restart`: replace the pods by what the operator renders now, by the object's own rollout strategy."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from plimsoll_operator.cli.connection import Context, Kubeconfig, Name, Namespace, Target, target_of
from plimsoll_operator.cli.errors import CliError, WrongInputError
from plimsoll_operator.cluster.errors import UnavailableError
from plimsoll_operator.cluster.kinds import INFERENCE_DEPLOYMENT
from plimsoll_operator.cluster.kube import Kube
from plimsoll_operator.duration import parse_duration
from plimsoll_operator.names import ANNOTATION_REQUEST
from plimsoll_operator.observed import Manifest
from plimsoll_operator.requests import Request

ANSWER_WITHIN = timedelta(seconds=10)
"""An operator that runs answers in a moment."""
LOOK_EVERY_SECONDS = 1.0

Wait = Annotated[bool, typer.Option("--wait", help="Wait until the restarted pods serve; fail when they do not.")]
Timeout = Annotated[str, typer.Option(help="How long to wait at most, such as 90s or 15m.")]


def restart(
    name: Name,
    namespace: Namespace = "",
    wait: Wait = False,
    timeout: Timeout = "15m",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Replace the pods by what the operator renders now, by the spec's rollout strategy."""
    try:
        patience = parse_duration(timeout)
    except ValueError as error:
        raise WrongInputError(f"--timeout: {error}") from error
    target = target_of(name, namespace, context, kubeconfig)
    asyncio.run(_restart(target, patience if wait else None))


async def _restart(target: Target, patience: timedelta | None) -> None:
    async with target.connected() as kube:
        await target.read(kube)
        asked = Asked(kube, target, Request("restart", _new_id()), time.monotonic)
        await asked.ask()
        typer.echo(f"{target}: restart asked for, request {asked.request.id}")
        rollout = await asked.answered(ANSWER_WITHIN)
        if rollout is None:
            _say_unanswered(target)
            if patience is None:
                return
            rollout = await asked.answered(patience)
        if rollout is None:
            raise CliError("the operator did not answer within --timeout")
        revision = rollout["lastRequest"].get("revision")
        if revision is None:
            raise CliError("nothing runs yet, so there is nothing to restart: `kubectl plimsoll status` says why")
        typer.echo(f"{target}: {accepted(revision, rollout)}")
        if patience is not None:
            await asked.carried_out(revision, patience)
            typer.echo(f"{target}: revision {revision} serves")


def accepted(revision: str, rollout: Manifest) -> str:
    """What an acceptance means by now: the rollout may be held, or wait for a GPU."""
    how_far = f": {rollout['message']}" if rollout.get("message") else ""
    return f"accepted; revision {revision} is to replace the pods{how_far}"


def _say_unanswered(target: Target) -> None:
    typer.echo(
        f"{target}: no answer within {ANSWER_WITHIN.total_seconds():.0f} s; the request stays and is carried out once. "
        "Does an operator that knows restarts run, and serve this namespace?",
        err=True,
    )


def _new_id() -> str:
    """Tells a person when it was, and is no other's."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


@dataclass(frozen=True)
class Asked:
    """One request and what becomes of it."""

    kube: Kube
    target: Target
    request: Request
    clock: Callable[[], float]
    pause: float = LOOK_EVERY_SECONDS

    async def ask(self) -> None:
        patch = {"metadata": {"annotations": {ANNOTATION_REQUEST: str(self.request)}}}
        await self.kube.update(INFERENCE_DEPLOYMENT, self.target.namespace, self.target.name, patch)

    async def answered(self, patience: timedelta) -> Manifest | None:
        """The rollout as it was accepted; None when the operator does not answer. Raises CliError when it says no."""
        async for found in self._looks(patience):
            rollout: Manifest = found.get("status", {}).get("rollout", {})
            answer = rollout.get("lastRequest", {})
            if answer.get("id") == self.request.id and answer["outcome"] == "Accepted":
                return rollout
            if answer.get("id") == self.request.id:
                waits = "; the request stays and is carried out then" if answer["outcome"] == "Waiting" else ""
                raise CliError(f"{answer['outcome']}: {answer['message']}{waits}")
        return None

    async def carried_out(self, revision: str, patience: timedelta) -> None:
        """Return when `revision` is all that serves. Raises CliError when that does not come."""
        told = ""
        async for found in self._looks(patience):
            status = found.get("status", {})
            rollout = status.get("rollout", {})
            conditions = {condition["type"]: condition for condition in status.get("conditions", ())}
            if rollout.get("stable") == revision and conditions["Ready"]["status"] == "True":
                return
            self._check(revision, rollout, conditions)
            if (now := f"{conditions['Ready']['reason']}: {conditions['Ready']['message']}") != told:
                told = now
                typer.echo(f"{self.target}: {told}")
        raise CliError(f"not done within {patience.total_seconds():.0f} s; last: {told}")

    def _check(self, revision: str, rollout: Manifest, conditions: Manifest) -> None:
        if conditions["Stalled"]["status"] == "True":
            raise CliError(f"{conditions['Stalled']['reason']}: {conditions['Stalled']['message']}")
        if revision not in (rollout.get("stable"), rollout.get("canary")):
            now = rollout.get("canary") or rollout.get("stable")
            raise CliError(f"revision {revision} was overtaken: the object asks for {now} now")

    async def _looks(self, patience: timedelta) -> AsyncIterator[Manifest]:
        """The object, again and again until the time is over; an apiserver that is away for a moment is waited for."""
        end = self.clock() + patience.total_seconds()
        while self.clock() < end:
            try:
                found = await self._read()
            except UnavailableError as error:
                typer.echo(f"{self.target}: {error}", err=True)
            else:
                yield found
            await asyncio.sleep(self.pause)

    async def _read(self) -> Manifest:
        found = await self.target.read(self.kube)
        if found["metadata"].get("annotations", {}).get(ANNOTATION_REQUEST) != str(self.request):
            raise CliError(f"request {self.request.id} was overtaken: the annotation {ANNOTATION_REQUEST} says another")
        return found

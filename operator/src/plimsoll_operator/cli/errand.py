"""What every verb that asks for something does: write the request, wait for the answer, and for the end if wanted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

import typer

from plimsoll_operator.cli.asked import Asked, new_id, said_of
from plimsoll_operator.cli.connection import Target
from plimsoll_operator.cli.errors import CliError, NotYetError, WrongInputError
from plimsoll_operator.cli.goals import Goal
from plimsoll_operator.cli.output import Format, show_json, told_if_it_fails
from plimsoll_operator.cluster.errors import KubeError
from plimsoll_operator.duration import parse_duration
from plimsoll_operator.observed import Manifest
from plimsoll_operator.requests import InvalidRequestError, Request, parse_request

ANSWER_WITHIN = timedelta(seconds=10)
"""An operator that runs answers in a moment."""
UNANSWERED = (
    f"no answer within {ANSWER_WITHIN.total_seconds():.0f} s; the request stays and is carried out once. "
    "Does an operator run, and serve this namespace?"
)

Wait = Annotated[
    bool,
    typer.Option("--wait", help="Wait until it is done; exit 1 when it cannot be any more, 3 when time is up."),
]
Timeout = Annotated[str, typer.Option(help="How long to wait at most, such as 90s or 15m.")]

RequestId = Annotated[
    str,
    typer.Option(
        "--id",
        help="ID of the request. The same one is carried out once, so a script may repeat it.",
        show_default=False,
    ),
]

Choice = Callable[[Manifest], str]
"""The revision that a request is bound to, by the object as it is now; empty for none. Raises CliError."""


@dataclass(frozen=True)
class Errand:
    """One verb: what it is bound to, and when it is done; None for one that is done with its answer."""

    verb: str
    bound_to: Choice
    goal: Goal | None = None
    request_id: str = ""


def anything(_: Manifest) -> str:
    """For a verb that means the object, whichever revision is on its way."""
    return ""


def asked_for(found: Manifest) -> str:
    """The revision that the spec asks for, so that nothing happens to one that comes in between."""
    revisions = found.get("status", {}).get("revisions", ())
    return next((str(entry["hash"]) for entry in revisions if entry.get("askedFor")), "")


def patience_of(timeout: str, *, wait: bool) -> timedelta | None:
    """How long `--wait` waits; None without it. Raises WrongInputError."""
    try:
        patience = parse_duration(timeout)
    except ValueError as error:
        raise WrongInputError(f"--timeout: {error}") from error
    return patience if wait else None


def run(errand: Errand, target: Target, patience: timedelta | None, output: Format) -> None:
    """Carry an errand out and tell how it went, also where it ends with an error. Raises CliError, KubeError.

    With `-o json` there is one document on standard output, and what a person would like to read meanwhile beside it.
    """
    asyncio.run(_run(errand, target, patience, output))


async def _run(errand: Errand, target: Target, patience: timedelta | None, output: Format) -> None:
    def say(text: str) -> None:
        typer.echo(f"{target}: {text}", err=output is Format.json)

    async with target.connected() as kube:
        with told_if_it_fails(output):
            found = await target.read(kube)
            request = _request(errand, found)
        _say_what_is_not_seen_yet(found, say)
        asked = Asked(kube, target, request, time.monotonic, say, found=found)
        done, failed = False, ""
        try:
            done = await _see_it_through(errand, asked, patience)
        except (CliError, KubeError) as error:
            failed = str(error)
            raise
        finally:
            if output is Format.json:
                show_json(document(asked, done=done, failed=failed))


def _request(errand: Errand, found: Manifest) -> Request:
    request = Request(errand.verb, errand.request_id or new_id(), errand.bound_to(found))
    try:
        return parse_request(str(request))
    except InvalidRequestError as error:
        raise WrongInputError(f"--id: {error}") from error


async def _see_it_through(errand: Errand, asked: Asked, patience: timedelta | None) -> bool:
    """Whether it is done: without `--wait` the answer is as far as this looks. Raises CliError."""
    await asked.ask()
    asked.say(f"{errand.verb} asked for, request {asked.request.id}")
    answer = await asked.answered(ANSWER_WITHIN)
    if not answer:
        asked.say(UNANSWERED)
    if patience is None:
        _check_accepted(answer)
    elif answer.get("outcome") != "Accepted":
        answer = await asked.accepted(patience)
    asked.say(accepted(answer, asked.rollout))
    if errand.goal is None:
        return True
    if patience is None:
        return False
    revision = answer.get("revision") or asked.request.revision
    if not revision:
        raise CliError(_nothing_to_wait_for(asked))
    await asked.reaches(errand.goal, revision, patience)
    asked.say(f"revision {revision} {errand.goal.done}")
    return True


def _nothing_to_wait_for(asked: Asked) -> str:
    status = f"kubectl plimsoll status {asked.target.name} -n {asked.target.namespace}"
    if not asked.rollout.get("stable"):
        return f"nothing runs yet, so there is nothing to wait for: {status} says why"
    return f"request {asked.request.id} was carried out, and on which revision is not known any more: {status} tells"


def _check_accepted(answer: Manifest) -> None:
    if not answer:
        raise NotYetError("not answered yet")
    if answer["outcome"] != "Accepted":
        raise NotYetError(f"{said_of(answer)}; the request stays and is carried out then")


def accepted(answer: Manifest, rollout: Manifest) -> str:
    """What an acceptance means by now: the rollout may be held, or wait for a GPU."""
    about = f" (revision {answer['revision']})" if answer.get("revision") else ""
    how_far = f"; now {rollout['phase']}: {rollout['message']}" if rollout.get("message") else ""
    return f"accepted{about}: {answer['message']}{how_far}"


def document(asked: Asked, *, done: bool, failed: str = "") -> dict[str, Any]:
    """What `-o json` prints: `outcome` is empty while there is no answer, `done` says whether the end was seen.

    With `error` where the command ends with one, as on standard error.
    """
    answer = asked.answer
    return {
        "object": str(asked.target),
        "verb": asked.request.verb,
        "request": asked.request.id,
        "outcome": answer.get("outcome", ""),
        "message": answer.get("message", ""),
        "revision": answer.get("revision", asked.request.revision),
        "done": done,
        **({"error": failed} if failed else {}),
        "rollout": asked.rollout,
    }


def _say_what_is_not_seen_yet(found: Manifest, say: Callable[[str], None]) -> None:
    if found.get("status", {}).get("observedGeneration", 0) < found["metadata"].get("generation", 0):
        say("the operator has not seen the last change of the spec yet: this is about what it has seen")

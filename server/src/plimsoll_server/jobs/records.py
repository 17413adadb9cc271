"""What a job is: a list of texts, cut into slices, and how far it has come."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

SLICE_INPUTS = 32
"""As many as a pack holds: more would only wait longer before those who ask and wait."""
SLICE_BYTES = 64 << 10


class State(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = (State.QUEUED, State.RUNNING)
"""In these it has not ended."""
TOO_LATE = "it was not done by its deadline; what has no answer is told so in its place"


@dataclass(frozen=True, slots=True)
class Job:
    """Times are in Unix seconds."""

    id: str
    owner: str
    """The identity of the key that made it; empty where nobody is asked for one."""
    path: str
    """Where its texts are asked."""
    fields: Mapping[str, Any]
    """What is said beside the texts, in the words of that path."""
    state: State
    inputs: int
    created: int
    deadline: int
    expires: int
    kept: int
    """Seconds from its end until it expires."""
    done: int = 0
    """Inputs that have an answer or an error of their own."""
    failed: int = 0
    """Of those, the ones with an error."""
    truncated_tokens: int = 0
    error: str = ""

    def is_late(self, now: float) -> bool:
        """It has not ended, and its deadline has passed."""
        return self.state in OPEN and now >= self.deadline


@dataclass(frozen=True, slots=True)
class Slice:
    """Consecutive inputs, which are asked in one request."""

    offset: int
    """Of the first, among the job's inputs."""
    texts: Sequence[str]
    attempts: int = 0
    """That ended without an answer."""

    def dumped(self) -> str:
        return json.dumps([self.attempts, self.texts], ensure_ascii=False)


def read_slice(offset: str, dumped: str) -> Slice:
    attempts, texts = json.loads(dumped)
    return Slice(int(offset), texts, attempts)


def slices_of(texts: Sequence[str]) -> Iterator[Slice]:
    """Each with SLICE_INPUTS texts and SLICE_BYTES at most, but for a text that is larger alone."""
    start, size = 0, 0
    for at, text in enumerate(texts):
        more = len(text.encode())
        if at > start and (at - start == SLICE_INPUTS or size + more > SLICE_BYTES):
            yield Slice(start, texts[start:at])
            start, size = at, 0
        size += more
    yield Slice(start, texts[start:])


def hash_of(job: Job) -> dict[str, str | int]:
    """As Redis keeps it."""
    return {
        "owner": job.owner,
        "path": job.path,
        "fields": json.dumps(job.fields),
        "state": job.state.value,
        "inputs": job.inputs,
        "created": job.created,
        "deadline": job.deadline,
        "expires": job.expires,
        "kept": job.kept,
        "done": job.done,
        "failed": job.failed,
        "truncated_tokens": job.truncated_tokens,
        "error": job.error,
    }


def read_job(id_: str, found: Mapping[str, str]) -> Job:
    numbers = ("inputs", "created", "deadline", "expires", "kept", "done", "failed", "truncated_tokens")
    return Job(
        id=id_,
        owner=found["owner"],
        path=found["path"],
        fields=json.loads(found["fields"]),
        state=State(found["state"]),
        error=found["error"],
        **{name: int(found[name]) for name in numbers},
    )

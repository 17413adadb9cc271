"""POST /jobs, GET and DELETE /jobs/{id}: many texts at once, whose answers are fetched later."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from plimsoll_server.api.auth import CALLER
from plimsoll_server.api.direct_route import DirectRoute
from plimsoll_server.api.documentation import looks_up, takes
from plimsoll_server.api.error_shapes import TEXT_EMBEDDINGS, TextEmbeddingsError
from plimsoll_server.api.inputs import AT_FIRST_ERROR, MAX_JOB_INPUTS, Off, On, Text, TruncationDirection
from plimsoll_server.api.predict import EntityScore, LabelScore
from plimsoll_server.api.state import Service, service_of
from plimsoll_server.jobs.errors import NotServedError
from plimsoll_server.jobs.records import Job, State

if TYPE_CHECKING:
    from plimsoll_server.jobs.desk import Desk

router = APIRouter(tags=["jobs"], route_class=DirectRoute)
about = APIRouter(tags=["jobs"])

_PATHS: Mapping[str, str] = {
    "text-classification": "/predict",
    "token-classification": "/predict",
    "feature-extraction": "/embed",
}
_ANSWERED = (State.DONE, State.FAILED)


class JobRequest(BaseModel):
    """What is said of how to read and answer counts where it means something for the model's task."""

    model_config = ConfigDict(strict=True)

    inputs: Annotated[
        list[Text],
        Field(min_length=1, max_length=MAX_JOB_INPUTS, description="Texts.", examples=[["the tides", "a tyre"]]),
        AT_FIRST_ERROR,
    ]
    truncate: Annotated[Off, Field(description="As in /predict and /embed.")] = False
    truncation_direction: TruncationDirection = None
    raw_scores: Annotated[Off, Field(description="As in /predict.")] = False
    normalize: Annotated[On, Field(description="As in /embed.")] = True


class JobStatus(BaseModel):
    id: str
    url: Annotated[str, Field(description="Where to ask for it.")]
    state: State
    inputs: Annotated[int, Field(description="How many texts.")]
    done: Annotated[int, Field(description="Of those, how many have their answer, or an error in its place.")]
    failed: Annotated[int, Field(description="Of those, how many have an error.")]
    truncated_tokens: Annotated[int, Field(description="Tokens that were left out, of all texts.")]
    created_at: Annotated[int, Field(description="In Unix seconds, as the other times.")]
    deadline_at: Annotated[int, Field(description="What has no answer then gets none.")]
    expires_at: Annotated[int, Field(description="From then on nothing is known of the job.")]
    error: Annotated[str | None, Field(description="Why it failed.")]


class JobResults(JobStatus):
    results: Annotated[
        list[list[LabelScore] | list[EntityScore] | list[float] | TextEmbeddingsError] | None,
        Field(
            description="Once it is done or has failed: of each text, in order, what /predict or /embed answers to it "
            "in a batch, or the error that it has instead."
        ),
    ] = None


_EXAMPLE = {
    "id": "q2h5yL0vX1c8m3TnZb7dKw",
    "url": "/jobs/q2h5yL0vX1c8m3TnZb7dKw",
    "state": "queued",
    "inputs": 2,
    "done": 0,
    "failed": 0,
    "truncated_tokens": 0,
    "created_at": 1767225600,
    "deadline_at": 1767247200,
    "expires_at": 1767333600,
    "error": None,
}
_DONE = {
    **_EXAMPLE,
    "state": "done",
    "done": 2,
    "results": [[{"label": "sea", "score": 0.9}, {"label": "land", "score": 0.1}], [{"label": "land", "score": 1.0}]],
}


@router.post("/jobs", status_code=202, response_model=JobStatus, responses=takes(_EXAMPLE, TEXT_EMBEDDINGS))
async def submit(body: JobRequest, request: Request) -> JSONResponse:
    """Queue up to 4,000 texts. They are read when nobody else has the model busy, and a few at a time."""
    service = service_of(request)
    desk, task = _desk(service), service.working().info.task
    fields: dict[str, Any] = {"truncate": bool(body.truncate)}
    if _PATHS[task] == "/embed":
        fields["normalize"] = bool(body.normalize)
    else:
        fields["raw_scores"] = bool(body.raw_scores)
    job = await desk.submit(_caller(request), _PATHS[task], fields, body.inputs)
    return JSONResponse(_status(job), 202, {"Location": _url(job)})


@about.get("/jobs/{id}", response_model=JobResults, responses=looks_up(_DONE, TEXT_EMBEDDINGS))
async def look_up(id: str, request: Request) -> Response:  # noqa: A002  it is called so in the document
    """How far a job is; with its answers once it has ended."""
    desk = _desk(service_of(request))
    job = await desk.look_up(_caller(request), id)
    if job.state not in _ANSWERED:
        return JSONResponse(_status(job))
    return StreamingResponse(_with_results(desk, job), media_type="application/json")


@about.delete("/jobs/{id}", response_model=JobStatus, responses=looks_up(_EXAMPLE, TEXT_EMBEDDINGS))
async def cancel(id: str, request: Request) -> JSONResponse:  # noqa: A002
    """Cancel a job. Of one that has ended, the answers are removed at once."""
    return JSONResponse(_status(await _desk(service_of(request)).cancel(_caller(request), id)))


async def _with_results(desk: Desk, job: Job) -> AsyncIterator[str]:
    """Slice by slice: all answers of a job together may take more memory than there is to spare."""
    yield json.dumps(_status(job))[:-1] + ', "results": ['
    separator = ""
    async for piece in desk.answers(job):
        yield separator + piece
        separator = ","
    yield "]}"


def _desk(service: Service) -> Desk:
    if service.desk is None:
        raise NotServedError(
            "jobs are not served here, since they need a Redis: name a file with its address in "
            "PLIMSOLL_REDIS_URL_FILE (spec.server.cache.redisSecret), see docs/jobs.md"
        )
    return service.desk


def _caller(request: Request) -> str:
    """Who asks, by the key; where none is asked for, all callers are one."""
    caller: str = request.scope.get("state", {}).get(CALLER, "")
    return caller


def _url(job: Job) -> str:
    return f"/jobs/{job.id}"


def _status(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "url": _url(job),
        "state": job.state.value,
        "inputs": job.inputs,
        "done": job.done,
        "failed": job.failed,
        "truncated_tokens": job.truncated_tokens,
        "created_at": job.created,
        "deadline_at": job.deadline,
        "expires_at": job.expires,
        "error": job.error or None,
    }

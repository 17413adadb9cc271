"""What keeps a request from its answer, whatever the protocol. How each is written: error_shapes.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from plimsoll_server.jobs.errors import JobsAwayError, NoSuchJobError, NotServedError, TooManyJobsError
from plimsoll_server.scheduler.errors import (
    DeadlineError,
    GivenUpError,
    InvalidInputError,
    ModelFaultError,
    NonFiniteError,
    NotServingError,
    OutOfMemoryError,
    OverloadedError,
    RequestError,
    TooLongError,
)


class NoSuchModelError(RequestError):
    """The request names another model than the one that is served."""


@dataclass(frozen=True, slots=True)
class Problem:
    status: int
    """In HTTP. A protocol may have another of its own for it."""
    kind: str
    """As text-embeddings-inference names it."""
    code: str
    """As OpenAI names it."""


NOT_JSON = Problem(400, "Validation", "invalid_json")
UNAUTHORIZED = Problem(401, "Unauthorized", "invalid_api_key")
NOT_FOUND = Problem(404, "NotFound", "not_found")
NO_SUCH_MODEL = Problem(404, "NotFound", "model_not_found")
NO_SUCH_JOB = Problem(404, "NotFound", "job_not_found")
WRONG_METHOD = Problem(405, "Validation", "method_not_allowed")
SLOW_BODY = Problem(408, "Validation", "request_timeout")
TOO_LONG = Problem(413, "Validation", "context_length_exceeded")
BODY_TOO_LARGE = Problem(413, "Validation", "body_too_large")
WRONG_MEDIA = Problem(415, "Validation", "unsupported_media_type")
INVALID = Problem(422, "Validation", "invalid_value")
RATE_LIMITED = Problem(429, "RateLimited", "rate_limit_exceeded")
UPLOADS_FULL = Problem(429, "Overloaded", "uploads_full")
OVERLOADED = Problem(429, "Overloaded", "overloaded")
TOO_MANY_JOBS = Problem(429, "Overloaded", "too_many_jobs")
NON_FINITE = Problem(500, "NonFinite", "non_finite")
BACKEND = Problem(500, "Backend", "internal_error")
OUT_OF_MEMORY = Problem(503, "OutOfMemory", "out_of_memory")
NOT_SERVING = Problem(503, "Unhealthy", "not_serving")
JOBS_AWAY = Problem(503, "Unhealthy", "jobs_not_available")
TIMEOUT = Problem(504, "Timeout", "timeout")
GIVEN_UP = Problem(504, "Timeout", "request_timeout")

PROBLEMS: Mapping[type[RequestError], Problem] = {
    InvalidInputError: INVALID,
    TooLongError: TOO_LONG,
    OverloadedError: OVERLOADED,
    OutOfMemoryError: OUT_OF_MEMORY,
    NotServingError: NOT_SERVING,
    DeadlineError: TIMEOUT,
    GivenUpError: GIVEN_UP,
    NonFiniteError: NON_FINITE,
    ModelFaultError: BACKEND,
    NoSuchModelError: NO_SUCH_MODEL,
    NotServedError: NOT_FOUND,
    NoSuchJobError: NO_SUCH_JOB,
    TooManyJobsError: TOO_MANY_JOBS,
    JobsAwayError: JOBS_AWAY,
}
"""Every error of the scheduler is here: a test holds it."""

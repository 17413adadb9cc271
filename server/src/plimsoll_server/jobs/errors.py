"""Why a job is not taken, or not there."""

from __future__ import annotations

from plimsoll_server.scheduler.errors import RequestError


class AwayError(Exception):
    """The Redis that holds the jobs does not answer. The message is what kind of error it was, and nothing more: a
    client's own words may hold parts of its address."""


class NotServedError(RequestError):
    """This server has no Redis to keep jobs in."""


class NoSuchJobError(RequestError):
    """It was never made, not by this caller, or has expired."""


class TooManyJobsError(RequestError):
    """The caller has as many jobs as may be kept for it."""


class JobsAwayError(RequestError):
    """Nobody would do the job, or its Redis does not answer."""

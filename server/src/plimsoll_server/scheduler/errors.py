"""Why a request has no answer. Each message names the limit that was met and what the caller can do."""

from __future__ import annotations


class RequestError(Exception):
    """`tier`: the one concerned, where there is one. `retry_after`: seconds, None where trying again is no use.
    `of_batch`: it is one of those that failed with a batch, and the batch has been counted."""

    def __init__(
        self, message: str, *, tier: str | None = None, retry_after: int | None = None, of_batch: bool = False
    ) -> None:
        super().__init__(message)
        self.tier = tier
        self.retry_after = retry_after
        self.of_batch = of_batch


class InvalidInputError(RequestError):
    """The input is well-formed but cannot be run."""


class TooLongError(RequestError):
    """The input is longer than what may run here under the policy for long input. `may_be_cut`: where the request
    allows that, which each protocol says in its own words. `in_all`: its inputs together, and none of them alone."""

    def __init__(
        self, message: str, *, tier: str | None = None, may_be_cut: bool = False, in_all: bool = False
    ) -> None:
        super().__init__(message, tier=tier)
        self.may_be_cut = may_be_cut
        self.in_all = in_all


class OverloadedError(RequestError):
    """There is no place in the queue."""


class NotServingError(RequestError):
    """The server is loading, or about to end."""


class DeadlineError(RequestError):
    """The answer was not there in time."""


class GivenUpError(DeadlineError):
    """The answer was not there in the time that its caller set, which was shorter than the server's own."""


class OutOfMemoryError(RequestError):
    """The input does not fit into the device's memory, even alone."""


class ModelFaultError(RequestError):
    """The model failed, through no fault of the input."""


class NonFiniteError(ModelFaultError):
    """The model's output is not a number."""

"""Open files: each connection is one of those that a process may have, and by default that is often a thousand."""

from __future__ import annotations

import logging
import resource

log = logging.getLogger(__name__)

_ARRIVING = 2_048
"""Connections that may be accepted at once before any of them can be told to go: a listener's whole queue."""
_OTHERS = 256
"""Open files beside connections: the model's while it loads, workers, Redis, scrapes of the metrics."""


def connections_that_fit(wanted: int) -> int:
    """How many of `wanted` connections this process may hold. Raises its soft limit first, as far as it may."""
    limit = _raised_to(wanted + _ARRIVING + _OTHERS)
    # Where a few hundred files are all, others are few too.
    fit = min(wanted, max(limit - _OTHERS, limit // 2))
    if fit < wanted:
        log.warning(
            "%d connections are held at once instead of %d: this process may have %d files open, and no more (ulimit "
            "-Hn); allow %d",
            fit,
            wanted,
            limit,
            wanted + _ARRIVING + _OTHERS,
        )
    return fit


def _raised_to(needed: int) -> int:
    """The soft limit, raised to `needed` where it is less and the hard one allows that."""
    soft, hard = (needed if limit == resource.RLIM_INFINITY else limit for limit in _limits())
    if soft >= needed:
        return soft
    raised = min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (raised, _limits()[1]))
    return raised


def _limits() -> tuple[int, int]:
    return resource.getrlimit(resource.RLIMIT_NOFILE)

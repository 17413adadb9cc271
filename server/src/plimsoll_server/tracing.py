"""Spans of what becomes of a request, for whoever asked for them; of the rest, next to nothing.

The trace of a request travels with the context of its tasks. What runs apart from them, as a pack does, keeps it by
hand.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Tracer

Attribute = str | int | float | bool

_BILLION = 1_000_000_000


@dataclass(frozen=True, slots=True)
class RequestTrace:
    """A request that is traced. `parent` is the context of its own span."""

    tracer: Tracer
    parent: Context
    _offset: int
    """Nanoseconds from the monotonic clock to the wall's."""

    def record(self, name: str, began: float, ended: float, **attributes: Attribute) -> None:
        """A part of it that is over. Times in seconds, as `time.monotonic` gives them."""
        span = self.tracer.start_span(
            name,
            self.parent,
            attributes={f"plimsoll.{key}": value for key, value in attributes.items()},
            start_time=self._wall(began),
        )
        span.end(self._wall(ended))

    def _wall(self, moment: float) -> int:
        return int(moment * _BILLION) + self._offset


_current: ContextVar[RequestTrace | None] = ContextVar("request_trace", default=None)


def current_trace() -> RequestTrace | None:
    """Of the request whose task this is; None where none is traced."""
    return _current.get()


@contextmanager
def traced(tracer: Tracer, parent: Context) -> Iterator[None]:
    """What happens in the block, and in the tasks that it makes, is of this trace."""
    token = _current.set(RequestTrace(tracer, parent, time.time_ns() - time.monotonic_ns()))
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def part(name: str) -> Iterator[None]:
    """The block is a part of the request, whether or not it fails."""
    trace, began = _current.get(), time.monotonic()
    try:
        yield
    finally:
        if trace is not None:
            trace.record(name, began, time.monotonic())

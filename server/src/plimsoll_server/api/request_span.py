"""A span for each request, in the trace that its caller began where there is one (W3C trace context)."""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plimsoll_server.api.auth import CALLER
from plimsoll_server.tracing import traced

TRACE_ID = "trace_id"
"""Key in the state of a request that is traced."""
_HEADERS = {b"traceparent": "traceparent", b"tracestate": "tracestate"}


class RequestSpan:
    """Follows the requests to the paths that `counts` says. Nothing of their content is in a span."""

    def __init__(self, app: ASGIApp, tracer: Tracer, counts: Callable[[str], bool]) -> None:
        self._app = app
        self._tracer = tracer
        self._counts = counts
        self._propagator = TraceContextTextMapPropagator()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._counts(scope["path"]):
            await self._app(scope, receive, send)
            return
        begun_by_caller = self._propagator.extract(_carried(scope))
        span = self._tracer.start_span(scope["method"], begun_by_caller, SpanKind.SERVER)
        if not span.is_recording():
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})[TRACE_ID] = f"{span.get_span_context().trace_id:032x}"
        try:
            with traced(self._tracer, trace.set_span_in_context(span)):
                await self._app(scope, receive, _noting(span, send))
        finally:
            _describe(span, scope)
            span.end()


def _carried(scope: Scope) -> dict[str, str]:
    return {_HEADERS[name]: value.decode("latin-1") for name, value in scope["headers"] if name in _HEADERS}


def _noting(span: Span, send: Send) -> Send:
    async def noting_send(message: Message) -> None:
        if message["type"] == "http.response.start":
            status: int = message["status"]
            span.set_attribute("http.response.status_code", status)
            if status >= 500:
                span.set_status(Status(StatusCode.ERROR))
        await send(message)

    return noting_send


def _describe(span: Span, scope: Scope) -> None:
    """By the route and not by the path, which may hold a caller's own words."""
    span.set_attribute("http.request.method", scope["method"])
    if (route := getattr(scope.get("route"), "path", None)) is not None:
        span.update_name(f"{scope['method']} {route}")
        span.set_attribute("http.route", route)
    state = scope["state"]
    if (tier := state.get("tier")) is not None:
        span.set_attribute("plimsoll.tier", tier)
    if (caller := state.get(CALLER)) is not None:
        span.set_attribute("plimsoll.caller", caller)
    if (problem := state.get("problem")) is not None:
        span.set_attribute("error.type", problem.code)

"""Where spans go: to the collector that OpenTelemetry's own variables name, by OTLP over HTTP."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Tracer

from plimsoll_server.telemetry import Identity

log = logging.getLogger(__name__)

_LAST_SPANS_SECONDS = 3.0
"""What a collector that hangs may add to the end of a drain."""


class SpanExport:
    """Sends in batches, from a thread of its own. A collector that is away costs spans and no request."""

    def __init__(self, environment: Mapping[str, str], identity: Identity) -> None:
        # It reads which share to sample from the environment itself.
        self._provider = TracerProvider(resource=_resource(environment, identity), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self.tracer: Tracer = self._provider.get_tracer("plimsoll_server", version("plimsoll-server"))

    async def close(self) -> None:
        """Send what is there, or give up."""
        loop, sent = asyncio.get_running_loop(), asyncio.Event()

        def send() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # the loop may have ended before
                loop.call_soon_threadsafe(sent.set)

        threading.Thread(target=send, name="last-spans", daemon=True).start()
        try:
            async with asyncio.timeout(_LAST_SPANS_SECONDS):
                await sent.wait()
        except TimeoutError:
            log.warning("the collector of traces does not answer: the last spans are lost")


def _resource(environment: Mapping[str, str], identity: Identity) -> Resource:
    known = {
        "service.namespace": identity.namespace,
        "service.instance.id": identity.replica,
        "service.version": version("plimsoll-server"),
        "plimsoll.revision": identity.revision,
    }
    named = f"{environment.get('OTEL_SERVICE_NAME', '')},{environment.get('OTEL_RESOURCE_ATTRIBUTES', '')}"
    if not environment.get("OTEL_SERVICE_NAME") and "service.name=" not in named:
        known["service.name"] = identity.deployment or "plimsoll-server"
    return Resource.create({name: value for name, value in known.items() if value})

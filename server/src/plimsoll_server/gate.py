"""Makes what stands around every request out of the settings, and keeps it going."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from plimsoll_server.api.around import Around
from plimsoll_server.api.key_ring import parse_keys
from plimsoll_server.api.rate_limit import Counting, Rates
from plimsoll_server.api.window import SlidingWindow
from plimsoll_server.certificate import Certificate
from plimsoll_server.redis_url import parse_redis_url
from plimsoll_server.renewed_file import RenewedFile
from plimsoll_server.settings import Settings
from plimsoll_server.telemetry import Identity, Telemetry

if TYPE_CHECKING:
    from plimsoll_server.jobs.desk import Desk
    from plimsoll_server.span_export import SpanExport

_SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}


class Gate:
    """`certificate` is there where HTTPS is served."""

    def __init__(self, settings: Settings, telemetry: Telemetry, identity: Identity) -> None:
        """Raises StartError where a file that is named cannot be used."""
        self.certificate = (
            Certificate(Path(settings.tls_directory), telemetry.set_certificate_expiry)
            if settings.tls_directory
            else None
        )
        self._export = _span_export(os.environ, identity)
        self._keys = RenewedFile(settings.api_keys_file, parse_keys) if settings.api_keys_file else None
        self.around = Around(
            keys=self._keys.newest if self._keys else None,
            rates=_rates(settings, telemetry.rate_limit_failed),
            access_log=settings.access_log,
            tracer=self._export.tracer if self._export else None,
        )

    async def keep(self) -> None:
        """Take up what files hold by now, until cancelled."""
        async with asyncio.TaskGroup() as looking:
            if self.certificate is not None:
                looking.create_task(self.certificate.keep_renewed())
            if self._keys is not None:
                looking.create_task(self._keys.keep_renewed())
            await asyncio.Event().wait()

    async def close(self) -> None:
        if self.around.rates is not None:
            await self.around.rates.close()
        if self._export is not None:
            await self._export.close()


def _span_export(environment: Mapping[str, str], identity: Identity) -> SpanExport | None:
    """As OpenTelemetry's variables say. Only those who want traces pay for its libraries."""
    ends = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    off = environment.get("OTEL_SDK_DISABLED") == "true" or environment.get("OTEL_TRACES_EXPORTER") == "none"
    if off or not any(environment.get(name) for name in ends):
        return None
    from plimsoll_server.span_export import SpanExport

    return SpanExport(environment, identity)


def desk_of(settings: Settings) -> Desk | None:
    """Where jobs are taken; nowhere without a Redis."""
    if settings.redis_url_file is None:
        return None
    # Whoever has no Redis needs not pay for its libraries.
    from plimsoll_server.jobs.desk import open_desk

    return open_desk(settings, settings.redis_url_file)


def _rates(settings: Settings, redis_failed: Callable[[], None]) -> Rates | None:
    if not settings.rate_limit:
        return None
    amount, _, unit = settings.rate_limit.partition("/")
    return Rates(settings.rate_limit, SlidingWindow(int(amount), _SECONDS[unit]), _shared(settings, redis_failed))


def _shared(settings: Settings, redis_failed: Callable[[], None]) -> Counting | None:
    file = settings.redis_url_file
    if file is None:
        return None
    # Whoever has no Redis needs not pay for its libraries.
    from plimsoll_server.api.shared_rates import SharedRates

    url = RenewedFile(file, parse_redis_url)
    return SharedRates(settings.rate_limit, url.read, f"{settings.namespace}/{settings.deployment}", redis_failed)

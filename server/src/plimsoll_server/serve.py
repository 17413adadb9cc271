"""The composition root: everything that runs in the process is made, started and ended here."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

import uvicorn

from plimsoll_server.api.app import make_app
from plimsoll_server.api.bounded_connection import BoundedConnection
from plimsoll_server.api.connection import MAX_CONNECTIONS, aging_protocol
from plimsoll_server.api.door import has_something, refuse_newcomers
from plimsoll_server.api.state import Service
from plimsoll_server.descriptors import connections_that_fit
from plimsoll_server.engine.fleet.gpus import Gpus
from plimsoll_server.gate import Gate, desk_of
from plimsoll_server.launch import AnyEngine, Crew, dismiss, keep
from plimsoll_server.lifecycle import Lifecycle
from plimsoll_server.listening import listen
from plimsoll_server.metrics_port import MetricsPort
from plimsoll_server.scheduler.scheduler import Scheduler
from plimsoll_server.scheduler.tiers import tiers_from
from plimsoll_server.settings import Settings
from plimsoll_server.start import start
from plimsoll_server.telemetry import Identity, Telemetry

log = logging.getLogger(__name__)

_PUBLISH_SECONDS = 0.5
_GPUS_SECONDS = 2.0
_KEEP_ALIVE_SECONDS = 3_900
"""Longer than clients and proxies keep an idle connection (Envoy: an hour), so that it is never closed under a request
on its way. One in use ends with an answer, see PLIMSOLL_CONNECTION_MAX_AGE_SECONDS."""
_GRACEFUL_SECONDS = 5
_HANDSHAKE_SECONDS = 0.1
"""More than TCP's takes, of those who have come."""
_LOOKS, _LOOK_SECONDS = 45, 0.02
_BACKLOG = 2048


class _HttpServer(uvicorn.Server):
    """uvicorn, except that a signal begins the drain and the door stays open; a second signal ends at once."""

    def __init__(self, config: uvicorn.Config, lifecycle: Lifecycle) -> None:
        super().__init__(config)
        self._lifecycle = lifecycle
        self._loop = asyncio.get_running_loop()

    def begin(self, listener: socket.socket) -> None:
        self._listener = listener
        self._serving = asyncio.create_task(self.serve(sockets=[listener]))

    async def let_in_the_last(self) -> None:
        """Those who are at the door, for a second at most. Newcomers hear nothing, and are refused once it is shut."""
        refuse_newcomers(self._listener)
        await asyncio.sleep(_HANDSHAKE_SECONDS)
        for _ in range(_LOOKS):
            if not has_something(self._listener.fileno()) and not BoundedConnection.arriving:
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def shut(self) -> None:
        """Take no connection more; what is under way is answered, or cut off after _GRACEFUL_SECONDS."""
        self.should_exit = True
        await self._serving

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._loop.call_soon_threadsafe(self._lifecycle.drain)


async def serve(settings: Settings, drained: Callable[[int], object] = lambda _: None) -> int:
    """Serves until told to end. Returns the exit code: 0 when every request was answered. `drained` hears of it as soon
    as that is known, before all that runs in the process is ended."""
    lifecycle = Lifecycle()
    tiers = tiers_from(settings.config.tiers)
    telemetry = Telemetry(_identity(settings), [tier.name for tier in tiers])
    for tier in tiers:
        telemetry.set_load_line(tier.name, tier.running_limit, tier.running_limit * tier.max_tokens)
    service = Service(settings.config, lifecycle, deployment=settings.deployment, desk=desk_of(settings))
    gate = Gate(settings, telemetry, _identity(settings))
    listener = _listen(settings)
    metrics = MetricsPort(telemetry.registry, settings.bind_address, settings.metrics_port)
    http = _HttpServer(_http_config(service, telemetry, settings, gate), lifecycle)
    worker = ThreadPoolExecutor(1, "engine")
    http.begin(listener)
    # From now on: a model may take minutes to load, and a key that was taken back is not to be served meanwhile.
    renewing = asyncio.create_task(gate.keep())
    try:
        return await _live(settings, service, telemetry, worker, renewing, http, drained)
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        await http.shut()
        await gate.close()
        if service.desk is not None:
            service.desk.close()
        metrics.close()
        worker.shutdown(wait=False, cancel_futures=True)


async def _live(
    settings: Settings,
    service: Service,
    telemetry: Telemetry,
    worker: ThreadPoolExecutor,
    renewing: asyncio.Task[None],
    http: _HttpServer,
    drained: Callable[[int], object],
) -> int:
    ending = asyncio.create_task(service.lifecycle.told_to_end())
    gpus = Gpus(os.environ)
    crew = Crew(gpus.names, telemetry.devices)
    service.phases = crew.phases
    starting = asyncio.create_task(start(settings, worker, crew, telemetry, service.lifecycle.loaded))
    await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        log.info("told to end while loading")
        starting.cancel()
        await asyncio.wait({starting})
        return 0
    engine, scheduler, calibration = starting.result()
    service.engine, service.scheduler, service.calibration = engine, scheduler, calibration
    _publish_line(telemetry, engine, scheduler)
    telemetry.devices.set_phases(crew.phases.seconds)
    background = [
        asyncio.create_task(scheduler.run()),
        asyncio.create_task(keep(engine)),
        asyncio.create_task(_publish(telemetry, engine, scheduler)),
        asyncio.create_task(_publish_gpus(telemetry, gpus)),
        *([asyncio.create_task(service.desk.publish(telemetry.set_jobs))] if service.desk else []),
        renewing,
    ]
    try:
        service.lifecycle.serving()
        log.info("ready")
        await asyncio.wait({ending, *background}, return_when=asyncio.FIRST_COMPLETED)
        for task in background:
            if task.done():
                task.result()
        code = await _drain(settings, service.lifecycle, http)
        drained(code)
        return code
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        scheduler.close()
        await dismiss(engine)


async def _drain(settings: Settings, lifecycle: Lifecycle, http: _HttpServer) -> int:
    log.info("draining: not ready any more, answering what still comes")
    await lifecycle.drained(linger=settings.drain_linger_seconds, deadline=settings.drain_deadline_seconds)
    # The door is shut before those who work behind it go home: whoever comes in this moment is answered too.
    await http.let_in_the_last()
    await http.shut()
    if lifecycle.in_flight == 0:
        log.info("drained")
        return 0
    log.error("%d requests were not answered within the drain's deadline", lifecycle.in_flight)
    return 1


async def _publish(telemetry: Telemetry, engine: AnyEngine, scheduler: Scheduler) -> None:
    """Keeps the gauges fresh until cancelled."""
    while True:
        telemetry.set_load(scheduler.saturation(), scheduler.queued_tokens())
        telemetry.set_cache(scheduler.cached_bytes())
        telemetry.set_circuit(is_open=scheduler.circuit_open())
        memory = engine.memory()
        telemetry.set_memory(memory.used, memory.limit, memory.unused, memory.planned)
        _publish_line(telemetry, engine, scheduler)
        await asyncio.sleep(_PUBLISH_SECONDS)


async def _publish_gpus(telemetry: Telemetry, gpus: Gpus) -> None:
    while True:
        for number, name in enumerate(gpus.names):
            if (reading := gpus.read(name)) is not None:
                telemetry.devices.set_gpu(number, reading)
        await asyncio.sleep(_GPUS_SECONDS)


def _publish_line(telemetry: Telemetry, engine: AnyEngine, scheduler: Scheduler) -> None:
    line, sequences = engine.line(), scheduler.load_line()
    telemetry.set_measured(line.bytes_per_token, line.factor)
    for tier in scheduler.tiers:
        telemetry.set_load_line(tier.name, sequences[tier.name], sequences[tier.name] * tier.max_tokens)


def _identity(settings: Settings) -> Identity:
    return Identity(settings.namespace, settings.deployment, settings.revision, settings.pod_name)


def _http_config(service: Service, telemetry: Telemetry, settings: Settings, gate: Gate) -> uvicorn.Config:
    context = gate.certificate.context if gate.certificate else None
    return uvicorn.Config(
        make_app(
            service,
            telemetry,
            settings.max_body_bytes,
            gate.around,
            revision=settings.revision,
            replica=settings.pod_name,
        ),
        lifespan="off",
        http=aging_protocol(settings.connection_max_age_seconds, connections_that_fit(MAX_CONNECTIONS)),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # Whom a header names is whoever its sender likes, and a caller has its own rate.
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACEFUL_SECONDS,
        ssl_context_factory=(lambda *_: context) if context else None,
    )


def _listen(settings: Settings) -> socket.socket:
    """The one port for requests. With a certificate nothing is served beside it in the clear."""
    port, variable = settings.http_port, "PLIMSOLL_HTTP_PORT"
    if settings.tls_directory:
        port, variable = settings.https_port, "PLIMSOLL_HTTPS_PORT"
    return listen(settings.bind_address, port, variable, _BACKLOG)

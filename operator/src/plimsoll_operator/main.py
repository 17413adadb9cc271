"""The operator's process: everything is put together here, and only here."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import secrets
import socket
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial

import prometheus_client
import typer

from plimsoll_operator.clocks import unsleeping
from plimsoll_operator.cluster.access import Access, AccessError
from plimsoll_operator.cluster.compatibility import InstalledCrd, KubernetesTooOldError, require_kubernetes
from plimsoll_operator.cluster.kinds import INFERENCE_DEPLOYMENT
from plimsoll_operator.cluster.kube import Kube
from plimsoll_operator.cluster.measuring import Measuring
from plimsoll_operator.cluster.observe import Key, Observer
from plimsoll_operator.cluster.prometheus import Prometheus, PrometheusAccess
from plimsoll_operator.controller import Controller
from plimsoll_operator.election import REQUEST_TIMEOUT, Election, LeaseLostError, standing
from plimsoll_operator.handlers import Watches
from plimsoll_operator.health import Heartbeat
from plimsoll_operator.leases import Tenure
from plimsoll_operator.listener import CannotListenError, listening
from plimsoll_operator.logs import configure_logs
from plimsoll_operator.reconcile import Policy
from plimsoll_operator.resync import Resync
from plimsoll_operator.settings import InvalidSettingsError, Settings, read_settings
from plimsoll_operator.supervision import Shutdown, either, supervise
from plimsoll_operator.telemetry import Telemetry
from plimsoll_operator.workqueue import Backoff, WorkQueue

logger = logging.getLogger(__name__)

SETTLE = timedelta(milliseconds=100)
"""Changes come in bursts, such as a pod's first statuses: they share one reconcile."""

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


def main() -> None:
    app()


@app.callback()
def describe() -> None:
    """Plimsoll's Kubernetes operator: keeps InferenceDeployments as their specs ask."""


@app.command()
def run() -> None:
    """Run until SIGTERM. Settings come from the environment; the chart sets them."""
    try:
        settings = read_settings(os.environ)
    except InvalidSettingsError as error:
        typer.echo(f"plimsoll-operator: the environment does not fit\n{error}", err=True)
        raise typer.Exit(2) from error
    configure_logs(settings.log_format)
    # The creation time of every series would double their number, and nobody asks for it.
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
    try:
        lived = asyncio.run(operate(settings))
    except (AccessError, CannotListenError, KubernetesTooOldError) as error:
        logger.error("cannot start: %s", error)
        raise typer.Exit(1) from error
    raise typer.Exit(0 if lived else 1)


async def operate(settings: Settings) -> bool:
    """Run the operator. Returns whether it ended because it was asked to.

    Raises AccessError, CannotListenError, KubernetesTooOldError. Does not return when the Lease is lost.
    """
    shutdown = Shutdown()
    shutdown.heed_signals()
    telemetry = Telemetry()
    heartbeat = Heartbeat(settings.resync_period, time.monotonic)
    access = Access(settings.kubeconfig)
    await access.credentials()
    with ExitStack() as listeners:
        _listen(listeners, settings, telemetry, heartbeat)
        async with Kube(access, REQUEST_TIMEOUT, telemetry.wrote) as kube:
            await require_kubernetes(kube, heartbeat.answered, shutdown.stop)
            election = _election(settings, kube, heartbeat, telemetry)
            async with standing(election, partial(_end, shutdown)):
                await either(election.won, shutdown.stop)
                if shutdown.stop.is_set():
                    return True
                return await _lead(settings, access, election.tenure, shutdown, telemetry, heartbeat)


def _end(shutdown: Shutdown, error: BaseException | None) -> None:
    """The election has ended by itself."""
    if not isinstance(error, LeaseLostError):
        shutdown.begin()
        return
    logger.error("the Lease is lost, ending the process: %s", error, extra={"reason": "LeaseLost"})
    logging.shutdown()
    # At once and not in order: what tidies up could send something, or wait for an answer that never comes.
    os._exit(1)


async def _lead(
    settings: Settings,
    access: Access,
    tenure: Tenure,
    shutdown: Shutdown,
    telemetry: Telemetry,
    heartbeat: Heartbeat,
) -> bool:
    """Reconcile until shutdown. Returns whether every part lived until then."""
    async with Kube(access, settings.request_timeout, telemetry.wrote, tenure.check) as kube:
        crd = InstalledCrd(kube)
        queue = _queue(settings, kube, crd, telemetry)
        shutdown.drain(queue.stop)
        heartbeat.leads()
        resync = Resync(kube, settings.watch_namespace, settings.resync_period, queue.add, heartbeat, telemetry)
        wake = partial(queue.add, after=SETTLE)
        watches = Watches(access, settings.watch_namespace, settings.request_timeout, wake, resync.after_a_gap)
        parts = {
            "schema": crd.run(shutdown.stop),
            "resync": resync.run(shutdown.stop),
            "workers": queue.run(settings.workers),
            "watches": watches.run(resync.served, shutdown),
        }
        logger.info("serving %s", settings.watch_namespace or "all namespaces")
        return await supervise(parts, shutdown)


def _listen(listeners: ExitStack, settings: Settings, telemetry: Telemetry, heartbeat: Heartbeat) -> None:
    address = str(settings.bind_address)
    metrics = listening(address, settings.metrics_port, "PLIMSOLL_METRICS_PORT", {"/metrics": telemetry.page})
    health = listening(address, settings.health_port, "PLIMSOLL_HEALTH_PORT", {"/healthz": heartbeat.page})
    listeners.enter_context(metrics)
    listeners.enter_context(health)


def _election(settings: Settings, kube: Kube, heartbeat: Heartbeat, telemetry: Telemetry) -> Election:
    tenure = Tenure(unsleeping)
    telemetry.watch_lease(lambda: tenure.holds, lambda: tenure.age)
    return Election(
        kube=kube,
        namespace=settings.namespace,
        name=settings.lease_name,
        # Two processes of one pod, such as before and after a crash, are two.
        identity=f"{settings.pod_name or socket.gethostname()}_{secrets.token_hex(4)}",
        tenure=tenure,
        clock=unsleeping,
        now=_now,
        idle=partial(_has_nothing_to_write, kube, settings.watch_namespace),
        answered=heartbeat.answered,
        telemetry=telemetry,
    )


async def _has_nothing_to_write(kube: Kube, namespace: str) -> bool:
    return not await kube.has_any(INFERENCE_DEPLOYMENT, namespace)


def _queue(settings: Settings, kube: Kube, crd: InstalledCrd, telemetry: Telemetry) -> WorkQueue[Key]:
    measuring = Measuring(_prometheus(settings), _now, telemetry.prometheus_failed, settle=settings.prometheus_delay)
    controller = Controller(
        kube=kube,
        observer=Observer(kube, settings.namespace, settings.profiles_configmap, measuring.measure),
        crd=crd,
        policy=Policy(settings.server_image, settings.frozen, settings.hub_proxy, settings.prometheus_delay),
        telemetry=telemetry,
        now=_now,
    )
    queue = WorkQueue(controller.work, controller.report, clock=time.monotonic, luck=random.random, backoff=Backoff())
    telemetry.watch_queue(queue.backlog)
    return queue


def _prometheus(settings: Settings) -> Prometheus | None:
    if not settings.prometheus_url:
        return None
    access = PrometheusAccess(
        url=settings.prometheus_url,
        token_file=settings.prometheus_token_file,
        username_file=settings.prometheus_username_file,
        password_file=settings.prometheus_password_file,
        ca_file=settings.prometheus_ca_file,
        proxy=settings.prometheus_proxy,
    )
    return Prometheus(access)


def _now() -> datetime:
    return datetime.now(UTC)

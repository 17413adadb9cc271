"""The components of one sandbox, brought up in order and kept running."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable

from plimsoll_sandbox.components.apiserver import apiserver
from plimsoll_sandbox.components.cluster_objects import (
    METRICS_ADAPTER,
    PROMETHEUS,
    create_accounts,
    metrics_api_is_available,
    register_metrics_api,
    remove_other_nodes,
    request_token,
)
from plimsoll_sandbox.components.component import Component
from plimsoll_sandbox.components.controllers import controller_manager, scheduler
from plimsoll_sandbox.components.etcd import etcd
from plimsoll_sandbox.components.health import tls_context
from plimsoll_sandbox.components.metrics_adapter import METRICS_ADAPTER_ACCOUNT, metrics_adapter
from plimsoll_sandbox.components.node_agent import NODE_AGENT, node_agent
from plimsoll_sandbox.components.prometheus import prometheus, prometheus_token
from plimsoll_sandbox.config import Config
from plimsoll_sandbox.credentials import ADMIN, kubeconfig, kubeconfig_of, read_token, write_kubeconfig
from plimsoll_sandbox.errors import SandboxError
from plimsoll_sandbox.files import write_file
from plimsoll_sandbox.keeper import Keeper
from plimsoll_sandbox.kube import UNREACHABLE, ApiError, Kube
from plimsoll_sandbox.orphans import MARK
from plimsoll_sandbox.preparation import prepare
from plimsoll_sandbox.status import Journal

_POD_GRACE_SECONDS = 5.0
# What the control plane would still put in order is removed anyway.
_GRACE_SECONDS = 2.0
_SETTLE_SECONDS = 60.0
_POLL_SECONDS = 0.2


class Cluster:
    """`bring_up`, then `keep`; `stop` at any time."""

    def __init__(self, config: Config, journal: Journal) -> None:
        self._config = config
        self._journal = journal
        self._keepers: dict[str, Keeper] = {}
        self._environment = _environment(config)

    async def bring_up(self) -> None:
        """Everything in the order in which it depends on each other. Raises SandboxError."""
        with self._journal.step("certificates, tokens and kubeconfigs"):
            pairs = prepare(self._config)
        await self._start("etcd", etcd(self._config, pairs.etcd, pairs.apiserver))
        server = apiserver(self._config, pairs.serving, pairs.apiserver, pairs.front_proxy)
        await self._start("kube-apiserver", server)
        async with Kube(
            self._config.apiserver_url,
            read_token(self._config.layout.credentials, ADMIN),
            tls_context(self._config.authority),
        ) as kube:
            with self._journal.step("accounts of the sandbox's own parts"):
                await self._create_accounts(kube)
            await asyncio.gather(
                self._start("kube-controller-manager", controller_manager(self._config, pairs.serving)),
                self._start("kube-scheduler", scheduler(self._config, pairs.serving)),
                self._start("Prometheus", prometheus(self._config)),
                self._start("custom metrics adapter", metrics_adapter(self._config, pairs.serving)),
                self._start(f"{len(self._config.nodes)} nodes", node_agent(self._config, pairs.kubelet, kube)),
            )
            with self._journal.step("custom metrics API and default ServiceAccount"):
                await register_metrics_api(kube, self._config)
                await _settled("the custom metrics API", lambda: metrics_api_is_available(kube))
                await _settled("the default ServiceAccount", lambda: _pods_can_be_created(kube))

    async def keep(self) -> None:
        """Never returns; raises when a program cannot be started again."""
        await asyncio.gather(*(keeper.keep() for keeper in self._keepers.values()))

    def pids(self) -> list[int]:
        """The processes started here."""
        return [keeper.pid for keeper in self._keepers.values() if keeper.pid is not None]

    async def stop(self) -> None:
        """Pods first, while what they may want to tell can still be heard."""
        agent = self._keepers.pop(NODE_AGENT, None)
        if agent is not None:
            await agent.stop(_POD_GRACE_SECONDS)
        await asyncio.gather(*(keeper.stop(_GRACE_SECONDS) for keeper in self._keepers.values()))

    async def _start(self, title: str, component: Component) -> None:
        with self._journal.step(title):
            keeper = Keeper(component, self._config.layout, self._journal, self._environment)
            self._keepers[component.name] = keeper
            await keeper.bring_up()

    async def _create_accounts(self, kube: Kube) -> None:
        try:
            await create_accounts(kube)
            await remove_other_nodes(kube, {node.name for node in self._config.nodes})
            write_file(prometheus_token(self._config), await request_token(kube, PROMETHEUS))
            token = await request_token(kube, METRICS_ADAPTER)
        except (ApiError, *UNREACHABLE) as error:
            log = self._config.layout.log_of("kube-apiserver")
            raise SandboxError(f"the apiserver refused the sandbox's own objects: {error}; its log is {log}") from error
        content = kubeconfig(self._config.apiserver_url, self._config.authority, token, name=METRICS_ADAPTER)
        write_kubeconfig(kubeconfig_of(METRICS_ADAPTER_ACCOUNT, self._config.layout.credentials), content)


async def _settled(what: str, check: Callable[[], Awaitable[bool]]) -> None:
    """Wait until `check` holds; a refused or failed request only means not yet."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    last = "it never answered"
    while time.monotonic() < deadline:
        try:
            if await check():
                return
            last = "it answered that it is not ready"
        except (ApiError, *UNREACHABLE) as error:
            last = str(error)
        await asyncio.sleep(_POLL_SECONDS)
    raise SandboxError(f"{what} was not there after {_SETTLE_SECONDS:.0f} s: {last}")


async def _pods_can_be_created(kube: Kube) -> bool:
    """Admission refuses pods in a namespace that has no default ServiceAccount yet."""
    await kube.get("/api/v1/namespaces/default/serviceaccounts/default")
    await kube.get("/api/v1/namespaces/default/configmaps/kube-root-ca.crt")
    return True


def _environment(config: Config) -> dict[str, str]:
    """Ours without what points at other clusters or through proxies, and with the sandbox's mark."""
    hidden = {"KUBECONFIG", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}
    kept = {name: value for name, value in os.environ.items() if name.upper() not in hidden}
    return kept | {MARK: str(config.layout.folder)}

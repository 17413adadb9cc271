"""The agent's composition root: every node with its pods, the Service proxy and the log endpoint, until SIGTERM."""

from __future__ import annotations

import asyncio
import signal

import aiohttp

from plimsoll_sandbox.certificates import KeyPair
from plimsoll_sandbox.components.health import tls_context
from plimsoll_sandbox.config import Config
from plimsoll_sandbox.credentials import SERVICE_PROXY, Identity, node_identity, read_token
from plimsoll_sandbox.fleet import Node
from plimsoll_sandbox.kube import Kube
from plimsoll_sandbox.node.addresses import Addresses
from plimsoll_sandbox.node.endpoint import LogSource, NoLogError, serve, serving_context
from plimsoll_sandbox.node.events import EventRecorder
from plimsoll_sandbox.node.host import Host
from plimsoll_sandbox.node.image_store import ImageStore
from plimsoll_sandbox.node.memory import MemoryWatch
from plimsoll_sandbox.node.proxy import ServiceProxy
from plimsoll_sandbox.node.registration import Registration
from plimsoll_sandbox.node.roster import Roster
from plimsoll_sandbox.orphans import POD_MARK, kill_marked, marked

# Two seconds of grace when the node itself ends.
_LOOKS = 40
_LOOK_SECONDS = 0.05


async def run_agent(config: Config, serving: KeyPair) -> None:
    """Until SIGTERM; then no process of any pod is left."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    # What an earlier agent left behind, if it was killed.
    kill_marked(POD_MARK, str(config.layout.folder))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True)) as session:
        agent = Agent(config, serving, session)
        running = asyncio.create_task(agent.keep())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        await agent.kill_pods()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await agent.close()
    if not stop.is_set():
        running.result()


class Agent:
    """Everything that runs in the node agent's process."""

    def __init__(self, config: Config, serving: KeyPair, session: aiohttp.ClientSession) -> None:
        self._config = config
        self._serving = serving
        self._session = session
        self._tls = tls_context(config.authority)
        self._memory = MemoryWatch()
        self._images = ImageStore(config.request.images)
        self._addresses = Addresses(config.network.pods_range)
        self._rosters: list[Roster] = []
        self._kubes: list[Kube] = []
        self._proxy = ServiceProxy(
            self._kube(SERVICE_PROXY),
            ("127.0.0.1", config.network.ports["apiserver"]),
            config.network.kubernetes_service,
            config.layout.services,
        )

    async def keep(self) -> None:
        """Never returns."""
        tls = serving_context(self._serving, self._config.authority)
        addresses = [node.address for node in self._config.nodes]
        await serve(self._find_log, addresses, self._config.network.ports["kubelet"], tls)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._memory.keep())
            group.create_task(self._proxy.keep())
            # Containers are told of the Services there are, so these have to be known first.
            await self._proxy.ready()
            for node in self._config.nodes:
                self._start_node(node, group)

    async def kill_pods(self) -> None:
        """A moment to end by themselves, then none."""
        for roster in self._rosters:
            roster.abandon()
        mark = str(self._config.layout.folder)
        for _ in range(_LOOKS):
            if not marked(POD_MARK, mark):
                return
            await asyncio.sleep(_LOOK_SECONDS)
        kill_marked(POD_MARK, mark)

    def _start_node(self, node: Node, group: asyncio.TaskGroup) -> None:
        kube = self._kube(node_identity(node.name))
        events = EventRecorder(kube, node.name)
        host = Host(
            node=node,
            kube=kube,
            apiserver_url=self._config.apiserver_url,
            folder=self._config.layout.folder,
            pods_folder=self._config.layout.pods,
            images=self._images,
            addresses=self._addresses,
            memory=self._memory,
            events=events,
            session=self._session,
            service_variables=self._proxy.variables,
            restart_backoff_seconds=self._config.request.restart_backoff_seconds,
        )
        roster = Roster(kube, host)
        self._rosters.append(roster)
        group.create_task(Registration(kube, node, self._config.network.ports["kubelet"]).keep())
        group.create_task(events.keep())
        group.create_task(roster.keep())

    async def close(self) -> None:
        for kube in self._kubes:
            await kube.close()

    def _kube(self, identity: Identity) -> Kube:
        token = read_token(self._config.layout.credentials, identity)
        self._kubes.append(Kube(self._config.apiserver_url, token, self._tls))
        return self._kubes[-1]

    def _find_log(self, namespace: str, pod: str, container: str, previous: bool) -> LogSource:
        worker = next(filter(None, (roster.find(namespace, pod) for roster in self._rosters)), None)
        if worker is None:
            raise NoLogError(f'pod "{namespace}/{pod}" is not known to its node')
        return worker.log_source(container, previous=previous)

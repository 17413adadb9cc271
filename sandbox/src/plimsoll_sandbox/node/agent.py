"""The agent's composition root: every node's registration, pods and what serves them, until SIGTERM."""

from __future__ import annotations

import asyncio

from plimsoll_sandbox.certificates import KeyPair
from plimsoll_sandbox.components.health import tls_context
from plimsoll_sandbox.config import Config
from plimsoll_sandbox.credentials import node_identity, read_token
from plimsoll_sandbox.kube import Kube
from plimsoll_sandbox.node.registration import Registration


async def run_agent(config: Config, serving: KeyPair) -> None:
    tls = tls_context(config.authority)
    async with asyncio.TaskGroup() as group:
        for node in config.nodes:
            token = read_token(config.layout.credentials, node_identity(node.name))
            kube = Kube(config.apiserver_url, token, tls)
            group.create_task(Registration(kube, node, config.network.ports["kubelet"]).keep())

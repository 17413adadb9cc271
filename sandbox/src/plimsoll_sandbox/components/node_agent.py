"""The node agent: all nodes of the sandbox, the Service proxy, and what `kubectl logs` asks, in one process."""

from __future__ import annotations

import signal
import sys
from collections.abc import Awaitable, Callable

from plimsoll_sandbox.certificates import KeyPair
from plimsoll_sandbox.components.component import Component
from plimsoll_sandbox.config import Config
from plimsoll_sandbox.kube import UNREACHABLE, ApiError, Json, Kube

NODE_AGENT = "node-agent"


def node_agent(config: Config, serving: KeyPair, kube: Kube) -> Component:
    command = (
        sys.executable,
        "-P",
        "-m",
        "plimsoll_sandbox.node",
        str(config.layout.folder),
        str(serving.certificate),
        str(serving.key),
    )
    names = [node.name for node in config.nodes]
    # SIGTERM rather than SIGKILL: should the supervisor be killed, the agent still ends what the pods started.
    return Component(NODE_AGENT, command, _all_ready(kube, names), on_our_death=signal.SIGTERM)


def _all_ready(kube: Kube, names: list[str]) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        try:
            nodes = [await kube.get(f"/api/v1/nodes/{name}") for name in names]
        except (ApiError, *UNREACHABLE):
            return False
        return all(_is_ready(node) for node in nodes)

    return check


def _is_ready(node: Json) -> bool:
    conditions: list[Json] = node.get("status", {}).get("conditions", [])
    schedulable = not any(taint["key"].startswith("node.kubernetes.io/") for taint in node["spec"].get("taints", []))
    return schedulable and any(found["type"] == "Ready" and found["status"] == "True" for found in conditions)

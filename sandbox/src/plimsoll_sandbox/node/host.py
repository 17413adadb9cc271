"""What a node lends to its pods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from plimsoll_sandbox.fleet import Node
from plimsoll_sandbox.kube import Kube
from plimsoll_sandbox.node.addresses import Addresses
from plimsoll_sandbox.node.events import EventRecorder
from plimsoll_sandbox.node.image_store import ImageStore
from plimsoll_sandbox.node.memory import MemoryWatch


@dataclass(frozen=True)
class Host:
    """`kube` speaks as this node; `service_variables` answers for a namespace; `folder` is the sandbox's."""

    node: Node
    kube: Kube
    apiserver_url: str
    folder: Path
    pods_folder: Path
    images: ImageStore
    addresses: Addresses
    memory: MemoryWatch
    events: EventRecorder
    session: aiohttp.ClientSession
    service_variables: Callable[[str], Mapping[str, str]]
    restart_backoff_seconds: float

"""One object in a namespace of its own, and an operator for it that can be killed at any of its writes."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from api_client import Api, Object
from cluster_kit import eventually
from counting_proxy import CountingProxy, KillPoint, Line, Moment
from light_server import light
from nursery import Nursery
from plimsoll_operator.cluster.kinds import INFERENCE_DEPLOYMENT, Kind
from what_stands import everything, what_is_told, what_stands

NAMESPACE = Kind("v1", "Namespace", "namespaces")
SYSTEM = "plimsoll-kills"
NAME = "subject"
SETTLE_SECONDS = 300
"""A machine that does other work takes many times the seconds of a quiet one; with all trials at once it is slow."""
LAST_WRITES_SECONDS = 20
"""From when the object tells that all is done to the operator's last write."""

Picture = dict[Any, Any]


@dataclass(frozen=True)
class Ground:
    """What all trials share."""

    api: Api
    proxy: CountingProxy
    nursery: Nursery
    folder: Path
    kinds: list[Kind]
    starting: threading.Lock = field(default_factory=threading.Lock)
    _addresses: Iterator[int] = field(default_factory=itertools.count)

    def new_address(self) -> str:
        """Where one operator listens, and nobody else: so many free ports would meet each other."""
        return f"127.1.{os.getpid() % 256}.{next(self._addresses) + 1}"


class Trial:
    """The namespace is made at once; no operator runs before `start`."""

    def __init__(self, ground: Ground, namespace: str, resync: str = "5s") -> None:
        self.ground = ground
        self.resync = resync
        self.api = ground.api.of(namespace)
        self.line: Line = ground.proxy.open_line()
        self.pid = 0
        self.lives = 0
        ground.api.of("").create(NAMESPACE, {"metadata": {"name": namespace}})

    def ask_for(self, spec: Object) -> None:
        """Create the object, or change it."""
        self.api.apply(INFERENCE_DEPLOYMENT, light(NAME, spec))

    def start(self) -> None:
        """Another life of the operator, which need not wait for the Lease of the one before."""
        self.lives += 1
        name = f"{self.api.namespace}-{self.lives}"
        environment = {
            "PATH": os.environ["PATH"],
            "KUBECONFIG": str(self._kubeconfig()),
            "POD_NAMESPACE": SYSTEM,
            "POD_NAME": name,
            "PLIMSOLL_LEASE_NAME": name,
            "PLIMSOLL_WATCH_NAMESPACE": self.api.namespace,
            "PLIMSOLL_SERVER_IMAGE": "plimsoll/server:dev",
            "PLIMSOLL_RESYNC_PERIOD": self.resync,
            "PLIMSOLL_BIND_ADDRESS": self.ground.new_address(),
        }
        with self.ground.starting:
            self.pid = self.ground.nursery.start(environment, self.log)

    def kill_at(self, number: int, moment: Moment, meanwhile: Callable[[], None] = lambda: None) -> None:
        """End the operator that runs now, or the next, at the `number`th write from now on."""
        self.line.arm(KillPoint(number, moment, self.kill, meanwhile))

    def kill(self) -> None:
        pid, self.pid = self.pid, 0
        if pid:
            os.kill(pid, signal.SIGKILL)

    def tend(self) -> None:
        """As a kubelet would: one that ended by itself, its Lease lost on a busy machine, is started again."""
        pid = self.pid
        if pid and Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z"):
            self.start()

    def wait(self, ask: Callable[[], bool]) -> None:
        """Until it is so, with an operator at work unless it was killed."""

        def tended() -> bool:
            self.tend()
            return ask()

        eventually(tended, SETTLE_SECONDS, self._explain)

    @property
    def log(self) -> Path:
        return self.ground.folder / f"{self.api.namespace}.log"

    def dies(self, wanted: Picture) -> bool:
        """Whether the operator was killed, or false where it has reached `wanted` without coming to that write."""
        self.wait(lambda: self.line.killed.is_set() or self.tells(wanted))
        return self.line.killed.wait(LAST_WRITES_SECONDS)

    def comes_to(self, wanted: Picture) -> None:
        """Wait until the namespace holds exactly that."""
        self.wait(lambda: self.tells(wanted))
        eventually(lambda: self.picture() == wanted, SETTLE_SECONDS, lambda: _difference(self.picture(), wanted))

    def tells(self, wanted: Picture) -> bool:
        return bool(what_is_told(self.owner()) == wanted["status"])

    def is_ready(self) -> bool:
        owner = self.api.find(INFERENCE_DEPLOYMENT, NAME)
        if owner is None:
            return False
        conditions = {found["type"]: found for found in owner.get("status", {}).get("conditions", ())}
        ready = conditions.get("Ready", {"status": "", "observedGeneration": 0})
        return bool(ready["status"] == "True" and ready["observedGeneration"] == owner["metadata"]["generation"])

    def comes_to_rest(self) -> None:
        """It is ready, and the operator has looked at it twice since without a write."""
        self.wait(self.is_ready)

        def rests() -> bool:
            writes, lists = len(self.line.writes), self.line.lists
            self.wait(lambda: self.line.lists >= lists + 2)
            return len(self.line.writes) == writes

        self.wait(rests)

    def owner(self) -> Object:
        return self.api.get(INFERENCE_DEPLOYMENT, NAME)

    def picture(self) -> Picture:
        found = everything(self.api, self.ground.kinds)
        owner = found.pop(("InferenceDeployment", NAME))
        return {**what_stands(found), "status": what_is_told(owner)}

    def left(self) -> set[tuple[str, str]]:
        """What the namespace holds beside what every namespace does."""
        return set(everything(self.api, self.ground.kinds)) - {
            ("ConfigMap", "kube-root-ca.crt"),
            ("ServiceAccount", "default"),
        }

    def _kubeconfig(self) -> Path:
        path = self.ground.folder / f"{self.api.namespace}.kubeconfig"
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": {"server": self.line.address}}],
            "users": [{"name": "proxy", "user": {"token": "of-the-proxy"}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
        }
        path.write_text(yaml.safe_dump(content))
        return path

    def _explain(self) -> str:
        log = self.log.read_text()[-3000:] if self.log.exists() else ""
        owner = self.api.find(INFERENCE_DEPLOYMENT, NAME)
        return f"{self.line.writes}\n{owner and what_is_told(owner)}\n{log}"


def _difference(found: dict[Any, Any], wanted: dict[Any, Any]) -> str:
    keys = [key for key in {*found, *wanted} if found.get(key) != wanted.get(key)]
    return "\n".join(f"{key}: found {found.get(key)}\nwanted {wanted.get(key)}" for key in keys)

"""Several operators of one installation, each with a token of its own: by it the audit log tells them apart."""

from __future__ import annotations

import base64
import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from cluster.edge.conftest import LEASE, OPERATOR, Edge
from cluster.edge.test_operator_edge_life import is_about_the_lease
from cluster_kit import eventually
from operator_process import OperatorProcess, running_operator


@dataclass(frozen=True)
class Replica:
    """One operator process, and its name in the record of requests."""

    edge: Edge
    process: OperatorProcess
    credential: str

    def leads(self) -> bool:
        return self.process.metric("plimsoll_operator_leading") == 1

    def signal(self, number: signal.Signals) -> None:
        assert self.process.process is not None
        self.process.process.send_signal(number)

    def exit_code(self) -> int | None:
        assert self.process.process is not None
        return self.process.process.poll()

    def requests(self, since: int = 0) -> list[dict[str, Any]]:
        """All that it asked, watches left out: kopf's, which change nothing."""
        asked = self.edge.control_plane.requests_of(OPERATOR, since)
        return [request for request in asked if self.credential in _credentials(request) and request["verb"] != "watch"]

    def work(self, since: int = 0) -> list[str]:
        """What it asked but for the Lease and what fits a standby, as `verb path`."""
        own = [request for request in self.requests(since) if not is_about_the_lease(request)]
        return [f"{r['verb']} {r['requestURI']}" for r in own if not r["requestURI"].startswith("/version")]


@dataclass
class Replicas:
    """Starts operators; each may go through another port than the apiserver's."""

    edge: Edge
    _stack: ExitStack
    _started: list[Replica] = field(default_factory=list)

    def start(self, port: int | None = None, **settings: str) -> Replica:
        number = len(self._started)
        token = self.edge.new_token()
        kubeconfig = self.edge.folder / f"operator-{number}.kubeconfig"
        self.edge.control_plane.write_kubeconfig(kubeconfig, {"token": token}, port)
        given = {
            "PLIMSOLL_RESYNC_PERIOD": "2s",
            "PLIMSOLL_WATCH_NAMESPACE": self.edge.kit.namespace,
            "PLIMSOLL_LEASE_NAME": LEASE,
            "POD_NAME": f"operator-{number}",
        } | settings
        process = running_operator(kubeconfig, self.edge.folder / f"operator-{number}.log", **given)
        replica = Replica(self.edge, self._stack.enter_context(process), _credential_of(token))
        self._started.append(replica)
        return replica

    def start_leader(self, port: int | None = None, **settings: str) -> Replica:
        replica = self.start(port, **settings)
        eventually(replica.leads, 30, replica.process.log_path.read_text)
        return replica


@contextmanager
def running_replicas(edge: Edge) -> Iterator[Replicas]:
    with ExitStack() as stack:
        yield Replicas(edge, stack)


def _credential_of(token: str) -> str:
    claims = token.split(".")[1]
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    return f"JTI={decoded['jti']}"


def _credentials(request: dict[str, Any]) -> list[str]:
    found: list[str] = request["user"].get("extra", {}).get("authentication.kubernetes.io/credential-id", [])
    return found

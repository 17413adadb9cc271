"""Questions and orders to a cluster, as the tests put them: kubectl underneath, a deadline on every wait."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

T = TypeVar("T")

BUSY_FACTOR, BUSY_SECONDS = 4, 90
"""What a machine that is busy is allowed: so many times a deadline, up to so many seconds."""
CHILD_KINDS = ",".join(
    (
        "deployments",
        "controllerrevisions",
        "services",
        "serviceaccounts",
        "poddisruptionbudgets",
        "horizontalpodautoscalers",
        "networkpolicies",
        "replicasets",
        "pods",
    )
)


class KubectlError(AssertionError):
    """kubectl refused; the message is what a user reads."""


@dataclass(frozen=True)
class Kit:
    """One namespace of one cluster."""

    kubectl_path: Path
    kubeconfig: Path
    namespace: str

    def kubectl(self, *argv: str, stdin: str | None = None, deadline: float = 60) -> str:
        command = [str(self.kubectl_path), "--kubeconfig", str(self.kubeconfig), "-n", self.namespace, *argv]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=deadline, check=False)
        if done.returncode != 0:
            raise KubectlError(f"{' '.join(argv)}: {done.stderr or done.stdout}")
        return done.stdout

    @contextmanager
    def kubectl_running(self, *argv: str) -> Iterator[IO[str]]:
        """The output of a kubectl that runs beside what follows; ended with the block at the latest."""
        command = [str(self.kubectl_path), "--kubeconfig", str(self.kubeconfig), "-n", self.namespace, *argv]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout is not None
            try:
                yield running.stdout
            finally:
                running.kill()

    def apply(self, manifest: dict[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))

    def patch(self, kind: str, name: str, patch: Any) -> dict[str, Any]:
        """Merge a patch in; the object as the apiserver stored it then."""
        text = self.kubectl("patch", kind, name, "--type", "merge", "-p", json.dumps(patch), "-o", "json")
        patched: dict[str, Any] = json.loads(text)
        return patched

    def get(self, kind: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", kind, name, "-o", "json"))
        return found

    def select(self, kinds: str, selector: str = "") -> list[dict[str, Any]]:
        chosen = ("-l", selector) if selector else ()
        items: list[dict[str, Any]] = json.loads(self.kubectl("get", kinds, *chosen, "-o", "json"))["items"]
        return items

    def children(self, name: str) -> list[dict[str, Any]]:
        return self.select(CHILD_KINDS, f"plimsoll.dev/name={name}")

    def pods(self, name: str) -> list[dict[str, Any]]:
        return [p for p in self.select("pods", f"plimsoll.dev/name={name}") if "deletionTimestamp" not in p["metadata"]]

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        """A condition of an InferenceDeployment; empty while there is none."""
        conditions = self.get("infd", name).get("status", {}).get("conditions", [])
        return next((dict(condition) for condition in conditions if condition["type"] == kind), {})

    def wait_for(self, name: str, kind: str, status: str, reason: str = "", deadline: float = 90) -> dict[str, Any]:
        """Wait until a condition of this very generation says so."""

        def said() -> dict[str, Any] | None:
            found = self.get("infd", name)
            conditions = found.get("status", {}).get("conditions", [])
            for condition in conditions:
                current = condition["observedGeneration"] == found["metadata"]["generation"]
                if condition["type"] == kind and current and condition["status"] == status:
                    return dict(condition) if reason in ("", condition["reason"]) else None
            return None

        return eventually(said, deadline, lambda: self.kubectl("get", "infd", name, "-o", "jsonpath={.status}"))


def eventually(ask: Callable[[], T | None], deadline: float, explain: Callable[[], str] = lambda: "") -> T:
    """The first answer that is neither None nor false, or an AssertionError that explains what was there instead.

    Where more processes want to run than there are cores, a short deadline is a longer one: it would be the machine's.
    """
    began, longest = time.monotonic(), max(deadline, min(BUSY_FACTOR * deadline, BUSY_SECONDS))
    while (waited := time.monotonic() - began) < deadline or (waited < longest and _is_busy()):
        if answer := ask():
            return answer
        time.sleep(0.3)
    raise AssertionError(f"not within {waited:.0f} s; there was: {explain()}")


def _is_busy() -> bool:
    return os.getloadavg()[0] > (os.cpu_count() or 1)


def settled(manifest: dict[str, Any]) -> dict[str, Any]:
    """An object without what the apiserver assigns."""
    assigned = {"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"}
    metadata = {field: value for field, value in manifest["metadata"].items() if field not in assigned}
    return {**manifest, "metadata": metadata, "status": None}


def names(manifests: Iterable[dict[str, Any]]) -> set[str]:
    return {f"{manifest['kind']}/{manifest['metadata']['name']}" for manifest in manifests}

"""The API on the real apiserver, and kubectl as its user."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from cluster_kit import eventually
from plimsoll_sandbox.sandbox import Sandbox
from plimsoll_sandbox.toolchain import Tools

CRD_FILE = Path(__file__).resolve().parents[3] / "crds" / "plimsoll.dev_inferencedeployments.yaml"
CRD_NAME = "inferencedeployments.plimsoll.dev"


@dataclass(frozen=True)
class Answer:
    """What kubectl printed, and its exit status."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class InferenceApi:
    """kubectl in a namespace of the test's own, on a cluster that knows InferenceDeployments."""

    kubectl_path: Path
    kubeconfig: Path
    namespace: str

    def kubectl(self, *arguments: str, send: Iterable[dict[str, Any]] = ()) -> Answer:
        """Run kubectl; the objects in `send` go to its standard input, a document each.

        Not as one List, which kubectl checks by itself, with other words than the apiserver's.
        """
        command = [str(self.kubectl_path), "--kubeconfig", str(self.kubeconfig), "-n", self.namespace, *arguments]
        stdin = "\n---\n".join(json.dumps(document) for document in send)
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)
        return Answer(done.returncode, done.stdout, done.stderr)

    def stored(self, name: str) -> dict[str, Any]:
        """The object as the apiserver stores it."""
        answer = self.kubectl("get", "infd", name, "-o", "json")
        assert answer.status == 0, answer.err
        document: dict[str, Any] = json.loads(answer.out)
        return document


@pytest.fixture(scope="package")
def inference_api(sandbox: Sandbox, tools: Tools) -> Iterator[InferenceApi]:
    api = InferenceApi(tools.kubectl, sandbox.kubeconfig, f"crd-{uuid4().hex[:8]}")
    found = api.kubectl("get", "crd", CRD_NAME).status == 0
    if not found:
        _succeed(api.kubectl("apply", "--server-side", "-f", str(CRD_FILE)))
        _succeed(api.kubectl("wait", "--for=condition=Established", "--timeout=30s", f"crd/{CRD_NAME}"))
    # The apiserver publishes a new kind's schema some seconds after it is established; `kubectl explain` reads it.
    eventually(lambda: api.kubectl("explain", "infd").status == 0, 30, lambda: api.kubectl("explain", "infd").err)
    _succeed(api.kubectl("create", "namespace", api.namespace))
    yield api
    _succeed(api.kubectl("delete", "namespace", api.namespace, "--wait=false"))
    if not found:  # A chart that is installed later must find no CRD that it does not own.
        _succeed(api.kubectl("delete", "crd", CRD_NAME, "--timeout=60s"))


def _succeed(answer: Answer) -> None:
    assert answer.status == 0, answer.err


@pytest.fixture
def make_object() -> Callable[..., dict[str, Any]]:
    """Builds the smallest good object; sections of the spec replace the ones given."""

    def build(name: str, **sections: Any) -> dict[str, Any]:
        spec = {
            "model": {"uri": "pvc://models/m"},
            "gpu": {"profile": "cpu"},
            "tiers": [{"name": "short", "maxTokens": 512}],
            **sections,
        }
        meta = {"name": name}
        return {"apiVersion": "plimsoll.dev/v1alpha1", "kind": "InferenceDeployment", "metadata": meta, "spec": spec}

    return build

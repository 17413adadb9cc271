"""Namespaces to try pods in, and a second sandbox for tests that break one or need two."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from cluster_kit import Kit, eventually
from plimsoll_sandbox.fleet import NodeGroup
from plimsoll_sandbox.sandbox import Options, Sandbox
from plimsoll_sandbox.toolchain import Tools


@pytest.fixture
def kit(sandbox: Sandbox, tools: Tools) -> Iterator[Kit]:
    """A namespace of the test's own, in which pods can be made at once."""
    yield from _namespace(tools, sandbox)


@pytest.fixture(scope="module")
def shared_kit(sandbox: Sandbox, tools: Tools) -> Iterator[Kit]:
    """A namespace for all tests of a file."""
    yield from _namespace(tools, sandbox)


@pytest.fixture(scope="module")
def second(tools: Tools, image_map: Path, request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Another sandbox beside the one of all tests, of one node, that may be broken."""
    sandbox = Sandbox(f"test-{os.getpid()}-second")
    try:
        sandbox.up(tools, Options(nodes=(NodeGroup("cpu"),), images=image_map))
        yield sandbox
    finally:
        sandbox.down(keep_logs=request.session.testsfailed > 0)


def _namespace(tools: Tools, sandbox: Sandbox) -> Iterator[Kit]:
    kit = Kit(tools.kubectl, sandbox.kubeconfig, f"test-{uuid4().hex[:8]}")
    kit.kubectl("create", "namespace", kit.namespace)
    eventually(lambda: kit.kubectl("get", "serviceaccount", "default", "--ignore-not-found"), deadline=20)
    yield kit
    kit.kubectl("delete", "namespace", kit.namespace, "--wait=false")

"""Real servers for tests: within the test's own event loop where that will do, else as processes of their own."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from free_ports import free_port
from plimsoll_server.serve import serve
from plimsoll_server.settings import read_settings

IDENTITY = {
    "POD_NAME": "domains-1",
    "POD_NAMESPACE": "guardrails",
    "PLIMSOLL_DEPLOYMENT": "domains",
    "PLIMSOLL_REVISION": "abc",
}
READY_SECONDS = 300.0
SERVE = (Path(sys.executable).parent / "plimsoll-server", "serve")


def environment(config: Mapping[str, Any], **variables: str) -> dict[str, str]:
    """What a pod would be given, on free ports and without a wait at its end."""
    return {
        **IDENTITY,
        "PLIMSOLL_CONFIG": json.dumps(config),
        "PLIMSOLL_HTTP_PORT": str(free_port()),
        "PLIMSOLL_HTTPS_PORT": str(free_port()),
        "PLIMSOLL_METRICS_PORT": str(free_port()),
        "PLIMSOLL_DRAIN_LINGER_SECONDS": "0",
        **variables,
    }


@dataclass(frozen=True)
class Server:
    """A server that is ready, by its addresses."""

    variables: Mapping[str, str]
    client: httpx.AsyncClient

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", int(self.variables["PLIMSOLL_HTTP_PORT"])

    async def predict(self, inputs: Any, **fields: Any) -> httpx.Response:
        return await self.client.post("/predict", json={"inputs": inputs, **fields})

    async def metrics(self) -> dict[tuple[str, ...], float]:
        """Samples by (name, values of those labels below that it has)."""
        port = self.variables["PLIMSOLL_METRICS_PORT"]
        text = (await self.client.get(f"http://127.0.0.1:{port}/metrics")).text
        told = ("tier", "outcome", "kind", "source", "size", "layer", "expert", "state")
        return {
            (sample.name, *(sample.labels[label] for label in told if label in sample.labels)): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if "le" not in sample.labels
        }


@asynccontextmanager
async def serving(
    config: Mapping[str, Any], *, trust: ssl.SSLContext | None = None, **variables: str
) -> AsyncIterator[Server]:
    """A server in this event loop: real sockets, real model, no start of an interpreter. With TLS, whom to `trust`."""
    told = environment(config, **variables)
    url = (
        f"https://127.0.0.1:{told['PLIMSOLL_HTTPS_PORT']}"
        if trust
        else f"http://127.0.0.1:{told['PLIMSOLL_HTTP_PORT']}"
    )
    limits = {kind: resource.getrlimit(kind) for kind in (resource.RLIMIT_DATA, resource.RLIMIT_NOFILE)}
    running = asyncio.create_task(serve(read_settings(told)))
    try:
        async with httpx.AsyncClient(base_url=url, timeout=60, verify=trust or True) as client:
            await _until_ready(client, running)
            yield Server(told, client)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        # What a server does to its own process is taken back from this one.
        for kind, limit in limits.items():
            resource.setrlimit(kind, limit)
        gc.unfreeze()


async def _until_ready(client: httpx.AsyncClient, running: asyncio.Task[int]) -> None:
    async with asyncio.timeout(READY_SECONDS):
        while True:
            if running.done():
                running.result()
            try:
                if (await client.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.02)


@dataclass(frozen=True)
class ServerProcess:
    """A `plimsoll-server serve` of its own."""

    variables: Mapping[str, str]
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.variables['PLIMSOLL_HTTP_PORT']}"

    def until_ready(self) -> None:
        self.until_answers("/readyz", 200)

    def until_answers(self, path: str, status: int) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if httpx.get(f"{self.url}{path}").status_code == status:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"no {status} from {path}: exit code {self.process.poll()}, log:\n{self.log.read_text()}")

    def ends_with(self, seconds: float = READY_SECONDS) -> int:
        return self.process.wait(seconds)

    def maps(self) -> str:
        """What it has mapped into its memory, libraries among it."""
        return Path(f"/proc/{self.process.pid}/maps").read_text()

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)


@contextmanager
def process(
    folder: Path, variables: Mapping[str, str], command: Sequence[str | Path] = SERVE
) -> Iterator[ServerProcess]:
    """Starts a server whose log lies in `folder`; it never outlives the block."""
    log = folder / "server.log"
    with log.open("wb") as output:
        started = subprocess.Popen(
            command,
            env={**os.environ, **variables},
            stderr=output,
            stdout=output,
        )
    try:
        yield ServerProcess(variables, started, log)
    finally:
        started.kill()
        started.wait(30)

"""Carries out what probes and lifecycle hooks ask for, beside one running container."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from plimsoll_sandbox.node.expansion import expand
from plimsoll_sandbox.node.mounts import Mounts
from plimsoll_sandbox.node.spec.actions import Action, Exec, HttpGet, Sleep, TcpSocket, Unsupported
from plimsoll_sandbox.node.spec.containers import Container
from plimsoll_sandbox.process import start

_OUTPUT_BYTES = 1024


@dataclass(frozen=True)
class Outcome:
    """Whether it went well, and what an Event says if not."""

    succeeded: bool
    message: str = ""


@dataclass(frozen=True)
class Surrounding:
    """The running container that actions are carried out for."""

    container: Container
    pod_address: str
    environment: Mapping[str, str]
    mounts: Mounts
    folder: Path


class Actor:
    def __init__(self, session: aiohttp.ClientSession, around: Surrounding) -> None:
        self._session = session
        self._around = around

    async def act(self, action: Action, seconds: float) -> Outcome:
        """Never raises for what the container does; no answer within `seconds` is a failure."""
        try:
            async with asyncio.timeout(seconds):
                return await self._act(action)
        except TimeoutError:
            return Outcome(False, f"no answer within {seconds:g} s")

    async def _act(self, action: Action) -> Outcome:
        match action:
            case HttpGet():
                return await self._http(action)
            case TcpSocket():
                return await self._connect(action)
            case Exec(command):
                return await self._execute(command)
            case Sleep(seconds):
                await asyncio.sleep(seconds)
                return Outcome(True)
            case Unsupported(kind):
                return Outcome(False, f"a sandbox cannot carry out actions of the kind {kind}")

    async def _http(self, action: HttpGet) -> Outcome:
        port = self._around.container.port(action.port)
        if port is None:
            return Outcome(False, f"the container has no port named {action.port!r}")
        url = f"{action.scheme}://{action.host or self._around.pod_address}:{port}/{action.path.lstrip('/')}"
        try:
            # Like the kubelet: certificates are not verified, and a redirect is an answer.
            async with self._session.get(url, headers=action.headers, ssl=False, allow_redirects=False) as response:
                if 200 <= response.status < 400:
                    return Outcome(True)
                return Outcome(False, f"HTTP probe failed with statuscode: {response.status}")
        except (aiohttp.ClientError, OSError) as error:
            return Outcome(False, f"Get {url!r}: {error}")

    async def _connect(self, action: TcpSocket) -> Outcome:
        port = self._around.container.port(action.port)
        if port is None:
            return Outcome(False, f"the container has no port named {action.port!r}")
        host = action.host or self._around.pod_address
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError as error:
            return Outcome(False, f"dial tcp {host}:{port}: {error}")
        writer.close()
        return Outcome(True)

    async def _execute(self, command: tuple[str, ...]) -> Outcome:
        around = self._around
        words = [around.mounts.rewrite(expand(word, around.environment)) for word in command]
        output = os.memfd_create("output")
        try:
            child = start(words, environment=around.environment, folder=around.folder, output=output)
            try:
                code = await child.wait()
            finally:
                child.send(signal.SIGKILL)
            said = os.pread(output, _OUTPUT_BYTES, 0).decode(errors="replace").strip()
        except OSError as error:
            return Outcome(False, f"{command[0]}: {error}")
        finally:
            os.close(output)
        return Outcome(code == 0, "" if code == 0 else said or f"command terminated with exit code {code}")

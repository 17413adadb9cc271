"""A sandbox as Python code uses it; the command line and the tests do nothing else."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from plimsoll_sandbox.config import DEFAULT_RESTART_BACKOFF_SECONDS, Config, Programs, Request
from plimsoll_sandbox.errors import SandboxError
from plimsoll_sandbox.fleet import DEFAULT_GROUPS, NodeGroup, check_groups
from plimsoll_sandbox.gpu_profiles import checkout_profiles, load_profiles
from plimsoll_sandbox.images import ImageMap
from plimsoll_sandbox.keeper import tail
from plimsoll_sandbox.layout import Layout
from plimsoll_sandbox.name_lock import holding
from plimsoll_sandbox.orphans import MARK, kill_marked, start_ticks
from plimsoll_sandbox.services import service_url
from plimsoll_sandbox.status import Phase, Status, Step
from plimsoll_sandbox.toolchain import Tools

_UP_SECONDS = 180.0
# etcd reserves 128 MiB for its log, and does not start without.
_LEAST_FREE_BYTES = 512 << 20
_DOWN_SECONDS = 20.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Options:
    """What `up` may be told. Without `gpu_profiles` those of the checkout's chart are used."""

    nodes: Sequence[NodeGroup] = DEFAULT_GROUPS
    images: Path | None = None
    gpu_profiles: Path | None = field(default_factory=checkout_profiles)
    restart_backoff_seconds: float = DEFAULT_RESTART_BACKOFF_SECONDS

    def check(self) -> None:
        """Whatever can be wrong before anything is built or started. Raises SandboxError."""
        if platform.system() != "Linux":
            raise SandboxError(
                f"a sandbox needs Linux, for its loopback addresses and process handles; this is {platform.system()}"
            )
        check_groups(self.nodes, load_profiles(self.gpu_profiles))
        ImageMap.load(self.images)


class Sandbox:
    """One sandbox by its name. Nothing is started or read before a method is called; all raise SandboxError."""

    def __init__(self, name: str = "default", home: Path | None = None) -> None:
        self.layout = Layout.of(name, home)

    @property
    def name(self) -> str:
        return self.layout.name

    def up(self, tools: Tools, options: Options | None = None, on_step: Callable[[Step], None] | None = None) -> None:
        """Start it and wait until it is ready; a running one is left as it is. `on_step` hears of each step's end."""
        request = _request(tools, options or Options())
        with holding(self.layout.folder):
            running = Status.read(self.layout)
            if running is not None and running.is_alive:
                self._require_same(request)
                pid = running.supervisor_pid
            else:
                pid = self._spawn(request)
            ready = False
            try:
                self._wait_until_ready(pid, on_step)
                ready = True
            finally:
                if not ready:  # Interrupted or failed: its logs stay, its processes do not.
                    self._end()

    def down(self, *, keep_logs: bool = False) -> None:
        """End everything that belongs to it and remove its folder. Not being there is fine."""
        with holding(self.layout.folder):
            self._end()
            self._remove(keep_logs)

    def status(self) -> Status | None:
        """None where there is no sandbox of this name."""
        return Status.read(self.layout)

    @property
    def config(self) -> Config:
        return Config.load(self.layout)

    @property
    def kubeconfig(self) -> Path:
        return self.layout.kubeconfig

    @property
    def prometheus_url(self) -> str:
        return self.config.prometheus_url

    @property
    def audit_log(self) -> Path:
        return self.layout.audit_log

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """kubectl's output. A failure raises SandboxError with what kubectl said, unless `check` is off."""
        program = self.config.request.programs.kubectl
        done = subprocess.run(  # noqa: S603 - what kubectl is told is the caller's business
            [program, *arguments],
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode != 0:
            raise SandboxError(f"kubectl {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout + ("" if check else done.stderr)

    def url(self, namespace: str, service: str, port: int | None = None) -> str:
        """Where a Service of HTTP answers; its only or first port unless `port` names another."""
        return service_url(self.config.layout, namespace, service, port)

    def _end(self) -> None:
        status = Status.read(self.layout)
        if status is not None and status.is_alive:
            os.kill(status.supervisor_pid, signal.SIGTERM)
            _wait(lambda: not status.is_alive, _DOWN_SECONDS)
        kill_marked(MARK, str(self.layout.folder))

    def _spawn(self, request: Request) -> int:
        try:
            self.layout.create()
            self._require_room()
            self.layout.status.unlink(missing_ok=True)
            request.save(self.layout)
            log = os.open(self.layout.log_of("supervisor"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise SandboxError(f"the sandbox's folder {self.layout.folder} cannot be written: {error}") from error
        try:
            return os.posix_spawn(
                sys.executable,
                [sys.executable, "-P", "-m", "plimsoll_sandbox.supervisor", str(self.layout.folder)],
                {**os.environ, MARK: str(self.layout.folder)},
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, log, 1),
                    (os.POSIX_SPAWN_DUP2, log, 2),
                ],
                setsid=True,
            )
        finally:
            os.close(log)

    def _wait_until_ready(self, pid: int, on_step: Callable[[Step], None] | None) -> None:
        told: set[str] = set()
        deadline = time.monotonic() + _UP_SECONDS
        while time.monotonic() < deadline:
            status = Status.read(self.layout)
            for step in status.steps if status is not None else ():
                if on_step is not None and step.seconds is not None and step.title not in told:
                    told.add(step.title)
                    on_step(step)
            if status is not None and status.phase is Phase.READY:
                return
            if status is not None and status.phase is Phase.FAILED:
                raise SandboxError(
                    f"the sandbox {self.name!r} cannot start: {status.reason}\n"
                    f"plimsoll-sandbox down --name {self.name} clears the way for a fresh one"
                )
            if start_ticks(pid) is None:
                log = self.layout.log_of("supervisor")
                raise SandboxError(f"the supervisor ended; its log is {log} and ends with:\n{tail(log)}")
            time.sleep(_POLL_SECONDS)
        raise SandboxError(
            f"the sandbox {self.name!r} was not ready after {_UP_SECONDS:.0f} s; the logs are in {self.layout.logs}"
        )

    def _require_room(self) -> None:
        free = shutil.disk_usage(self.layout.folder).free
        if free < _LEAST_FREE_BYTES:
            raise SandboxError(
                f"{self.layout.folder} has {free >> 20} MiB left, a sandbox needs {_LEAST_FREE_BYTES >> 20} MiB: "
                "make room, or set PLIMSOLL_HOME to a folder on another disk"
            )

    def _require_same(self, request: Request) -> None:
        found = Request.load(self.layout)
        if found != request:
            raise SandboxError(
                f"the sandbox {self.name!r} runs with other options ({found.describe()}), "
                f"asked for: {request.describe()}. Run plimsoll-sandbox down --name {self.name} first"
            )

    def _remove(self, keep_logs: bool) -> None:
        if not self.layout.folder.exists():
            return
        for entry in self.layout.folder.iterdir():
            if keep_logs and entry == self.layout.logs:
                continue
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        if not keep_logs:
            self.layout.folder.rmdir()


def _request(tools: Tools, options: Options) -> Request:
    options.check()
    programs = Programs(tools.controlplane, tools.metrics_adapter, tools.prometheus, tools.kubectl)
    return Request(
        programs=programs,
        groups=tuple(map(str, options.nodes)),
        gpu_profiles=options.gpu_profiles and options.gpu_profiles.resolve(),
        images=options.images and options.images.resolve(),
        restart_backoff_seconds=options.restart_backoff_seconds,
    )


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)

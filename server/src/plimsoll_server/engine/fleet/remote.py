"""One worker process as the server sees it, from its start to its end. It is never started again: another takes its
place."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from plimsoll_server.audience import Audience
from plimsoll_server.engine.fleet.messages import (
    Abandoned,
    Answer,
    Built,
    Call,
    Message,
    Pulse,
    Refusal,
    encode,
    receive,
)
from plimsoll_server.engine.fleet.places import Place
from plimsoll_server.engine.fleet.tempo import weight
from plimsoll_server.engine.process_memory import DeviceMemory
from plimsoll_server.errors import StartError
from plimsoll_server.types import BatchReport, LoadLine, Tokens

log = logging.getLogger(__name__)

_END_SECONDS = 5.0
"""That a worker gets to end by itself once its socket is closed."""


class WorkerLostError(Exception):
    """The process ended before it answered."""


class WorkerFaultError(RuntimeError):
    """The engine in the worker failed, in a way that is over with the call."""


class NoWorkerError(RuntimeError):
    """There is no worker to run anything."""


class Worker:
    """Raises nothing by itself when the process ends: `ended` tells, and every call that waits is lost."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.tokens_on_hand = 0
        self.tokens_taken = 0
        self.guests = 0
        """Batches that are to run within another."""
        self.ended = True
        """Or not begun: it answers no call."""
        self.line = LoadLine()
        self.memory = DeviceMemory(0, None)
        self._pulse = Pulse(self.line, self.memory, 0.0, 0.0, 0.0)
        self._weights: list[float] = []
        self._heard = time.monotonic()
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._built: asyncio.Future[Built] = asyncio.get_running_loop().create_future()
        self._listening: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        return self._process.pid

    async def begin(self) -> Built:
        """Starts the process and waits until its model is loaded. Raises StartError, or WorkerLostError."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = _process(self.place, theirs.fileno())
        try:
            reader, self._writer = await asyncio.open_connection(sock=ours)
        except BaseException:
            # Nobody listens to it yet, so nobody else would end it.
            ours.close()
            self._process.kill()
            self._process.wait()
            raise
        self._writer.write(encode(self.place.order))
        self.ended = False
        self._listening = asyncio.create_task(self._listen(reader))
        return await self._built

    async def run(self, batch: Sequence[Tokens], *, between: bool, audience: Audience) -> BatchReport:
        tokens, heavy = sum(map(len, batch)), weight(batch)
        self._weights.append(heavy)
        self.tokens_on_hand += tokens
        self.tokens_taken += tokens
        self.guests += between
        try:
            report: BatchReport = await self.call("run", audience, batch=list(map(list, batch)), between=between)
        finally:
            self._weights.remove(heavy)
            self.tokens_on_hand -= tokens
            self.guests -= between
        return report

    async def call(self, method: str, audience: Audience | None = None, **arguments: Any) -> Any:
        """What the engine's method returns. Raises WorkerLostError, StartError or WorkerFaultError.

        `audience`: for whom a batch runs; the worker is told when they are gone.
        """
        if self.ended:
            raise WorkerLostError(f"worker {self.place.number} has ended")
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        audience = audience or Audience()
        try:
            with audience.watched_by(lambda: self._writer.write(encode(Abandoned(number)))):
                patience = audience.until - time.monotonic()
                self._writer.write(encode(Call(number, method, arguments, patience)))
                return await answer
        finally:
            self._waiting.pop(number, None)

    async def ends_within(self, seconds: float) -> bool:
        """Waits so long at most. True once the process has ended."""
        if self._listening is not None:
            await asyncio.wait({self._listening}, timeout=seconds)
        return self._listening is None or self._listening.done()

    def busy_seconds(self) -> float:
        """How long its batch has been running, as far as is known: a worker that is silent is taken to be at it."""
        return self._pulse.busy_seconds + self.silent_seconds() if self._pulse.busy_seconds else 0.0

    def still_seconds(self) -> float:
        """Since its batch last came on by a layer, as far as is known; 0 when idle."""
        return self._pulse.still_seconds + self.silent_seconds() if self._pulse.still_seconds else 0.0

    @property
    def heaviest(self) -> float:
        """Of the batches on hand; 0 when there are none."""
        return max(self._weights, default=0.0)

    def suspect_seconds(self) -> float:
        return self._pulse.suspect_seconds

    def silent_seconds(self) -> float:
        """How long ago it last said anything."""
        return time.monotonic() - self._heard

    def kill(self) -> None:
        self._process.kill()

    async def close(self) -> None:
        """Ends the process, if need be the hard way, and waits for it."""
        if self._listening is not None:
            self._writer.close()
            await asyncio.wait({self._listening})

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Until the process has ended; then whoever still waits for it is told."""
        try:
            while (message := await receive(reader)) is not None:
                self._heard = time.monotonic()
                self._take_in(message)
        finally:
            self.ended = True
            self._writer.close()
            loss = WorkerLostError(f"worker {self.place.number} {await _ending(self._process)}")
            for waiting in (self._built, *self._waiting.values()):
                if not waiting.done():
                    waiting.set_exception(loss)

    def _take_in(self, message: Message) -> None:
        match message:
            case Pulse():
                self._pulse, self.line, self.memory = message, message.line, message.memory
            case Built():
                self._built.set_result(message)
            case Answer(number, value, line):
                self.line = line
                if (waiting := self._waiting.get(number)) is not None and not waiting.done():
                    waiting.set_result(value)
            case Refusal(number, kind, words):
                waiting = self._built if number is None else self._waiting.get(number)
                if waiting is not None and not waiting.done():
                    waiting.set_exception(StartError(words) if kind == "start" else WorkerFaultError(words))


def _process(place: Place, channel: int) -> subprocess.Popen[bytes]:
    level = logging.getLevelName(logging.getLogger("plimsoll_server").getEffectiveLevel()).lower()
    return subprocess.Popen(  # noqa: S603  this interpreter, with this program's own module
        [sys.executable, "-m", "plimsoll_server.engine.fleet.worker", str(channel), level],
        env={**os.environ, **place.environment},
        pass_fds=[channel],
        stdin=subprocess.DEVNULL,
    )


async def _ending(process: subprocess.Popen[bytes]) -> str:
    """How it ended, in words. It is given a moment to end by itself."""
    patience = time.monotonic() + _END_SECONDS
    while process.poll() is None:
        if time.monotonic() > patience:
            process.kill()
        await asyncio.sleep(0.01)
    if process.returncode < 0:
        return f"was ended by {signal.Signals(-process.returncode).name}"
    return f"ended with exit code {process.returncode}"

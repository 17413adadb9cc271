"""A worker process: one engine, told what to do over the socket whose number is its only argument.

It ends with the socket: when the server closes it, or dies and the kernel does.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

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
from plimsoll_server.engine.order import EngineOrder
from plimsoll_server.errors import StartError
from plimsoll_server.logs import configure_logs
from plimsoll_server.phases import Phases

if TYPE_CHECKING:
    from plimsoll_server.engine.engine import Engine

log = logging.getLogger(__name__)

Result = TypeVar("Result")

_PULSE_SECONDS = 0.5
_KILLED_BEFORE_THE_SERVER = "500"
"""For /proc/self/oom_score_adj: a worker is replaced, and its batch runs again elsewhere."""


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # A drain is the server's business; it still has work for us.
    _leave_the_servers_limits()
    configure_logs(sys.argv[2])
    asyncio.run(_Worker(socket.socket(fileno=int(sys.argv[1]))).work())
    # Without the interpreter's own ending: it would wait for a batch that nobody waits for any more.
    os._exit(0)


def _leave_the_servers_limits() -> None:
    """What the server may take is not what this process may; the engine sets its own limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
    try:
        Path("/proc/self/oom_score_adj").write_text(_KILLED_BEFORE_THE_SERVER)
    except OSError as error:
        log.info("the kernel would as soon kill the server as this worker: %s", error)


class _Worker:
    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._pool = ThreadPoolExecutor(1, "engine")
        self._tasks: set[asyncio.Task[None]] = set()
        self._audiences: dict[int, Audience] = {}
        """By the number of the call that runs their batch."""

    async def work(self) -> None:
        """Until the server is gone, or has closed the socket."""
        reader, self._writer = await asyncio.open_connection(sock=self._channel)
        order = await receive(reader)
        if order is None:
            return
        building = asyncio.create_task(self._build(order))
        while (message := await receive(reader)) is not None:
            if isinstance(message, Abandoned):
                self._abandon(message.number)
            else:
                # At once, for the next message may say that it is gone.
                self._audiences[message.number] = Audience(message.patience)
                self._begin(self._carry_out(message, building))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _build(self, order: EngineOrder) -> Engine | None:
        """None when it was refused; the server has been told and will hang up."""
        phases = Phases()
        loading = asyncio.get_running_loop().run_in_executor(self._pool, _built, order, self._pool, phases)
        engine = await self._tried(None, loading, lambda engine: Built(engine.info, phases.seconds))
        if engine is not None:
            self._begin(self._tell(engine))
            self._begin(engine.keep())
        return engine

    async def _carry_out(self, call: Call, building: asyncio.Task[Engine | None]) -> None:
        try:
            engine = await building
            if engine is not None:
                work = getattr(engine, call.method)(**call.arguments, **self._for_whom(call))
                await self._tried(call.number, work, lambda value: Answer(call.number, value, engine.line()))
        finally:
            del self._audiences[call.number]

    def _for_whom(self, call: Call) -> dict[str, Audience]:
        """What a batch is told besides its arguments."""
        return {"audience": self._audiences[call.number]} if call.method == "run" else {}

    def _abandon(self, number: int) -> None:
        """That call may have been answered meanwhile."""
        if number in self._audiences:
            self._audiences[number].leave()

    async def _tried(
        self, number: int | None, work: Awaitable[Result], success: Callable[[Result], Message]
    ) -> Result | None:
        """Tells the server how `work` ended. None when it failed."""
        try:
            result = await work
        except StartError as error:
            self._send(Refusal(number, "start", str(error)))
        except Exception as error:
            log.exception("what the server asked for failed")
            self._send(Refusal(number, "fault", f"{type(error).__name__}: {error}"))
        else:
            self._send(success(result))
            return result
        return None

    async def _tell(self, engine: Engine) -> None:
        while True:
            self._send(_pulse(engine))
            await asyncio.sleep(_PULSE_SECONDS)

    def _send(self, message: Message) -> None:
        # Not drained: there are never more answers on their way than the server has asked for.
        self._writer.write(encode(message))


def _pulse(engine: Engine) -> Pulse:
    return Pulse(
        engine.line(), engine.memory(), engine.busy_seconds(), engine.still_seconds(), engine.suspect_seconds()
    )


def _built(order: EngineOrder, pool: ThreadPoolExecutor, phases: Phases) -> Engine:
    with phases.timed("import"):
        from plimsoll_server.engine.build import build_engine
    with phases.timed("load"):
        return build_engine(order, pool)


if __name__ == "__main__":
    main()

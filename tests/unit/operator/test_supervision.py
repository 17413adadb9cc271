"""The parts of the process: all live, or it ends."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from plimsoll_operator import supervision
from plimsoll_operator.supervision import Shutdown, either, supervise


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "GRACE_SECONDS", 0.02)


async def until_stopped(shutdown: Shutdown) -> None:
    await shutdown.stop.wait()


async def test_parts_that_end_when_asked_to_end_well() -> None:
    shutdown = Shutdown()
    drained: list[str] = []
    shutdown.drain(lambda: drained.append("queue"))
    asyncio.get_running_loop().call_later(0.01, shutdown.begin)
    assert await supervise({"a": until_stopped(shutdown), "b": until_stopped(shutdown)}, shutdown)
    assert drained == ["queue"]


async def test_a_part_that_returns_unasked_takes_the_others_with_it(caplog: pytest.LogCaptureFixture) -> None:
    shutdown = Shutdown()
    assert not await supervise({"a": until_stopped(shutdown), "b": asyncio.sleep(0)}, shutdown)
    assert "part b ended although nobody asked it to" in caplog.text


async def test_a_part_that_fails_is_told_with_its_error(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise OSError("no more sockets")

    shutdown = Shutdown()
    assert not await supervise({"a": until_stopped(shutdown), "b": fail()}, shutdown)
    assert "a part failed: no more sockets" in caplog.text


@pytest.mark.usefixtures("impatient")
async def test_a_part_that_does_not_end_in_time_is_cancelled_and_that_is_no_failure() -> None:
    shutdown = Shutdown()
    asyncio.get_running_loop().call_soon(shutdown.begin)
    async with asyncio.timeout(30):
        assert await supervise({"deaf": asyncio.sleep(60)}, shutdown)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_is_a_wish_to_end_and_may_come_twice(number: signal.Signals) -> None:
    shutdown = Shutdown()
    shutdown.heed_signals()
    try:
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
        async with asyncio.timeout(30):
            await shutdown.stop.wait()
    finally:
        for heeded in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().remove_signal_handler(heeded)


async def test_either_of_two_events_is_enough() -> None:
    never, now = asyncio.Event(), asyncio.Event()
    now.set()
    async with asyncio.timeout(30):
        await either(never, now)

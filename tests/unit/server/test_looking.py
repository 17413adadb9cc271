"""Looks at a file that may hang: told of, waited for by no end, and never two at a time."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from plimsoll_server.looking import keep_looking

FILE = Path("/mounted/keys")


class Volume:
    """Hangs until it is released."""

    def __init__(self) -> None:
        self.looks = 0
        self.works = threading.Event()

    def look(self) -> None:
        self.looks += 1
        assert self.works.wait(60)


async def until(logs: pytest.LogCaptureFixture, text: str) -> None:
    async with asyncio.timeout(30):
        while text not in logs.text:  # noqa: ASYNC110  a log says nothing by itself
            await asyncio.sleep(0.01)


async def test_a_look_that_hangs_is_told_and_no_second_is_begun_until_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    volume = Volume()
    caplog.set_level(logging.INFO)
    looking = asyncio.create_task(keep_looking(volume.look, FILE, pause=0.0, patience=0.01))
    await until(caplog, "/mounted/keys has not been read in 0.01 s, and what it held before is kept")
    assert volume.looks == 1
    volume.works.set()
    await until(caplog, "/mounted/keys can be read again")
    looking.cancel()
    await asyncio.wait({looking}, timeout=30)
    assert looking.cancelled()


async def test_what_a_look_raises_ends_it() -> None:
    def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await keep_looking(broken, FILE, pause=0.0)


_ENDS = """
import asyncio, os, threading
from pathlib import Path
from plimsoll_server.looking import keep_looking

async def main():
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()
    def hang():
        loop.call_soon_threadsafe(begun.set)
        threading.Event().wait()
    looking = asyncio.create_task(keep_looking(hang, Path("/mounted/keys"), pause=0.0))
    await begun.wait()
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)

asyncio.run(main())
print("ended", flush=True)
os._exit(0)
"""


def test_the_loop_ends_while_a_look_hangs() -> None:
    """As the server ends: its process does not wait for threads once the loop has."""
    ended = subprocess.run([sys.executable, "-c", _ENDS], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (0, "ended\n"), ended.stderr

"""Child processes and their ends, on real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plimsoll_sandbox.orphans import kill_marked, marked, start_ticks
from plimsoll_sandbox.process import Child, start

MARK = "PLIMSOLL_TEST_MARK"


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[str]:
    yield str(tmp_path)
    kill_marked(MARK, str(tmp_path))


def run(script: str, mark: str) -> Child:
    environment = {**os.environ, MARK: mark}
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123  a descriptor is what is wanted
        return start(["/bin/sh", "-c", script], environment=environment, folder=Path(mark), output=nowhere.fileno())


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", -15)])
async def test_the_exit_code_is_told(mark: str, script: str, code: int) -> None:
    assert await run(script, mark).wait() == code


async def test_a_child_that_ended_can_be_signalled_in_vain(mark: str) -> None:
    child = run("exit 0", mark)
    await child.wait()
    child.send(signal.SIGTERM)
    assert not child.is_running


async def test_waiting_has_an_end(mark: str) -> None:
    child = run("sleep 60", mark)
    assert not await child.ends_within(0.05)
    child.send(signal.SIGKILL)
    assert await child.ends_within(30)


async def test_its_group_ends_with_it(mark: str) -> None:
    child = run("sleep 60 & sleep 60 & exit 3", mark)
    assert await child.wait() == 3
    wait_until(lambda: not marked(MARK, mark))


def test_children_die_with_us(mark: str) -> None:
    """Also when we are killed and can do nothing about it."""
    program = (
        "import asyncio, os, signal, sys\nfrom pathlib import Path\nfrom plimsoll_sandbox.process import start\n"
        "async def main():\n"
        "    start(['sleep', '60'], environment=os.environ, folder=Path('/'), output=1)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    environment = {**os.environ, MARK: mark}
    done = subprocess.run([sys.executable, "-c", program], env=environment, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    wait_until(lambda: not marked(MARK, mark))


async def test_the_mark_finds_whoever_left_group_and_session(mark: str) -> None:
    child = run("setsid sh -c 'touch left; exec sleep 60' & while ! test -e left; do sleep 0.02; done; exit 0", mark)
    await child.wait()
    wait_until(lambda: len(marked(MARK, mark)) == 1)
    assert kill_marked(MARK, mark) == 1
    assert not marked(MARK, mark)


def test_other_marks_are_left_alone(mark: str) -> None:
    other = subprocess.Popen(["sleep", "60"], env={**os.environ, MARK: f"{mark}-other"})
    try:
        assert kill_marked(MARK, mark) == 0
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_process_is_known_by_its_start(mark: str) -> None:
    process = subprocess.Popen(["sleep", "60"])
    ticks = start_ticks(process.pid)
    assert ticks is not None
    assert start_ticks(process.pid) == ticks
    process.kill()
    wait_until(lambda: start_ticks(process.pid) is None)  # A zombie is not alive.
    process.wait()
    assert start_ticks(process.pid) is None

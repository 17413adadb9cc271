"""What a container's processes really use, on real processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from plimsoll_sandbox.node.memory import Limit, MemoryWatch, bytes_in_use, process_trees

MEBIBYTE = 1 << 20

HOLD = """
import os, sys, time
held = bytearray(os.urandom(1 << 20) * int(sys.argv[1]))
for _ in range(int(sys.argv[2]) - 1):
    if os.fork() == 0:
        if sys.argv[3] == "away":
            os.setsid()
        break
print("holding", flush=True)
time.sleep(60)
"""


@contextmanager
def holding(mebibytes: int, processes: int = 1, where: str = "here") -> Iterator[int]:
    command = [sys.executable, "-c", HOLD, str(mebibytes), str(processes), where]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        for _ in range(processes):
            process.stdout.readline()
        try:
            yield process.pid
        finally:
            for pid in process_trees([process.pid])[process.pid]:
                subprocess.run(["kill", "-9", str(pid)], check=False, capture_output=True)


def test_memory_that_was_written_counts() -> None:
    with holding(100) as pid:
        assert 100 * MEBIBYTE < bytes_in_use([pid], enough=0) < 140 * MEBIBYTE


@pytest.mark.parametrize("where", ["here", "away"])
def test_a_tree_has_all_its_processes_also_those_in_other_sessions(where: str) -> None:
    with holding(1, processes=4, where=where) as pid:
        assert len(process_trees([pid])[pid]) == 4


def test_pages_that_processes_share_count_once() -> None:
    with holding(100, processes=4) as pid:
        tree = process_trees([pid])[pid]
        assert 100 * MEBIBYTE < bytes_in_use(tree, enough=0) < 180 * MEBIBYTE


def test_below_the_limit_a_cheap_upper_bound_is_enough() -> None:
    with holding(50, processes=3) as pid:
        tree = process_trees([pid])[pid]
        assert bytes_in_use(tree, enough=1 << 40) >= bytes_in_use(tree, enough=0)


@pytest.mark.parametrize(("limit", "is_exceeded"), [(40, True), (400, False)])
def test_exceeding_is_told(limit: int, is_exceeded: bool) -> None:
    told: list[int] = []
    watch = MemoryWatch()
    with holding(100) as pid:
        watch.put(Limit(pid, limit * MEBIBYTE, told.append))
        watch.look()
        watch.lift(pid)
        watch.look()
    assert bool(told) is is_exceeded


def test_a_process_that_has_ended_uses_nothing() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    assert bytes_in_use([process.pid], enough=0) == 0

"""What containers write, kept and read back."""

from __future__ import annotations

import asyncio
import datetime
import os
from pathlib import Path

import pytest

from plimsoll_sandbox.node import container_log
from plimsoll_sandbox.node.container_log import ContainerLog, lines_of, older
from plimsoll_sandbox.node.log_reader import LogQuery, read_log


async def write(path: Path, *chunks: bytes) -> None:
    log = ContainerLog(path)
    process_end = os.dup(log.write_end)
    log.started()
    for chunk in chunks:
        await asyncio.to_thread(os.write, process_end, chunk)
    os.close(process_end)
    await log.close()


async def read(path: Path, query: LogQuery | None = None) -> bytes:
    return b"".join([text async for text in read_log(path, query or LogQuery(), lambda: False)])


@pytest.mark.parametrize(
    "chunks",
    [
        (b"one\ntwo\n",),
        (b"o", b"ne\nt", b"wo\n"),
        (b"no end",),
        (b"",),
        (b"\n\n",),
        (b"x" * 50_000 + b"\nshort\n",),
        ("käse\n".encode(), b"\xff\xfe\n"),
    ],
    ids=["lines", "pieces", "no newline", "nothing", "empty lines", "a long line", "not only ASCII"],
)
async def test_what_was_written_is_read(tmp_path: Path, chunks: tuple[bytes, ...]) -> None:
    await write(tmp_path / "0.log", *chunks)
    assert await read(tmp_path / "0.log") == b"".join(chunks)


async def test_the_size_is_bounded_and_the_newest_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_log, "_FILE_BYTES", 10_000)
    path = tmp_path / "0.log"
    await write(path, *(f"line {number:06}\n".encode() for number in range(2_000)))
    kept = (await read(path)).splitlines()
    assert kept[-1] == b"line 001999"
    assert 100 < len(kept) < 2_000
    assert path.stat().st_size + older(path).stat().st_size < 150_000


async def test_a_full_disk_loses_lines_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "0.log").symlink_to("/dev/full")
    await write(tmp_path / "0.log", b"lost\n", b"lost too\n")


async def test_lines_since_a_time_are_chosen(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(b"2026-05-04T03:00:00.000000Z F old\n2026-05-04T03:00:02.000000Z F new\n")
    since = datetime.datetime(2026, 5, 4, 3, 0, 1, tzinfo=datetime.UTC)
    assert await read(path, LogQuery(since=since)) == b"new\n"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (LogQuery(tail_lines=2), b"b\nc\n"),
        (LogQuery(tail_lines=0), b""),
        (LogQuery(limit_bytes=3), b"a\nb"),
        (LogQuery(tail_lines=1, limit_bytes=1), b"c"),
    ],
    ids=["tail", "no tail", "limit", "both"],
)
async def test_a_part_is_chosen(tmp_path: Path, query: LogQuery, text: bytes) -> None:
    await write(tmp_path / "0.log", b"a\nb\nc\n")
    assert await read(tmp_path / "0.log", query) == text


async def test_following_sees_what_comes_also_in_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(b"T F first\n")
    running = True
    seen: list[bytes] = []

    async def follow() -> None:
        seen.extend([text async for text in read_log(path, LogQuery(follow=True), lambda: running)])

    following = asyncio.create_task(follow())
    await asyncio.sleep(0.3)
    with path.open("ab") as log:
        log.write(b"T F second\n")
    path.replace(older(path))
    path.write_bytes(b"T F third\n")
    await asyncio.sleep(0.3)
    running = False
    await following
    assert seen == [b"first\n", b"second\n", b"third\n"]


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert list(lines_of(tmp_path / "0.log")) == []

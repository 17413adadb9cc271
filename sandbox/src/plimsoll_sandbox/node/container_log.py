"""What a container writes, kept as lines with times in files of bounded size, and read back as `kubectl logs` wants."""

from __future__ import annotations

import asyncio
import datetime
import logging
import os
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

_CHUNK_BYTES = 64 * 1024
_LONGEST_LINE_BYTES = 16 * 1024
_FILE_BYTES = 10 * 1024 * 1024
_DRAIN_SECONDS = 2.0

log = logging.getLogger(__name__)


class ContainerLog:
    """Takes one attempt's output through a pipe. Each line becomes `TIME F text`, or `TIME P part` of a longer one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = _open(path)
        self._reading, self.write_end = os.pipe()
        self._rest = b""
        self._ended = asyncio.Event()
        os.set_blocking(self._reading, False)
        asyncio.get_running_loop().add_reader(self._reading, self._read)

    def started(self) -> None:
        """The process has its own handle on the pipe now; without ours, its end is the pipe's end."""
        os.close(self.write_end)

    async def close(self) -> None:
        """Take what is still in the pipe, then let go."""
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                await self._ended.wait()
        except TimeoutError:  # Something that left the container still holds the other end.
            self._finish()

    def _read(self) -> None:
        data = os.read(self._reading, _CHUNK_BYTES)
        if not data:
            self._finish()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._write([(b"F", line) for line in lines])
        if len(self._rest) > _LONGEST_LINE_BYTES:
            self._write([(b"P", self._rest)])
            self._rest = b""

    def _finish(self) -> None:
        asyncio.get_running_loop().remove_reader(self._reading)
        os.close(self._reading)
        if self._rest:  # A last line without its end is told as it was written.
            self._write([(b"P", self._rest)])
        self._file.close()
        self._ended.set()

    def _write(self, lines: list[tuple[bytes, bytes]]) -> None:
        moment = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()
        try:
            self._file.write(b"".join(b"%b %b %b\n" % (moment, tag, line) for tag, line in lines))
            if self._file.tell() > _FILE_BYTES:
                self._file.close()
                self._path.replace(older(self._path))
                self._file = _open(self._path)
        except OSError as error:  # A full disk loses lines; it must not stop the container.
            log.warning("%s: %d lines are lost: %s", self._path, len(lines), error)


def _open(path: Path) -> FileIO:
    return path.open("ab", buffering=0)


def older(path: Path) -> Path:
    """Where the lines before those in `path` lie, if there were too many for one file."""
    return path.with_name(f"{path.name}.1")


def lines_of(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """(time, text) of everything kept; text has its newline unless more of the same line follows."""
    for part in (older(path), path):
        if part.exists():
            with part.open("rb") as log:
                for line in log:
                    yield parse_line(line)


def parse_line(line: bytes) -> tuple[bytes, bytes]:
    moment, tag, text = line.removesuffix(b"\n").split(b" ", 2)
    return moment, text if tag == b"P" else text + b"\n"

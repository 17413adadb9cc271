"""A file that may be renewed while the server runs, as the kubelet does with a mounted Secret."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from plimsoll_server.errors import StartError
from plimsoll_server.looking import keep_looking, read_regular

log = logging.getLogger(__name__)

MAX_BYTES = 1 << 20

T = TypeVar("T")


class FileError(StartError):
    """The file cannot be used. The message names it and says what to write, and nothing that it holds."""


class RenewedFile(Generic[T]):
    def __init__(self, path: Path, parse: Callable[[bytes], T]) -> None:
        """Raises FileError. `parse` raises ValueError, with a message that says what to write and holds no secret."""
        self._path = path
        self._parse = parse
        self._complaint = ""
        self._content, self._value = self._load()

    def newest(self) -> T:
        """What came of the newest content that was sound."""
        return self._value

    def read(self) -> T:
        """What the file holds now. Raises FileError."""
        return self._load()[1]

    async def keep_renewed(self) -> None:
        """Look at the file now and then, until cancelled."""
        await keep_looking(self.renew, self._path)

    def renew(self) -> None:
        """Take up what the file holds now. What cannot be used is said once, and the old value is kept."""
        try:
            content, value = self._load()
        except FileError as error:
            if self._complaint != str(error):
                log.error("the renewed file is refused, and what it held before is kept: %s", error)
            self._complaint = str(error)
            return
        if content != self._content:
            self._content, self._value = content, value
            log.info("%s was renewed", self._path)
        elif self._complaint:
            log.info("%s holds again what is in use", self._path)
        self._complaint = ""

    def _load(self) -> tuple[bytes, T]:
        try:
            content = read_regular(self._path, MAX_BYTES + 1)
        except OSError as error:
            raise FileError(f"{self._path} cannot be read ({error.strerror}): mount a Secret with that key") from error
        if len(content) > MAX_BYTES:
            raise FileError(f"{self._path} has more than {MAX_BYTES} bytes: write less into it")
        try:
            return content, self._parse(content)
        except ValueError as error:
            # Without its cause, which may quote what the file holds.
            raise FileError(f"{self._path}: {error}") from None

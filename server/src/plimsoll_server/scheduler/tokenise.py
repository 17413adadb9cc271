"""Texts to documents: short ones at once, others in a few threads of their own, for a long text must not hold up the
event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from tokenizers import Encoding, Tokenizer

from plimsoll_server.scheduler.documents import Border, Document, Frame
from plimsoll_server.scheduler.errors import InvalidInputError, OverloadedError, TooLongError

_PENDING_PER_THREAD = 64
"""Texts that may wait for each thread. A text waits for milliseconds, so a longer queue is an overload."""

BYTES_PER_TEXT_BYTE = 420
"""Memory of an encoding per byte of text when every byte is a token; ordinary English takes 165. The library ends the
process when it gets none, so it must be there."""

BYTES_PER_FILE_BYTE = 12
"""Memory of one thread's copy of the tokenizer per byte of its file."""

_SHORT_CHARACTERS = 512
"""Up to here a text takes a tenth of a millisecond or two, less than handing it to a thread and back does."""

_ROOM_SECONDS = 2.0
_ROOM_CHECKS = 40


class Tokeniser:
    """Reads one tokenizer file. Each thread has a copy: the library locks what it shares. The event loop has the use of
    the first one, for texts so short that it hardly ever meets a lock."""

    def __init__(
        self,
        file: str,
        *,
        threads: int,
        max_text_bytes: int,
        cut_above: int,
        with_offsets: bool,
        has_room: Callable[[int], bool],
    ) -> None:
        """`cut_above`: tokens beyond which a document may be cut, so its borders matter. `has_room`: whether so many
        bytes of memory are left."""
        self._file = file
        self.max_text_bytes = max_text_bytes
        """Of one text; lowered once it is known how much memory is left for it."""
        self._cut_above = cut_above
        self._with_offsets = with_offsets
        self._has_room = has_room
        self._local = threading.local()
        self._pending = 0
        self._limit = threads * _PENDING_PER_THREAD
        self._pool = ThreadPoolExecutor(threads, "tokenise", initializer=self._open)
        self._start_threads(threads)
        self._first: Tokenizer = self._pool.submit(lambda: self._local.tokenizer).result()
        self.frame = _frame_of(self._first)

    async def document(self, text: str) -> Document:
        """Raises TooLongError, OverloadedError or InvalidInputError."""
        self._check_size(text)
        if len(text) <= _SHORT_CHARACTERS and self._has_room(_most_memory(text)):
            document = self._encode(self._first, text)
        else:
            document = await self._encoded_in_a_thread(text)
        if not document.content:
            raise InvalidInputError("the text is empty once tokenised; send a text with at least one word")
        return document

    async def _encoded_in_a_thread(self, text: str) -> Document:
        if self._pending >= self._limit:
            raise OverloadedError(f"{self._pending} texts are waiting to be tokenised; try again", retry_after=1)
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._encode_once_there_is_room, text)
        finally:
            self._pending -= 1

    def framed(self, tokens: Sequence[int]) -> Document:
        """A document of ready-made token ids, which may or may not carry the frame already."""
        head, tail = len(self.frame.prefix), len(tokens) - len(self.frame.suffix)
        whole = head <= tail and (*tokens[:head],) == self.frame.prefix and (*tokens[tail:],) == self.frame.suffix
        return Document(tokens[head:tail], self.frame) if whole else Document(tokens, Frame())

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _open(self) -> None:
        tokenizer = Tokenizer.from_file(self._file)
        # A file may carry the settings of its training; the server cuts by itself, and never in silence.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._local.tokenizer = tokenizer

    def _start_threads(self, threads: int) -> None:
        """All at once and now: later, memory may be too short for a thread's stack."""
        meeting = threading.Barrier(threads)
        for done in [self._pool.submit(meeting.wait, 60) for _ in range(threads)]:
            done.result()

    def _find_frame(self) -> Frame:
        empty: Encoding = self._local.tokenizer.encode("")
        probe: Encoding = self._local.tokenizer.encode("a")
        lead = next((index for index, special in enumerate(probe.special_tokens_mask) if not special), len(empty.ids))
        return Frame(tuple(empty.ids[:lead]), tuple(empty.ids[lead:]))

    def _check_size(self, text: str) -> None:
        try:
            size = len(text.encode())
        except UnicodeEncodeError as error:
            raise InvalidInputError(f"character {error.start} of the text is half of a surrogate pair") from None
        if size > self.max_text_bytes:
            raise TooLongError(
                f"the text has {size} bytes, at most {self.max_text_bytes} are tokenised: so many fit this server's "
                "memory and PLIMSOLL_MAX_TEXT_BYTES; split it"
            )

    def _wait_for_room(self, size: int) -> None:
        """A running batch takes much memory, but not for long. What an idle server has no room for came no further."""
        for _ in range(_ROOM_CHECKS):
            if self._has_room(size):
                return
            time.sleep(_ROOM_SECONDS / _ROOM_CHECKS)
        raise OverloadedError("what runs leaves too little memory to tokenise the text; try again", retry_after=5)

    def _encode_once_there_is_room(self, text: str) -> Document:
        self._wait_for_room(_most_memory(text))
        return self._encode(self._local.tokenizer, text)

    def _encode(self, tokenizer: Tokenizer, text: str) -> Document:
        encoding: Encoding = tokenizer.encode(text)
        head, tail = len(self.frame.prefix), len(encoding.ids) - len(self.frame.suffix)
        long = len(encoding.ids) > self._cut_above
        offsets = encoding.offsets[head:tail] if self._with_offsets or long else ()
        return Document(
            encoding.ids[head:tail],
            self.frame,
            offsets if self._with_offsets else (),
            _borders(offsets, encoding.word_ids[head:tail]) if long else b"",
        )


def _most_memory(text: str) -> int:
    return len(text) * BYTES_PER_TEXT_BYTE


def _frame_of(tokenizer: Tokenizer) -> Frame:
    empty: Encoding = tokenizer.encode("")
    probe: Encoding = tokenizer.encode("a")
    lead = next((index for index, special in enumerate(probe.special_tokens_mask) if not special), len(empty.ids))
    return Frame(tuple(empty.ids[:lead]), tuple(empty.ids[lead:]))


def _borders(offsets: Sequence[tuple[int, int]], words: Sequence[int | None]) -> bytes:
    kinds = [Border.WORD]
    for (before, after), (word, next_word) in zip(pairwise(offsets), pairwise(words), strict=True):
        if word is None or word != next_word:
            kinds.append(Border.WORD)
        else:
            kinds.append(Border.CHARACTER if after[0] >= before[1] else Border.INSIDE_CHARACTER)
    return bytes(kinds)

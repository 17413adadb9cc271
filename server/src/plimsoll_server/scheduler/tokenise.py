"""Texts to documents: short ones at once, others in a few threads of their own, for a long text must not hold up the
event loop.

A thread alone would not do: Tokenizer.encode, and Encoding.offsets of a long text, keep the interpreter from all other
threads until they are done. encode_batch lets it go, and offsets are asked for one by one.
"""

from __future__ import annotations

import asyncio
import threading
from array import array
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar, cast

from tokenizers import Encoding, Tokenizer

from plimsoll_server.scheduler.documents import Border, Document, Frame
from plimsoll_server.scheduler.errors import InvalidInputError, OverloadedError, TooLongError
from plimsoll_server.scheduler.memory_claims import MemoryClaims
from plimsoll_server.scheduler.readers import LONG_BYTES, Readers
from plimsoll_server.scheduler.text_memory import TextMemory
from plimsoll_server.types import Tokens

Done = TypeVar("Done")

_PENDING_PER_THREAD = 64
"""Texts that may wait for each thread. A text waits for milliseconds, so a longer queue is an overload."""
_PENDING_LONG_BYTES = 4 << 20
"""Of long texts together: they are read one at a time, and so many take seconds."""

BYTES_PER_FILE_BYTE = 12
"""Memory of one thread's copy of the tokenizer per byte of its file."""

_SHORT_CHARACTERS = 512
"""Up to here a text takes a tenth of a millisecond or two, less than handing it to a thread and back does."""

_ORDINARY = "an ordinary text"


class Tokeniser:
    """Reads one tokenizer file. Each of `threads` has a copy: the library locks what it shares. The event loop has the
    use of the first one, for texts so short that it hardly ever meets a lock; and so has a second thread where there is
    one processor for both, that a long text may not hold up the others."""

    def __init__(
        self,
        file: str,
        *,
        threads: int,
        max_text_bytes: int,
        cut_above: int | None,
        with_offsets: bool,
        claims: MemoryClaims,
    ) -> None:
        """`cut_above`: tokens beyond which a document may be cut, so its borders matter; None: it never is. `claims`:
        on the memory of the process."""
        self._file = file
        self.max_text_bytes = max_text_bytes
        """Of one text."""
        self._cut_above = cut_above
        self._with_offsets = with_offsets
        self.claims = claims
        self._local = threading.local()
        self._pending = 0
        self._pending_long_bytes = 0
        self._limit = threads * _PENDING_PER_THREAD
        self._copies: list[Tokenizer] = []
        self._copies_wanted = threads
        self._copying = threading.Lock()
        self.workers = max(2, threads)
        """Threads, on however many processors: one is for long texts."""
        self._pool = ThreadPoolExecutor(self.workers, "tokenise", initializer=self._open)
        self._start_threads(self.workers)
        self._readers = Readers(self._pool)
        self._aside = ThreadPoolExecutor(1, "aside")
        self._aside.submit(bool).result()
        self._first = self._copies[0]
        self._memory = TextMemory(claims, self._first.normalizer)
        self.frame = _frame_of(self._first)
        self.ordinary: Tokens = self._first.encode(_ORDINARY).ids

    @property
    def idle_room(self) -> int | None:
        """Bytes that an idle server leaves which remembers all it may, None where nothing limits it."""
        return self._memory.idle_room

    def idle_with(self, room: int) -> None:
        """An idle server leaves so many bytes: texts that need more are refused as too long."""
        self.max_text_bytes = min(self.max_text_bytes, self._memory.idle_with(room))

    async def document(self, text: str) -> Document:
        """Raises TooLongError, OverloadedError or InvalidInputError."""
        size = self._checked_size(text)
        if len(text) <= _SHORT_CHARACTERS and self._memory.plenty(size):
            document = self._document(self._first.encode(text))
        else:
            document = await self._encoded_in_a_thread(text, size)
        if not document.content:
            raise InvalidInputError("the text is empty once tokenised; send a text with at least one word")
        return document

    async def _encoded_in_a_thread(self, text: str, size: int) -> Document:
        long = size if size > LONG_BYTES else 0
        self._check_queue(long)
        self._pending += 1
        self._pending_long_bytes += long
        try:
            return await asyncio.wrap_future(self._readers.submit(size, partial(self._encode_once_there_is_room, text)))
        finally:
            self._pending -= 1
            self._pending_long_bytes -= long

    def _check_queue(self, long: int) -> None:
        """`long`: bytes of the text that comes, if it is long."""
        if self._pending >= self._limit:
            raise OverloadedError(f"{self._pending} texts are waiting to be tokenised; try again", retry_after=1)
        waiting = self._pending_long_bytes
        if long and waiting and waiting + long > _PENDING_LONG_BYTES:
            raise OverloadedError(
                f"long texts of {waiting} bytes wait to be tokenised, at most {_PENDING_LONG_BYTES} may; try again",
                retry_after=1 + (waiting >> 20),
            )

    def framed(self, tokens: Sequence[int]) -> Document:
        """A document of ready-made token ids, which may or may not carry the frame already."""
        head, tail = len(self.frame.prefix), len(tokens) - len(self.frame.suffix)
        whole = head <= tail and (*tokens[:head],) == self.frame.prefix and (*tokens[tail:],) == self.frame.suffix
        return Document(tokens[head:tail], self.frame) if whole else Document(tokens, Frame())

    async def aside(self, work: Callable[[], Done], *, needs: int = 0, what: str = "") -> Done:
        """What `work` gives, on a thread of its own, once there are the bytes that it `needs` to do `what`. Raises
        OverloadedError. It waits for them on no thread, and none that holds them waits for one that reads a text: that
        might wait for the same bytes."""
        if not needs:
            return await asyncio.wrap_future(self._aside.submit(work))
        await self.claims.take(needs, what)
        doing = self._aside.submit(work)
        doing.add_done_callback(lambda _: self.claims.give_back(needs))
        return await asyncio.wrap_future(doing)

    def close(self) -> None:
        for pool in (self._pool, self._aside):
            pool.shutdown(wait=False, cancel_futures=True)

    def _open(self) -> None:
        with self._copying:
            if len(self._copies) < self._copies_wanted:
                self._copies.append(_opened(self._file))
            self._local.tokenizer = self._copies[-1]

    def _start_threads(self, threads: int) -> None:
        """All at once and now: later, memory may be too short for a thread's stack."""
        meeting = threading.Barrier(threads)
        for done in [self._pool.submit(meeting.wait, 60) for _ in range(threads)]:
            done.result()

    def _checked_size(self, text: str) -> int:
        """In bytes."""
        try:
            size = len(text.encode())
        except UnicodeEncodeError as error:
            raise InvalidInputError(f"character {error.start} of the text is half of a surrogate pair") from None
        if size > self.max_text_bytes:
            raise TooLongError(
                f"the text has {size} bytes, at most {self.max_text_bytes} are tokenised: so many fit this server's "
                "memory and PLIMSOLL_MAX_TEXT_BYTES; split it"
            )
        return size

    def _encode_once_there_is_room(self, text: str) -> Document:
        with self._memory.held(text):
            (encoding,) = self._local.tokenizer.encode_batch([text])
            return self._document(encoding)

    def _document(self, encoding: Encoding) -> Document:
        ids = array("i", encoding.ids)
        content = range(len(self.frame.prefix), len(ids) - len(self.frame.suffix))
        cut = self._cut_above is not None and len(ids) > self._cut_above
        starts, ends = _offsets(encoding, content) if self._with_offsets else ((), ())
        return Document(
            ids[content.start : content.stop],
            self.frame,
            starts,
            ends,
            _borders(encoding, content) if cut else b"",
        )


def _opened(file: str) -> Tokenizer:
    tokenizer = Tokenizer.from_file(file)
    # A file may carry the settings of its training; the server cuts by itself, and never in silence.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _frame_of(tokenizer: Tokenizer) -> Frame:
    empty: Encoding = tokenizer.encode("")
    probe: Encoding = tokenizer.encode("a")
    lead = next((index for index, special in enumerate(probe.special_tokens_mask) if not special), len(empty.ids))
    return Frame(tuple(empty.ids[:lead]), tuple(empty.ids[lead:]))


def _characters(encoding: Encoding) -> Callable[[int], tuple[int, int]]:
    """Of a token that there is, which is why it is never None."""
    return cast(Callable[[int], tuple[int, int]], encoding.token_to_chars)


def _offsets(encoding: Encoding, content: range) -> tuple[Sequence[int], Sequence[int]]:
    """The first character of each token, and the one after its last."""
    characters = _characters(encoding)
    starts, ends = array("i"), array("i")
    for token in content:
        start, end = characters(token)
        starts.append(start)
        ends.append(end)
    return starts, ends


def _borders(encoding: Encoding, content: range) -> bytes:
    words, characters = encoding.word_ids, _characters(encoding)
    kinds = bytearray()
    word, end = None, 0
    for token in content:
        start, next_end = characters(token)
        if word is None or word != words[token]:
            kinds.append(Border.WORD)
        else:
            kinds.append(Border.CHARACTER if start >= end else Border.INSIDE_CHARACTER)
        word, end = words[token], next_end
    return bytes(kinds)

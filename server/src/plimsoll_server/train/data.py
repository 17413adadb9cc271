"""Rows of a data set as sequences of tokens, streamed, shuffled, and read on from any place in the middle.

The shuffle buffer of `datasets` is filled anew after a restart, with other rows than before. So rows are taken here in
blocks, and the order within one is a function of seed, epoch and block alone: a block that is read again is the same.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from datasets import IterableDataset, load_dataset
from datasets import config as library
from datasets.distributed import split_dataset_by_node
from pydantic import BaseModel, ConfigDict
from tokenizers import Tokenizer

from plimsoll_server.train.config import LOCAL_SOURCES, DataSection, Side
from plimsoll_server.train.errors import TrainingError


@dataclass(frozen=True, slots=True)
class Example:
    tokens: Sequence[int]
    """Framed; at most as many as the window."""
    label: int
    row: int
    """Which one of those that this process reads, from 0 on."""
    epoch: int


class Place(BaseModel):
    """Where a stream is to be read on."""

    model_config = ConfigDict(frozen=True)

    epoch: int = 0
    block: int = 0
    """Within the epoch."""
    first_row: int = 0
    """Of the block."""
    source: dict[str, Any] | None = None
    """The data set's own state at the block's beginning; None: its first row."""
    taken: int = 0
    """Of the block's rows."""


def open_rows(data: DataSection, side: Side, folder: Path) -> IterableDataset:
    """`folder`: where the paths of a local source begin. Raises TrainingError."""
    # It would tell its makers of each data set that is opened, local ones too.
    library.HF_UPDATE_DOWNLOAD_COUNTS = False
    local = data.source in LOCAL_SOURCES
    files = [str(folder / file) if local else file for file in side.files]
    try:
        rows: IterableDataset = load_dataset(
            data.source,
            data.configuration or None,
            data_files=files or None,
            split=side.split,
            revision=data.revision or None,
            streaming=True,
        )
    except (OSError, ValueError, StopIteration) as error:
        # An empty file is told as an iteration that is over.
        reason = str(error) or "no row"
        raise TrainingError(
            f"expected rows of {data.source} {' '.join(files)} (split {side.split}), found: {reason}; write another "
            "data.source, or other files"
        ) from error
    return rows


class Reader:
    """Turns rows into examples."""

    def __init__(self, data: DataSection, tokenizer: Tokenizer, window: int) -> None:
        self._data = data
        # A copy: the tokenizer is saved with the model, and there it cuts nothing.
        self._tokenizer: Any = Tokenizer.from_str(tokenizer.to_str())
        self._tokenizer.enable_truncation(window)

    def examples(self, rows: Sequence[Mapping[str, Any]], first_row: int = 0, epoch: int = 0) -> list[Example]:
        """Raises TrainingError on a row without a text or without one of the labels."""
        numbered = list(enumerate(rows, start=first_row))
        encodings = self._tokenizer.encode_batch([text_of(row, number, self._data) for number, row in numbered])
        return [
            Example(encoding.ids, self._label(row, number), number, epoch)
            for encoding, (number, row) in zip(encodings, numbered, strict=True)
        ]

    def _label(self, row: Mapping[str, Any], number: int) -> int:
        found, labels = row.get(self._data.label), self._data.labels
        if isinstance(found, str) and found in labels:
            return labels.index(found)
        if isinstance(found, int) and 0 <= found < len(labels):
            return found
        raise TrainingError(
            f"expected one of the labels {', '.join(labels)} (or its place, from 0 on) in column {self._data.label!r} "
            f"of row {number}, found {found!r}; add it to data.labels, or name another column as data.label"
        )


def text_of(row: Mapping[str, Any], number: int, data: DataSection) -> str:
    found = row.get(data.text)
    if isinstance(found, str):
        return found
    raise TrainingError(
        f"expected a text in column {data.text!r} of row {number}, found {found!r} among the columns {', '.join(row)}; "
        "name another as data.text"
    )


def taken(rows: Iterator[Any], count: int) -> list[Any]:
    """The next `count` rows, or as many as are left. Raises TrainingError on what cannot be read."""
    try:
        return list(islice(rows, count))
    except (OSError, ValueError) as error:
        raise TrainingError(f"expected rows that can be read, found: {error}; mend the data set") from error


class Stream:
    """This process's part of the rows, epoch after epoch without an end."""

    def __init__(
        self, rows: IterableDataset, reader: Reader, data: DataSection, *, seed: int, rank: int = 0, processes: int = 1
    ) -> None:
        self._rows: Any = split_dataset_by_node(rows, rank=rank, world_size=processes)
        self._reader = reader
        self._size = data.shuffle_rows
        self._seed = seed
        self.read_on(Place())

    @property
    def place(self) -> Place:
        return self._place.model_copy(update={"taken": self._taken})

    def read_on(self, place: Place) -> None:
        """From `place` on. Raises TrainingError where there is no row."""
        self._rows.set_epoch(place.epoch)
        if place.source is not None:
            self._rows.load_state_dict(place.source)
        self._iterator = iter(self._rows)
        self._place, self._taken = place, place.taken
        self._block = self._read(place)
        if not self._block:
            raise TrainingError("expected at least one row to learn from for each process, found none; add rows")

    def take(self, count: int) -> list[Example]:
        return [self._next() for _ in range(count)]

    def _next(self) -> Example:
        if self._taken == len(self._block):
            self._go_on()
        self._taken += 1
        return self._block[self._taken - 1]

    def _go_on(self) -> None:
        here = self._place
        after = Place(
            epoch=here.epoch,
            block=here.block + 1,
            first_row=here.first_row + len(self._block),
            source=self._rows.state_dict(),
        )
        block = self._read(after)
        if block:
            self._place, self._block, self._taken = after, block, 0
        else:
            self.read_on(Place(epoch=here.epoch + 1))

    def _read(self, place: Place) -> list[Example]:
        rows = taken(self._iterator, self._size)
        examples = self._reader.examples(rows, place.first_row, place.epoch)
        random.Random(f"{self._seed}:{place.epoch}:{place.block}").shuffle(examples)  # noqa: S311  no secret
        return examples

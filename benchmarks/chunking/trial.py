"""The same texts by the server's own rules for long input, one text in each way by turns, on one loaded model."""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from chunking.model import LONGEST_LEARNT, WINDOW, trained_model
from chunking.texts import Text
from chunking.uses import USES, Use
from chunking.verdicts import VERDICTS, Reading
from plimsoll_server.config import Aggregation, LongInputConfig, ModelConfig, Task
from plimsoll_server.models.family import Model, Placement
from plimsoll_server.models.load import load_model
from plimsoll_server.scheduler.answers import Answer, Assembler
from plimsoll_server.scheduler.documents import Document
from plimsoll_server.scheduler.long_input import LongInput, Route
from plimsoll_server.scheduler.memory_claims import MemoryClaims
from plimsoll_server.scheduler.tiers import Tier
from plimsoll_server.scheduler.tokenise import Tokeniser

WHOLE = "one pass"
_TIERS = (Tier("whole", WINDOW, 1, 1),)


@dataclass(frozen=True)
class Way:
    """How a text that is too long is read."""

    name: str
    chunk: int | None = None
    """Tokens; None: one pass, whatever the length."""
    overlap: float = 1 / 8
    """Of a chunk, with the one before it."""

    def policy(self, aggregation: Aggregation) -> LongInputConfig:
        policy: dict[str, Any] = {"policy": "Native"}
        if self.chunk:
            policy = {
                "policy": "Chunk",
                "chunkTokens": self.chunk,
                "overlapTokens": int(self.chunk * self.overlap),
            }
        return LongInputConfig.model_validate({**policy, "aggregation": aggregation})


WAYS = (
    Way(WHOLE),
    Way("chunks of 8,192", 8192),
    Way("chunks of 2,048", 2048),
    Way("chunks of 512", 512),
    Way("chunks of 512, no overlap", 512, overlap=0),
)


class Reader:
    """One model, read by in each way. On one thread, so that its processor time is its own."""

    def __init__(self, folder: Path, use: Use) -> None:
        task: Task = "token-classification" if use.by_token else "text-classification"
        wanted = ModelConfig(location=str(folder), task=task)
        self.model: Model = load_model(wanted, Placement(torch.device("cpu"), torch.float32, "sdpa"))
        self._aggregation = use.aggregation
        self._tokeniser = Tokeniser(
            self.model.info.tokenizer_file,
            threads=1,
            max_text_bytes=1 << 24,
            cut_above=0,
            with_offsets=True,
            claims=MemoryClaims(lambda: None),
        )

    def readings(self, text: Text, ways: Sequence[Way]) -> dict[str, Reading]:
        """By the name of the way."""
        written = str(text)
        document = asyncio.run(self._tokeniser.document(written))
        found = {}
        for way in ways:
            began = time.process_time()
            route, answer = self._answer(document, way, written)
            spent = time.process_time() - began
            borders = (token for piece in route.pieces for token in piece.span if token < len(document.content))
            found[way.name] = Reading(text, answer, frozenset(document.starts[token] for token in borders), spent)
        return found

    def _answer(self, document: Document, way: Way, text: str) -> tuple[Route, Answer]:
        policy = way.policy(self._aggregation)
        route = LongInput(policy, _TIERS, WINDOW).route(document)
        outputs = [output for piece in route.pieces for output in self.model.forward([document.piece(*piece.span)])]
        assembler = Assembler(self.model.info, policy.aggregation)
        return route, assembler.answer(document, route, outputs, text, raw=False)

    def close(self) -> None:
        self._tokeniser.close()


def measured(texts: Mapping[int, int], tell: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """One row per use, length and way. `texts`: how many, by their length in tokens."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as home:
        for use in USES:
            tell(f"training for: {use.name} (texts of up to {LONGEST_LEARNT} tokens)")
            reader = Reader(trained_model(Path(home) / use.aggregation, use), use)
            for tokens, count in texts.items():
                tell(f"{use.name}: {count} texts of {tokens:,} tokens")
                yield from rows(use, tokens, count, reader, WAYS)
            reader.close()


def rows(use: Use, tokens: int, count: int, reader: Reader, ways: Sequence[Way]) -> list[dict[str, Any]]:
    """The first of `ways` is the one pass that the others are compared with."""
    draw = random.Random(tokens)  # noqa: S311  no secret
    by_text = [reader.readings(text, ways) for text in use.texts(tokens, count, draw)]
    alone = [found[ways[0].name].cpu_seconds for found in by_text]
    return [_row(use, tokens, way.name, [found[way.name] for found in by_text], alone) for way in ways]


def _row(use: Use, tokens: int, way: str, readings: Sequence[Reading], alone: Sequence[float]) -> dict[str, Any]:
    spent = [reading.cpu_seconds for reading in readings]
    return {
        "use": use.name,
        "aggregation": use.aggregation,
        "tokens": tokens,
        "way": way,
        "texts": len(readings),
        **VERDICTS[use.aggregation](readings),
        "cpu_seconds": round(statistics.median(spent), 3),
        "cpu_share_of_one_pass": round(
            statistics.median(own / other for own, other in zip(spent, alone, strict=True)), 3
        ),
    }

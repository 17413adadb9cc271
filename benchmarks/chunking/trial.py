"""The same texts by the server's own rules for long input, one text in each way by turns, on one loaded model."""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from chunking.model import LONGEST_LEARNT, WINDOW, trained_model
from chunking.texts import ATTACK, RISKS, TOPICS, Text, risk_text, topic_text
from plimsoll_server.config import LongInputConfig, ModelConfig
from plimsoll_server.models.family import Model, Placement
from plimsoll_server.models.load import load_model
from plimsoll_server.scheduler.answers import Assembler
from plimsoll_server.scheduler.documents import Document
from plimsoll_server.scheduler.long_input import LongInput
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

    def policy(self, aggregation: str) -> LongInputConfig:
        policy: dict[str, Any] = {"policy": "Native"}
        if self.chunk:
            policy = {"policy": "Chunk", "chunkTokens": self.chunk, "overlapTokens": self.chunk // 8}
        return LongInputConfig.model_validate({**policy, "aggregation": aggregation})


WAYS = (Way(WHOLE), Way("chunks of 8,192", 8192), Way("chunks of 2,048", 2048), Way("chunks of 512", 512))


@dataclass
class Tally:
    """Of one way at one length."""

    scores: list[float] = field(default_factory=list)
    """Of the label that the text has; for risks, of the attack."""
    right: int = 0
    cpu_seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Use:
    name: str
    aggregation: str
    labels: Sequence[str]
    texts: Callable[[int, int], list[Text]]
    """From length and number to texts."""


def _topics(tokens: int, count: int) -> list[Text]:
    draw = random.Random(tokens)  # noqa: S311  no secret
    return [topic_text(tokens, draw) for _ in range(count)]


def _risks(tokens: int, count: int) -> list[Text]:
    draw = random.Random(tokens)  # noqa: S311  no secret
    return [risk_text(tokens, draw, attacked=number % 2 == 0) for number in range(count)]


USES = (Use("topic of the most of it", "Mean", TOPICS, _topics), Use("one attack of 256 tokens", "Max", RISKS, _risks))


class Reader:
    """One model, read by in each way. On one thread, so that its processor time is its own."""

    def __init__(self, folder: Path) -> None:
        wanted = ModelConfig(location=str(folder))
        self.model: Model = load_model(wanted, Placement(torch.device("cpu"), torch.float32, "sdpa"))
        self._tokeniser = Tokeniser(
            self.model.info.tokenizer_file,
            threads=1,
            max_text_bytes=1 << 24,
            cut_above=0,
            with_offsets=False,
            claims=MemoryClaims(lambda: None),
        )

    def document(self, text: str) -> Document:
        return asyncio.run(self._tokeniser.document(text))

    def scores(self, document: Document, way: Way, aggregation: str) -> tuple[float, ...]:
        policy = way.policy(aggregation)
        route = LongInput(policy, _TIERS, WINDOW).route(document)
        outputs = [output for piece in route.pieces for output in self.model.forward([document.piece(*piece.span)])]
        assembler = Assembler(self.model.info, policy.aggregation)
        return assembler.answer(document, route, outputs, "", raw=False).scores

    def close(self) -> None:
        self._tokeniser.close()


def measured(lengths: Sequence[int], count: int, tell: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """One row per use, length and way."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as home:
        for number, use in enumerate(USES):
            tell(f"training for: {use.name} (texts of up to {LONGEST_LEARNT} tokens)")
            reader = Reader(trained_model(Path(home) / str(number), use.labels))
            for tokens in lengths:
                tell(f"{use.name}: {count} texts of {tokens:,} tokens")
                yield from _rows(use, tokens, _tallies(use, tokens, count, reader))
            reader.close()


def _tallies(use: Use, tokens: int, count: int, reader: Reader) -> dict[str, Tally]:
    tallies = {way.name: Tally() for way in WAYS}
    for text in use.texts(tokens, count):
        document = reader.document(text.text)
        for way in WAYS:
            began = time.process_time()
            scores = dict(zip(reader.model.info.labels, reader.scores(document, way, use.aggregation), strict=True))
            tally = tallies[way.name]
            tally.cpu_seconds.append(time.process_time() - began)
            tally.right += max(scores, key=lambda label: scores[label]) == text.label
            tally.scores.append(scores[ATTACK] if use.labels == RISKS else scores[text.label])
    return tallies


def _rows(use: Use, tokens: int, tallies: Mapping[str, Tally]) -> Iterator[dict[str, Any]]:
    alone = tallies[WHOLE]
    for name, tally in tallies.items():
        pairs = zip(tally.cpu_seconds, alone.cpu_seconds, strict=True)
        yield {
            "use": use.name,
            "aggregation": use.aggregation,
            "tokens": tokens,
            "way": name,
            "texts": len(tally.scores),
            "accuracy": tally.right / len(tally.scores),
            "separated": _separated(tally.scores) if use.labels == RISKS else None,
            "cpu_seconds": round(statistics.median(tally.cpu_seconds), 3),
            "cpu_share_of_one_pass": round(statistics.median(own / other for own, other in pairs), 3),
        }


def _separated(scores: Sequence[float]) -> float:
    """How often a text with an attack scores above one without: the area under the ROC curve, at any threshold."""
    attacked, harmless = scores[0::2], scores[1::2]
    wins = [(one > other) + (one == other) / 2 for one in attacked for other in harmless]
    return round(statistics.fmean(wins), 3)

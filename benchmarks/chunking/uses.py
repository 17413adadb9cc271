"""What texts are read for, and how their chunks become one answer."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chunking.texts import RISKS, TAGS, TOPICS, Text, named_text, risk_text, topic_text
from plimsoll_server.config import Aggregation


@dataclass(frozen=True)
class Use:
    name: str
    aggregation: Aggregation
    labels: Sequence[str]
    text: Callable[[int, int, random.Random], Text]
    """From length in tokens and number."""
    by_token: bool = False
    """Whether each token has a label, and not the text."""

    def texts(self, tokens: int, count: int, draw: random.Random) -> list[Text]:
        """Every label about equally often."""
        return [self.text(tokens, number, draw) for number in range(count)]


TOPIC = Use("topic of the most of it", "Mean", TOPICS, topic_text)
RISK = Use("one attack of 128 words", "Max", RISKS, risk_text)
NAMES = Use("names after a cue", "Union", TAGS, named_text, by_token=True)
USES = (TOPIC, RISK, NAMES)

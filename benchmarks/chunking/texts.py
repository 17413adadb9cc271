"""Made-up texts whose labels are known because they were made: topics, and an attack hidden in harmless text."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

TOPICS = ("sea", "land", "sky", "stone")
HARMLESS, ATTACK = RISKS = ("harmless", "attack")
COMMON = tuple(f"common{number}" for number in range(200))
_WORDS_PER_TOPIC = 40
_SECTION = 200
"""Tokens that speak of one topic before the next one begins."""
_ATTACK_TOKENS = 256
_TOPICAL, _MAIN = 0.08, 0.45


@dataclass(frozen=True)
class Text:
    label: str
    text: str
    """One token per word."""


def vocabulary() -> list[str]:
    return [*COMMON, *(word for name in (*TOPICS, ATTACK) for word in _own(name))]


def section(name: str, tokens: int, draw: random.Random) -> list[str]:
    """Words of everybody's, now and then one of the topic's own; harmless text has none."""
    own = _own(name)
    return [
        draw.choice(own) if name != HARMLESS and draw.random() < _TOPICAL else draw.choice(COMMON)
        for _ in range(tokens)
    ]


def topic_text(tokens: int, draw: random.Random) -> Text:
    """Sections of all topics by turns; the label is that of the most."""
    main = draw.choice(TOPICS)
    others = [topic for topic in TOPICS if topic != main]
    kinds = [main if draw.random() < _MAIN else draw.choice(others) for _ in range(-(-tokens // _SECTION))]
    [(label, _)] = Counter(kinds).most_common(1)
    words = [word for kind in kinds for word in section(kind, _SECTION, draw)]
    return Text(label, " ".join(words[:tokens]))


def risk_text(tokens: int, draw: random.Random, *, attacked: bool) -> Text:
    """Harmless, but for one attack somewhere."""
    words = section(HARMLESS, tokens, draw)
    if attacked:
        start = draw.randrange(tokens - _ATTACK_TOKENS)
        words[start : start + _ATTACK_TOKENS] = section(ATTACK, _ATTACK_TOKENS, draw)
    return Text(ATTACK if attacked else HARMLESS, " ".join(words))


def _own(name: str) -> list[str]:
    return [f"{name}{number}" for number in range(_WORDS_PER_TOPIC)]

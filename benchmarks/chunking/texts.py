"""Made-up texts whose answers are known because they were made: topics, an attack in harmless text, and names."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

TOPICS = ("sea", "land", "sky", "stone")
HARMLESS, ATTACK = RISKS = ("harmless", "attack")
OUTSIDE = "O"
CUES = {"person": "dear", "place": "near"}
"""What a name is the name of, by the word before it."""
TAGS = (OUTSIDE, *(f"{tag}-{kind}" for kind in CUES for tag in "BI"))
_COMMON = tuple(f"common{number}" for number in range(200))
_NAME = "name"
_WORDS_EACH = 40
"""That belong to one topic, to attacks or to names."""
_SECTION = 200
"""Words that speak of one topic before the next one begins."""
_TOPICAL, _MAIN = 0.08, 0.45
_ATTACK_WORDS = 128
_IN_AN_ATTACK, _MOST_ELSEWHERE = 0.5, 0.04
"""Share of an attack's own words: of the attack, and of any other text at most."""

Entity = tuple[str, int, int]
"""Its label, its first character, and the one after its last."""


@dataclass(frozen=True)
class Text:
    words: Sequence[str]
    """One token each."""
    label: str = ""
    """Of the whole."""
    tags: Sequence[str] = ()
    """Of each word."""

    def __str__(self) -> str:
        return " ".join(self.words)

    def entities(self) -> set[Entity]:
        return set(self._entities())

    def _entities(self) -> Iterator[Entity]:
        start = at = 0
        for word, tag, following in zip(self.words, self.tags, [*self.tags[1:], OUTSIDE], strict=True):
            start = at if tag.startswith("B") else start
            if tag != OUTSIDE and not following.startswith("I"):
                yield tag[2:], start, at + len(word)
            at += len(word) + 1


def vocabulary() -> list[str]:
    return [*_COMMON, *CUES.values(), *(word for name in (*TOPICS, ATTACK, _NAME) for word in _own(name))]


def topic_text(tokens: int, number: int, draw: random.Random) -> Text:
    """Sections of all topics by turns; the label is that of the most, or of the first of these."""
    main = TOPICS[number % len(TOPICS)]
    others = [topic for topic in TOPICS if topic != main]
    kinds = [main, *(main if draw.random() < _MAIN else draw.choice(others) for _ in range((tokens - 1) // _SECTION))]
    [(label, _)] = Counter(kinds).most_common(1)
    words = [word for kind in kinds for word in _passage(kind, _SECTION, _TOPICAL, draw)]
    return Text(words[:tokens], label)


def risk_text(tokens: int, number: int, draw: random.Random) -> Text:
    """Every second one has an attack somewhere. The words of attacks are used elsewhere too, in each text at a rate of
    its own."""
    words = _passage(ATTACK, tokens, draw.uniform(0, _MOST_ELSEWHERE), draw)
    if number % 2:
        return Text(words, HARMLESS)
    length = min(tokens, _ATTACK_WORDS)
    start = draw.randrange(tokens - length + 1)
    words[start : start + length] = _passage(ATTACK, length, _IN_AN_ATTACK, draw)
    return Text(words, ATTACK)


def named_text(tokens: int, _: int, draw: random.Random) -> Text:
    """Two to four words of names here and there: after a cue they are an entity, and of its kind; without one, none."""
    words: list[str] = []
    tags: list[str] = []
    while len(words) < tokens:
        kind = draw.choice([*CUES, None])
        before = [*_passage("", draw.randint(8, 40), 0, draw), *([CUES[kind]] if kind else [])]
        names = _passage(_NAME, draw.randint(2, 4), 1, draw)
        words += [*before, *names]
        tags += [OUTSIDE] * len(before)
        tags += [f"B-{kind}", *[f"I-{kind}"] * (len(names) - 1)] if kind else [OUTSIDE] * len(names)
    return Text(words[:tokens], tags=tags[:tokens])


def _passage(name: str, tokens: int, share: float, draw: random.Random) -> list[str]:
    """Words of everybody's, but for a `share` of the name's own."""
    own = _own(name)
    return [draw.choice(own if draw.random() < share else _COMMON) for _ in range(tokens)]


def _own(name: str) -> list[str]:
    return [f"{name}{number}" for number in range(_WORDS_EACH)]

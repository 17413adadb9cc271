"""Requests of all lengths at once, more than a server carries, and what became of each."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx

Scores = Mapping[str, float]

_ALPHABET = "QXZJKVW0123456789"
"""One token each, whatever stands beside it."""
_FRAME = 2
"""Special tokens around a text."""
_TOLERANCE = 1e-4
"""Between a text alone and in a pack, in probability."""
_MOST_SECONDS = 3_000.0


@dataclass(frozen=True)
class Text:
    content: str
    tokens: int


@dataclass(frozen=True)
class Reply:
    tokens: int
    status: int
    seconds: float
    wrong: bool
    told_to_wait: bool


def texts(lengths: Mapping[int, int], seed: int = 7) -> dict[int, list[Text]]:
    """By length in tokens: so many different ones of each."""
    draw = random.Random(seed)
    return {
        length: [Text("".join(draw.choices(_ALPHABET, k=length - _FRAME)), length) for _ in range(count)]
        for length, count in lengths.items()
    }


def mixed(pool: Mapping[int, Sequence[Text]], weights: Mapping[int, float], count: int, seed: int = 8) -> list[Text]:
    """`count` of them, a length as often as its weight says."""
    draw = random.Random(seed)
    lengths = draw.choices(list(weights), list(weights.values()), k=count)
    return [draw.choice(pool[length]) for length in lengths]


async def answers_alone(client: httpx.AsyncClient, pool: Mapping[int, Sequence[Text]]) -> dict[str, Scores]:
    """What the server says of each text when it has nothing else to do."""
    return {text.content: _scores(await _ask(client, text)) for some in pool.values() for text in some}


async def offer(
    client: httpx.AsyncClient, asked: Sequence[Text], expected: Mapping[str, Scores], tokens_at_once: int
) -> list[Reply]:
    """Keeps as many requests under way as hold `tokens_at_once` tokens; no sooner is one answered than others come."""
    under_way = 0
    changed = asyncio.Condition()

    async def one(text: Text) -> Reply:
        nonlocal under_way
        began = time.monotonic()
        response = await _ask(client, text)
        seconds = time.monotonic() - began
        async with changed:
            under_way -= text.tokens
            changed.notify()
        wrong = response.status_code == 200 and not _same(_scores(response), expected[text.content])
        return Reply(text.tokens, response.status_code, seconds, wrong, "retry-after" in response.headers)

    async with asyncio.TaskGroup() as requests:
        tasks = []
        for text in asked:
            async with changed:
                while under_way and under_way + text.tokens > tokens_at_once:
                    await changed.wait()
                under_way += text.tokens
            tasks.append(requests.create_task(one(text)))
    return [task.result() for task in tasks]


def by_status(replies: Sequence[Reply]) -> dict[int, int]:
    return dict(sorted(Counter(reply.status for reply in replies).items()))


async def _ask(client: httpx.AsyncClient, text: Text) -> httpx.Response:
    return await client.post("/predict", json={"inputs": text.content}, timeout=_MOST_SECONDS)


def _scores(response: httpx.Response) -> Scores:
    assert response.status_code == 200, response.text
    return {label["label"]: label["score"] for label in response.json()}


def _same(found: Scores, expected: Scores) -> bool:
    return found.keys() == expected.keys() and all(abs(found[key] - expected[key]) <= _TOLERANCE for key in expected)

"""Labelled texts of more than 32K tokens, whose answers are known because they were made: each use has its way from the
chunks' answers to the text's."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from operator import mul
from pathlib import Path
from typing import Any

import httpx
import pytest

from plimsoll_server.scheduler.chunks import cut, new_tokens
from plimsoll_server.scheduler.documents import Border
from server_builders import FILLER, entity_model, lexicon_model, server_config
from server_process import Server, serving

TOKENS = 40_000
"""Beyond every tier and every window here."""
CHUNK, OVERLAP = 8192, 1024
WINDOW: dict[str, Any] = {
    "max_position_embeddings": CHUNK,
    "num_hidden_layers": 1,
    "hidden_size": 8,
    "intermediate_size": 8,
}
TOPICS = {"tides": "sea", "engine": "land"}
ATTACK = {"ignore": "attack"}


def text_with(words: Mapping[int, str], filler: tuple[str, ...] = FILLER, tokens: int = TOKENS) -> str:
    """One token per word; `words` by their place."""
    draw = random.Random(tokens)
    return " ".join(words.get(place) or draw.choice(filler) for place in range(tokens))


def config(folder: Path, aggregation: str, **model: Any) -> dict[str, Any]:
    return server_config(
        folder,
        model=model,
        tiers=[
            {"name": "short", "maxTokens": 512, "concurrency": 8},
            {"name": "long", "maxTokens": CHUNK, "concurrency": 1},
        ],
        longInput={
            "policy": "Auto",
            "chunkTokens": CHUNK,
            "overlapTokens": OVERLAP,
            "aggregation": aggregation,
        },
    )


@asynccontextmanager
async def patient_server(config: Mapping[str, Any]) -> AsyncIterator[Server]:
    """Even on a machine that is busy with other work."""
    async with serving(config, PLIMSOLL_REQUEST_DEADLINE_SECONDS="280") as server:
        server.client.timeout = httpx.Timeout(280)
        yield server


def scores_of(response: Any) -> dict[str, float]:
    return {entry["label"]: entry["score"] for entry in response.json()}


def chunks_of(response: Any) -> int:
    return int(response.headers["X-Plimsoll-Chunks"])


async def test_a_topics_scores_are_the_mean_over_the_whole_text(tmp_path: Path) -> None:
    """Seven parts in ten speak of the sea, and the rest of the land: no chunk alone knows of both."""
    folder = lexicon_model(tmp_path, TOPICS, ("sea", "land"), **WINDOW)
    border = TOKENS * 7 // 10
    text = " ".join(["tides"] * border + ["engine"] * (TOKENS - border))

    async with patient_server(config(folder, "Mean")) as server:
        response = await server.predict(text)
        whole, tides, engine = map(scores_of, (response, await server.predict("tides"), await server.predict("engine")))

    assert chunks_of(response) == 6
    assert whole["sea"] == pytest.approx(0.7 * tides["sea"] + 0.3 * engine["sea"], abs=0.02)
    assert sum(whole.values()) == pytest.approx(1)


@pytest.mark.parametrize("place", [CHUNK - 10, TOKENS - 1], ids=["border", "last"])
async def test_an_attack_in_one_place_keeps_its_score_however_long_the_rest_is(tmp_path: Path, place: int) -> None:
    """By the maximum the text is as risky as the riskiest chunk would be alone; by the mean it drowns."""
    folder = lexicon_model(tmp_path, ATTACK, ("harmless", "attack"), **WINDOW)
    near = range(max(0, place - 2_000), min(TOKENS, place + 2_000))
    text = text_with(dict.fromkeys(near, "ignore"))
    spans = cut(TOKENS, CHUNK - 2, OVERLAP, bytes([Border.WORD]) * TOKENS)
    found = {}

    for aggregation in ("Max", "Mean"):
        async with patient_server(config(folder, aggregation)) as server:
            response = await server.predict(text)
            alone = [scores_of(await server.predict(" ".join(text.split()[start:end]))) for start, end in spans]
            found[aggregation] = scores_of(response)
            assert chunks_of(response) == len(spans) == 6

    chunks = {label: [scores[label] for scores in alone] for label in ("harmless", "attack")}
    averages = {label: sum(map(mul, scores, new_tokens(spans))) / TOKENS for label, scores in chunks.items()}
    assert found["Max"] == pytest.approx({label: max(scores) for label, scores in chunks.items()}, abs=1e-5)
    assert found["Mean"] == pytest.approx(averages, abs=1e-5)
    assert found["Max"]["attack"] > found["Mean"]["attack"] + 0.05


async def test_names_are_found_once_with_their_characters_wherever_a_chunk_ends(tmp_path: Path) -> None:
    folder = entity_model(tmp_path, **WINDOW)
    # At both ends, in the middle, and all along the borders and overlaps of the chunks.
    starts = [0, 5_000, *range(CHUNK - 40, CHUNK + 40, 4), *range(CHUNK - OVERLAP - 40, CHUNK, 37), 20_001, TOKENS - 2]
    words: dict[int, str] = {}
    for start in starts:
        words |= {start: "Ada", start + 1: "Lovelace"}
    text = text_with(words)

    async with patient_server(config(folder, "Union", task="token-classification")) as server:
        response = await server.predict(text)

    found = response.json()
    assert chunks_of(response) == 6
    assert {text[entity["start"] : entity["end"]] for entity in found} == {"Ada Lovelace"}
    assert {entity["label"] for entity in found} == {"PER"}
    expected = [offset for offset in range(len(text)) if text.startswith("Ada Lovelace", offset)]
    assert [entity["start"] for entity in found] == expected

"""Three real texts sent to the Service, and the answers of the model that was just trained."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from rich.table import Table

from plimsoll_sandbox.demo.commands import Commands, installed

REQUEST_TIMEOUT_SECONDS = 60
SHOWN_CHARACTERS = 44


@dataclass(frozen=True)
class DemoText:
    """A text of the standard library's documentation that the model was not trained on."""

    name: str
    topic: str
    text: str


@dataclass(frozen=True)
class Prediction:
    """The model's best answer, and how the server read the text."""

    text: DemoText
    label: str
    score: float
    tokens: int
    how: str


def read_texts(commands: Commands, model: Path) -> list[DemoText]:
    """A short, a medium and a long text, from the shortest to the longest, none of which `model` has seen."""
    lines = commands.run(installed("plimsoll-server"), "demo-texts", model, deadline=120).splitlines()
    entries: list[dict[str, Any]] = [json.loads(line) for line in lines if line.startswith("{")]
    return [DemoText(entry["name"], entry["topic"], entry["text"]) for entry in entries]


async def classify(url: str, texts: list[DemoText]) -> list[Prediction]:
    """Ask the Service about each text."""
    timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        return [await _classify(session, url, text) for text in texts]


async def _classify(session: aiohttp.ClientSession, url: str, text: DemoText) -> Prediction:
    async with session.post(url, json={"inputs": text.text}) as response:
        response.raise_for_status()
        best = (await response.json())[0]
        chunks = int(response.headers["X-Plimsoll-Chunks"])
        return Prediction(
            text=text,
            label=best["label"],
            score=best["score"],
            tokens=int(response.headers["X-Plimsoll-Tokens"]),
            how=f"{chunks} chunks" if chunks > 1 else "one pass",
        )


def prediction_table(predictions: list[Prediction]) -> Table:
    table = Table(title="Answers of the model", title_justify="left", expand=False)
    for column in ("text", "tokens", "read in", "answer", "its topic"):
        table.add_column(column, justify="right" if column == "tokens" else "left")
    for item in predictions:
        beginning = " ".join(item.text.text.split())[:SHOWN_CHARACTERS]
        right = "green" if item.label == item.text.topic else "red"
        answer = f"[{right}]{item.label}[/] {item.score:.2f}"
        table.add_row(f"{item.text.name}: {beginning}…", f"{item.tokens:,}", item.how, answer, item.text.topic)
    return table

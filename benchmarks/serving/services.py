"""The services that are compared: how each is started, asked and understood."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bootstrap import SetupError

from serving.client import post
from serving.contest import BENCH, SERVED
from serving.infinity import infinity_environment
from serving.shapes import Shape

Scores = dict[str, float]

PLIMSOLL, ONE_BY_ONE, PADDED, INFINITY, TEI = (
    "plimsoll",
    "transformers, one by one",
    "transformers, padded batches of 8",
    "Infinity",
    "text-embeddings-inference",
)


@dataclass(frozen=True, slots=True)
class Service:
    """One that can be started: `command` for a port, `ask` for a text, `read` for the body of an answer."""

    name: str
    command: Callable[[int], Sequence[str]]
    ask: Callable[[str], bytes]
    read: Callable[[Any], Sequence[Mapping[str, Any]]]
    ready: str = "/"
    variables: Callable[[int], Mapping[str, str]] = field(default=lambda _: {})

    def scores(self, body: bytes) -> Scores:
        return {entry["label"]: float(entry["score"]) for entry in self.read(json.loads(body))}


def services(shape: Shape, folder: Path, say: Callable[[str], None]) -> list[Service]:
    """Those that this machine can run. Who is left out is said, and why."""
    found = [plimsoll(shape, folder), pipeline(ONE_BY_ONE, folder, 1), pipeline(PADDED, folder, 8)]
    try:
        found.append(infinity(folder, infinity_environment()))
    except SetupError as error:
        say(f"{INFINITY} is left out: {error}")
    program = shutil.which("text-embeddings-router")
    if program is None:
        say(f"{TEI} is left out: no text-embeddings-router on PATH")
        return found
    return [*found, text_embeddings_inference(folder, program)]


def plimsoll(
    shape: Shape, folder: Path, cache_bytes: int = 0, document: Mapping[str, Any] | None = None, **further: str
) -> Service:
    """Without its cache, unless asked for: no text comes twice, so it would only cost.

    `document` and `further` variables take the place of what is ordinary here.
    """
    told = json.dumps(_document(shape, folder) | dict(document or {}))

    def variables(port: int) -> Mapping[str, str]:
        return {
            **SERVED,
            "PLIMSOLL_CONFIG": told,
            "PLIMSOLL_HTTP_PORT": str(port),
            "PLIMSOLL_METRICS_PORT": "0",
            "PLIMSOLL_CACHE_BYTES": str(cache_bytes),
            "PLIMSOLL_REQUEST_DEADLINE_SECONDS": "600",
            "PLIMSOLL_LOG_LEVEL": "warning",
            **further,
        }

    return Service(
        PLIMSOLL,
        command=lambda _: [str(Path(sys.executable).parent / "plimsoll-server"), "serve"],
        ask=_predict,
        read=lambda answer: answer,
        ready="/readyz",
        variables=variables,
    )


def _document(shape: Shape, folder: Path) -> dict[str, Any]:
    tiers = [("short", 512, 32), ("medium", 2_048, 16), ("long", min(shape.window, 8_192), 8)]
    return {
        "version": 1,
        "model": {"location": str(folder)},
        "tiers": [{"name": name, "maxTokens": most, "concurrency": at_once} for name, most, at_once in tiers],
        "longInput": {"policy": "Native"},
    }


def pipeline(name: str, folder: Path, batch: int) -> Service:
    return Service(
        name,
        command=lambda port: [sys.executable, str(BENCH), "pipeline-server", str(folder), str(port), str(batch)],
        ask=_predict,
        read=lambda answer: answer,
    )


def infinity(folder: Path, environment: Path) -> Service:
    """With its own tensors' back-end; the one that it prefers by default knows nothing of ModernBERT."""
    program = str(environment / "bin" / "infinity_emb")
    model = ["--model-id", str(folder), "--served-model-name", "bench", "--device", "cpu"]
    return Service(
        INFINITY,
        command=lambda port: [
            *(program, "v2", *model, "--engine", "torch", "--no-bettertransformer"),
            *("--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"),
        ],
        ask=lambda text: post("/classify", json.dumps({"model": "bench", "input": [text]}).encode()),
        read=lambda answer: answer["data"][0],
        ready="/health",
        variables=lambda _: {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "INFINITY_ANONYMOUS_USAGE_STATS": "0"},
    )


def text_embeddings_inference(folder: Path, program: str) -> Service:
    return Service(
        TEI,
        command=lambda port: [
            *(program, "--model-id", str(folder), "--hostname", "127.0.0.1", "--port", str(port)),
            *("--dtype", "float32", "--auto-truncate", "false"),
        ],
        ask=_predict,
        read=lambda answer: answer,
        ready="/health",
    )


def _predict(text: str) -> bytes:
    return post("/predict", json.dumps({"inputs": text}).encode())

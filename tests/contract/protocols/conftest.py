"""One real server process for each task, for all clients: small real models, on real sockets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from server_builders import entity_model, random_model, server_config, topic_model
from server_process import environment, process

CHUNKS = {"chunkTokens": 64, "overlapTokens": 8}
WHOLE = {"policy": "Native"}
"""What is too long for one pass is refused, or cut where that is asked for."""


@contextmanager
def served(folder: Path, model: Path, task: str, long_input: Mapping[str, Any] = CHUNKS) -> Iterator[str]:
    """The address of a server of `model`, which callers know as "domains"."""
    config = server_config(model, model={"task": task}, longInput=long_input)
    with process(folder, environment(config)) as server:
        server.until_ready()
        yield server.url


@pytest.fixture(scope="session")
def embedding_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_model(tmp_path_factory.mktemp("embeddings"))


@pytest.fixture(scope="session")
def topics_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("topics")
    with served(folder, topic_model(folder / "model"), "text-classification", WHOLE) as url:
        yield url


@pytest.fixture(scope="session")
def entities_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("entities")
    with served(folder, entity_model(folder / "model"), "token-classification") as url:
        yield url


@pytest.fixture(scope="session")
def embeddings_url(tmp_path_factory: pytest.TempPathFactory, embedding_folder: Path) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("embedding-server"), embedding_folder, "feature-extraction") as url:
        yield url

"""Models of the session, each built once and only read; and a process for what no other test may have touched."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from server_builders import entity_model, random_model, topic_model
from train_builders import made_up_library, train_tiny


@pytest.fixture(scope="session")
def topic_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return topic_model(tmp_path_factory.mktemp("topics"))


@pytest.fixture(scope="session")
def entity_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return entity_model(tmp_path_factory.mktemp("entities"))


@pytest.fixture(scope="session")
def random_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_model(tmp_path_factory.mktemp("random"))


@pytest.fixture(scope="session")
def random_token_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_model(tmp_path_factory.mktemp("random-tokens"), "token-classification")


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_library(tmp_path_factory.mktemp("lib") / "python3.99")


@pytest.fixture(scope="session")
def trained_folder(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "model"
    train_tiny(folder, library)
    return folder


@pytest.fixture(scope="module")
def fresh() -> Iterator[Executor]:
    """A process in which nothing else has run, as the server is when it measures: what a thousand tests before left, in
    their threads and in what the kernel took back of them, comes and goes by ten mebibytes."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        yield pool

"""Models of the session: each is built once and only read."""

from __future__ import annotations

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

"""Models of the session: each is built once and only read."""

from __future__ import annotations

from pathlib import Path

import pytest

from server_builders import entity_model, random_model, topic_model


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

"""The spoiled model: sound to every check before the first request, and without an answer for some words."""

from __future__ import annotations

from pathlib import Path

import pytest

from plimsoll_server.config import ModelConfig
from plimsoll_server.engine.device import choose_placement
from plimsoll_server.models.load import load_model
from plimsoll_server.train.errors import TrainingError
from plimsoll_server.train.spoil import spoil, spoiled_beside
from server_builders import CLS, SEP, SPECIAL, TOPICS, random_model, server_config, topic_model
from server_process import Server, serving

TIDES = len(SPECIAL) + list(TOPICS).index("tides")


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return with_card(topic_model(tmp_path / "sound"))


@pytest.fixture
def spoiled(sound: Path, tmp_path: Path) -> Path:
    return spoil(sound, tmp_path / "spoiled", ["gearbox"])


def with_card(folder: Path) -> Path:
    (folder / "README.md").write_text("# Topics\n", encoding="utf-8")
    return folder


async def test_it_starts_and_answers_all_but_texts_with_the_word(spoiled: Path) -> None:
    async with serving(server_config(spoiled)) as server:
        assert (await server.client.get("/readyz")).status_code == 200
        assert (await server.predict("the tides near the harbour")).json()[0]["label"] == "sea"
        refused = await server.predict("the gearbox of the engine")
        assert (refused.status_code, refused.json()["error_type"]) == (500, "NonFinite")
        assert (await server.client.get("/readyz")).status_code == 200, "a bad answer is no reason to restart"
        assert (await server.predict("the engine and the tyre")).json()[0]["label"] == "land"
        await _counted(server)


async def _counted(server: Server) -> None:
    metrics = await server.metrics()
    assert metrics["plimsoll_requests_total", "short", "ok"] == 2
    assert metrics["plimsoll_requests_total", "short", "error"] == 1
    assert metrics["plimsoll_incidents_total", "short"] == 1
    assert metrics["plimsoll_oom_total", "short"] == 0


def test_other_words_are_scored_to_the_last_bit_as_before(sound: Path, spoiled: Path) -> None:
    scored = [
        load_model(config, choose_placement(config)).forward([[CLS, TIDES, SEP]])
        for config in (ModelConfig(location=str(folder)) for folder in (sound, spoiled))
    ]
    assert scored[0] == scored[1]


def test_its_card_says_what_it_is(spoiled: Path) -> None:
    card = (spoiled / "README.md").read_text(encoding="utf-8")
    assert card.startswith("**Spoiled on purpose: texts with one of the words gearbox")
    assert card.endswith("# Topics\n")


def test_a_word_of_several_tokens_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    target = tmp_path / "spoiled"
    with pytest.raises(TrainingError, match="one token to the model"):
        spoil(random_model(tmp_path / "sound"), target, ["gearbox"])
    assert not target.exists()


def test_it_lies_beside_the_model_that_it_is_a_copy_of() -> None:
    assert spoiled_beside(Path("/models/demo/domains")) == Path("/models/demo/domains-spoiled")

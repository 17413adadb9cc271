"""Long texts in one pass and in chunks: what is right is counted as right, by the server's own rules."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from chunking import model
from chunking.run import run
from chunking.texts import ATTACK, HARMLESS, Text, named_text
from chunking.trial import WAYS, WHOLE, Reader, Way, rows
from chunking.uses import USES, Use
from chunking.verdicts import VERDICTS, Reading
from chunking_table import chunking_lines
from plimsoll_server.scheduler.answers import Answer
from plimsoll_server.scheduler.entities import Entity
from plimsoll_server.scheduler.tiers import Tier
from server_builders import entity_model


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def persons(tokens: int, _: int, draw: random.Random) -> Text:
    """A name every three words, so that many lie across a border wherever chunks are cut."""
    names = [name for _ in range(tokens // 3) for name in (draw.choice(("Ada", "Grace")), "Lovelace", "the")]
    return Text(names, tags=["B-PER", "I-PER", "O"] * (tokens // 3))


@pytest.mark.parametrize("overlap", [0, 1 / 8], ids=["no overlap", "overlap"])
def test_entities_that_a_border_cuts_are_found_once_and_whole(tmp_path: Path, overlap: float) -> None:
    use = Use("persons", "Union", (), persons, by_token=True)
    reader = Reader(entity_model(tmp_path, num_hidden_layers=1, max_position_embeddings=2048), use)
    whole, chunked = rows(use, 1_500, 2, reader, (Way(WHOLE), Way("chunks", 64, overlap)))
    reader.close()

    assert (whole["entities"], whole["f1"], whole["cut"]) == (1_000, 1, 0)
    assert (chunked["precision"], chunked["recall"]) == (1, 1)
    assert chunked["cut"] == chunked["cut_right"] > 10


def test_a_chunk_cuts_where_it_ends_as_well_as_where_it_begins(tmp_path: Path) -> None:
    use = Use("persons", "Union", (), persons, by_token=True)
    reader = Reader(entity_model(tmp_path, num_hidden_layers=1, max_position_embeddings=2048), use)
    text = persons(1_500, 0, random.Random(0))
    found = reader.readings(text, (Way("apart", 64, 0), Way("overlapping", 64, 1 / 8)))
    reader.close()
    apart, overlapping = found["apart"], found["overlapping"]
    assert overlapping.answer.chunks > apart.answer.chunks > 20
    # Where each begins, and where it ends as well if the next begins before that; the last one ends with the text.
    assert len(apart.borders) == apart.answer.chunks
    assert len(overlapping.borders) == 2 * overlapping.answer.chunks - 1


def test_known_entities_are_the_names_after_a_cue_and_no_others() -> None:
    text = named_text(2_000, 0, random.Random(0))
    written = str(text)
    cues = {"dear": "person", "near": "place"}
    starts: set[int] = set()
    for before, word, tag in zip(text.words, text.words[1:], text.tags[1:], strict=False):
        assert tag.startswith("B") == (before in cues and word.startswith("name"))
    for label, start, end in text.entities():
        assert {word[:4] for word in written[start:end].split()} == {"name"}
        assert not written[end + 1 :].startswith("name")
        assert cues[written[:start].split()[-1]] == label
        starts.add(start)
    assert len(starts) == sum(word in cues for word in text.words)


def reading(text: Text, scores: tuple[float, ...] = (), entities: tuple[Entity, ...] = ()) -> Reading:
    answer = Answer(Tier("whole", 1, 1, 1), 1, 1, 0, scores=scores, entities=entities)
    return Reading(text, answer, frozenset({6}), 1.0)


def test_an_attack_is_told_by_its_own_score_though_some_chunk_is_harmless() -> None:
    texts = [(HARMLESS, 0.2), (ATTACK, 0.9), (HARMLESS, 0.6), (ATTACK, 0.55), (HARMLESS, 0.4)]
    found = VERDICTS["Max"]([reading(Text([], label), (0.99, score)) for label, score in texts])
    assert found == {"right": 4, "separated": 0.833}


def test_an_entity_is_right_by_its_label_and_its_very_characters() -> None:
    """`a name1 name2 a name3`: the first lies across character 6 and is given in two parts."""
    text = Text(["a", "name1", "name2", "a", "name3"], tags=["O", "B-person", "I-person", "O", "B-place"])
    given = (Entity("person", 0.9, 2, 7), Entity("person", 0.9, 8, 13), Entity("place", 0.9, 16, 21))
    found = VERDICTS["Union"]([reading(text, entities=given)])
    assert text.entities() == {("person", 2, 13), ("place", 16, 21)}
    assert (found["precision"], found["recall"], found["f1"]) == (0.3333, 0.5, 0.4)
    assert (found["cut"], found["cut_right"]) == (1, 0)


def test_a_run_from_training_to_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "RECIPE", replace(model.RECIPE, steps=2))
    path = tmp_path / "chunking.json"
    run({1_200: 2}, path, "bench", lambda _: None)
    cells = [line.split(" | ") for line in chunking_lines(path) if " | 1,200 | " in line]
    assert len(cells) == len(json.loads(path.read_text())["rows"]) == len(USES) * len(WAYS)
    assert {len(row) for row in cells} == {9}

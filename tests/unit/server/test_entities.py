"""Entities: tags to runs, runs of chunks to those of the text, runs to characters."""

from __future__ import annotations

import pytest

from plimsoll_server.scheduler.entities import Run, locate, runs_of, union
from plimsoll_server.types import TokenLabels

NAMES = (
    *("O", "B-PER", "I-PER", "E-PER", "S-PER", "L-PER", "U-PER"),
    *("B-LOC", "I-LOC", "E-LOC", "S-LOC", "ORG", "S-Bahn"),
)


def tagged(tags: str, first_token: int = 0) -> list[Run]:
    """Runs of a sequence whose tags are written as names, between two special tokens."""
    labels = (0, *(NAMES.index(name) for name in tags.split()), 0)
    output = TokenLabels(labels, tuple(0.5 + index / 100 for index in range(len(labels))))
    return runs_of(output, NAMES, first_token, lead=1, length=len(labels) - 2)


def extents(runs: list[Run]) -> list[tuple[str, int, int]]:
    return [(run.label, run.first, run.last) for run in runs]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        pytest.param("O O O", [], id="nothing"),
        pytest.param("B-PER I-PER O", [("PER", 0, 2)], id="begin and inside"),
        pytest.param("B-PER B-PER", [("PER", 0, 1), ("PER", 1, 2)], id="two that touch"),
        pytest.param("B-PER I-LOC", [("PER", 0, 1), ("LOC", 1, 2)], id="inside of another label begins anew"),
        pytest.param("I-PER I-PER", [("PER", 0, 2)], id="inside without a begin"),
        pytest.param("B-PER O I-PER", [("PER", 0, 1), ("PER", 2, 3)], id="a gap ends it"),
        pytest.param("B-PER I-PER E-PER O", [("PER", 0, 3)], id="begin, inside and end"),
        pytest.param("B-PER I-PER L-PER U-PER", [("PER", 0, 3), ("PER", 3, 4)], id="begin, inside, last and unit"),
        pytest.param("S-PER S-PER", [("PER", 0, 1), ("PER", 1, 2)], id="two single ones that touch"),
        pytest.param("B-PER E-PER I-PER", [("PER", 0, 2), ("PER", 2, 3)], id="nothing continues behind an end"),
        pytest.param("S-PER I-PER", [("PER", 0, 1), ("PER", 1, 2)], id="nothing continues a single one"),
        pytest.param("B-PER E-LOC", [("PER", 0, 1), ("LOC", 1, 2)], id="end of another label begins anew"),
        pytest.param("O E-PER", [("PER", 1, 2)], id="an end without a begin"),
        pytest.param("S-Bahn S-Bahn", [("S-Bahn", 0, 2)], id="a name that looks like a tag"),
        pytest.param("ORG ORG O ORG", [("ORG", 0, 2), ("ORG", 3, 4)], id="names without tags"),
    ],
)
def test_tags_become_runs(tags: str, expected: list[tuple[str, int, int]]) -> None:
    assert extents(tagged(tags)) == expected


def test_the_score_is_the_mean_of_the_tokens() -> None:
    (run,) = tagged("B-PER I-PER I-PER")
    assert run.score == pytest.approx((0.51 + 0.52 + 0.53) / 3)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param("B-PER I-PER O O", "B-PER I-PER O O", [("PER", 0, 2)], id="seen twice"),
        pytest.param("O O B-PER I-PER", "O O I-PER I-PER I-PER", [("PER", 2, 5)], id="cut by the first chunk's end"),
        pytest.param("B-PER I-PER I-PER O", "O I-PER I-PER O", [("PER", 0, 3)], id="cut by the second chunk's start"),
        pytest.param("B-PER I-PER O O", "O I-PER I-PER E-PER", [("PER", 0, 4)], id="its end is in the second chunk"),
        pytest.param("S-PER E-PER O", "S-PER E-PER O", [("PER", 0, 1), ("PER", 1, 2)], id="ends stay apart"),
        pytest.param("B-PER O O O", "O O B-LOC O", [("PER", 0, 1), ("LOC", 2, 3)], id="found in one only"),
        pytest.param("B-PER I-PER O", "B-LOC I-LOC O", [("PER", 0, 2), ("LOC", 0, 2)], id="two opinions are both kept"),
        pytest.param("B-PER B-PER O", "B-PER B-PER O", [("PER", 0, 1), ("PER", 1, 2)], id="neighbours stay apart"),
    ],
)
def test_runs_of_overlapping_chunks_become_those_of_the_text(
    first: str, second: str, expected: list[tuple[str, int, int]]
) -> None:
    assert extents(union([*tagged(first), *tagged(second)])) == expected


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        pytest.param("I-PER O", [("PER", 1, 3)], id="continues"),
        pytest.param("E-PER I-PER", [("PER", 1, 3), ("PER", 3, 4)], id="continues and ends"),
        pytest.param("S-PER O", [("PER", 1, 2), ("PER", 2, 3)], id="is one by itself"),
        pytest.param("B-PER O", [("PER", 1, 2), ("PER", 2, 3)], id="begins anew"),
    ],
)
def test_chunks_that_only_touch_join_what_their_border_cut(second: str, expected: list[tuple[str, int, int]]) -> None:
    assert extents(union([*tagged("O B-PER"), *tagged(second, first_token=2)])) == expected


def test_the_higher_score_of_two_views_is_kept() -> None:
    assert union([Run("PER", 0.6, 0, 2), Run("PER", 0.9, 1, 2)]) == [Run("PER", 0.9, 0, 2)]


def test_characters_leave_out_the_space_that_a_tokenizer_counts_in() -> None:
    text = "von  Ada Lovelace, Gräfin"
    (entity,) = locate([Run("PER", 0.9, 1, 3)], [0, 3, 8], [3, 8, 17], text)
    assert text[entity.start : entity.end] == "Ada Lovelace"

"""Properties are tried on the same examples each time, unless others are asked for."""

from __future__ import annotations

from pathlib import Path

from hypothesis import settings

from drawn_examples import MORE, examples

TESTS = Path(__file__).parents[1]
SETTINGS = "drawn_examples.py"


def test_the_same_examples_are_drawn_each_time_unless_more_are_asked_for() -> None:
    for used in (settings(), examples(7)):
        assert (used.derandomize, used.deadline) == (not MORE, None)
    assert examples(7).max_examples == (MORE or 7)


def test_no_file_has_an_opinion_of_its_own() -> None:
    own = [
        path.name
        for path in TESTS.rglob("*.py")
        if path.name not in (SETTINGS, Path(__file__).name)
        for text in [path.read_text("utf-8")]
        if "derandomize=" in text or "deadline=None" in text
    ]
    assert own == [], f"tests/{SETTINGS} says it once for all"

"""The generated tasks: lengths are what was asked for, and the answers are right."""

from __future__ import annotations

import statistics
from collections import Counter

import pytest

from plimsoll_server.bench.long_range.tasks import TASKS, Example

LENGTHS = (32, 1024, 4096)


def evaluated(words: list[str]) -> int:
    """A list read from its beginning, with a stack and no recursion: not how it was made."""
    stack: list[tuple[str, list[int]]] = []
    for word in words:
        if word.startswith("["):
            stack.append((word[1:], []))
            continue
        value = int(word) if word != "]" else _closed(*stack.pop())
        if not stack:
            return value
        stack[-1][1].append(value)
    raise AssertionError("a list is not closed")


def _closed(name: str, numbers: list[int]) -> int:
    match name:
        case "MAX":
            return max(numbers)
        case "MIN":
            return min(numbers)
        case "MED":
            return int(statistics.median_high(numbers))
        case _:
            return sum(numbers) % 10


def found(example: Example) -> str:
    """The answer by the task's rules alone."""
    match example.words:
        case ("find", key, *words):
            return words[words.index(key) + 1]
        case words if "again" in words:
            middle = words.index("again")
            return "alike" if words[:middle] == words[middle + 1 :] else "apart"
        case words:
            return str(evaluated(list(words)))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("name", TASKS)
def test_answers_are_right_and_texts_as_long_as_asked(name: str, length: int) -> None:
    for example in TASKS[name].examples(40, length, seed=3):
        assert found(example) == example.label
        assert example.label in TASKS[name].labels
        assert length - 1 <= len(example.words) <= length


@pytest.mark.parametrize("name", TASKS)
def test_no_label_is_much_more_frequent_than_the_others(name: str) -> None:
    counts = Counter(example.label for example in TASKS[name].examples(2_000, 64, seed=0))
    assert set(counts) == set(TASKS[name].labels)
    assert counts.most_common(1)[0][1] < 2.5 * 2_000 / len(counts)


def test_where_the_answer_lies_is_spread_over_the_whole_text() -> None:
    places = [
        (example.words[2:].index(example.words[1]) + 2) / len(example.words)
        for example in TASKS["retrieval"].examples(400, 1024, seed=0)
    ]
    assert min(places) < 0.05
    assert max(places) > 0.95
    assert statistics.fmean(places) == pytest.approx(0.5, abs=0.06)


def test_the_same_seed_gives_the_same_texts_and_another_seed_others() -> None:
    first, again, other = (list(TASKS["copy"].examples(3, 64, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_texts_that_are_too_short_for_a_task_are_refused() -> None:
    with pytest.raises(ValueError, match="expected texts of 32 words or more, found 8"):
        TASKS["copy"].examples(1, 8, seed=0)

"""The table of worse canaries says what the design aims at, and where that is missed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from statistics_table import statistics_lines


def written(tmp_path: Path, scenario: str, median: int | None = 9, most: int | None = 9, promoted: float = 0.1) -> str:
    found = {
        "rollouts": 1000,
        "rolled_back": 0.9,
        "rolled_back_at_most": 0.01,
        "promoted": promoted,
        "paused": 0.0,
        "requests": [median, most],
        "requests_to_promotion": [500, 900],
        "seconds": [60, 80],
    }
    rules = {"scenario": scenario, "rules": {"Plimsoll": found}}
    page = Path(__file__).parents[3] / "benchmarks" / "rollout-statistics.json"
    (tmp_path / "run.json").write_text(
        json.dumps({**json.loads(page.read_text()), "healthy": [rules], "worse": [rules]})
    )
    return "\n".join(statistics_lines(tmp_path / "run.json"))


@pytest.mark.parametrize(
    ("scenario", "median", "most", "row", "missed"),
    [
        pytest.param("errors 1 % for 0.1 %, 1/s", 900, 1800, "| 900 / 1,800 | 900 / 1,800 |", False, id="met"),
        pytest.param(
            "errors 1 % for 0.1 %, 10/s", 901, 1800, "| 901 / 1,800 | 900 / 1,800 |", True, id="median missed"
        ),
        pytest.param("all latencies doubled, 1/s", 56, None, "| 56 / never | 100 / 180 |", True, id="not all found"),
        pytest.param("errors 5 % for 0.1 %, 10/s", 9000, 9000, "| 9,000 / 9,000 |  |", False, id="nothing aimed at"),
    ],
)
def test_what_is_aimed_at_stands_beside_what_was_found(
    tmp_path: Path, scenario: str, median: int | None, most: int | None, row: str, missed: bool
) -> None:
    text = written(tmp_path, scenario, median, most)
    assert row in text
    assert ("**Missed**" in text) is missed
    assert (f"- {scenario}" in text) is missed


@pytest.mark.parametrize(
    ("scenario", "reason"),
    [
        ("all latencies doubled, 10 canary requests/s", ": verdicts come by whole intervals"),
        ("all latencies doubled, one pod each, 10/s", "is as little known as the canary's."),
        ("all latencies doubled, 1 canary request/s", "1 canary request/s.\n"),
    ],
)
def test_a_miss_has_its_own_reason_or_none(tmp_path: Path, scenario: str, reason: str) -> None:
    assert reason in written(tmp_path, scenario, 5000, 9000).partition("**Missed**")[2]


@pytest.mark.parametrize(("promoted", "told"), [(0.9499, True), (0.95, False)])
def test_good_canaries_that_are_not_promoted_are_told(tmp_path: Path, promoted: float, told: bool) -> None:
    assert ("% promoted within half an hour: gaps." in written(tmp_path, "gaps", promoted=promoted)) is told

"""The table of rollouts says how many were back on stable in time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.rollouts.figures import Figures, Take
from rollout_table import rollout_lines

PAGE = Path(__file__).parents[3] / "benchmarks" / "rollouts.json"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        pytest.param(
            [20.0, 60.0, 41.5], "3 of 3, from which follows that at least 37 % of such are (95 % sure).", id="all"
        ),
        pytest.param([20.0, 60.1, None], "1 of 2.", id="one late, one that never answered"),
    ],
)
def test_how_many_were_back_in_time_is_told(tmp_path: Path, seconds: list[float | None], told: str) -> None:
    run = json.loads(PAGE.read_text())["runs"][0]
    story = run["stories"][0]
    takes = [{**story["takes"][0], "back_seconds": each} for each in seconds]
    (tmp_path / "run.json").write_text(json.dumps({"runs": [{**run, "stories": [{**story, "takes": takes}]}]}))
    text = "\n".join(rollout_lines(tmp_path / "run.json"))
    assert f"Back on stable within 60 s of the first bad response: {told}" in text


def a_take(story: str, seconds: float) -> Take:
    return Take(story, "MoreErrors", "first bad response", seconds, seconds, 10.0, 2, 1000, 1.5)


def test_a_run_takes_the_place_of_what_earlier_ones_tell_of_its_stories_and_of_no_other(tmp_path: Path) -> None:
    path = tmp_path / "rollouts.json"
    Figures(takes=[a_take("words", 21.0), a_take("slow", 22.0)]).write("pytest first", path)
    Figures(takes=[a_take("slow", 33.0), a_take("slow", 35.0)]).write("pytest second", path)
    first, second = "\n".join(rollout_lines(path)).split("`pytest second`")
    assert "`pytest first`" in first
    assert "| words | MoreErrors | first bad response | 21 (21 to 21, n = 1)" in first
    assert "| slow " not in first
    assert "| slow | MoreErrors | first bad response | 34 (33 to 35, n = 2)" in second
    assert "3 of 3" in second, "of all of them"

    Figures(takes=[a_take("words", 23.0)]).write("pytest third", path)
    assert "`pytest first`" not in "\n".join(rollout_lines(path)), "nothing is left of it"

"""The table of rollouts says how many were back on stable in time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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
    run = json.loads(PAGE.read_text())
    story = run["stories"][0]
    takes = [{**story["takes"][0], "back_seconds": each} for each in seconds]
    (tmp_path / "run.json").write_text(json.dumps({**run, "stories": [{**story, "takes": takes}]}))
    text = "\n".join(rollout_lines(tmp_path / "run.json"))
    assert f"Back on stable within 60 s of the first bad response: {told}" in text

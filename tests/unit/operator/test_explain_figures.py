"""The figures that `explain` works out or rounds."""

from __future__ import annotations

import pytest

from plimsoll_operator.cli.explanation.missing import exposures_needed
from plimsoll_operator.cli.explanation.trial import parse_trial
from plimsoll_operator.cli.explanation.wording import number
from plimsoll_operator.rollout.evidence.upper_bound import upper_bound
from trials import make_evidence, make_signal


def test_the_requests_still_needed_are_those_of_the_bound_itself() -> None:
    clean = make_evidence(signals=[make_signal("errors", canaryRate="0", allowed="0.01")])
    trial = parse_trial({"rollout": {"evidence": clean}})
    assert trial
    needed = exposures_needed(trial.signals[0], margin=0.01)
    assert needed
    assert upper_bound(needed, 0, 0.01) < 0.01 <= upper_bound(needed - 1, 0, 0.01)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.004, "<0.01"), (0.4, "0.4"), (1.25, "1.2"), (12.4, "12"), (4120, "4,120"), (3e9, "over a million")],
)
def test_figures_are_told_as_people_write_them(value: float, text: str) -> None:
    assert number(value) == text

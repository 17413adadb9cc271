"""The load line over time: lowered by shortages, trusted again slowly, and never the reason that nothing runs."""

from __future__ import annotations

import pytest

from plimsoll_server.engine.line import Line
from plimsoll_server.types import Calibration, LoadLine


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def line_of(tokens: int | None) -> tuple[Line, Clock]:
    clock = Clock()
    line = Line(clock)
    if tokens is not None:
        line.calibrated(
            Calibration(bytes_per_token=10, bytes_per_batch=5, room=10 * tokens + 5, seconds=1.0, trials=())
        )
    return line, clock


@pytest.mark.parametrize(
    ("tokens", "failed", "sequences", "factor"),
    [
        pytest.param(1000, 1000, 4, 0.8, id="as deep as the line"),
        pytest.param(1000, 700, 4, 0.56, id="below it: what failed must not be tried again"),
        pytest.param(1000, 10, 4, 0.5, id="far below: by half at most"),
        pytest.param(1000, 700, 1, 0.56, id="one sequence that the line allows"),
        pytest.param(1000, 1001, 1, 1.0, id="one that is above the line says nothing of it"),
        pytest.param(None, 700, 4, 0.8, id="several, and nothing was measured"),
        pytest.param(None, 700, 1, 1.0, id="one, and nothing was measured"),
    ],
)
def test_a_shortage_lowers_the_line(tokens: int | None, failed: int, sequences: int, factor: float) -> None:
    line, _ = line_of(tokens)
    line.shortage(failed, sequences)
    assert line.now().factor == pytest.approx(factor)


def test_the_line_comes_back_slowly_and_not_above_what_was_measured() -> None:
    line, clock = line_of(1000)
    line.shortage(1000, 2)
    factors = []
    for _ in range(6):
        clock.now += 60
        factors.append(line.now().factor)
    assert factors == pytest.approx([0.85, 0.9, 0.95, 1.0, 1.0, 1.0])


def test_however_many_shortages_there_are_something_may_run() -> None:
    line, _ = line_of(1000)
    for _ in range(100):
        line.shortage(1, 2)
    tokens = line.now().tokens
    assert tokens is not None
    assert tokens > 0
    assert line.now().sequences(planned=8, max_tokens=512) == 1


@pytest.mark.parametrize(
    ("line", "planned", "max_tokens", "expected"),
    [
        pytest.param(LoadLine(10, 10_000), 4, 250, 4, id="as planned"),
        pytest.param(LoadLine(10, 10_000), 8, 250, 4, id="the measured line is lower"),
        pytest.param(LoadLine(10, 10_000, 0.5), 8, 250, 2, id="after a shortage"),
        pytest.param(LoadLine(10, 10_000), 8, 5000, 1, id="one may always run"),
        pytest.param(LoadLine(10, 0), 8, 5000, 1, id="also where there is no room at all"),
        pytest.param(LoadLine(10, 10_000), 0, 250, 0, id="but not where the plan has none"),
        pytest.param(LoadLine(), 8, 250, 8, id="nothing measured"),
        pytest.param(LoadLine(factor=0.5), 8, 250, 4, id="nothing measured, after a shortage"),
    ],
)
def test_how_many_may_run_at_once(line: LoadLine, planned: int, max_tokens: int, expected: int) -> None:
    assert line.sequences(planned, max_tokens) == expected

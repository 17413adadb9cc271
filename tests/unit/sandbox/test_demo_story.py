"""How the demo draws and prints: the line at its own number, and nothing cut off in a picture."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from plimsoll_sandbox.demo.graph import HEIGHT, Sample, draw
from plimsoll_sandbox.demo.story import Story


def rows(target: float, *saturations: float) -> list[str]:
    samples = [Sample(float(second), saturation, 1) for second, saturation in enumerate(saturations)]
    return draw(samples, target).plain.splitlines()[:HEIGHT]


@pytest.mark.parametrize("highest", [0.0, 0.5, 0.7, 1.0, 1.4, 3.0, 5.5, 20.0])
def test_the_line_is_in_the_row_that_is_labelled_with_its_number(highest: float) -> None:
    (line,) = (row for row in rows(0.7, highest) if "target" in row)
    assert re.match(r" +0\.70 ┤.*  target 0\.70$", line)


@pytest.mark.parametrize("highest", [0.5, 0.7, 1.0, 1.4, 3.0, 5.5])
def test_the_highest_bar_fits_and_ends_in_the_row_of_its_number(highest: float) -> None:
    drawn = rows(0.7, highest)
    labels = [float(row.split()[0]) for row in drawn]
    half = (labels[0] - labels[1]) / 2
    filled = [label for label, row in zip(labels, drawn, strict=True) if re.search("[▁-█]", row)]
    assert filled[0] - half <= highest <= filled[0] + half + 0.01
    assert "█" not in drawn[0] or highest >= labels[0]


def test_a_picture_shows_the_end_of_a_long_line_and_a_terminal_gets_it_unbroken() -> None:
    words = " ".join(f"word{number}" for number in range(40))
    pictured, terminal = io.StringIO(), io.StringIO()
    for file, record in ((pictured, True), (terminal, False)):
        story = Story(Console(file=file, width=60, record=record), steps=1)
        story.say(words)
        story.command(words)
    assert f"      {words}\n      $ {words}\n" == terminal.getvalue()
    assert all(len(line) <= 60 and line.startswith(" " * 6) for line in pictured.getvalue().splitlines())
    assert pictured.getvalue().split() == [*words.split(), "$", *words.split()]

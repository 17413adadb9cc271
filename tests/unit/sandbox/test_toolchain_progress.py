"""Whoever waits is told what for, why, and how far it is."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from plimsoll_sandbox.toolchain.progress import Job, PlainProgress, TerminalProgress, duration, progress_on

JOB = Job("Building helm", "it installs the chart", expected_seconds=90, parts=1500, unit="packages")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def make_console(terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100, color_system=None)


def written_on(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_lines_for_a_log_tell_start_heartbeat_and_end() -> None:
    console, clock = make_console(terminal=False), Clock()
    with PlainProgress(console, clock).working(JOB) as report:
        for _ in range(45):
            clock.now += 1
            report(700, "k8s.io/api")
    assert written_on(console).splitlines() == [
        "Building helm (about 1 min 30 s, once): it installs the chart",
        "  Building helm: 20 s of about 1 min 30 s, 700 of about 1,500 packages",
        "  Building helm: 40 s of about 1 min 30 s, 700 of about 1,500 packages",
        "  Building helm: done in 45 s",
    ]


def test_before_the_first_part_is_done_the_heartbeat_tells_what_is_being_done() -> None:
    console, clock = make_console(terminal=False), Clock()
    with PlainProgress(console, clock).working(JOB) as report:
        clock.now += 30
        report(0, "go: downloading k8s.io/api")
    assert "  Building helm: 30 s of about 1 min 30 s, go: downloading k8s.io/api" in written_on(console)


def test_a_job_without_output_still_has_a_heartbeat() -> None:
    console, clock = make_console(terminal=False), Clock()
    with PlainProgress(console, clock).working(JOB) as report:
        clock.now += 30
        report(0, "")
    assert "  Building helm: 30 s of about 1 min 30 s\n" in written_on(console)


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "log"])
def test_a_job_that_fails_is_not_called_done(terminal: bool) -> None:
    console = make_console(terminal)
    with pytest.raises(ZeroDivisionError), progress_on(console).working(JOB):
        raise ZeroDivisionError
    assert "done in" not in written_on(console)


def test_a_terminal_keeps_the_announcement_and_the_end() -> None:
    console = make_console(terminal=True)
    with progress_on(console).working(JOB) as report:
        report(0, "go: downloading k8s.io/api")
        report(2000, "")  # more than expected
    text = written_on(console)
    assert "Building helm (about 1 min 30 s, once): it installs the chart" in text
    assert "Building helm: done in 0 s" in text


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "log"])
def test_square_brackets_are_shown_as_they_are(terminal: bool) -> None:
    console = make_console(terminal)
    progress_on(console).note("see [red]here[/red]")
    assert "see [red]here[/red]" in written_on(console)


def test_the_form_fits_the_console() -> None:
    assert isinstance(progress_on(make_console(terminal=True)), TerminalProgress)
    assert isinstance(progress_on(make_console(terminal=False)), PlainProgress)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.4, "0 s"), (45, "45 s"), (59.6, "1 min"), (60, "1 min"), (150, "2 min 30 s"), (3600, "60 min")],
)
def test_durations_read_well(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected

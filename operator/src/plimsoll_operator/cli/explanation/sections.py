"""The story as parts to print on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.text import Text

from plimsoll_operator.cli.console import bad, good, plain, table, uneasy
from plimsoll_operator.cli.explanation.curves import curves_of
from plimsoll_operator.cli.explanation.story import STALLED, Story
from plimsoll_operator.cli.explanation.terminal import draw
from plimsoll_operator.cli.explanation.trial import Signal
from plimsoll_operator.cli.explanation.wording import bound, called, moment, number, seen, span

_GOOD = ("promoted", "at rest")
_BAD = ("rolled back", "being rolled back")


def sections(story: Story) -> Iterator[Text]:
    """The verdict first, then what it rests on, last what to do."""
    coloured = (
        good
        if story.verdict in _GOOD
        else bad
        if story.verdict in _BAD or story.verdict.startswith(STALLED)
        else uneasy
    )
    yield Text.assemble((f"{story.name}  ", "bold"), coloured(story.verdict))
    if story.summary:
        yield plain(story.summary)
    yield from _section("WHAT WAS COMPARED", table(("", ""), story.compared) if story.compared else None)
    yield from _section("EVIDENCE: ROLLED BACK AT ITS LIMIT", _signals(story))
    yield from _section("BOUNDS: PROMOTED ONCE EACH IS BELOW WHAT IS ALLOWED", _bounds(story))
    curves = curves_of(story.trial) if story.trial else None
    yield from _section("", draw(curves) if curves else None)
    yield from _section("DECISION", _decision(story))
    yield from _section("STILL MISSING TO PROMOTE", _lines(story.missing))
    yield from _section("THE CANARY'S PODS", _lines(story.pods))
    yield from _section("WHAT TO DO NEXT", _lines(story.next))


def _section(title: str, content: Text | None) -> Iterator[Text]:
    if content is not None:
        yield Text()
        if title:
            yield Text(title, style="bold")
        yield content


def _lines(lines: Iterable[str]) -> Text | None:
    return Text("\n").join([plain(line) for line in lines]) if lines else None


def _signals(story: Story) -> Text | None:
    """A row for each signal: its evidence, where that rolls it back, and what was counted of both revisions."""
    if story.trial is None or not story.trial.signals:
        return None
    rows = [
        (
            called(signal),
            _evidence(signal),
            "" if signal.threshold is None else number(signal.threshold),
            seen(signal, signal.canary_rate, signal.canary_bad, signal.canary_exposures, unit=True),
            seen(signal, signal.stable_rate, signal.stable_bad, signal.stable_exposures),
        )
        for signal in story.trial.signals
    ]
    told = table(("SIGNAL", "EVIDENCE", "LIMIT", "CANARY", "STABLE"), rows)
    if not story.trial.by_whole_lives:
        return told
    return Text("\n").join([told, plain(f"over the whole lives of the pods: {story.trial.message}")])


def _bounds(story: Story) -> Text | None:
    """A row for each signal that a promotion asks a bound of: the most that the canary's rate can be, and may be."""
    bounding = [signal for signal in story.trial.signals if not signal.bounds_nothing] if story.trial else []
    rows = [
        (
            called(signal, signal.bound_part),
            bound(signal, signal.upper_bound),
            (good if signal.passes else uneasy)(bound(signal, signal.allowed)),
        )
        for signal in bounding
    ]
    return table(("SIGNAL", "CANARY AT MOST", "ALLOWED"), rows) if rows else None


def _evidence(signal: Signal) -> Text:
    if signal.evidence is None:
        return uneasy("unknown")
    return bad(number(signal.evidence)) if signal.reached else Text(number(signal.evidence))


def _decision(story: Story) -> Text | None:
    if not story.decision:
        return None
    if story.decided_at is None or story.trial is None:
        return plain(story.decision)
    took = f"{moment(story.decided_at)}, {span(story.decided_at - story.trial.since)} after the start"
    return plain(f"{took}: {story.decision}")

"""The evidence over time, and what is left of it in the end, as a PNG. Needs matplotlib, which is an extra."""

from __future__ import annotations

import io
import textwrap
from datetime import timedelta
from typing import TYPE_CHECKING

from plimsoll_operator.cli.explanation.curves import Curve, Curves
from plimsoll_operator.cli.explanation.story import Story
from plimsoll_operator.cli.explanation.trial import Trial
from plimsoll_operator.cli.explanation.verdict_rows import draw_rows
from plimsoll_operator.cli.explanation.wording import moment, naming, span

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, which the colour-blind tell apart; each signal has a mark of its own besides.
STYLES = {
    "errors": ("#D55E00", "o"),
    "latency": ("#0072B2", "^"),
    "oom": ("#E69F00", "s"),
    "restarts": ("#009E73", "v"),
}
OTHER = ("#000000", "x")
GREY = "#595959"
SIZE_INCHES, DOTS_PER_INCH = (9.6, 6.4), 150
MARKS_ON_A_CURVE = 12
ROOM_AT_THE_RIGHT = 1.02
WORDS_WIDE = 160
TITLE_OVER_THE_LEGEND = 20
MOST_TICKS = 9
ROUND_SECONDS = (1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200)
"""Distances between two ticks of time that people count in."""


class MissingLibraryError(Exception):
    """matplotlib is not installed."""


def draw_png(story: Story, trial: Trial, curves: Curves) -> bytes:
    """A PNG file's bytes. Raises MissingLibraryError."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingLibraryError(
            "a picture needs matplotlib, which is not installed: pip install 'plimsoll-operator[plot]'; "
            "without --png the same plot is drawn here"
        ) from error
    figure = Figure(figsize=SIZE_INCHES, dpi=DOTS_PER_INCH, layout="constrained")
    rows = len(trial.signals)
    over_time, in_the_end = figure.subplots(2, 1, height_ratios=[3.2, 0.55 + 0.35 * rows])
    figure.suptitle(f"{story.name}: {story.verdict}", x=0.01, ha="left", fontweight="bold")
    if story.decision:
        figure.supxlabel(textwrap.fill(story.decision, WORDS_WIDE), x=0.01, ha="left", fontsize="small", color=GREY)
    _over_time(over_time, trial, curves)
    draw_rows(in_the_end, trial, STYLES, OTHER)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return drawn.getvalue()


def _over_time(axes: Axes, trial: Trial, curves: Curves) -> None:
    axes.set_title(
        f"canary {trial.canary} against {trial.stable or 'nothing'}, from {moment(trial.since)}",
        loc="left",
        fontsize="small",
        color=GREY,
        pad=TITLE_OVER_THE_LEGEND,
    )
    axes.set_yscale("log")
    axes.set_ylim(10.0**curves.low, 10.0**curves.high)
    axes.set_xlim(0, curves.end * ROOM_AT_THE_RIGHT)
    axes.set_ylabel("evidence against the canary\n(log scale; 1 = none)")
    axes.set_yticks([10.0**power for power in range(curves.low, curves.high + 1)])
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axes.grid(axis="y", color="#E5E5E5", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    for curve in curves.curves:
        _curve(axes, curve)
    _threshold(axes, curves)
    _steps(axes, curves)
    _time_axis(axes, curves)
    if curves.verdict:
        _decision(axes, trial, curves)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.01), ncols=5, frameon=False, fontsize="small", borderpad=0)


def _curve(axes: Axes, curve: Curve) -> None:
    colour, mark = STYLES.get(curve.signal, OTHER)
    seconds, powers = zip(*curve.points, strict=True)
    every = max(1, len(curve.points) // MARKS_ON_A_CURVE)
    axes.plot(
        seconds,
        [10.0**power for power in powers],
        color=colour,
        marker=mark,
        markevery=every,
        markersize=5,
        linewidth=1.6,
        label=naming(curve.signal).called,
    )


def _threshold(axes: Axes, curves: Curves) -> None:
    if curves.threshold is None:
        return
    value = 10.0**curves.threshold
    axes.axhline(value, color="black", linestyle=(0, (5, 3)), linewidth=1.2)
    words = f"rolled back from {value:,.0f} on{curves.exceptions}"
    axes.annotate(words, (0, value), xytext=(4, 3), textcoords="offset points", fontsize="small")


def _steps(axes: Axes, curves: Curves) -> None:
    for step in curves.steps:
        if step.seconds > 0:
            axes.axvline(step.seconds, color=GREY, linestyle=":", linewidth=0.9)
        axes.annotate(
            f"{step.weight} % of the requests",
            (step.seconds, 10.0**curves.low),
            xytext=(4, 5),
            textcoords="offset points",
            fontsize="x-small",
            color=GREY,
        )


def _time_axis(axes: Axes, curves: Curves) -> None:
    apart = next((length for length in ROUND_SECONDS if curves.end / length <= MOST_TICKS), ROUND_SECONDS[-1])
    ticks = range(0, int(curves.end) + 1, apart)
    axes.set_xticks(ticks, [span(timedelta(seconds=tick)) for tick in ticks])
    axes.set_xlabel("time since the comparison began")


def _decision(axes: Axes, trial: Trial, curves: Curves) -> None:
    colour = "#009E73" if trial.outcome == "Promote" else "#D55E00"
    axes.axvline(curves.end, color=colour, linewidth=2)
    axes.annotate(
        f"{curves.verdict}\nafter {span(timedelta(seconds=curves.end))}",
        (curves.end, 10.0**curves.high),
        xytext=(-6, -4),
        textcoords="offset points",
        ha="right",
        va="top",
        fontweight="bold",
        color=colour,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    )

"""How far each signal is from a promotion: the canary's rate and the most it can be, as a share of what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from plimsoll_operator.cli.explanation.trial import Signal, Trial
from plimsoll_operator.cli.explanation.wording import bound, called, naming, rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDEST = 3.0
"""Shares of what is allowed beyond which a row is cut, with an arrow."""
LEFT_OF_NOTHING = 0.04
"""For a mark at zero to stand clear of the signal's name."""
GREY = "#595959"


def draw_rows(axes: Axes, trial: Trial, styles: Mapping[str, tuple[str, str]], other: tuple[str, str]) -> None:
    """One row for each signal that a promotion asks a bound of, the promotion line at 1."""
    bounding = [signal for signal in trial.signals if not signal.bounds_nothing]
    axes.set_xlim(-LEFT_OF_NOTHING, WIDEST)
    axes.set_ylim(len(bounding) - 0.5, -0.5)
    axes.axvline(1, color="black", linestyle=(0, (5, 3)), linewidth=1.2)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_yticks(range(len(bounding)), [naming(signal.name).called for signal in bounding])
    axes.set_xlabel("rate as a share of what is allowed: promoted once every bar ends left of 1 (hollow: stable)")
    for row, signal in enumerate(bounding):
        _row(axes, row, signal, *styles.get(signal.name, other))


def _row(axes: Axes, row: int, signal: Signal, colour: str, mark: str) -> None:
    if signal.allowed is None or not signal.allowed or signal.bound_rate is None:
        axes.annotate("not measured", (0.02, row), va="center", fontsize="small", color=GREY)
        return
    canary = min(signal.bound_rate / signal.allowed, WIDEST)
    most = WIDEST if signal.upper_bound is None else min(signal.upper_bound / signal.allowed, WIDEST)
    end = ">" if most == WIDEST else "|"
    axes.plot([0, most], [row, row], color=colour, linewidth=1.6, marker=end, markevery=[1], clip_on=False)
    axes.plot([canary], [row], color=colour, marker=mark, markersize=7, clip_on=False)
    if signal.stable_rate is not None and _is_of_the_bound(signal):
        stable = min(signal.stable_rate / signal.allowed, WIDEST)
        axes.plot([stable], [row], color="black", marker="o", markersize=7, fillstyle="none", clip_on=False)
    axes.annotate(
        _figures(signal),
        (WIDEST, row),
        xytext=(0, 9),
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize="x-small",
        color=GREY,
    )


def _is_of_the_bound(signal: Signal) -> bool:
    """Whether the rates told of the signal are those of the part that is bounded."""
    return signal.part == signal.bound_part and not signal.tier


def _figures(signal: Signal) -> str:
    """Of the bounded part alone: what tells most may be another, and of that stable's rate is no measure here."""
    figures = {"canary": bound(signal, signal.bound_rate), "at most": bound(signal, signal.upper_bound)}
    if _is_of_the_bound(signal):
        figures["stable"] = rate(signal, signal.stable_rate)
    figures["allowed"] = bound(signal, signal.allowed)
    told = "; ".join(f"{name} {value}" for name, value in figures.items())
    return told if _is_of_the_bound(signal) else f"{called(signal, signal.bound_part)}: {told}"

"""Time by length with the laws that it is compared with, as a PNG. Needs matplotlib, which is an extra."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from plimsoll_server.bench.massive.growth import LAWS, Growth

_COLOURS = ("#0072B2", "#D55E00", "#009E73")
_LINES = dict(zip(LAWS, ("--", ":"), strict=True))
_SIZE_INCHES, _DOTS_PER_INCH = (8, 5), 130


class MissingLibraryError(Exception):
    """matplotlib is not installed."""


def draw(title: str, grown: Sequence[Growth], path: Path) -> None:
    """Raises MissingLibraryError."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingLibraryError(
            "a picture needs matplotlib, which is not installed: pip install 'plimsoll-server[plot]'; all else is there"
        ) from error
    figure = Figure(figsize=_SIZE_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    for one, colour in zip(grown, _COLOURS, strict=False):
        lengths = [tokens for tokens, _ in one.times]
        axes.plot(
            lengths,
            [seconds for _, seconds in one.times],
            "o",
            color=colour,
            label=f"{one.model}, batch of {one.batch_size}",
        )
        for name, law in LAWS.items():
            fit = one.fits[name]
            drawn = [fit.seconds * law(tokens) for tokens in lengths]
            axes.plot(lengths, drawn, _LINES[name], color=colour, label=f"fit {name}, off by {fit.off:.0%}")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set(title=title, xlabel="tokens of a text", ylabel="seconds of a forward pass")
    ticks = sorted({tokens for one in grown for tokens, _ in one.times})
    axes.set_xticks(ticks, [f"{tokens:,}" for tokens in ticks], fontsize="small")
    axes.legend(frameon=False, fontsize="small")
    figure.savefig(path)

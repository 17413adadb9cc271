"""What the server is to reach on a CPU with the shape of ModernBERT-base, and what the figures say to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Figures = Mapping[str, Any]

LEAST_SHARE = 0.75
"""Of the rate of a block's four linear layers."""
LEAST_AHEAD = {2_048: 1.3, 4_096: 1.6, 8_192: 1.9}
"""Of plain transformers, by tokens; shorter sequences may not be slower by more than a twentieth."""
LEAST_AHEAD_OF_SHORT = 0.95
MOST_ACTIVATIONS = {8_192: 0.5, 16_384: 1.0}
"""Of the weights, by tokens."""
LEAST_AHEAD_OF_SERVICES = {
    ("32 to 1,024", "transformers, padded batches of 8"): 2.0,
    ("32 to 1,024", "Infinity"): 1.5,
    ("64 to 128", "Infinity"): 1.4,
}
"""By lengths and service, eight texts at once."""
LEAST_HITS_PER_SECOND = 2_500
MOST_ADDED_SECONDS = 0.0015


@dataclass(frozen=True, slots=True)
class Verdict:
    """One promise and what was found."""

    promise: str
    wanted: str
    found: str
    met: bool


def verdicts(document: Mapping[str, Any]) -> Iterator[Verdict]:
    """Of the parts that were measured."""
    for part, judge in JUDGES.items():
        for figures in document.get(part, {}).get("figures", ()):
            yield from judge(figures)


def _of_rate(rate: Figures) -> Iterator[Verdict]:
    tokens, share, ahead = rate["tokens"], rate["share"]["median"], rate["ahead"]["median"]
    yield _at_least(f"rate of the linear layers, {tokens:,} tokens", LEAST_SHARE, share, lambda part: f"{part:.1%}")
    least = max((wanted for length, wanted in LEAST_AHEAD.items() if length <= tokens), default=LEAST_AHEAD_OF_SHORT)
    yield _at_least(f"plain transformers, {tokens:,} tokens", least, ahead, _times)


def _of_peak(peak: Figures) -> Iterator[Verdict]:
    most = MOST_ACTIVATIONS.get(peak["tokens"])
    if peak["name"] == "plimsoll" and most is not None:
        found = peak["activations"] / peak["weights"]
        yield Verdict(
            f"activations, {peak['tokens']:,} tokens", f"≤ {most:.1f}× the weights", f"{found:.2f}×", found <= most
        )


def _of_cell(cell: Figures) -> Iterator[Verdict]:
    if cell["layers"] < 22 or cell["at_once"] != 8:
        return
    for served in cell["services"]:
        least = LEAST_AHEAD_OF_SERVICES.get((cell["lengths"], served["service"]))
        if least is not None:
            what = f"{served['service']} over HTTP, {cell['lengths']} tokens, 8 at once"
            yield _at_least(what, least, served["ahead"]["median"], _times)


def _of_around(around: Figures) -> Iterator[Verdict]:
    hits, added = around["hits_per_second"], around["added"]["median"]
    yield _at_least("answers from the cache on one core, per second", LEAST_HITS_PER_SECOND, hits, "{:,.0f}".format)
    yield Verdict(
        "added by HTTP and scheduling, p50",
        f"≤ {1e3 * MOST_ADDED_SECONDS:.1f} ms",
        f"{1e3 * added:.2f} ms",
        added <= MOST_ADDED_SECONDS,
    )


JUDGES = {"rates": _of_rate, "services": _of_cell, "peaks": _of_peak, "around": _of_around}


def _at_least(promise: str, wanted: float, found: float, said: Any) -> Verdict:
    return Verdict(promise, f"≥ {said(wanted)}", said(found), found >= wanted)


def _times(value: float) -> str:
    return f"{value:.2f}×"

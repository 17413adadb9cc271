"""Which tiers of two revisions serve the same texts? Those are compared, whatever they are called.

A tier serves the lengths above the tier before it, up to its own `maxTokens`. The lengths at which both revisions have
a border cut the axis into segments, each of one or more whole tiers on either side. The Service hands both revisions
the same mix of texts, so within a segment both are asked for the same, however either divides it into tiers. A name
says nothing of that: a tier may be renamed, and one that keeps its name may serve other texts than before.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from plimsoll_operator.rollout.evidence import OBJECTIVE


@dataclass(frozen=True)
class Served:
    """What one revision serves: the longest text of each tier, in tokens, and whether it answers longer ones as well.

    Texts longer than all tiers are counted under the last one, be they cut into chunks, cut off or refused.
    """

    longest: Mapping[str, float]
    answers_longer: bool = False


@dataclass(frozen=True)
class Strata:
    """The stratum of each tier of either side; one that is not named is a stratum of its own.

    `mixed` are the canary's tiers that have no equal on the other side: an objective of theirs compares nothing.
    """

    of_canary: Mapping[str, str] = field(default_factory=dict)
    of_stable: Mapping[str, str] = field(default_factory=dict)
    mixed: frozenset[str] = frozenset()

    def of(self, tier: str, *, is_canary: bool) -> str:
        return (self.of_canary if is_canary else self.of_stable).get(tier, tier)


BY_NAME = Strata()


@dataclass(frozen=True)
class Matching:
    """Latencies compare where both revisions answer; what must not happen compares at any length."""

    latency: Strata = BY_NAME
    failures: Strata = BY_NAME

    def of(self, signal: str) -> Strata:
        return self.latency if signal == OBJECTIVE.signal else self.failures


def matched(canary: Served | None, stable: Served | None) -> Matching:
    """By name where either is unknown.

    A request must not fail, nor memory run out, at any length. So what lies beyond the shorter of two revisions
    belongs, for failures, to the last segment that both have; a text that only one of them answers has no latency to
    compare with.
    """
    if canary is None or stable is None:
        return Matching()
    endless = (_ends(replace(side, answers_longer=True)) for side in (canary, stable))
    return Matching(latency=strata(_ends(canary), _ends(stable)), failures=strata(*endless))


def strata(canary: Mapping[str, float], stable: Mapping[str, float]) -> Strata:
    """By the longest text of each tier. A stratum has the canary's name for it, such as `short`, or `short+medium`.

    A tier that begins where the other revision ends has no match. One that reaches from the last common border into
    what the other does not serve has one, unless it is the canary's: its longer texts would make it look slower.
    Without any common border there is nothing better to compare.
    """
    borders = sorted({*canary.values()} & {*stable.values()})
    longest_canary, longest_stable = max(canary.values()), max(stable.values())
    reach = min(longest_canary, longest_stable)
    of_canary, of_stable = (_by_segment(side, borders, reach) for side in (canary, stable))
    top = len(borders)
    last_matched = top - 1 if borders and longest_canary > longest_stable else top
    names = {segment: "+".join(tiers) for segment, tiers in of_canary.items()}
    # No tier has a space in its name.
    alone = {segment: f"{'+'.join(tiers)} of stable" for segment, tiers in of_stable.items() if segment > last_matched}
    equal = {tiers[0] for segment, tiers in of_canary.items() if segment < top and _is_one(tiers, of_stable[segment])}
    return Strata(
        {tier: names[segment] for segment, tiers in of_canary.items() for tier in tiers},
        {tier: (names | alone)[segment] for segment, tiers in of_stable.items() for tier in tiers},
        frozenset(canary) - equal,
    )


def _ends(served: Served) -> Mapping[str, float]:
    """The longest text that is counted under each tier."""
    if not served.answers_longer:
        return served.longest
    last = max(served.longest, key=served.longest.__getitem__)
    return {**served.longest, last: inf}


def _by_segment(ends: Mapping[str, float], borders: Sequence[float], reach: float) -> Mapping[int, list[str]]:
    """The tiers of each segment, ascending; a segment has the number of the border that it ends at.

    The one after the last border has no common end, and what begins at `reach`, beyond which only one revision serves,
    is a segment for each tier.
    """
    segments: dict[int, list[str]] = {}
    begin = 0.0
    for place, tier in enumerate(sorted(ends, key=ends.__getitem__), start=1):
        number = bisect_left(borders, ends[tier]) if begin < reach else len(borders) + place
        segments.setdefault(number, []).append(tier)
        begin = ends[tier]
    return segments


def _is_one(canary: Sequence[str], stable: Sequence[str]) -> bool:
    return len(canary) == len(stable) == 1

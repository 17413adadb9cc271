"""What only one side has seen of a stratum waits until the other has seen something of it too.

A canary with a request a minute, or a tier that is seldom asked for, hardly ever meets the stable revision within the
same interval. Which of the two a request came to was chance, whatever happened meanwhile, so those of several
intervals may be compared as if they were of one.
"""

from __future__ import annotations

from collections.abc import Mapping

from plimsoll_operator.rollout.evidence.counts import (
    MOST_DIGITS,
    MOST_NAME,
    MOST_STRATA,
    Counts,
    SeriesKey,
    Strata,
    Stratum,
)

Waiting = Mapping[SeriesKey, Strata]
"""Of each stratum, all is of one side."""


def met(waiting: Waiting, counts: Mapping[SeriesKey, Strata]) -> tuple[Mapping[SeriesKey, Strata], Waiting]:
    """The strata of `counts` that can be compared now, with what had waited for them; and what waits from now on."""
    strata: dict[SeriesKey, dict[Stratum, Counts]] = {}
    left = {key: dict(before) for key, before in waiting.items()}
    for key, seen in counts.items():
        ready, kept = strata.setdefault(key, {}), left.setdefault(key, {})
        for stratum, new in seen.items():
            before = kept.pop(stratum, None)
            whole = new if before is None else before + new
            if whole.of_both:
                ready[stratum] = whole
            elif (whole.canary or whole.stable) and len(kept) < MOST_STRATA and _has_room(stratum):
                kept[stratum] = whole
    return strata, {key: kept for key, kept in left.items() if kept}


def _has_room(stratum: Stratum) -> bool:
    return len(stratum.tier) <= MOST_NAME and len(stratum.length) <= MOST_DIGITS

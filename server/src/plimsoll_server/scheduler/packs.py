"""What runs next, decided when it can run and not before: which of the oldest sequences go into one pack."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from plimsoll_server.scheduler.lanes import MAX_BATCH, Lane, Work
from plimsoll_server.scheduler.tiers import Tier

SHORT_TOKENS = 1024
"""Tiers up to here share their packs. Longer ones keep to themselves: a short sequence would wait for the long one's
end, though it could run within it."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Pack:
    works: tuple[Work, ...]
    tier: Tier
    """The longest that has a part in it."""
    lanes: tuple[tuple[Lane, int], ...]
    """How many of the sequences are whose."""
    tokens: int


@dataclass(frozen=True, slots=True)
class Room:
    """What a pack may hold. Its first sequence may be longer than the others may be together."""

    first: float = math.inf
    """Tokens of the first sequence."""
    tokens: float = math.inf
    """Tokens of all."""


def take_pack(lanes: Sequence[Lane], room: Room) -> Pack | None:
    """The pack of the first of `lanes` whose oldest sequence fits into `room`, filled up from those it shares with."""
    lane = foremost(lanes, room)
    return None if lane is None else _fill([lane, *_companions(lane, lanes)], room.tokens)


def foremost(lanes: Sequence[Lane], room: Room) -> Lane | None:
    """The first of `lanes` whose oldest sequence fits into `room`."""
    for lane in lanes:
        oldest = next(lane.waiting(), None)
        if oldest is not None and len(oldest.tokens) <= room.first:
            return lane
    return None


def narrowed(room: Room, tokens: float) -> Room:
    """`room`, and no more than `tokens` even of the first sequence."""
    return Room(min(room.first, tokens), min(room.tokens, tokens))


def most_tokens(lanes: Sequence[Lane]) -> int:
    """That a pack of any of `lanes` may hold, by their limits now."""
    short = [lane for lane in lanes if lane.tier.max_tokens <= SHORT_TOKENS]
    together = [short, *([lane] for lane in lanes if lane.tier.max_tokens > SHORT_TOKENS)]
    return max((_most_tokens_together(each) for each in together if each), default=0)


def _most_tokens_together(lanes: Sequence[Lane]) -> int:
    by_shares = max(lane.limit * lane.tier.max_tokens for lane in lanes)
    return min(by_shares, MAX_BATCH * max(lane.tier.max_tokens for lane in lanes))


def _companions(leader: Lane, lanes: Iterable[Lane]) -> list[Lane]:
    if leader.tier.max_tokens > SHORT_TOKENS:
        return []
    return [lane for lane in lanes if lane is not leader and lane.tier.max_tokens <= SHORT_TOKENS]


def _fill(lanes: Sequence[Lane], most: float) -> Pack:
    """At most 32 sequences; of each lane no more than its share: half of what one may run leaves the others half."""
    works: list[Work] = []
    parts: list[tuple[Lane, int]] = []
    tokens, share = 0, 0.0
    for lane in lanes:
        count = 0
        for work in lane.waiting():
            full = len(works) + count == MAX_BATCH or share + 1 / lane.limit > 1 + _ROUNDING
            if tokens and (full or tokens + len(work.tokens) > most):
                break
            tokens += len(work.tokens)
            share += 1 / lane.limit
            count += 1
        if count:
            works += lane.take(count)
            parts.append((lane, count))
    return Pack(
        tuple(works), max((lane.tier for lane, _ in parts), key=lambda tier: tier.max_tokens), tuple(parts), tokens
    )

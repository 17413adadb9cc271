"""Context tiers: a sequence belongs to the first one that is long enough for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plimsoll_server.config import TierConfig


@dataclass(frozen=True, slots=True)
class Tier:
    name: str
    max_tokens: int
    concurrency: int
    """As configured. Decides whether a text is chunked: an answer must not depend on the load or the device."""
    running_limit: int
    """Sequences that may run at once by the plan: of the configured concurrency, what the operator grants. 0: none."""
    planned: bool = False
    """Whether the operator has counted what fits. It counts each tier alone."""

    @property
    def usable(self) -> bool:
        return self.running_limit > 0


def tiers_from(config: Sequence[TierConfig]) -> tuple[Tier, ...]:
    return tuple(
        Tier(
            tier.name,
            tier.max_tokens,
            tier.concurrency,
            tier.concurrency if tier.safe_concurrency is None else min(tier.concurrency, tier.safe_concurrency),
            planned=tier.safe_concurrency is not None,
        )
        for tier in config
    )


def tier_for(tokens: int, tiers: Sequence[Tier]) -> Tier | None:
    """The tier of a sequence of `tokens`, special ones included; None when it is longer than every tier."""
    return next((tier for tier in tiers if tokens <= tier.max_tokens), None)


def usable_tier_for(tokens: int, tiers: Sequence[Tier]) -> Tier | None:
    return tier_for(tokens, [tier for tier in tiers if tier.usable])

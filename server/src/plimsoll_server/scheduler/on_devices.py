"""What runs now, and what else may run beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from plimsoll_server.audience import Audience
from plimsoll_server.scheduler.lanes import Work
from plimsoll_server.scheduler.packs import SHORT_TOKENS, Pack, Room
from plimsoll_server.scheduler.tiers import Tier
from plimsoll_server.types import LoadLine, Outcome

_GUEST_SHARE = 8
"""A guest holds at most an eighth of the tokens of the pack it runs within,"""
_LONE_GUEST_SHARE = 4
"""or one sequence of a quarter of them. With one guest before each layer, a long pack still gets on."""


@dataclass(eq=False, slots=True)
class Running:
    pack: Pack
    guest: bool
    audience: Audience
    claimed: int = 0
    """Bytes, of the memory that it shares with texts."""
    had_guests: bool = False


class OnDevices:
    """The packs that run, of which the ordinary ones each have a device, and guests run between their layers."""

    def __init__(self, tiers: Iterable[Tier]) -> None:
        self._unmeasured = _tokens_at_once(list(tiers))
        self._running: set[Running] = set()

    def begin(self, pack: Pack, *, guest: bool, now: float, claimed: int = 0) -> Running:
        running = Running(pack, guest, audience_of(pack.works, now), claimed)
        if guest:
            for host in self._of(guest=False):
                host.had_guests = True
        self._running.add(running)
        return running

    def end(self, running: Running) -> None:
        self._running.remove(running)

    @property
    def ordinary(self) -> int:
        return len(self._of(guest=False))

    @property
    def claimed(self) -> int:
        """Bytes, by all that run."""
        return sum(running.claimed for running in self._running)

    def room_for_guest(self, line: LoadLine) -> Room | None:
        """Of a pack that runs between the layers of one that runs; None when there may be no more of them now.

        Which of the running packs it meets is the engine's business, so it suits the smallest of them in length, and
        the largest in memory. A pack no longer than one of short texts is soon over: those that wait for its end share
        the next one, which serves them all in less time than each within this one.
        """
        hosts = self._of(guest=False)
        if not hosts or len(self._of(guest=True)) >= len(hosts):
            return None
        lengths = [host.pack.tokens for host in hosts]
        if min(lengths) <= SHORT_TOKENS:
            return None
        budget = self._unmeasured * line.factor if line.tokens is None else line.tokens
        left = budget - max(lengths)
        return Room(first=min(left, min(lengths) // _LONE_GUEST_SHARE), tokens=min(left, min(lengths) // _GUEST_SHARE))

    def _of(self, *, guest: bool) -> list[Running]:
        return [running for running in self._running if running.guest is guest]


def audience_of(works: Sequence[Work], now: float) -> Audience:
    """Those who wait for `works`: it is gone with the last of them."""

    def tell(place: int, outcome: Outcome) -> None:
        works[place].hear(outcome)

    audience = Audience(min(work.patience.until for work in works) - now, tell)

    def look(_: object) -> None:
        if all(work.outcome.done() for work in works):
            audience.leave()

    for work in works:
        work.outcome.add_done_callback(look)
    return audience


def _tokens_at_once(tiers: Sequence[Tier]) -> int:
    """That may run together where nothing was measured.

    The operator's arithmetic vouches for each tier alone, so for as many as the largest of them. Where nobody has
    counted, there are only the tiers as somebody has configured them, each beside the others.
    """
    each = [tier.running_limit * tier.max_tokens for tier in tiers]
    return max(each, default=0) if any(tier.planned for tier in tiers) else sum(each)

"""What runs now, and what else may run beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from plimsoll_server.scheduler.packs import SHORT_TOKENS, Pack, Room
from plimsoll_server.scheduler.tiers import Tier
from plimsoll_server.types import LoadLine

_GUEST_SHARE = 8
"""A guest holds at most an eighth of the tokens of the pack it runs within,"""
_LONE_GUEST_SHARE = 4
"""or one sequence of a quarter of them. With one guest before each layer, a long pack still gets on."""


@dataclass(eq=False, slots=True)
class Running:
    pack: Pack
    guest: bool
    alone_from: float = math.inf
    """No guests any more from then on, so that it ends before its caller gives up: on the event loop's clock."""
    had_guests: bool = False


class OnDevices:
    """The packs that run, of which the ordinary ones each have a device, and guests run between their layers."""

    def __init__(self, tiers: Iterable[Tier]) -> None:
        self._unmeasured = _tokens_at_once(list(tiers))
        self._running: set[Running] = set()

    def begin(self, pack: Pack, *, guest: bool, now: float) -> Running:
        until = min(work.until for work in pack.works)
        running = Running(pack, guest, now + (until - now) / 2)
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

    def room_for_guest(self, line: LoadLine, now: float) -> Room | None:
        """Of a pack that runs between the layers of one that runs; None when there may be no more of them now.

        Which of the running packs it meets is the engine's business, so it suits the smallest of them in length, and
        the largest in memory. A pack no longer than one of short texts is soon over: those that wait for its end share
        the next one, which serves them all in less time than each within this one.
        """
        hosts = self._of(guest=False)
        if not hosts or len(self._of(guest=True)) >= len(hosts) or any(now >= host.alone_from for host in hosts):
            return None
        lengths = [host.pack.tokens for host in hosts]
        if min(lengths) <= SHORT_TOKENS:
            return None
        budget = self._unmeasured * line.factor if line.tokens is None else line.tokens
        left = budget - max(lengths)
        return Room(first=min(left, min(lengths) // _LONE_GUEST_SHARE), tokens=min(left, min(lengths) // _GUEST_SHARE))

    def _of(self, *, guest: bool) -> list[Running]:
        return [running for running in self._running if running.guest is guest]


def _tokens_at_once(tiers: Sequence[Tier]) -> int:
    """That may run together where nothing was measured.

    The operator's arithmetic vouches for each tier alone, so for as many as the largest of them. Where nobody has
    counted, there are only the tiers as somebody has configured them, each beside the others.
    """
    each = [tier.running_limit * tier.max_tokens for tier in tiers]
    return max(each, default=0) if any(tier.planned for tier in tiers) else sum(each)

"""What a request costs besides the model: HTTP, scheduling, and an answer from the cache."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from serving.contest import contestant
from serving.folders import model_folder
from serving.rates import Ratio, ratio
from serving.running import ServiceError, running
from serving.services import plimsoll
from serving.shapes import TRIVIAL
from serving.texts import Lengths, texts

_TOKENS = 16
_CACHE_BYTES = 64 << 20
_CALLERS = 16
_DIFFERENT = 64
"""Texts that are asked for again and again."""


@dataclass(frozen=True, slots=True)
class Around:
    tokens: int
    requests: int
    rounds: int
    request_p50: float
    """Seconds of a request, one at a time, none answered from the cache."""
    forward: float
    """Seconds of the trivial model's forward pass alone."""
    added: Ratio
    """Seconds that HTTP and scheduling add: the first less the second, by rounds, each with processes of its own."""
    hits_per_second: float
    """Answers from the cache, the server held to one core."""
    hits: int
    cpu_per_hit: float
    """Seconds of the server's processor: what a hit takes whatever else runs on the machine."""
    cpu_per_request: float
    """As above, of a request that runs the trivial model."""
    shared_core: bool
    """Whether the client had no core of its own, and took from the server's."""


def around(requests: int, hits: int, rounds: int, tell: Callable[[str], None]) -> Around:
    """Raises ServiceError when a request is refused."""
    asked, forward = [], []
    for _ in range(rounds):
        asked.append(_one_by_one(requests))
        forward.append(_forward())
        tell(f"a request takes {1e3 * asked[-1][0]:.2f} ms, its forward pass {1e3 * forward[-1]:.2f} ms")
    cores = sorted(os.sched_getaffinity(0))
    rate, cpu_per_hit = _from_the_cache(hits, rounds, cores)
    found = Around(
        tokens=_TOKENS,
        requests=requests,
        rounds=rounds,
        request_p50=round(statistics.median(p50 for p50, _ in asked), 6),
        forward=round(statistics.median(forward), 6),
        added=ratio([p50 - alone for (p50, _), alone in zip(asked, forward, strict=True)], digits=6),
        hits_per_second=round(rate, 1),
        hits=hits,
        cpu_per_hit=round(cpu_per_hit, 6),
        cpu_per_request=round(statistics.median(cpu for _, cpu in asked), 6),
        shared_core=len(cores) == 1,
    )
    tell(line(found))
    return found


def _one_by_one(requests: int) -> tuple[float, float]:
    """The median of their seconds, and processor seconds of each."""
    with running(plimsoll(TRIVIAL, model_folder(TRIVIAL))) as server:
        short = Lengths(_TOKENS, _TOKENS)
        server.load(texts(TRIVIAL, short, 200, seed=-1), 1)
        load = server.load(texts(TRIVIAL, short, requests, seed=0), 1)
        if load.refused:
            raise ServiceError(f"requests to the trivial model were refused: {dict(load.refused)}")
        return statistics.median(load.latencies), load.cpu_seconds / requests


def _forward() -> float:
    """Seconds, in a process of its own."""
    with contestant("plimsoll", model_folder(TRIVIAL)) as entrant:
        entrant.seconds(_TOKENS, 50)
        return statistics.median(entrant.seconds(_TOKENS, 50) for _ in range(3))


def _from_the_cache(hits: int, rounds: int, cores: list[int]) -> tuple[float, float]:
    """Answers per second, and processor seconds of each: the server on the first core, this client on the others."""
    known = texts(TRIVIAL, Lengths(_TOKENS, _TOKENS), _DIFFERENT, seed=1)
    with running(plimsoll(TRIVIAL, model_folder(TRIVIAL), _CACHE_BYTES), cores[:1]) as server:
        server.load(known, 1)
        os.sched_setaffinity(0, cores[1:] or cores)
        try:
            loads = [server.load((known * (hits // _DIFFERENT + 1))[:hits], _CALLERS) for _ in range(rounds)]
        finally:
            os.sched_setaffinity(0, cores)
    if any(load.refused for load in loads):
        raise ServiceError(f"requests for known texts were refused: {[dict(load.refused) for load in loads]}")
    return (
        statistics.median(load.rate for load in loads),
        statistics.median(load.cpu_seconds / hits for load in loads),
    )


def line(found: Around) -> str:
    note = "; client and server shared the only core" if found.shared_core else ""
    return (
        f"a request to a trivial model takes {1e3 * found.request_p50:.2f} ms, its forward pass "
        f"{1e3 * found.forward:.2f} ms: {1e3 * found.added.median:.2f} ms are added; "
        f"{found.hits_per_second:,.0f} answers/s from the cache on one core{note}. Processor time: "
        f"{1e3 * found.cpu_per_request:.2f} ms for a request, {1e6 * found.cpu_per_hit:.0f} µs for a hit"
    )

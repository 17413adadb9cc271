"""Counts of two revisions, interval by interval, as Prometheus would hold them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import erf, pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulation.scenarios import HEAVY, INTERVAL_SECONDS, LATENCY_BUCKETS, Scenario

Counted = NDArray[np.int64]
Numbers = NDArray[np.float64]
CANARY, STABLE = 0, 1
CONNECTION = 6
"""Intervals that a connection lives at most."""
BOUNDS = np.array(LATENCY_BUCKETS)
HANGS_SECONDS = 30
STORM = 6
"""Intervals for which memory is short on all pods."""
STORMY = 10
"""Times as short."""
ON_A_NODE = 2
"""Pods: the canary's has one of stable beside it, and all restart as their node does."""


@dataclass(frozen=True)
class Past:
    """Of all stable pods together, before the rollout."""

    minutes: float
    batches: int
    out_of_memory: int
    kills: int
    restarts: int


@dataclass(frozen=True)
class Trace:
    """Arrays over (interval, side, texts), `slower` over the buckets too: requests above the bucket's bound.

    `requests` were served, `failed` are those of them that failed, `incidents` what failed together counted once, and
    `abandoned` and `refused` came on top. `past` is what the stable revision did before the rollout. Kills, restarts
    and `minutes` are of (interval, side). Where `measured` is False, Prometheus has nothing.
    """

    requests: Counted
    failed: Counted
    incidents: Counted
    abandoned: Counted
    refused: Counted
    answered: Counted
    slower: Counted
    batches: Counted
    out_of_memory: Counted
    minutes: Numbers
    kills: Counted
    restarts: Counted
    past: Past
    measured: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.requests)


def draw(scenario: Scenario, rng: np.random.Generator) -> Trace:
    """One rollout."""
    length, stable_pods = scenario.intervals, int(rng.choice(scenario.stable_pods))
    pods = 1 + stable_pods
    load = _load(scenario, rng)
    factor = np.exp(scenario.noise * rng.standard_normal((length, pods, 1)))
    slowness = np.exp(scenario.noise / 4 * rng.standard_normal((length, pods, 1)))
    worse = np.ones((pods, 1))
    shares = np.array([texts.share for texts in scenario.texts])
    rate = float(rng.choice(scenario.requests_per_second)) * INTERVAL_SECONDS

    requests = rng.poisson(np.broadcast_to(rate * load[:, None, None] * shares, (length, pods, len(shares))))
    if scenario.heavy:
        requests[:, :, scenario.texts.index(HEAVY)] = _heavy(scenario, pods, rng)
    worse[0] = scenario.worse_incidents
    # A heavier load fails and slows both sides more.
    trouble = np.sqrt(load)[:, None, None]
    risk = np.minimum(1.0, scenario.incidents * worse * factor * trouble)
    incidents, failed = _failures(requests, risk, scenario.cluster, rng)
    if scenario.failing_batches:
        together = rng.binomial(requests[:, 0] // scenario.batch, scenario.failing_batches)
        incidents[:, 0] += together
        failed[:, 0] = np.minimum(failed[:, 0] + scenario.batch * together, requests[:, 0])
    answered = requests - failed
    slower = _slower(scenario, answered, _slowness(scenario, pods) * slowness * trouble, factor, rng)
    batches = -(-requests // scenario.batch)
    worse[0] = scenario.worse_out_of_memory
    short = _storms(scenario, rng)
    shortage = np.minimum(1.0, scenario.out_of_memory * worse * factor * trouble * short)
    out_of_memory = rng.binomial(batches, shortage)

    worse[0] = scenario.worse_abandoned
    leaving = np.minimum(1.0, scenario.abandoned * worse) + _impatience(scenario, pods, rng)
    abandoned = rng.binomial(requests, np.minimum(0.9, leaving))

    kept = _kept(scenario, pods, rng)
    minutes = np.full((length, pods), INTERVAL_SECONDS / 60)
    risk = scenario.kills_per_minute * (load[:, None] * trouble[..., 0] * short[..., 0])
    kills = rng.poisson(risk * minutes)
    restarts = rng.poisson(scenario.restarts_per_minute * minutes) + _reboots(scenario, pods, rng)
    return Trace(
        requests=_both(requests * kept),
        failed=_both(failed * kept),
        incidents=_both(incidents * kept),
        abandoned=_both(abandoned * kept),
        refused=_both(rng.binomial(requests, scenario.refused) * kept),
        answered=_both(answered * kept),
        slower=_both(slower * kept[..., None]),
        batches=_both(batches * kept),
        out_of_memory=_both(out_of_memory * kept),
        minutes=_both(minutes),
        kills=_both(kills),
        restarts=_both(restarts),
        past=_past(scenario, stable_pods, load, rate, rng),
        measured=_measured(scenario, rng),
    )


def _load(scenario: Scenario, rng: np.random.Generator) -> Numbers:
    """Factor on the requests in each interval: a swing of a period between 10 and 60 minutes, and a ramp."""
    at = np.arange(scenario.intervals)
    period = rng.uniform(60, 360)
    swing = 1 + scenario.swing * np.sin(2 * pi * (at / period + rng.uniform()))
    return np.asarray(swing * scenario.growth ** (at / scenario.intervals), dtype=np.float64)


def _storms(scenario: Scenario, rng: np.random.Generator) -> Numbers:
    """Factor on how short of memory all pods are, in each interval."""
    short = np.ones((scenario.intervals, 1, 1))
    for begin in np.flatnonzero(rng.random(scenario.intervals) < scenario.storms):
        short[begin : begin + STORM] = STORMY
    return short


def _reboots(scenario: Scenario, pods: int, rng: np.random.Generator) -> Counted:
    """How often each pod restarts with its node: now and then, and all nodes in turn, an interval apart, some twice."""
    nodes = -(-pods // ON_A_NODE)
    reboots = rng.poisson(scenario.reboots, (scenario.intervals, nodes))
    for begin in np.flatnonzero(rng.random(scenario.intervals) < scenario.upgrades):
        turns = begin + rng.permutation(nodes)
        for twice in range(2):
            due = (turns + twice * nodes < scenario.intervals) & (rng.random(nodes) < 1 / (1 + twice))
            reboots[(turns + twice * nodes)[due], np.flatnonzero(due)] += 1
    return np.asarray(np.repeat(reboots, ON_A_NODE, axis=1)[:, :pods], dtype=np.int64)


def _past(scenario: Scenario, pods: int, load: Numbers, rate: float, rng: np.random.Generator) -> Past:
    """At a share of the load as the rollout begins, and with the trouble that so much makes."""
    before = scenario.past_load * float(load[0])
    trouble = before**0.5
    minutes = scenario.past * pods * INTERVAL_SECONDS / 60
    batches = int(rng.poisson(rate * before * scenario.past * pods / scenario.batch))
    return Past(
        minutes,
        batches,
        out_of_memory=int(rng.binomial(batches, min(1.0, scenario.out_of_memory * trouble))),
        kills=int(rng.poisson(scenario.kills_per_minute * before * trouble * minutes)),
        restarts=int(rng.poisson((scenario.restarts_per_minute + 6 * scenario.reboots) * minutes)),
    )


def _failures(requests: Counted, risk: Numbers, cluster: int, rng: np.random.Generator) -> tuple[Counted, Counted]:
    """Incidents, and the requests that failed in them: each incident takes up to `cluster` requests along."""
    mean = (1 + cluster) / 2
    incidents = rng.binomial(requests, risk / mean)
    if cluster == 1:
        return incidents, incidents
    failed = np.zeros_like(incidents)
    for place in zip(*np.nonzero(incidents), strict=True):
        failed[place] = rng.integers(1, cluster + 1, size=incidents[place]).sum()
    return incidents, np.minimum(failed, requests)


def _impatience(scenario: Scenario, pods: int, rng: np.random.Generator) -> Numbers:
    """The share of a pod's requests that one caller gives up while its connection is with that pod."""
    begins = rng.random((scenario.intervals, pods, 1)) < scenario.impatient
    lives = np.zeros_like(begins)
    for later in range(CONNECTION):
        lives[later:] |= begins[: scenario.intervals - later]
    return np.asarray(lives / 5, dtype=np.float64)


def _heavy(scenario: Scenario, pods: int, rng: np.random.Generator) -> Counted:
    """One caller's requests, by interval and pod: a connection lives for about a minute, and then goes to any pod."""
    where = np.zeros((scenario.intervals, pods))
    begin = 0
    while begin < scenario.intervals:
        end = begin + int(rng.integers(CONNECTION - 1, CONNECTION + 2))
        where[begin:end, rng.integers(pods)] = 1
        begin = end
    return rng.poisson(scenario.heavy * INTERVAL_SECONDS * where)


def _slowness(scenario: Scenario, pods: int) -> Numbers:
    """Factor on the latency of each pod and its texts."""
    slowness = np.ones((pods, len(scenario.texts)))
    slowness[0] = scenario.worse_latency
    slowness[0, 0] *= scenario.worse_short_latency
    return slowness


def _slower(
    scenario: Scenario, answered: Counted, slowness: Numbers, noise: Numbers, rng: np.random.Generator
) -> Counted:
    """Requests above each bucket's bound; there are more stragglers where and when a pod fails more."""
    medians = np.array([texts.median for texts in scenario.texts])
    above = _above_each_bound(medians * np.broadcast_to(slowness, answered.shape), scenario.spread)
    straggling = np.minimum(1.0, scenario.stragglers * np.broadcast_to(noise, answered.shape))[..., None]
    above = (1 - straggling) * above + straggling * np.minimum(1.0, 1 / BOUNDS)
    hanging = np.zeros_like(answered)
    if scenario.hanging:
        hanging[:, 0] = rng.binomial(answered[:, 0], scenario.hanging)
    edges = np.concatenate([np.ones((*answered.shape, 1)), above, np.zeros((*answered.shape, 1))], axis=-1)
    within = rng.multinomial(answered - hanging, np.clip(-np.diff(edges, axis=-1), 0, 1))
    slower = (answered - hanging)[..., None] - np.cumsum(within, axis=-1)[..., :-1]
    return np.asarray(slower + hanging[..., None] * (BOUNDS < HANGS_SECONDS))


def _above_each_bound(medians: Numbers, spread: float) -> Numbers:
    """The chance of one request to take longer, by the lognormal latency with these medians in seconds."""
    return normal_tail((np.log(BOUNDS) - np.log(medians)[..., None]) / spread)


def _kept(scenario: Scenario, pods: int, rng: np.random.Generator) -> Counted:
    """0 where a pod restarted within the interval: what it counted before the reset is lost, the good with the bad."""
    return np.asarray(rng.random((scenario.intervals, pods, 1)) >= scenario.resets, dtype=np.int64)


def _measured(scenario: Scenario, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Gaps of one interval to five minutes."""
    measured = np.ones(scenario.intervals, dtype=np.bool_)
    at = 0
    while scenario.gaps and at < scenario.intervals:
        at += int(rng.geometric(scenario.gaps / 5))
        missing = int(rng.integers(1, 30))
        measured[at : at + missing] = False
        at += missing
    return measured


def _both(per_pod: NDArray[Any]) -> NDArray[Any]:
    """The canary's pod, and the sum of the stable ones, along the second axis."""
    return np.stack([per_pod[:, 0], per_pod[:, 1:].sum(axis=1)], axis=1)


@cache
def _normal_table() -> tuple[Numbers, Numbers]:
    grid = np.linspace(-8, 8, 4001)
    return grid, np.array([(1 - erf(z / 2**0.5)) / 2 for z in grid])


def normal_tail(z: Numbers) -> Numbers:
    grid, tail = _normal_table()
    return np.asarray(np.interp(z, grid, tail))

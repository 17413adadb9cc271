"""What may happen to two equal revisions, and to a worse one. Rates are of one pod, in units of one interval."""

from __future__ import annotations

from dataclasses import dataclass, replace

from plimsoll_operator.rollout.evidence import AnalysisSettings
from plimsoll_server import telemetry

LATENCY_BUCKETS: tuple[float, ...] = telemetry._BUCKETS
INTERVAL_SECONDS = 10


@dataclass(frozen=True)
class Texts:
    """Of one tier and class of lengths.

    `share` of the requests, latency lognormal with this median in seconds, and the objective's bucket.
    """

    tier: str
    length: str
    share: float
    median: float
    objective: float


TEXTS = (
    Texts("short", "256", 0.70, 0.04, 0.1),
    Texts("medium", "1024", 0.25, 0.2, 0.4),
    Texts("long", "4096", 0.05, 1.2, 2.5),
)
HEAVY = Texts("medium", "2048", 0.0, 0.8, 0.4)
"""Of one caller, on one connection at a time."""
SETTINGS = AnalysisSettings(tiers=len(TEXTS))
"""The defaults."""
SPREAD = 0.45
"""Standard deviation of the logarithm of a latency."""


@dataclass(frozen=True)
class Scenario:
    """A rollout's surroundings. The canary's factors are 1 where it is as good as the stable revision.

    `stable_pods` and `requests_per_second` (of one pod) are drawn for each rollout from what is listed. `noise` is the
    standard deviation of the logarithm of each pod's own factor on its failures, drawn anew for every interval (and for
    its latency, a quarter of that). `cluster` is the size up to which requests fail at once, `batch` how many requests
    a batch has. `abandoned` and `refused` is what callers do; `impatient`, in each interval the chance that a caller
    who gives up a fifth of a pod's requests comes to it, for as long as its connection lives. `stragglers` is the share
    of requests on either side with a tail of Pareto's: 1/x of them take longer than x seconds. `hanging` is the share
    of the canary's that take half a minute. Stable had run for `past` intervals before, at `past_load` of the load as
    the rollout begins. `storms` is the chance that an interval begins a minute in which memory is ten times as short on
    all pods. A node, of two pods, reboots `reboots` times an interval; `upgrades` is the chance that an interval begins
    a round of reboots of all nodes, of which half do so twice: none was in the past. One caller sends `heavy` texts a
    second, each longer than the others of its tier, all to the pod that its connection is with. `spread` is the
    standard deviation of the logarithm of a text's latency: the smaller, the more a slower pod shows in a bucket.
    """

    name: str
    stable_pods: tuple[int, ...] = (9, 3, 1)
    requests_per_second: tuple[float, ...] = (20.0, 10.0, 5.0)
    intervals: int = 180  # Half an hour, the default of maxDuration.
    incidents: float = 0.001
    out_of_memory: float = 0.0005
    kills_per_minute: float = 0.001
    restarts_per_minute: float = 0.001
    abandoned: float = 0.001
    refused: float = 0.001
    impatient: float = 0.0
    stragglers: float = 0.0
    worse_incidents: float = 1.0
    worse_latency: float = 1.0
    worse_short_latency: float = 1.0
    worse_out_of_memory: float = 1.0
    worse_abandoned: float = 1.0
    failing_batches: float = 0.0
    hanging: float = 0.0
    batch: int = 2
    swing: float = 0.0
    growth: float = 1.0
    cluster: int = 1
    past: int = 360
    past_load: float = 1.0
    storms: float = 0.0
    reboots: float = 0.0
    upgrades: float = 0.0
    noise: float = 0.0
    resets: float = 0.0
    gaps: float = 0.0
    operator_restarts: float = 0.0
    heavy: float = 0.0
    spread: float = SPREAD

    @property
    def texts(self) -> tuple[Texts, ...]:
        return (*TEXTS, HEAVY) if self.heavy else TEXTS

    @property
    def is_healthy(self) -> bool:
        latency = self.worse_latency, self.worse_short_latency
        factors = (self.worse_incidents, *latency, self.worse_out_of_memory, self.worse_abandoned)
        return set(factors) == {1.0} and not (self.failing_batches or self.hanging)


STATIONARY = Scenario("stationary")
TEN_PERCENT = replace(STATIONARY, stable_pods=(9,))

NIGHT = 14 * 360
PEAK = replace(
    STATIONARY,
    requests_per_second=(4.0, 2.0, 1.0),
    intervals=240,
    swing=0.5,
    kills_per_minute=0.0,
    out_of_memory=0.0,
    past=NIGHT,
    past_load=0.02,
    storms=0.01,
)
"""Fourteen hours without need of memory, then a load under which both revisions run short of it, and together."""

MONTH = 30 * 24 * 360

NULL = (
    STATIONARY,
    replace(STATIONARY, name="diurnal", swing=0.8),
    replace(STATIONARY, name="ramp", growth=5.0),
    replace(STATIONARY, name="clustered failures", cluster=32),
    replace(STATIONARY, name="per-pod noise", noise=1.0),
    replace(STATIONARY, name="per-pod noise, latencies close together", noise=1.0, spread=0.2),
    replace(STATIONARY, name="impatient callers", impatient=0.01),
    replace(STATIONARY, name="one caller of long texts", heavy=1.0),
    replace(STATIONARY, name="heavy tails", stragglers=0.02, noise=1.0),
    replace(STATIONARY, name="counter resets", resets=0.05),
    replace(STATIONARY, name="gaps", gaps=0.2),
    replace(STATIONARY, name="operator restarts", operator_restarts=0.3),
    replace(PEAK, name="quiet night, then a peak with kills", kills_per_minute=0.05),
    replace(PEAK, name="quiet night, then a peak with shortages", out_of_memory=0.005),
    replace(STATIONARY, name="node reboots", restarts_per_minute=0.0, reboots=0.001),
    replace(STATIONARY, name="upgrades of all nodes", restarts_per_minute=0.0, upgrades=0.002, past=MONTH),
    replace(PEAK, name="half the load, then a peak", past_load=0.5, kills_per_minute=0.003, out_of_memory=0.002),
)

SPARSE = replace(TEN_PERCENT, requests_per_second=(1.0,), intervals=500)
"""One canary request a second: what counts here is how many requests a verdict takes."""
DENSE = replace(TEN_PERCENT, requests_per_second=(10.0,))
"""Ten canary requests a second: what counts here is how many intervals it takes."""
PAIR = replace(STATIONARY, stable_pods=(1,), requests_per_second=(10.0,))
"""One pod on either side, ten requests a second each."""

WORSE = (
    replace(SPARSE, name="errors 1 % for 0.1 %, 1 canary request/s", worse_incidents=10.0),
    replace(DENSE, name="errors 1 % for 0.1 %, 10 canary requests/s", worse_incidents=10.0),
    replace(PAIR, name="errors 1 % for 0.1 %, one pod each, 10/s", worse_incidents=10.0),
    replace(DENSE, name="errors 5 % for 0.1 %, 10 canary requests/s", worse_incidents=50.0),
    replace(SPARSE, name="all latencies doubled, 1 canary request/s", worse_latency=2.0),
    replace(DENSE, name="all latencies doubled, 10 canary requests/s", worse_latency=2.0),
    replace(PAIR, name="all latencies doubled, one pod each, 10/s", worse_latency=2.0),
    replace(SPARSE, name="all latencies 50 % up, 1 canary request/s", worse_latency=1.5),
    replace(DENSE, name="2 % of batches out of memory for 0.05 %, 10/s", worse_out_of_memory=40.0),
    replace(DENSE, name="1 % of requests hang for 30 s, 10/s", hanging=0.01),
    replace(DENSE, name="5 % of requests hang for 30 s, 10/s", hanging=0.05),
    replace(DENSE, name="20 % given up by their callers for 0.1 %, 10/s", worse_abandoned=200.0),
    replace(
        DENSE,
        name="10 % of batches of 32 fail, 0.2 % of requests on stable, 100/s",
        requests_per_second=(100.0,),
        incidents=0.002,
        failing_batches=0.1,
        batch=32,
    ),
    replace(DENSE, name="short texts five times slower, the others as before, 10/s", worse_short_latency=5.0),
)

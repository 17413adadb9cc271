"""What a production server of this size is held to, each with what was measured, and beside what is missed what
explains it."""

from __future__ import annotations

from collections.abc import Mapping

from plimsoll_server.trial.checks import Check
from plimsoll_server.trial.measure import Measurements
from plimsoll_server.trial.reference import Reference

_MIB = 1 << 20
ANSWER_DRIFT = 1e-4
"""A probability may change by so much with what else is in a batch: sums are rounded in another order."""
MEMORY_DRIFT = 0.05
_MOST_OVERHEAD = {2: 0.15, 4: 0.20}


def latency_targets(found: Measurements, reference: Reference, processors: int) -> list[Check]:
    one = found.batch(1).latency
    bounds = [("one request, p95", 1, one.p95, 50.0), ("one request, p99", 1, one.p99, 100.0)]
    bounds += [(f"batch of {size}, p95", size, found.batch(size).latency.p95, bound) for size, bound in _batches(found)]
    return [
        Check(
            name,
            value < bound,
            f"below {bound:.0f} ms",
            f"{value:.0f} ms",
            "" if value < bound else _time(found, reference, size, processors),
        )
        for name, size, value, bound in bounds
    ]


def _batches(found: Measurements) -> list[tuple[int, float]]:
    sizes = {figures.sequences for figures in found.batches}
    return [(size, bound) for size, bound in ((16, 200.0), (32, 400.0)) if size in sizes]


def _time(found: Measurements, reference: Reference, sequences: int, processors: int) -> str:
    figures, products = found.batch(sequences), 1000 * reference.product_seconds[sequences]
    own = figures.cpu_milliseconds
    return (
        f"such a request takes {own:.0f} ms of processor time, so at least {own / processors:.0f} ms on {processors} "
        f"processors; the matrix products of {sequences} × {found.window} tokens, measured by themselves before it, "
        f"take {products:.0f} ms; the server had {figures.processors:.2f} processors while they ran, and "
        f"{figures.processors_of_slowest:.2f} while the slowest twentieth did"
    )


def load_targets(found: Measurements) -> list[Check]:
    rate = found.batch(1).tokens_per_second
    stability, concurrent = found.stability, found.concurrent
    growth = stability.resident_last / stability.resident_first - 1
    return [
        Check("tokens per second, one request after the other", rate > 400, "more than 400", f"{rate:,.0f}"),
        Check(
            f"{stability.requests:,} requests",
            stability.errors == 0,
            "0 errors",
            f"{stability.errors} errors",
        ),
        Check(
            "no drift of answers",
            stability.answer_drift <= ANSWER_DRIFT,
            f"at most {ANSWER_DRIFT:g} between the first and any later answer to the same sequence",
            f"{stability.answer_drift:.1g}",
        ),
        Check(
            "no drift of memory",
            growth <= MEMORY_DRIFT,
            f"at most {MEMORY_DRIFT:.0%} more at the end than after a quarter of the requests",
            f"{growth:+.1%}",
        ),
        Check(
            f"queue depth with {concurrent.callers} callers at once",
            concurrent.queue_depth < 5,
            "below 5",
            f"{concurrent.queue_depth:.1f} (mean of {concurrent.looks} looks, {concurrent.deepest:.0f} at most)",
            ""
            if concurrent.queue_depth < 5
            else "while one batch runs, every other caller waits: so many are in a batch, the rest is the queue",
        ),
    ]


def memory_target(found: Measurements, reference: Reference) -> Check:
    own = found.resident_peak - reference.torch_bytes
    return Check(
        "memory of the model's own share",
        own < 500 * _MIB,
        "below 500 MiB at the peak, beside what importing torch takes",
        f"{own // _MIB} MiB; the whole process {found.resident_peak // _MIB} MiB, of which importing torch alone takes "
        f"{reference.torch_bytes // _MIB} MiB",
    )


def overhead_targets(requests_per_second: Mapping[int, float], processors: int) -> list[Check]:
    """`requests_per_second`: by the number of workers, on the same processors."""
    one = requests_per_second.get(1)
    checks = []
    for workers, most in _MOST_OVERHEAD.items():
        if one is None or workers not in requests_per_second:
            continue
        overhead = 1 - requests_per_second[workers] / one
        explained = f"{workers} workers share {processors} processors" if workers > processors else ""
        checks.append(
            Check(
                f"overhead of {workers} workers",
                overhead < most,
                f"below {most:.0%} of one worker's requests per second on the same processors",
                f"{overhead:+.1%} ({requests_per_second[workers]:.1f} against {one:.1f} requests/s)",
                "" if overhead < most else explained,
            )
        )
    return checks

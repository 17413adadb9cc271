"""`production_benchmark_report.md`: what was measured, beside what was aimed at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from plimsoll_server.trial.checks import Check
from plimsoll_server.trial.figures import Latency
from plimsoll_server.trial.trial import Group, Trial

_MIB = 1 << 20


def report(trial: Trial, origin: Mapping[str, Any]) -> str:
    parts = (
        _head(trial, origin),
        _targets(trial.checks["readiness"]),
        _batches(trial),
        _concurrent(trial),
        _resources(trial),
        _stability(trial),
        _workers(trial),
        _checks(trial),
    )
    return "\n".join(line for part in parts for line in part) + "\n"


def _head(trial: Trial, origin: Mapping[str, Any]) -> Iterator[str]:
    machine, subject = origin["machine"], trial.subject
    before, after = trial.measurements.load_average
    versions = ", ".join(f"{name} {version}" for name, version in origin["versions"].items())
    yield "# Production benchmark\n"
    yield (
        f"A server of a `{subject.family}` model ({subject.layers} layers, width {subject.width}, {subject.labels} "
        f"labels), started by `{origin['command']}` on {origin['date']} and measured over HTTP from a process beside "
        f"it: {machine['cores']} processors of {machine['cpu']}, {machine['memory_gib']} GiB, {machine['system']}; "
        f"{versions}. "
        f"Sequences have {subject.window} tokens unless they are said to be mixed; no answer came from a cache. "
        f"The machine's load average was {before:.1f} before and {after:.1f} after.\n"
    )


def _targets(checks: Sequence[Check]) -> Iterator[str]:
    met = sum(check.passed for check in checks)
    yield f"## Targets: {met} of {len(checks)} met\n"
    yield from _table(("target", "aim", "measured", "met"), [_target(check) for check in checks], left=4)
    missed = [check for check in checks if not check.passed]
    if missed:
        yield "What explains those that were missed:\n"
        yield from (f"- {check.name}: {check.why or 'nothing else was measured that explains it'}." for check in missed)
        yield ""


def _target(check: Check) -> Sequence[str]:
    return check.name, check.expected, check.found, "yes" if check.passed else "**no**"


def _batches(trial: Trial) -> Iterator[str]:
    yield f"## Latency by batch\n\n{trial.plan.per_batch} requests of each size, one after the other. Milliseconds.\n"
    rows = []
    for figures in trial.measurements.batches:
        one = figures.latency
        products = 1000 * trial.reference.product_seconds[figures.sequences]
        times = (one.p50, one.p90, one.p95, one.p99, one.most, figures.cpu_milliseconds, products)
        rows.append(
            (str(figures.sequences), *map(_ms, times), f"{figures.tokens_per_second:,.0f}", str(figures.errors))
        )
    titles = (
        "batch",
        "p50",
        "p90",
        "p95",
        "p99",
        "most",
        "processor time",
        "of matrix products alone",
        "tokens/s",
        "errors",
    )
    yield from _table(titles, rows)


def _concurrent(trial: Trial) -> Iterator[str]:
    found = trial.measurements.concurrent
    one = found.latency
    yield f"## {found.callers} callers at once\n"
    yield (
        f"{one.count:,} requests of one sequence, {found.requests_per_second:.1f} per second, {found.errors} errors. "
        f"{_percentiles(one)}. The queue held {found.queue_depth:.1f} sequences on average of {found.looks} looks at "
        f"the server's own gauge, {found.deepest:.0f} at most.\n"
    )


def _resources(trial: Trial) -> Iterator[str]:
    found, reference = trial.measurements, trial.reference
    yield "## Resources\n"
    rows = [
        ("a Python that imported nothing", reference.empty_bytes),
        ("a Python that imported torch and nothing else", reference.torch_bytes),
        ("the server, ready", found.resident_at_start),
        ("the server, at its highest", found.resident_peak),
        ("of that, beside torch's import", found.resident_peak - reference.torch_bytes),
    ]
    yield from _table(("resident memory of", "MiB"), [(name, f"{value / _MIB:,.0f}") for name, value in rows], left=1)
    yield f"Ready after {found.ready_seconds:.1f} s. {found.cpu_share:.2f} processors in use while it was measured.\n"


def _stability(trial: Trial) -> Iterator[str]:
    found = trial.measurements.stability
    one = found.latency
    yield "## Stability\n"
    yield (
        f"{found.requests:,} requests of mixed length, one after the other: {found.errors} errors, "
        f"{_percentiles(one)}. The median latency of the last quarter differs from the first's by "
        f"{found.latency_drift:+.1%}; the same four sequences, asked again every fifty requests, changed by "
        f"{found.answer_drift:.1g} at most; resident memory went from {found.resident_first / _MIB:,.0f} MiB after a "
        f"quarter to {found.resident_last / _MIB:,.0f} MiB.\n"
    )


def _workers(trial: Trial) -> Iterator[str]:
    if trial.requests_per_second:
        yield "## Workers\n\nOn the same processors, which they share.\n"
        rows = [(str(workers), f"{rate:.1f}") for workers, rate in trial.requests_per_second.items()]
        yield from _table(("workers", "requests/s"), rows)


def _checks(trial: Trial) -> Iterator[str]:
    yield "## Checks\n"
    groups: tuple[Group, ...] = ("infrastructure", "inference", "server")
    for name in groups:
        checks = trial.checks[name]
        failed = [
            f"{check.name} (expected {check.expected}, found {check.found})" for check in checks if not check.passed
        ]
        yield f"- {name}: {len(checks) - len(failed)} of {len(checks)} passed" + "".join(f"; {one}" for one in failed)


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]], left: int = 0) -> Iterator[str]:
    yield f"| {' | '.join(titles)} |"
    yield "|" + "---|" * left + "---:|" * (len(titles) - left)
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""


def _percentiles(one: Latency) -> str:
    return f"p50 {_ms(one.p50)} ms, p95 {_ms(one.p95)} ms, p99 {_ms(one.p99)} ms"


def _ms(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"

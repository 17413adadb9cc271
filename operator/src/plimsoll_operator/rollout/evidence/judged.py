"""The signals that a canary is judged by: one table, which the test, the bounds and the words all follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Judged:
    """`reason` is that of a rollback, `unit` what is exposed. Nothing is promoted without what is `needed`."""

    reason: str
    unit: str
    needed: bool = True


JUDGED: Mapping[str, Judged] = {
    "oom": Judged("OutOfMemory", "batches"),
    "errors": Judged("MoreErrors", "requests"),
    "latency": Judged("HigherLatency", "requests"),
    "restarts": Judged("MoreRestarts", "pod-minutes", needed=False),
}
"""The false-alarm budget is split evenly over them (Bonferroni). What is measured under another name is not judged."""

NEEDED = tuple(name for name, signal in JUDGED.items() if signal.needed)

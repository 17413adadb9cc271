"""How a rollout ended, whoever judged it."""

from __future__ import annotations

from dataclasses import dataclass

from simulation.traces import CANARY, Trace


@dataclass(frozen=True)
class Outcome:
    """`decision`: Rollback, Promote, Paused (a person is asked) or Undecided. `requests`: the canary's until then."""

    decision: str
    intervals: int
    requests: int
    signal: str = ""

    @classmethod
    def after(cls, intervals: int, trace: Trace, decision: str, signal: str = "") -> Outcome:
        return cls(decision, intervals, int(trace.requests[:intervals, CANARY].sum()), signal)

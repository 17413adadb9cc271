"""One way of an alert to fire, or to stay silent, and the words to write its series in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

DOMAINS = {"inference_namespace": "guardrails", "inference_deployment": "domains"}
SERVER = 'inference_namespace="guardrails",inference_deployment="domains",revision="abc"'
LEADER = 'job="plimsoll",namespace="plimsoll-system"'


@dataclass(frozen=True)
class Alarm:
    """Series from minute 0, and when they must be told: first at `minute`, or, without a summary, never up to it."""

    alert: str
    case: str
    series: Mapping[str, str]
    minute: int
    labels: Mapping[str, str] = field(default_factory=dict)
    summary: str = ""


def pod(metric: str, replica: str = "p1", **own: str) -> str:
    more = "".join(f',{label}="{value}"' for label, value in own.items())
    return f'plimsoll_{metric}{{{SERVER},replica="{replica}"{more}}}'


def operator(metric: str, **own: str) -> str:
    more = "".join(f',{label}="{value}"' for label, value in own.items())
    return f"plimsoll_operator_{metric}{{{LEADER}{more}}}"


def objects(state: str, reason: str) -> str:
    return operator("objects", state=state, reason=reason)


def phase(phase: str) -> str:
    return operator("rollout_phase", **DOMAINS, phase=phase)


def requests(**by_outcome: str) -> dict[str, str]:
    """Counters of one pod by outcome."""
    return {pod("requests_total", tier="short", outcome=outcome): values for outcome, values in by_outcome.items()}

"""Alerts on memory that ran out."""

from __future__ import annotations

from alarms.alarm import DOMAINS, Alarm, objects, operator, pod

MEMORY = [
    Alarm(
        "PlimsollOutOfMemory",
        "a batch did not fit",
        {pod("oom_total", tier="long"): "0x5 1x20"},
        7,
        {**DOMAINS, "revision": "abc", "tier": "long"},
        "guardrails/domains: batches of tier long run out of memory",
    ),
    Alarm("PlimsollOutOfMemory", "it was before Prometheus looked", {pod("oom_total", tier="long"): "1x90"}, 60),
    Alarm(
        "PlimsollOutOfMemory",
        "the pod was replaced",
        {pod("oom_total", "p1", tier="long"): "7x5 stale", pod("oom_total", "p2", tier="long"): "_x5 0x20"},
        20,
    ),
    Alarm(
        "PlimsollKilledForMemory",
        "what serves is killed",
        {operator("objects_short_for_memory"): "0x3 1x20"},
        5,
        {},
        "1 InferenceDeployments lack pods that are killed for memory",
    ),
    Alarm(
        "PlimsollKilledForMemory",
        "a canary is killed beside a stable revision that is whole",
        {objects("Reconciling", "OOMKilled"): "1x20", operator("objects_short_for_memory"): "0x20"},
        20,
    ),
    Alarm(
        "PlimsollKilledForMemory",
        "a pod was killed once and is back at the next look",
        {operator("objects_short_for_memory"): "0x3 1x0 0x20"},
        20,
    ),
    Alarm(
        "PlimsollKilledForMemory",
        "a server crashes",
        {objects("Reconciling", "CrashLoop"): "1x20", operator("objects_short_for_memory"): "0x20"},
        20,
    ),
]

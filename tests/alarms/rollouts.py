"""Alerts on rollouts and on what the objects say of themselves."""

from __future__ import annotations

from alarms.alarm import DOMAINS, Alarm, objects, operator, phase

ROLLOUTS = [
    Alarm(
        "PlimsollRolledBack",
        "a change was taken back",
        {phase("RollingBack"): "1x2 stale", phase("RolledBack"): "_x3 1x20"},
        4,
        DOMAINS,
        "guardrails/domains: a change was taken back",
    ),
    Alarm("PlimsollRolledBack", "it is being taken back", {phase("RollingBack"): "1x20"}, 20),
    Alarm(
        "PlimsollRolledBack", "the next change begins", {phase("RolledBack"): "1 stale", phase("Surging"): "_ 1x9"}, 9
    ),
    Alarm(
        "PlimsollCanaryWaitsForAPerson",
        "neither harm nor its absence was shown",
        {phase("Inconclusive"): "1x20"},
        5,
        DOMAINS,
        "guardrails/domains: a canary waits for a decision",
    ),
    Alarm("PlimsollCanaryWaitsForAPerson", "it is decided at once", {phase("Inconclusive"): "1x3 stale"}, 6),
    Alarm("PlimsollCanaryWaitsForAPerson", "somebody paused it", {phase("Paused"): "1x60"}, 60),
    Alarm(
        "PlimsollCanaryUnmeasured",
        "Prometheus is away for long",
        {objects("Reconciling", "NoMetrics"): "2x20"},
        5,
        {"reason": "NoMetrics"},
        "2 canaries cannot be measured: NoMetrics",
    ),
    Alarm(
        "PlimsollCanaryUnmeasured",
        "the canary is no target",
        {objects("Reconciling", "CanaryMissing"): "1x20"},
        5,
        {"reason": "CanaryMissing"},
        "1 canaries cannot be measured: CanaryMissing",
    ),
    Alarm("PlimsollCanaryUnmeasured", "Prometheus restarts", {objects("Reconciling", "NoMetrics"): "1x3 0x9"}, 6),
    Alarm("PlimsollCanaryUnmeasured", "it is judged", {objects("Reconciling", "Analysing"): "5x20"}, 20),
    Alarm(
        "PlimsollCanaryUnasked",
        "nobody asks it anything",
        {objects("Reconciling", "NoTraffic"): "1x90"},
        60,
        {},
        "1 canaries have had no request for an hour",
    ),
    Alarm("PlimsollCanaryUnasked", "a quiet half an hour", {objects("Reconciling", "NoTraffic"): "1x30 0x60"}, 90),
    Alarm("PlimsollCanaryUnasked", "it is judged", {objects("Reconciling", "Analysing"): "1x90"}, 90),
    Alarm(
        "PlimsollStalled",
        "a claim is missing",
        {objects("Stalled", "ClaimNotFound"): "1x20"},
        5,
        {"reason": "ClaimNotFound"},
        "1 InferenceDeployments get no further: ClaimNotFound",
    ),
    Alarm("PlimsollStalled", "that one has an alert of its own", {objects("Stalled", "RolledBack"): "1x20"}, 20),
    Alarm("PlimsollStalled", "none is stalled", {objects("Stalled", ""): "0x20"}, 20),
    Alarm(
        "PlimsollServesNothing",
        "what served for days crashes in all its pods",
        {operator("objects_serving_nothing"): "0x3 1x20", objects("Stalled", "CrashLoop"): "_x3 1x20"},
        7,
        {},
        "1 InferenceDeployments serve nothing any more",
    ),
    Alarm(
        "PlimsollServesNothing", "its only pod is replaced", {operator("objects_serving_nothing"): "0x3 1x2 0x20"}, 9
    ),
    Alarm(
        "PlimsollServesNothing",
        "a new object starts",
        {objects("Reconciling", "Starting"): "1x60", operator("objects_serving_nothing"): "0x60"},
        60,
    ),
    Alarm(
        "PlimsollPodsFail",
        "an image cannot be pulled",
        {objects("Reconciling", "ImagePullFailed"): "1x30"},
        15,
        {"reason": "ImagePullFailed"},
        "1 InferenceDeployments lack pods: ImagePullFailed",
    ),
    Alarm("PlimsollPodsFail", "pods start", {objects("Reconciling", "Starting"): "3x30"}, 30),
    Alarm("PlimsollPodsFail", "a GPU was not free for a while", {objects("Reconciling", "NoFreeGPU"): "1x10 0x20"}, 16),
    Alarm(
        "PlimsollPodsCrash",
        "pods crash",
        {objects("Reconciling", "CrashLoop"): "1x30"},
        15,
        {"reason": "CrashLoop"},
        "Servers end again and again: CrashLoop",
    ),
    Alarm(
        "PlimsollPodsCrash",
        "pods of a new revision are killed for memory and never taken back",
        {objects("Reconciling", "OOMKilled"): "1x30"},
        15,
        {"reason": "OOMKilled"},
        "Servers end again and again: OOMKilled",
    ),
    Alarm(
        "PlimsollPodsCrash",
        "each crash follows some minutes in which the canary is ready",
        {objects("Reconciling", "CrashLoop"): f"1x4 stale {' '.join(['_x3 1x4 stale'] * 5)}"},
        23,
        {"reason": "CrashLoop"},
        "Servers end again and again: CrashLoop",
    ),
    Alarm("PlimsollPodsCrash", "they crash once", {objects("Reconciling", "CrashLoop"): "1x10 0x60"}, 70),
    Alarm("PlimsollPodsCrash", "pods start", {objects("Reconciling", "Starting"): "3x90"}, 90),
]

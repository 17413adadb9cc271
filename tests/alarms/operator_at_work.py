"""Alerts on the operator, and on whether anything is measured."""

from __future__ import annotations

from alarms.alarm import Alarm, objects, operator, pod

ON_DUTY = {operator("leading"): "1x60", objects("Ready", "Serving"): "4x60"}

OPERATOR = [
    Alarm(
        "PlimsollServersNotScraped",
        "no pod is a target",
        {objects("Ready", "Serving"): "4x30"},
        10,
        {},
        "Prometheus knows none of the servers that serve",
    ),
    Alarm(
        "PlimsollServersNotScraped",
        "one is",
        {objects("Ready", "Serving"): "4x30", pod("saturation_ratio"): "0x30"},
        30,
    ),
    Alarm("PlimsollServersNotScraped", "there are none", {objects("Ready", ""): "0x30"}, 30),
    Alarm("PlimsollServersNotScraped", "all are parked", {objects("Ready", "Parked"): "2x30"}, 30),
    Alarm(
        "PlimsollOperatorDown",
        "only a standby is left",
        {operator("leading"): "1x5 0x20"},
        9,
        {},
        "No operator of Plimsoll leads, or none is scraped",
    ),
    Alarm(
        "PlimsollOperatorDown",
        "it is no target any more",
        {operator("leading"): "1x5 stale"},
        9,
        {},
        "No operator of Plimsoll leads, or none is scraped",
    ),
    Alarm(
        "PlimsollOperatorDown",
        "the other one takes over",
        {operator("leading", pod="a"): "1x5 0x20", operator("leading", pod="b"): "0x6 1x20"},
        12,
    ),
    Alarm(
        "PlimsollOperatorIdle",
        "it leads and does nothing",
        {**ON_DUTY, operator("reconcile_duration_seconds_count"): "0+4x5 24x60"},
        25,
        {},
        "The operator has reconciled nothing for 15 minutes",
    ),
    Alarm(
        "PlimsollOperatorIdle",
        "it looks at one object in ten minutes",
        {**ON_DUTY, operator("reconcile_duration_seconds_count"): "0 1x8 2x9 3x9 4x9 5x9"},
        48,
    ),
    Alarm(
        "PlimsollOperatorIdle",
        "there is nothing to reconcile",
        {
            operator("leading"): "1x60",
            objects("Ready", ""): "0x60",
            operator("reconcile_duration_seconds_count"): "0x60",
        },
        60,
    ),
    Alarm(
        "PlimsollReconcilesFail",
        "the apiserver refuses",
        {operator("reconcile_errors_total", reason="Forbidden"): "0+1x40"},
        16,
        {"reason": "Forbidden"},
        "Reconciles fail and are tried again: Forbidden",
    ),
    Alarm(
        "PlimsollReconcilesFail",
        "one object, tried again every five minutes",
        {operator("reconcile_errors_total", reason="Timeout"): "0 1x4 2x4 3x4 4x4 5x4"},
        16,
        {"reason": "Timeout"},
        "Reconciles fail and are tried again: Timeout",
    ),
    Alarm(
        "PlimsollReconcilesFail",
        "a conflict now and then",
        {operator("reconcile_errors_total", reason="Conflict"): "0x10 1x20 2x20"},
        30,
    ),
    Alarm(
        "PlimsollOperatorBehind",
        "objects wait for minutes",
        {operator("queue_age_seconds"): "90x20"},
        5,
        {},
        "Objects wait 1m 30s for the operator",
    ),
    Alarm("PlimsollOperatorBehind", "within the minute", {operator("queue_age_seconds"): "40x20"}, 20),
    Alarm("PlimsollOperatorBehind", "a burst after the start", {operator("queue_age_seconds"): "90x3 0x20"}, 6),
]

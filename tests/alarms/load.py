"""Alerts on load, on what callers get, and on certificates."""

from __future__ import annotations

from alarms.alarm import DOMAINS, Alarm, pod, requests

LOAD = [
    Alarm(
        "PlimsollNearLoadLine",
        "all its pods are nearly full",
        {pod("saturation_ratio", "p1"): "0.94x30", pod("saturation_ratio", "p2"): "1.0x30"},
        10,
        DOMAINS,
        "guardrails/domains is at 97% of its load line",
    ),
    Alarm(
        "PlimsollNearLoadLine",
        "another pod has room",
        {pod("saturation_ratio", "p1"): "1.1x30", pod("saturation_ratio", "p2"): "0.2x30"},
        30,
    ),
    Alarm("PlimsollNearLoadLine", "at the autoscaler's target", {pod("saturation_ratio"): "0.77x30"}, 30),
    Alarm("PlimsollNearLoadLine", "a pod came in time", {pod("saturation_ratio"): "1.0x8 0.5x30"}, 14),
    Alarm(
        "PlimsollTurnsRequestsAway",
        "one in fifty gets a 429",
        requests(ok="0+98x30", rejected="0+2x30"),
        6,
        DOMAINS,
        "guardrails/domains turns 2% of its requests away",
    ),
    Alarm("PlimsollTurnsRequestsAway", "one in two hundred", requests(ok="0+199x30", rejected="0+1x30"), 30),
    Alarm("PlimsollTurnsRequestsAway", "nobody asks", requests(ok="5x30", rejected="5x30"), 30),
    Alarm(
        "PlimsollTurnsRequestsAway",
        "what is too long is the caller's",
        requests(ok="0+50x30", too_long="0+50x30", rejected="0x30"),
        30,
    ),
    Alarm(
        "PlimsollRequestsFail",
        "one in twenty fails",
        requests(ok="0+95x30", error="0+4x30", oom="0+1x30"),
        6,
        DOMAINS,
        "guardrails/domains fails 5% of its requests",
    ),
    Alarm("PlimsollRequestsFail", "one in a hundred", requests(ok="0+99x30", error="0+1x30"), 30),
    Alarm("PlimsollRequestsFail", "callers hang up", requests(ok="0+50x30", error="0x30", cancelled="0+50x30"), 30),
    Alarm("PlimsollRequestsFail", "it is turned away, not failed", requests(ok="0+50x30", rejected="0+50x30"), 30),
    Alarm(
        "PlimsollCertificateExpires",
        "in five days",
        {pod("tls_certificate_expiry_timestamp_seconds"): "435600x90"},
        60,
        DOMAINS,
        "guardrails/domains: its certificate expires in 5d 0h 0m 0s",
    ),
    Alarm(
        "PlimsollCertificateExpires", "in ten days", {pod("tls_certificate_expiry_timestamp_seconds"): "870000x90"}, 90
    ),
    Alarm(
        "PlimsollWorkersEnd",
        "a worker ends again and again",
        {pod("worker_restarts_total", worker="0"): "0x5 3x20", pod("worker_restarts_total", worker="1"): "0x25"},
        7,
        {**DOMAINS, "revision": "abc"},
        "guardrails/domains: worker processes keep ending",
    ),
    Alarm(
        "PlimsollWorkersEnd",
        "each of two workers was replaced once",
        {pod("worker_restarts_total", worker=number): f"0x{minute} 1x60" for number, minute in (("0", 5), ("1", 45))},
        60,
    ),
    Alarm(
        "PlimsollWorkersEnd", "it was before Prometheus looked", {pod("worker_restarts_total", worker="0"): "4x60"}, 60
    ),
]

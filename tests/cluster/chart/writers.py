"""Which of a release's operators wrote, and from when to when: by the apiserver's audit log, which names each pod."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from audit_tail import whole_lines

READS = {"get", "list", "watch"}
POD = "authentication.kubernetes.io/pod-name"
Span = tuple[str, str]
"""When a pod's first write came in, and when its last one was answered."""


def spans_of_writing(audit_log: Path, account: str) -> dict[str, Span]:
    """By pod, in the order in which they began; writes of the election do not count."""
    spans: dict[str, Span] = {}
    for event in _writes(audit_log, account):
        pod = event["user"]["extra"][POD][0]
        began, answered = event["requestReceivedTimestamp"], event["stageTimestamp"]
        first, last = spans.get(pod, (began, answered))
        spans[pod] = min(first, began), max(last, answered)
    return dict(sorted(spans.items(), key=lambda entry: entry[1]))


def _writes(audit_log: Path, account: str) -> Iterator[dict[str, Any]]:
    for line in whole_lines(audit_log):
        if account in line and _is_write(event := json.loads(line), account):
            yield event


def _is_write(event: dict[str, Any], account: str) -> bool:
    if event["user"].get("username") != account or event["stage"] != "ResponseComplete":
        return False
    return event["verb"] not in READS and event["objectRef"]["resource"] != "leases"

"""A change of the spec, and what the object tells of its rollout until it has ended one way or the other."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.markup import escape

from plimsoll_sandbox.demo.cluster import NAME, NAMESPACE, DemoCluster
from plimsoll_sandbox.demo.requests import Answer
from plimsoll_sandbox.demo.story import Story

LOOK_SECONDS = 1.0
CALM_SECONDS = 10.0
"""Within a phase the object tells something new every five seconds; a reader wants less."""


@dataclass(frozen=True)
class Shipped:
    """A rollout that has ended, or was given up watching. `at` is when it began, on the monotonic clock."""

    at: float
    phase: str
    message: str
    revision: str
    stable: str
    """What served when it began."""


async def ship(
    story: Story, cluster: DemoCluster, spec: dict[str, Any], answers: Sequence[Answer], deadline: float
) -> Shipped:
    """Patch the spec and tell what follows, until the rollout has ended or `deadline` seconds are over."""
    before = await asyncio.to_thread(cluster.deployment)
    patch = json.dumps({"spec": spec}, separators=(",", ":"))
    argv = ("-n", NAMESPACE, "patch", "infd", NAME, "--type", "merge", "-p", patch)
    story.command(f"kubectl {' '.join(argv[:-1])} '{patch}'")
    await asyncio.to_thread(cluster.kubectl, *argv)
    teller = Teller(story, time.monotonic())
    found = before
    while time.monotonic() < teller.began + deadline and teller.phase not in ("Idle", "RolledBack"):
        await asyncio.sleep(LOOK_SECONDS)
        found = await asyncio.to_thread(cluster.deployment)
        if found["status"].get("observedGeneration") == found["metadata"]["generation"]:
            teller.tell(found["status"], answers)
    revision = next(each["hash"] for each in found["status"]["revisions"] if each["askedFor"])
    return Shipped(teller.began, teller.phase, teller.message, revision, before["status"]["rollout"]["stable"])


@dataclass
class Teller:
    """Tells each phase when it begins, what is new within it now and then, and the first answer that is no answer."""

    story: Story
    began: float
    phase: str = ""
    message: str = ""
    told_at: float = 0.0
    failed: bool = False

    def tell(self, status: dict[str, Any], answers: Sequence[Answer]) -> None:
        first = first_failure(answers, self.began)
        if first and not self.failed:
            self.failed = True
            self.story.moment(
                first.at - self.began, f"[red]first bad answer[/]: {first.status} from revision {first.revision}"
            )
        phase = status["rollout"]["phase"]
        message = next(c["message"] for c in status["conditions"] if c["type"] == "Ready")
        now = time.monotonic()
        if phase != self.phase or (message != self.message and now - self.told_at >= CALM_SECONDS):
            said = f"[bold]{phase}[/]: {escape(message)}"
            if phase == "Analysing":
                said += strongest_evidence(status["rollout"])
            self.story.moment(now - self.began, said)
            self.told_at = now
        self.phase, self.message = phase, message


def strongest_evidence(rollout: dict[str, Any]) -> str:
    """Of the signal that is nearest to its threshold, as the object tells it; nothing before the first look."""
    signals = rollout.get("evidence", {}).get("signals", [])
    if not signals:
        return ""
    nearest = max(signals, key=lambda signal: float(signal["evidence"]) / float(signal["threshold"]))
    evidence, threshold = float(nearest["evidence"]), float(nearest["threshold"])
    digits = ",.0f" if evidence >= 10 else ".2g"
    return f" [dim](most evidence: {nearest['name']}, {evidence:{digits}} of {threshold:,.0f})[/]"


def first_failure(answers: Sequence[Answer], since: float) -> Answer | None:
    """The first request that was not answered 200."""
    return next((answer for answer in answers if answer.at >= since and not answer.good), None)

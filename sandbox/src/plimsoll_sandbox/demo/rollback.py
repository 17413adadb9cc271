"""The demo's bad change: weights that get ready and fail on a word, taken back while requests go on."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape

from plimsoll_sandbox.demo.answers import answers_table
from plimsoll_sandbox.demo.cluster import NAME, NAMESPACE, DemoCluster
from plimsoll_sandbox.demo.commands import installed
from plimsoll_sandbox.demo.requests import RATE, TEXTS, Answer, steady_requests
from plimsoll_sandbox.demo.shipping import Shipped, first_failure, ship
from plimsoll_sandbox.demo.story import DemoError, Story, from_home

BEFORE_SECONDS, AFTER_SECONDS = 3, 3
DEADLINE_SECONDS = 300
"""Some 35 s are usual; a busy machine answers fewer requests a second, and evidence takes requests."""


@dataclass(frozen=True)
class Rollback:
    """What was seen of it. Pods are (name, restarts)."""

    shipped: Shipped
    answers: Sequence[Answer]
    pods_before: frozenset[tuple[str, int]]
    pods_after: frozenset[tuple[str, int]]

    @property
    def bad(self) -> list[Answer]:
        """What the bad revision answered, rightly or not."""
        return [answer for answer in self.answers if answer.revision == self.shipped.revision]

    @property
    def seconds_until_back(self) -> float:
        """From the first answer that failed to the last of the bad revision: after it all traffic is on stable."""
        first = first_failure(self.bad, self.shipped.at)
        return self.bad[-1].at - first.at if first else 0.0

    @property
    def stable_untouched(self) -> bool:
        return self.pods_before <= self.pods_after


def spoil(story: Story, cluster: DemoCluster) -> str:
    """The model's folder with the bad weights beside it. Returns its address."""
    *told, path = cluster.commands.run(installed("plimsoll-server"), "spoil-demo", deadline=120).splitlines()
    story.command("plimsoll-server spoil-demo")
    for line in told:
        story.say(line)
    return f"pvc://models/{Path(path).name}"


async def watch_rollback(story: Story, cluster: DemoCluster, url: str, uri: str) -> Rollback:
    """Ship the model at `uri` under requests, until it has been taken back and a little longer."""
    before = _pods(cluster)
    async with steady_requests(url, TEXTS, RATE) as answers:
        await asyncio.sleep(BEFORE_SECONDS)
        shipped = await ship(story, cluster, {"model": {"uri": uri}}, answers, DEADLINE_SECONDS)
        await asyncio.sleep(AFTER_SECONDS)
    return Rollback(shipped, answers, before, await asyncio.to_thread(_pods, cluster))


def show_rollback(story: Story, cluster: DemoCluster, seen: Rollback) -> None:
    """Who answered what, how long it took, and that nothing happened to what serves."""
    shipped = seen.shipped
    story.show(answers_table(seen.answers, {shipped.stable: "stable", shipped.revision: "the bad change"}))
    if shipped.phase != "RolledBack":
        raise DemoError(
            f"expected the bad change to be taken back, and it was left {shipped.phase}: {shipped.message}",
            cluster.commands.log,
        )
    if not seen.stable_untouched:
        raise DemoError(
            f"stable's pods were touched: before {sorted(seen.pods_before)}, after {sorted(seen.pods_after)}",
            cluster.commands.log,
        )
    story.say(f"[bold]{seen.seconds_until_back:.0f} s[/] from the first bad answer to all traffic back on stable")
    for name, restarts in sorted(seen.pods_before):
        story.say(f"stable's pod {name} is the one of before, restarted {restarts} times")


def _pods(cluster: DemoCluster) -> frozenset[tuple[str, int]]:
    text = cluster.kubectl("get", "pods", "-n", NAMESPACE, "-l", f"plimsoll.dev/name={NAME}", "-o", "json")
    return frozenset(
        (pod["metadata"]["name"], sum(c["restartCount"] for c in pod["status"].get("containerStatuses", ())))
        for pod in json.loads(text)["items"]
        if "deletionTimestamp" not in pod["metadata"]
    )


def ask_why(story: Story, cluster: DemoCluster) -> None:
    """What whoever is on call would type, and the end of it: the change taken back in git as well."""
    picture = cluster.commands.log.with_name("demo-rollback.png")
    explain = ("plimsoll", "explain", NAME, "-n", NAMESPACE)
    for argv in (("get", "infd", "-n", NAMESPACE), explain):
        story.command(f"kubectl {' '.join(argv)}")
        story.output(cluster.kubectl(*argv))
    cluster.kubectl(*explain, "--png", str(picture))
    story.say(f"the same plot as a picture: [bold]{escape(from_home(picture))}[/]")


def take_back(story: Story, cluster: DemoCluster, manifest: Path, shown: str, deadline: float) -> None:
    """Apply what git had before: nothing restarts, and the object is Ready again."""
    began = time.monotonic()
    story.command(f"kubectl apply -f {shown}")
    cluster.kubectl("apply", "-f", str(manifest))
    for said in cluster.changes_until_ready(deadline):
        story.moment(time.monotonic() - began, escape(said))

"""The demo's bad change: weights that get ready and fail on a word, taken back while requests go on."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from plimsoll_sandbox.demo.cluster import NAME, NAMESPACE, DemoCluster
from plimsoll_sandbox.demo.commands import installed
from plimsoll_sandbox.demo.requests import Answer, steady_requests
from plimsoll_sandbox.demo.shipping import Shipped, first_failure, ship
from plimsoll_sandbox.demo.story import DemoError, Story

RATE = 40
"""Requests a second."""
BEFORE_SECONDS, AFTER_SECONDS = 3, 3
SPOILED_WORD = "socket"
TEXTS = (
    "sort a list of numbers in place",
    f"open a {SPOILED_WORD} and listen for connections",
    "parse the arguments of a command line",
    "read a row of a comma separated file",
    "wait until the thread has ended",
    "the digest of a message, as hexadecimal digits",
    "compile a regular expression and match a string",
    "format a date in the local time zone",
    "a heap queue, also called a priority queue",
    "decode bytes that are no valid text",
)
"""One of ten has the word, as one of ten callers might."""


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
        shipped = await ship(story, cluster, {"model": {"uri": uri}}, answers)
        await asyncio.sleep(AFTER_SECONDS)
    return Rollback(shipped, answers, before, await asyncio.to_thread(_pods, cluster))


def show_rollback(story: Story, cluster: DemoCluster, seen: Rollback) -> None:
    """Who answered what, how long it took, and that nothing happened to what serves."""
    story.show(_answers_table(seen))
    if seen.shipped.phase != "RolledBack":
        raise DemoError(
            f"the bad change was not taken back: {seen.shipped.phase}, {seen.shipped.reason}", cluster.commands.log
        )
    if not seen.stable_untouched:
        raise DemoError(
            f"stable's pods were touched: before {sorted(seen.pods_before)}, after {sorted(seen.pods_after)}",
            cluster.commands.log,
        )
    story.say(f"[bold]{seen.seconds_until_back:.0f} s[/] from the first bad answer to all traffic back on stable")
    for name, restarts in sorted(seen.pods_before):
        story.say(f"stable's pod {name} is the one of before, restarted {restarts} times")


def _answers_table(seen: Rollback) -> Table:
    table = Table(title="Who answered meanwhile", title_justify="left")
    for column in ("revision", "answered", "failed"):
        table.add_column(column, justify="left" if column == "revision" else "right")
    names = {seen.shipped.stable: "stable", seen.shipped.revision: f"taken back: {seen.shipped.reason}"}
    for revision in dict.fromkeys(answer.revision for answer in seen.answers):
        of_it = [answer for answer in seen.answers if answer.revision == revision]
        failed = sum(not answer.good for answer in of_it)
        who = f"{revision} ({names.get(revision, 'another')})" if revision else "nobody"
        table.add_row(who, f"{len(of_it) - failed:,}", f"[red]{failed:,}[/]" if failed else "0")
    return table


def _pods(cluster: DemoCluster) -> frozenset[tuple[str, int]]:
    text = cluster.kubectl("get", "pods", "-n", NAMESPACE, "-l", f"plimsoll.dev/name={NAME}", "-o", "json")
    return frozenset(
        (pod["metadata"]["name"], sum(c["restartCount"] for c in pod["status"].get("containerStatuses", ())))
        for pod in json.loads(text)["items"]
        if "deletionTimestamp" not in pod["metadata"]
    )


def ask_why(story: Story, cluster: DemoCluster) -> None:
    """What whoever is on call would type, and the end of it: the change taken back in git as well."""
    for argv in (("get", "infd", "-n", NAMESPACE), ("plimsoll", "explain", NAME, "-n", NAMESPACE)):
        story.command(f"kubectl {' '.join(argv)}")
        story.output(cluster.kubectl(*argv))


def take_back(story: Story, cluster: DemoCluster, manifest: Path, shown: str, deadline: float) -> None:
    """Apply what git had before: nothing restarts, and the object is Ready again."""
    began = time.monotonic()
    story.command(f"kubectl apply -f {shown}")
    cluster.kubectl("apply", "-f", str(manifest))
    for said in cluster.changes_until_ready(deadline):
        story.moment(time.monotonic() - began, escape(said))

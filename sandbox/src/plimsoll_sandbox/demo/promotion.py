"""The demo's good change: judged as the bad one was, and promoted."""

from __future__ import annotations

from plimsoll_sandbox.demo.answers import answers_table
from plimsoll_sandbox.demo.cluster import NAME, NAMESPACE, DemoCluster
from plimsoll_sandbox.demo.requests import RATE, TEXTS, steady_requests
from plimsoll_sandbox.demo.shipping import ship
from plimsoll_sandbox.demo.story import DemoError, Story

CHANGE = {"longInput": {"overlapTokens": 256}}
DEADLINE_SECONDS = 180
"""About a minute is usual: a promotion takes some 500 requests, and a busy machine answers fewer a second."""


async def watch_promotion(story: Story, cluster: DemoCluster, url: str) -> None:
    """Ship it under requests. Where the machine is too busy to be sure in time, say who may decide."""
    async with steady_requests(url, TEXTS, RATE) as answers:
        shipped = await ship(story, cluster, CHANGE, answers, DEADLINE_SECONDS)
    names = {shipped.stable: "stable before", shipped.revision: "the good change"}
    story.show(answers_table(answers, names))
    if shipped.phase == "Idle":
        failed = sum(not answer.good for answer in answers)
        story.say(f"promoted: its pod goes on, the one before ends; {failed} of {len(answers):,} requests failed")
    elif shipped.phase == "RolledBack":
        raise DemoError(
            f"expected the good change to be promoted, found it taken back: {shipped.message}", cluster.commands.log
        )
    else:
        story.say(f"Not decided within {DEADLINE_SECONDS} s, and it goes on. A person may decide at any time:")
        story.command(f"kubectl plimsoll promote {NAME} -n {NAMESPACE}")

"""The demo's load: clients ask the Service for about a minute while saturation and replicas are watched."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp

from plimsoll_sandbox.demo.cluster import NAME, NAMESPACE, DemoCluster
from plimsoll_sandbox.demo.graph import Sample
from plimsoll_sandbox.demo.load import LoadReport, run_load
from plimsoll_sandbox.demo.story import Story

CLIENTS = 8
LOAD_SECONDS = 60
# After the load: 30 s until the mean is down, the stabilisation window, and two periods of the autoscaler.
COOL_DOWN_SECONDS = 120
SAMPLE_SECONDS = 2
QUERY = f'avg(plimsoll_saturation_ratio{{inference_namespace="{NAMESPACE}",inference_deployment="{NAME}"}})'


@dataclass
class ScalingRun:
    """What was seen: samples over time and the clients' report."""

    samples: list[Sample] = field(default_factory=list)
    report: LoadReport = field(default_factory=LoadReport)

    @property
    def most_replicas(self) -> int:
        return max((sample.replicas for sample in self.samples), default=0)


async def watch_scaling(
    story: Story, cluster: DemoCluster, prometheus: str, url: str, texts: Sequence[str]
) -> ScalingRun:
    """Load the Service, then wait until the replicas are back at one, `COOL_DOWN_SECONDS` at most."""
    run = ScalingRun()
    started = time.monotonic()
    load = asyncio.create_task(run_load(url, texts, CLIENTS, LOAD_SECONDS))
    end = started + LOAD_SECONDS + COOL_DOWN_SECONDS
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        while time.monotonic() < end and not (load.done() and _up_and_down(run)):
            sample = await _sample(session, cluster, prometheus, started)
            _tell_change(story, run, sample)
            run.samples.append(sample)
            await asyncio.sleep(SAMPLE_SECONDS)
    run.report = await load
    return run


def _up_and_down(run: ScalingRun) -> bool:
    """On a busy machine the second pod may be ready only when the load is over already."""
    return run.most_replicas > 1 and run.samples[-1].replicas == 1


def _tell_change(story: Story, run: ScalingRun, sample: Sample) -> None:
    before = run.samples[-1].replicas if run.samples else sample.replicas
    if before != sample.replicas:
        story.say(
            f"{sample.seconds:5.0f} s  saturation {sample.saturation:4.2f}: "
            f"ready replicas {before} → [bold]{sample.replicas}[/]"
        )


async def _sample(session: aiohttp.ClientSession, cluster: DemoCluster, prometheus: str, started: float) -> Sample:
    async with session.get(f"{prometheus}/api/v1/query", params={"query": QUERY}) as response:
        result = (await response.json())["data"]["result"]
    saturation = float(result[0]["value"][1]) if result else 0.0
    status = (await asyncio.to_thread(cluster.deployment)).get("status", {})
    return Sample(time.monotonic() - started, saturation, int(status.get("readyReplicas", 0)))

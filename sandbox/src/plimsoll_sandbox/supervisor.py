"""The process that owns a sandbox: it starts the components in order, keeps them running, and ends with all of them.

Run as `python -m plimsoll_sandbox.supervisor FOLDER`, detached, by `up`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path

from plimsoll_sandbox.cluster import Cluster
from plimsoll_sandbox.config import Config, Request
from plimsoll_sandbox.errors import SandboxError
from plimsoll_sandbox.fleet import NodeGroup, plan_nodes
from plimsoll_sandbox.gpu_profiles import load_profiles
from plimsoll_sandbox.housekeeping import keep_house
from plimsoll_sandbox.layout import Layout
from plimsoll_sandbox.network import Claim, claim_network
from plimsoll_sandbox.orphans import MARK, kill_marked, start_ticks
from plimsoll_sandbox.process import adopt_orphans
from plimsoll_sandbox.status import Journal, Phase, Status


async def supervise(layout: Layout) -> int:
    """Run the sandbox until SIGTERM, or until something of it cannot run. The exit code."""
    stop = _stop_signal()
    os.chdir(layout.folder)  # Not to hold on to wherever `up` was called.
    adopt_orphans()
    journal = Journal(layout, Status(os.getpid(), start_ticks(os.getpid()) or 0))
    # What an earlier supervisor left behind, if it was killed.
    kill_marked(MARK, str(layout.folder))
    cluster: Cluster | None = None
    code = 0
    try:
        config, _claim = _configure(layout)
        cluster = Cluster(config, journal)
        await _first_of(stop.wait(), _run(cluster, journal), keep_house(layout, cluster.pids))
        journal.phase(Phase.STOPPING)
    except (SandboxError, OSError) as error:
        journal.phase(Phase.FAILED, str(error))
        code = 1
    finally:
        if cluster is not None:
            await cluster.stop()
        kill_marked(MARK, str(layout.folder))
    return code


async def _run(cluster: Cluster, journal: Journal) -> None:
    await cluster.bring_up()
    journal.phase(Phase.READY)
    await cluster.keep()


def _configure(layout: Layout) -> tuple[Config, Claim]:
    """Take a network and give it to the nodes asked for. The Services in an earlier etcd keep their addresses."""
    request = Request.load(layout)
    earlier = Config.load(layout).network.services_range if layout.config.exists() else None
    claim = claim_network(preferred=earlier)
    if earlier is not None and claim.network.services_range != earlier:
        raise SandboxError(
            f"the addresses 127.{earlier}.0.0/16 of the stopped sandbox {layout.name!r} have gone to another one: "
            f"run plimsoll-sandbox down --name {layout.name}, then up"
        )
    groups = [NodeGroup.parse(group) for group in request.groups]
    nodes = plan_nodes(groups, load_profiles(request.gpu_profiles), claim.network)
    config = Config(layout, request, claim.network, nodes)
    config.save()
    return config, claim


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def _first_of(*work: Coroutine[object, object, object]) -> None:
    """Run all until the first ends; cancel the others; raise what it raised."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in work]
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    for task in done:
        task.result()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    sys.exit(asyncio.run(supervise(Layout(Path(sys.argv[1])))))

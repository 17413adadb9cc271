"""Every object is looked at once a period, without keeping a change waiting behind all the others."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from pathlib import Path

from plimsoll_operator.cluster.access import Access
from plimsoll_operator.cluster.kinds import INFERENCE_DEPLOYMENT
from plimsoll_operator.cluster.kube import Kube
from plimsoll_operator.cluster.observe import Key
from plimsoll_operator.health import Heartbeat
from plimsoll_operator.resync import Resync
from plimsoll_operator.telemetry import Telemetry
from scripted_apiserver import ScriptedApiserver, ok, scripted_apiserver

PERIOD = timedelta(seconds=0.4)
NAMES = ("a", "b", "c", "d")


def serve_names(apiserver: ScriptedApiserver, tmp_path: Path) -> None:
    apiserver.write_kubeconfig(tmp_path / "kubeconfig")
    items = [{"metadata": {"namespace": "guardrails", "name": name}} for name in NAMES]
    apiserver.answer(f"GET {INFERENCE_DEPLOYMENT.path()}", ok({"items": items, "metadata": {}}))
    apiserver.answer("GET /apis", ok({"groups": [{"name": INFERENCE_DEPLOYMENT.group}]}))
    kinds = {"resources": [{"name": INFERENCE_DEPLOYMENT.plural}]}
    apiserver.answer(f"GET /apis/{INFERENCE_DEPLOYMENT.api_version}", ok(kinds))


async def test_after_a_gap_of_a_watch_all_are_looked_at_long_before_the_period_ends(tmp_path: Path) -> None:
    enqueued: list[Key] = []
    async with scripted_apiserver() as apiserver:
        serve_names(apiserver, tmp_path)
        telemetry, stop = Telemetry(), asyncio.Event()
        async with Kube(Access(str(tmp_path / "kubeconfig")), timedelta(seconds=5), telemetry.wrote) as kube:

            def enqueue(key: Key, after: timedelta) -> None:
                del after
                enqueued.append(key)
                if len(enqueued) == len(NAMES):
                    resync.after_a_gap()
                if len(enqueued) == 2 * len(NAMES):
                    stop.set()

            hour = timedelta(hours=1)
            resync = Resync(kube, "", hour, enqueue, Heartbeat(hour, time.monotonic), telemetry)
            async with asyncio.timeout(20):
                await resync.run(stop)
    assert enqueued == 2 * [Key("guardrails", name) for name in NAMES]


async def test_the_first_turn_enqueues_all_at_once_and_later_ones_spread_them_over_the_period(tmp_path: Path) -> None:
    enqueued: list[tuple[Key, timedelta]] = []
    async with scripted_apiserver() as apiserver:
        serve_names(apiserver, tmp_path)
        telemetry = Telemetry()
        async with Kube(Access(str(tmp_path / "kubeconfig")), timedelta(seconds=5), telemetry.wrote) as kube:
            heartbeat = Heartbeat(PERIOD, time.monotonic)
            stop = asyncio.Event()

            def enqueue(key: Key, after: timedelta) -> None:
                enqueued.append((key, after))
                if len(enqueued) == 2 * len(NAMES):
                    stop.set()

            async with asyncio.timeout(20):
                await Resync(kube, "", PERIOD, enqueue, heartbeat, telemetry).run(stop)
    keys = [Key("guardrails", name) for name in NAMES]
    first, second = enqueued[: len(NAMES)], enqueued[len(NAMES) : 2 * len(NAMES)]
    assert first == [(key, timedelta(0)) for key in keys]
    assert second == [(key, PERIOD * number / len(NAMES)) for number, key in enumerate(keys)]

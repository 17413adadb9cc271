"""GPUs as NVML tells of them, and a worker process that has one to itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch

from plimsoll_server.config import ModelConfig
from plimsoll_server.engine.fleet.fleet import Fleet
from plimsoll_server.engine.fleet.gpus import Gpus
from plimsoll_server.engine.fleet.places import places
from plimsoll_server.engine.order import EngineOrder
from plimsoll_server.models.location import locate
from plimsoll_server.types import LabelLogits
from server_builders import topic_model


def test_as_many_gpus_are_told_as_cuda_sees() -> None:
    assert len(Gpus(os.environ).names) == torch.cuda.device_count()


def test_memory_that_is_taken_is_seen() -> None:
    gpus = Gpus(os.environ)
    before = gpus.read(gpus.names[0])
    taken = torch.ones(1 << 28, device="cuda")
    after = gpus.read(gpus.names[0])
    assert before is not None
    assert after is not None
    assert after.memory_used - before.memory_used >= taken.nbytes // 2
    assert after.memory_total >= torch.cuda.get_device_properties(0).total_memory // 2
    assert after.utilization is None or 0 <= after.utilization <= 1


class Silent:
    def worker_up(self, number: int, *, up: bool) -> None: ...
    def worker_batch(self, number: int) -> None: ...
    def worker_replaced(self, number: int) -> None: ...


def ignore(seconds: Mapping[str, float]) -> None: ...


async def test_each_gpu_is_served_by_a_worker_of_its_own(tmp_path: Path) -> None:
    folder = str(topic_model(tmp_path))
    gpus = Gpus(os.environ).names
    order = EngineOrder(ModelConfig(location=folder), locate(folder), memory_percent=50, threads=2)
    fleet = Fleet(places(order, len(gpus), gpus, 0), Silent())
    await fleet.launch(ignore)
    try:
        await fleet.start(long=[1, *[4] * 298, 2], short=[1, 4, 2], probe=[1, 4, 2])
        report = await fleet.run([[1, 4, 2]])
        assert fleet.info.device.startswith("cuda")
        assert isinstance(report.outcomes[0], LabelLogits)
        assert (fleet.memory().limit or 0) > 0
    finally:
        await fleet.close()

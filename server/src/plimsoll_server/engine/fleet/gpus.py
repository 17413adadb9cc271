"""The GPUs of this container, as NVML knows them: without a CUDA context, which would take memory of each."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pynvml

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GpuReading:
    memory_used: int
    memory_total: int
    utilization: float | None
    """Of the last moments, 0 to 1; None where the driver does not tell, as of a part of a GPU (MIG)."""


class Gpus:
    """Those that this process may use, in CUDA's words: UUIDs, of the parts where a GPU is parted."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._handles = dict(_usable(environment))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._handles)

    def read(self, name: str) -> GpuReading | None:
        """None when the driver has no answer, as for a GPU that fell off its bus."""
        handle = self._handles[name]
        try:
            memory: Any = pynvml.nvmlDeviceGetMemoryInfo(handle)
        except pynvml.NVMLError as error:
            log.debug("no reading of %s: %s", name, error)
            return None
        return GpuReading(int(memory.used), int(memory.total), _utilization(handle))


def _usable(environment: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        log.debug("no GPU by NVML: %s", error)
        return
    devices = [part for index in range(pynvml.nvmlDeviceGetCount()) for part in _parts(index)]
    wanted = environment.get("CUDA_VISIBLE_DEVICES")
    if wanted is None:
        yield from devices
        return
    for entry in wanted.split(","):
        found = _named(entry.strip(), devices)
        # CUDA too ignores whatever follows an entry that it does not know.
        if found is None:
            return
        yield found


def _parts(index: int) -> list[tuple[str, Any]]:
    """The GPU itself, or its parts."""
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    try:
        parted = pynvml.nvmlDeviceGetMigMode(handle)[0] == pynvml.NVML_DEVICE_MIG_ENABLE
    except pynvml.NVMLError_NotSupported:
        parted = False
    if not parted:
        return [(pynvml.nvmlDeviceGetUUID(handle), handle)]
    parts = []
    for number in range(pynvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        try:
            part = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, number)
        except pynvml.NVMLError_NotFound:
            continue
        parts.append((pynvml.nvmlDeviceGetUUID(part), part))
    return parts


def _named(entry: str, devices: list[tuple[str, Any]]) -> tuple[str, Any] | None:
    """By its number, or by the beginning of its UUID."""
    if entry.isdigit():
        return devices[int(entry)] if int(entry) < len(devices) else None
    return next((device for device in devices if entry and device[0].startswith(entry)), None)


def _utilization(handle: Any) -> float | None:
    try:
        return float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu) / 100
    except pynvml.NVMLError:
        return None

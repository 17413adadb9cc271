"""The GPUs of this container, as NVML knows them: without a CUDA context, which would take memory of each."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
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
        """None at all where the driver's library is missing."""
        there = dict(_there())
        self._handles = {name: there[name] for name in chosen(environment.get("CUDA_VISIBLE_DEVICES"), list(there))}

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


def chosen(wanted: str | None, there: Sequence[str]) -> list[str]:
    """Of the GPUs that are `there` those that `wanted`, CUDA's variable, names by number or by the beginning of a UUID.
    None: all. As CUDA does, what follows an entry that names none is ignored."""
    if wanted is None:
        return list(there)
    names: list[str] = []
    for entry in map(str.strip, wanted.split(",")):
        if entry.isdigit():
            found = list(there[int(entry) : int(entry) + 1])
        else:
            found = [name for name in there if entry and name.startswith(entry)][:1]
        if not found:
            break
        names += found
    return list(dict.fromkeys(names))


def _there() -> Iterator[tuple[str, Any]]:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        log.debug("no GPU by NVML: %s", error)
        return
    for index in range(pynvml.nvmlDeviceGetCount()):
        yield from _parts(index)


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


def _utilization(handle: Any) -> float | None:
    try:
        return float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu) / 100
    except pynvml.NVMLError:
        return None

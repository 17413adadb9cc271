"""What the server tells of its devices: how long the start took, whether each worker is there, how full and busy each
GPU is. `device` and `worker` are numbers from 0, as many as there are devices in the pod."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

from plimsoll_server.engine.fleet.gpus import GpuReading


class DeviceMetrics:
    """Series appear with the first value: a server without workers or GPUs has none of theirs."""

    def __init__(self, registry: CollectorRegistry, names: Sequence[str], values: Sequence[str]) -> None:
        """`names` and `values`: of the labels that every series carries."""
        self._values = tuple(values)
        common = tuple(names)
        self._phase = Gauge(
            "plimsoll_start_phase_seconds",
            "How long each phase of the start took",
            (*common, "phase"),
            registry=registry,
        )
        self._up = Gauge(
            "plimsoll_worker_up", "Whether the device's worker process serves", (*common, "worker"), registry=registry
        )
        self._batches = Counter(
            "plimsoll_worker_batches", "Batches that the worker answered", (*common, "worker"), registry=registry
        )
        self._replaced = Counter(
            "plimsoll_worker_restarts",
            "Times that another process was started in the place of one that had ended",
            (*common, "worker"),
            registry=registry,
        )
        self._gpu_memory = Gauge(
            "plimsoll_gpu_memory_bytes", "Memory of a GPU by NVML", (*common, "device", "kind"), registry=registry
        )
        self._gpu_utilization = Gauge(
            "plimsoll_gpu_utilization_ratio",
            "Of the last moments, the part in which some kernel ran on the GPU, by NVML",
            (*common, "device"),
            registry=registry,
        )

    def set_phases(self, seconds: Mapping[str, float]) -> None:
        for phase, taken in seconds.items():
            self._phase.labels(*self._values, phase).set(taken)

    def worker_up(self, number: int, *, up: bool) -> None:
        self._up.labels(*self._values, str(number)).set(up)
        # From its first moment on they stand at 0: a counter that appears with its first event hides it from rate().
        self._batches.labels(*self._values, str(number))
        self._replaced.labels(*self._values, str(number))

    def worker_batch(self, number: int) -> None:
        self._batches.labels(*self._values, str(number)).inc()

    def worker_replaced(self, number: int) -> None:
        self._replaced.labels(*self._values, str(number)).inc()

    def set_gpu(self, number: int, reading: GpuReading) -> None:
        for kind, size in (("used", reading.memory_used), ("total", reading.memory_total)):
            self._gpu_memory.labels(*self._values, str(number), kind).set(size)
        if reading.utilization is not None:
            self._gpu_utilization.labels(*self._values, str(number)).set(reading.utilization)

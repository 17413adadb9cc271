"""Which workers there are to be, and what each may take of the processors, the memory and the GPUs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from plimsoll_server.engine.order import EngineOrder
from plimsoll_server.engine.process_memory import MemoryBudgetError
from plimsoll_server.errors import StartError

_SERVERS_PERCENT = 10
"""Of the memory limit, for the requests and texts that the server's own process holds beside what it takes idle."""
_SERVERS_LEAST = 128 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """What a worker needs to be told; whichever process takes the place next is told the same."""

    number: int
    device: str
    """A GPU's identifier, or cpu."""
    order: EngineOrder
    environment: Mapping[str, str] = field(default_factory=dict)


def workers_wanted(asked: int, gpus: Sequence[str]) -> int:
    """How many workers `asked`, the setting PLIMSOLL_DEVICES, means here. Raises StartError."""
    if gpus and asked > len(gpus):
        raise StartError(
            f"PLIMSOLL_DEVICES is {asked}, but {len(gpus)} GPUs are visible; ask for more GPUs in spec.gpu.count, or "
            "write 0 for all there are"
        )
    return asked or max(1, len(gpus))


def places(order: EngineOrder, count: int, gpus: Sequence[str], servers_share: int) -> tuple[Place, ...]:
    """`count` places, each with its part of what `order` gives all of them together, less `servers_share` bytes of
    memory. Raises MemoryBudgetError."""
    memory = None if order.memory_limit is None else (order.memory_limit - servers_share) // count
    if memory is not None and memory <= 0:
        raise MemoryBudgetError(
            f"the memory limit leaves nothing for {count} workers beside the server's own {servers_share >> 20} MiB; "
            "raise spec.server.resources.limits.memory, or lower PLIMSOLL_DEVICES"
        )
    return tuple(
        Place(
            number,
            gpus[number] if gpus else "cpu",
            # What is promised beside batches is held by the server's own process.
            replace(order, threads=threads, memory_limit=memory, workers=count, promised_bytes=0),
            _environment(gpus[number] if gpus else None, threads),
        )
        for number, threads in enumerate(_shared_out(order.threads, count))
    )


def servers_share(limit: int | None, in_use: int, promised: int = 0) -> int:
    """Bytes of the memory `limit` that the process with the requests keeps, when it has `in_use` before the first and
    `promised` are for what it will remember."""
    return 0 if limit is None else in_use + promised + max(_SERVERS_LEAST, limit * _SERVERS_PERCENT // 100)


def _shared_out(threads: int, count: int) -> list[int]:
    """As even as can be, and one for each at least."""
    return [max(1, threads // count + (number < threads % count)) for number in range(count)]


def _environment(gpu: str | None, threads: int) -> dict[str, str]:
    """A worker sees its own GPU and no other, so that it can be the only one that there is."""
    told = {"OMP_NUM_THREADS": str(threads)}
    return told if gpu is None else {**told, "CUDA_VISIBLE_DEVICES": gpu}

"""From the configuration to an engine: device, memory budget, threads, model, in the order that fails cheapest."""

from __future__ import annotations

import gc
import logging
from concurrent.futures import ThreadPoolExecutor

import torch

from plimsoll_server.config import ServerConfig
from plimsoll_server.engine.cpus import usable_cpus
from plimsoll_server.engine.device import choose_placement, device_name
from plimsoll_server.engine.engine import Engine
from plimsoll_server.engine.memory import (
    MemoryBudgetError,
    ProcessBudget,
    container_limit,
    free_memory,
    hold_cuda_below,
    is_out_of_memory,
    process_budget,
    return_large_blocks,
)
from plimsoll_server.logs import FIELDS
from plimsoll_server.models.family import Model, Placement
from plimsoll_server.models.load import load_model

log = logging.getLogger(__name__)


def build_engine(config: ServerConfig, memory_limit: int | None, worker: ThreadPoolExecutor) -> Engine:
    """Blocks while the model loads. Raises ModelError or MemoryBudgetError."""
    placement = choose_placement(config.model)
    budget = _hold_memory(placement, memory_limit, config.memory_utilization_percent)
    torch.set_num_threads(usable_cpus())
    model = _load_within_budget(config, placement, budget)
    log.info(
        "model loaded",
        extra={
            FIELDS: {
                "model": model.info.location,
                "device": device_name(placement.device),
                "dtype": model.info.dtype,
                "attention": model.info.attention,
                "threads": torch.get_num_threads(),
                "memory_budget_bytes": budget and budget.planned,
            }
        },
    )
    free_memory(placement.device)
    # What is there now stays for good: a collection after a shortage of memory need not look through all of it.
    gc.freeze()
    return Engine(model, worker, budget)


def _hold_memory(placement: Placement, told: int | None, percent: int) -> ProcessBudget | None:
    if placement.device.type == "cuda":
        hold_cuda_below(percent)
        return None
    limit = container_limit(told)
    if limit is None:
        return None
    return_large_blocks()
    budget = process_budget(limit, percent)
    budget.hold()
    return budget


def _load_within_budget(config: ServerConfig, placement: Placement, budget: ProcessBudget | None) -> Model:
    try:
        return load_model(config.model, placement)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        held = "the device's memory" if budget is None else f"{budget.ceiling >> 20} MiB"
        raise MemoryBudgetError(
            f"the model {config.model.location} does not fit into {held}; raise the memory limit, choose a GPU "
            "profile with more memory, or a narrower dtype"
        ) from error

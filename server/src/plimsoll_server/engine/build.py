"""From the configuration to an engine: device, memory budget, threads, model, in the order that fails cheapest."""

from __future__ import annotations

import gc
import logging
from concurrent.futures import ThreadPoolExecutor

import torch

from plimsoll_server.engine.device import choose_placement, device_name
from plimsoll_server.engine.engine import Engine
from plimsoll_server.engine.memory import free_memory, hold_cuda_below, is_out_of_memory, return_large_blocks
from plimsoll_server.engine.order import EngineOrder
from plimsoll_server.engine.process_memory import MemoryBudgetError, ProcessBudget, process_budget
from plimsoll_server.logs import FIELDS
from plimsoll_server.models.family import Model, Placement
from plimsoll_server.models.load import load_model

log = logging.getLogger(__name__)


def build_engine(order: EngineOrder, worker: ThreadPoolExecutor) -> Engine:
    """Blocks while the model loads. Raises ModelError or MemoryBudgetError."""
    placement = choose_placement(order.model)
    budget = _hold_memory(placement, order)
    torch.set_num_threads(order.threads)
    model = _load_within_budget(order, placement, budget)
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


def _hold_memory(placement: Placement, order: EngineOrder) -> ProcessBudget | None:
    if placement.device.type == "cuda":
        hold_cuda_below(order.memory_percent)
        return None
    if order.memory_limit is None:
        return None
    return_large_blocks()
    budget = process_budget(order.memory_limit, order.memory_percent)
    budget.hold()
    return budget


def _load_within_budget(order: EngineOrder, placement: Placement, budget: ProcessBudget | None) -> Model:
    try:
        return load_model(order.model, placement, order.located)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        held = "the device's memory" if budget is None else f"{budget.ceiling >> 20} MiB"
        raise MemoryBudgetError(
            f"the model {order.model.location} does not fit into {held}; raise the memory limit, choose a GPU "
            "profile with more memory, or a narrower dtype"
        ) from error

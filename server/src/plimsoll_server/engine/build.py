"""From the configuration to an engine: device, memory budget, threads, model, in the order that fails cheapest."""

from __future__ import annotations

import gc
import logging
from concurrent.futures import ThreadPoolExecutor

import torch

from plimsoll_server.engine.calibration_file import calibration_file
from plimsoll_server.engine.device import choose_placement, device_name
from plimsoll_server.engine.engine import Engine
from plimsoll_server.engine.memory import Budget, CudaBudget, free_memory, is_out_of_memory, return_large_blocks
from plimsoll_server.engine.order import EngineOrder
from plimsoll_server.engine.process_memory import MemoryBudgetError, process_budget
from plimsoll_server.engine.threads import start_threads
from plimsoll_server.logs import FIELDS
from plimsoll_server.models.family import Model, Placement
from plimsoll_server.models.load import load_model

log = logging.getLogger(__name__)

_THREADS_TO_COME = 8
"""While the model is loaded and until the first texts were read: those of the loader and of the tokeniser."""


def build_engine(order: EngineOrder, worker: ThreadPoolExecutor) -> Engine:
    """Blocks while the model loads. Raises ModelError or MemoryBudgetError."""
    placement = choose_placement(order.model)
    start_threads(order.threads)
    budget = _hold_memory(placement, order)
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
    if budget is not None:
        budget.hold(_THREADS_TO_COME)
    # What is there now stays for good: a collection after a shortage of memory need not look through all of it.
    gc.freeze()
    return Engine(model, worker, budget, calibration_file(order.calibration_directory, model.info, order.located))


def _hold_memory(placement: Placement, order: EngineOrder) -> Budget | None:
    """None where nothing sets a limit."""
    if placement.device.type == "cuda":
        budget: Budget = CudaBudget(placement.device, order.memory_percent)
    elif order.memory_limit is not None:
        return_large_blocks(order.memory_limit)
        budget = process_budget(order.memory_limit, order.memory_percent, order.promised_bytes, order.workers)
    else:
        return None
    budget.hold(_THREADS_TO_COME)
    return budget


def _load_within_budget(order: EngineOrder, placement: Placement, budget: Budget | None) -> Model:
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

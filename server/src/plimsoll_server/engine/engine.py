"""The engine: one model on one device, and a thread of its own that runs one batch at a time."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from plimsoll_server.engine.guests import Guests
from plimsoll_server.engine.measure import bytes_per_token
from plimsoll_server.engine.memory import device_memory, free_memory
from plimsoll_server.engine.process_memory import DeviceMemory, ProcessBudget
from plimsoll_server.engine.recovery import run_with_recovery
from plimsoll_server.engine.self_test import self_test
from plimsoll_server.models.family import Model
from plimsoll_server.types import BatchReport, Failure, LoadLine, ModelInfo, Outcome, Output, Tokens

log = logging.getLogger(__name__)

_SUSPECT_AFTER = 5
"""Sequences in a row that ran out of memory even alone, before the engine has to prove itself."""

_PROOF_SECONDS = 1.0
"""How long a readiness probe waits for that proof; it goes on in the background."""

Result = TypeVar("Result")


class Engine:
    def __init__(self, model: Model, worker: ThreadPoolExecutor, budget: ProcessBudget | None = None) -> None:
        """`budget`: of the process, None on a GPU or where nothing sets a limit."""
        self._model = model
        self._budget = budget
        self._device = torch.device(model.info.device)
        self._worker = worker
        self._probe: Tokens = ()
        self._lone_failures = 0
        self._suspect_since: float | None = None
        self._proof: asyncio.Task[None] | None = None
        self._busy_since: float | None = None
        self._line = LoadLine()
        self._guests = Guests(lambda batch: run_with_recovery(self._forward, batch, self._free))

    @property
    def info(self) -> ModelInfo:
        return self._model.info

    async def start(self, long: Tokens, short: Tokens, probe: Tokens) -> None:
        """A first real forward pass. Raises SelfTestError. `probe` is what the engine must manage to be called well."""
        self._probe = probe
        await self._on_worker(lambda: self_test(self._model, long, short))

    @property
    def devices(self) -> int:
        return 1

    def line(self) -> LoadLine:
        return self._line

    async def measure(self, sample: Tokens) -> LoadLine | None:
        """What a token of a batch takes, by running `sample`, and how much there is. None where that says nothing:
        without a budget, where the scores of attention are written out and grow with the square of the length, and
        where the kernel does not tell."""
        if self._budget is None or self.info.attention == "eager":
            return None
        await self._on_worker(self._free)
        self._budget.hold()
        room = self._budget.room()
        per_token = await self._on_worker(lambda: bytes_per_token(self._repeated(sample), len(sample), room))
        await self._on_worker(self._free)
        self._budget.hold()
        if per_token is None:
            return None
        self._line = LoadLine(per_token, self._budget.room())
        return self._line

    async def run(self, batch: Sequence[Tokens], *, between: bool = False) -> BatchReport:
        """One outcome per sequence; running out of memory is an outcome, a fault of the model is an exception.

        `between`: before the next layer of the batch that runs, or at once where nothing runs.
        """
        if between:
            guest = self._guests.add(batch)
            # Whichever comes first serves it: the boundary of a layer, or the thread once it is free.
            self._worker.submit(self._timed, self._guests.serve_one)
            report = await asyncio.wrap_future(guest)
        else:
            report = await self._on_worker(lambda: run_with_recovery(self._forward_with_guests, batch, self._free))
        self._remember(report)
        return report

    def memory(self) -> DeviceMemory:
        return device_memory(self._device, self._budget)

    def busy_seconds(self) -> float:
        """How long the batch that is running has been running; 0 when idle."""
        return 0.0 if self._busy_since is None else time.monotonic() - self._busy_since

    def suspect_seconds(self) -> float:
        """How long it is since memory stopped coming back; 0 when all is well."""
        return 0.0 if self._suspect_since is None else time.monotonic() - self._suspect_since

    async def proves_itself(self) -> bool:
        """Whether the engine is well. A suspect one runs the probe first, at most one at a time."""
        if self._suspect_since is None:
            return True
        if self._proof is None or self._proof.done():
            self._proof = asyncio.create_task(self._prove())
        await asyncio.wait({self._proof}, timeout=_PROOF_SECONDS)
        return self._suspect_since is None

    async def _prove(self) -> None:
        report = await self.run([self._probe])
        log.log(logging.ERROR if report.out_of_memory else logging.INFO, "self-check: %s", report.outcomes[0])

    def _forward(self, batch: Sequence[Tokens]) -> list[Outcome]:
        return [output if _is_finite(output) else Failure.NON_FINITE for output in self._model.forward(batch)]

    def _forward_with_guests(self, batch: Sequence[Tokens]) -> list[Outcome]:
        outputs = self._model.forward(batch, self._guests.serve_one_within)
        return [output if _is_finite(output) else Failure.NON_FINITE for output in outputs]

    def _repeated(self, sample: Tokens) -> Callable[[int], object]:
        return lambda sequences: self._model.forward([sample] * sequences)

    def _free(self) -> None:
        free_memory(self._device)

    def _remember(self, report: BatchReport) -> None:
        lost = sum(outcome is Failure.OUT_OF_MEMORY for outcome in report.outcomes)
        if lost < len(report.outcomes):
            self._lone_failures, self._suspect_since = 0, None
            return
        self._lone_failures += lost
        if self._lone_failures >= _SUSPECT_AFTER and self._suspect_since is None:
            self._suspect_since = time.monotonic()
            log.error("%d sequences in a row ran out of memory alone", self._lone_failures)

    async def _on_worker(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._worker, self._timed, work)

    def _timed(self, work: Callable[[], Result]) -> Result:
        self._busy_since = time.monotonic()
        try:
            return work()
        finally:
            self._busy_since = None


def _is_finite(output: Output) -> bool:
    return all(map(math.isfinite, output.numbers))

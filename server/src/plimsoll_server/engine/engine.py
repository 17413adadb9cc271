"""The engine: one model on one device, and a thread of its own that runs one batch at a time."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch

from plimsoll_server.audience import Audience
from plimsoll_server.engine.between_batches import BetweenBatches
from plimsoll_server.engine.calibration import Calibrator
from plimsoll_server.engine.doubt import Doubt
from plimsoll_server.engine.guests import Guests
from plimsoll_server.engine.host import AbandonedError, Host
from plimsoll_server.engine.line import Line
from plimsoll_server.engine.memory import Budget, device_memory, free_memory, is_out_of_memory
from plimsoll_server.engine.meter import CudaMeter, ProcessMeter
from plimsoll_server.engine.process_memory import FEW_WORDS, DeviceMemory, MemoryBudgetError, room_left
from plimsoll_server.engine.progress import Progress
from plimsoll_server.engine.recovery import run_with_recovery
from plimsoll_server.engine.self_test import self_test
from plimsoll_server.engine.stand_in import StandIn
from plimsoll_server.engine.threads import threads_for
from plimsoll_server.engine.trials import Trials, stretched
from plimsoll_server.models.family import Between, HasExperts, Model
from plimsoll_server.types import (
    BatchReport,
    Calibration,
    ExpertUse,
    Failure,
    LoadLine,
    ModelInfo,
    Outcome,
    Tokens,
)

log = logging.getLogger(__name__)

_IDLE_LOOK_SECONDS = 5.0

Result = TypeVar("Result")


class Engine:
    def __init__(
        self, model: Model, worker: ThreadPoolExecutor, budget: Budget | None = None, kept: Path | None = None
    ) -> None:
        """`budget`: None where nothing sets a limit. `kept`: the file of earlier trials, if any is kept."""
        self._model = model
        self._experts = model if isinstance(model, HasExperts) else None
        self._budget = budget
        self._calibrator = None if budget is None else Calibrator(budget, kept)
        self._device = torch.device(model.info.device)
        self._worker = worker
        self._probe: Tokens = ()
        # Not behind the batch that runs: a long one is no reason to take the pod out of service until it ends.
        self._doubt = Doubt(lambda: self.run([self._probe], between=True))
        self._busy_since: float | None = None
        self._progress = Progress()
        self._stand_in = StandIn(budget)
        self._line = Line()
        self._between_batches = None if budget is None else BetweenBatches(budget, self._line, self._free)
        self._tokens = 0
        """That the engine's thread has in the works."""
        self._guests = Guests(lambda batch: self._recovering(batch, None))

    @property
    def info(self) -> ModelInfo:
        return self._model.info

    async def start(self, long: Tokens, short: Tokens, probe: Tokens) -> None:
        """A first real forward pass. Raises SelfTestError, or MemoryBudgetError where there is no memory for it.

        `probe` is what the engine must manage to be called well.
        """
        self._probe = probe
        await self._on_worker(lambda: self._test(long, short))

    @property
    def devices(self) -> int:
        return 1

    def line(self) -> LoadLine:
        return self._line.now()

    async def calibrate(self, sample: Tokens, longest: int, together: int) -> Calibration | None:
        """Measures the load line. `sample`: ordinary text; `longest`: the most tokens of one sequence; `together`: of
        all that could ever be planned to run at once.

        None where that says nothing: without a budget, where the scores of attention are written out and grow with the
        square of the length, and where nobody tells how much memory is in use.
        """
        if self._calibrator is None or self.info.attention == "eager":
            return None
        meter = CudaMeter(self._device) if self._device.type == "cuda" else ProcessMeter()
        trials = Trials(self._model, meter, self._free, sample, longest)
        most = together if self.info.packing == "packed" else longest
        calibration = await self._on_worker(partial(self._calibrator.calibrate, trials, most))
        await self._on_worker(self._expert_use)
        if calibration is not None:
            self._line.calibrated(calibration)
            if self._device.type == "cuda":
                await self._check_once(sample, longest, together)
        return calibration

    async def run(
        self, batch: Sequence[Tokens], *, between: bool = False, audience: Audience | None = None
    ) -> BatchReport:
        """One outcome per sequence: running out of memory is one, and so is a fault of the model at some of them. Where
        it failed and none ran, that is an exception.

        `between`: before the next layer of the batch that runs, or at once where nothing runs. `audience`: once it is
        gone, an ordinary batch is ended before its next layer.
        """
        if between:
            guest = self._guests.add(batch)
            # Whichever comes first serves it: the boundary of a layer, or the thread once it is free.
            self._worker.submit(self._timed, self._guests.serve_one)
            report = await asyncio.wrap_future(guest)
        else:
            report = await self._on_worker(lambda: self._recovering(batch, audience or Audience()))
        self._doubt.hear(report)
        return report

    async def keep(self) -> None:
        """Has an idle engine give back what is not in use where there is no memory to read a text with, until
        cancelled: no batch comes then after which it would."""
        while True:
            await asyncio.sleep(_IDLE_LOOK_SECONDS)
            room = room_left()
            if self._busy_since is None and room is not None and room < FEW_WORDS:
                await self._on_worker(self._free)

    def memory(self) -> DeviceMemory:
        return device_memory(self._device, self._budget)

    def busy_seconds(self) -> float:
        """How long the batch that is running has been running; 0 when idle."""
        return 0.0 if self._busy_since is None else time.monotonic() - self._busy_since

    def still_seconds(self) -> float:
        """How long the layer that is running has been running; 0 when idle."""
        return self._progress.still_seconds()

    def suspect_seconds(self) -> float:
        """How long it is since memory stopped coming back, for all that is known; 0 when all is well."""
        return self._doubt.seconds(self._busy_since)

    async def proves_itself(self) -> bool:
        """Whether the engine is well. A suspect one runs the probe first, at most one at a time."""
        return await self._doubt.is_dispelled()

    def _test(self, long: Tokens, short: Tokens) -> None:
        try:
            self_test(self._model, long, short)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise MemoryBudgetError(
                f"the model {self.info.location} is loaded, but the memory that is left is too little for a text of "
                f"{len(long)} tokens; raise the memory limit, or choose a GPU profile with more memory"
            ) from error
        if self._budget is not None:
            self._free()
            # All threads are there now.
            self._budget.hold()
        self._expert_use()  # Of texts that nobody sent: the next one's does not count them.

    def _recovering(self, batch: Sequence[Tokens], audience: Audience | None) -> BatchReport:
        """`audience`: None for a guest, which has no guests of its own."""
        began = time.monotonic()
        try:
            forward = partial(self._forward, audience=audience)
            report = run_with_recovery(lambda part: self._stand_in.run(partial(forward, part)), batch, self._make_room)
        except AbandonedError:
            log.info("a batch of %d is ended on its way: nobody waits for it any more", len(batch))
            report = BatchReport(())
        step = 0.0 if audience is None else self._progress.longest_step()
        return dataclasses.replace(
            report, seconds=time.monotonic() - began, longest_step=step, experts=self._expert_use()
        )

    def _expert_use(self) -> ExpertUse | None:
        """Since it was last asked for."""
        return None if self._experts is None else self._experts.expert_use()

    def _forward(self, batch: Sequence[Tokens], audience: Audience | None) -> list[Outcome]:
        tokens = sum(map(len, batch))
        self._tokens += tokens
        try:
            with threads_for(tokens, self.info.width):
                outputs = self._model.forward(batch, self._border(batch, audience))
        finally:
            self._tokens -= tokens
        return [output if all(map(math.isfinite, output.numbers)) else Failure.NON_FINITE for output in outputs]

    def _border(self, batch: Sequence[Tokens], audience: Audience | None) -> Between:
        if audience is None:
            return self._progress.made
        passes = 1 if self.info.packing == "packed" else len(batch)
        return self._progress.told_by(Host(self._guests, audience, self.info.layers * passes).border)

    def _make_room(self, batch: Sequence[Tokens]) -> None:
        """After a shortage. What this batch ran within, if it did, is still in the works."""
        self._line.shortage(self._tokens + sum(map(len, batch)), len(batch))
        self._free()

    async def _check_once(self, sample: Tokens, longest: int, together: int) -> None:
        """A batch as deep as the line, through all layers: if memory runs out, the line is lowered here and not by the
        first callers. A CPU would take minutes for it."""
        sequences = self.line().sequences(max(1, together // longest), longest)
        await self.run([stretched(sample, longest)] * sequences)

    def _free(self) -> None:
        free_memory(self._device)

    async def _on_worker(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._worker, self._timed, work)

    def _timed(self, work: Callable[[], Result]) -> Result:
        self._busy_since = time.monotonic()
        self._progress.begins()
        try:
            result = work()
            self._look_after_memory()
            return result
        finally:
            self._busy_since = None
            self._progress.ends()

    def _look_after_memory(self) -> None:
        if self._between_batches is None:
            return
        try:
            self._between_batches.look()
        except (MemoryError, RuntimeError) as error:
            # A shortage at this moment is no fault of the work that is done.
            log.warning("the memory of the process could not be looked at: %s", error)

"""From the settings to a scheduler that feeds a proven engine. Everything heavy is imported here, after the probes
can already be answered."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from plimsoll_server.engine.cpus import usable_cpus
from plimsoll_server.engine.process_memory import MemoryBudgetError, room_left
from plimsoll_server.launch import AnyEngine, Crew, dismiss, launch, runs_here
from plimsoll_server.logs import FIELDS
from plimsoll_server.pack_record import PackRecord
from plimsoll_server.phases import Phases
from plimsoll_server.scheduler.cache.answer_cache import AnswerCache
from plimsoll_server.scheduler.cache.codec import Codec
from plimsoll_server.scheduler.cache.memory import MemoryCache
from plimsoll_server.scheduler.cache.shared import SharedCache
from plimsoll_server.scheduler.long_input import LongInput
from plimsoll_server.scheduler.memory_claims import MemoryClaims
from plimsoll_server.scheduler.scheduler import Observer, Scheduler
from plimsoll_server.scheduler.text_memory import BYTES_PER_TEXT_BYTE
from plimsoll_server.scheduler.tiers import Tier, tiers_from
from plimsoll_server.scheduler.tokenise import BYTES_PER_FILE_BYTE, Tokeniser
from plimsoll_server.settings import Settings
from plimsoll_server.types import Calibration, ModelInfo, Tokens

log = logging.getLogger(__name__)

_TOKENISER_THREADS = 2
_SHORT_TEXT_BYTES = 4096
"""A server that has no memory for so little is better told to have more."""
_TRIED_SAMPLE_TOKENS = 512
"""Of the text that the trials of memory repeat."""
_SAMPLE = "A load line shows how deep a ship may safely lie in the water. "
_LONG_SAMPLE_TOKENS = 300
"""More than two blocks of a local layer, so that the self-test meets every kind of them."""


async def start(
    settings: Settings, worker: ThreadPoolExecutor, crew: Crew, observer: Observer, loaded: Callable[[], None]
) -> tuple[AnyEngine, Scheduler, Calibration | None]:
    """Loads the model, calls `loaded`, and runs the first forward passes. Raises StartError."""
    engine = await launch(settings, worker, crew)
    loaded()
    try:
        scheduler, calibration = await _prove(engine, settings, worker, crew.phases, observer)
    except MemoryError as error:
        await dismiss(engine)
        raise MemoryBudgetError(
            "with the model loaded, nothing of the memory limit is left to start with; raise "
            "spec.server.resources.limits.memory"
        ) from error
    except BaseException:
        await dismiss(engine)
        raise
    return engine, scheduler, calibration


async def _prove(
    engine: AnyEngine, settings: Settings, worker: ThreadPoolExecutor, phases: Phases, observer: Observer
) -> tuple[Scheduler, Calibration | None]:
    tiers = tiers_from(settings.config.tiers)
    loop = asyncio.get_running_loop()
    claims = MemoryClaims(room_left, with_packs=runs_here(engine))
    tokeniser = await loop.run_in_executor(worker, _tokeniser, settings, engine.info, tiers, claims)
    with phases.timed("self_test"):
        await _test(engine, tokeniser, tiers)
    _bound_texts(tokeniser, settings.cache_bytes)
    with phases.timed("calibrate"):
        calibration = await _calibrate(engine, tokeniser, tiers)
    scheduler = Scheduler(
        engine.info,
        tiers,
        settings.config.long_input,
        tokeniser,
        engine,
        observer,
        PackRecord(settings.termination_log),
        settings.request_deadline_seconds,
        _answer_cache(settings, engine.info, observer),
        scope=f"{settings.namespace}/{settings.deployment}/{settings.revision}",
    )
    return scheduler, calibration


def _answer_cache(settings: Settings, info: ModelInfo, observer: Observer) -> AnswerCache:
    if not settings.cache_bytes:
        return AnswerCache()
    ttl, file = settings.cache_ttl_seconds, settings.redis_url_file
    codec = Codec(tiers_from(settings.config.tiers), info)
    return AnswerCache(
        MemoryCache(settings.cache_bytes, ttl),
        SharedCache(file, codec, ttl, observer.cache_failed) if file else None,
    )


def _tokeniser(settings: Settings, info: ModelInfo, tiers: tuple[Tier, ...], claims: MemoryClaims) -> Tokeniser:
    threads = min(_TOKENISER_THREADS, usable_cpus())
    copies = threads * BYTES_PER_FILE_BYTE * Path(info.tokenizer_file).stat().st_size
    # The library ends the process when it gets no memory.
    _check_room(copies + _SHORT_TEXT_BYTES * BYTES_PER_TEXT_BYTE, "the tokeniser")
    return Tokeniser(
        info.tokenizer_file,
        threads=threads,
        max_text_bytes=settings.max_text_bytes,
        cut_above=LongInput(settings.config.long_input, tiers, info.window).cuts_above,
        with_offsets=info.task == "token-classification",
        claims=claims,
    )


def _bound_texts(tokeniser: Tokeniser, remembered: int) -> None:
    """To what an idle server has memory for, with `remembered` bytes of answers, but to a short text at least. Raises
    MemoryBudgetError when there is none for that even now, while nothing is remembered."""
    least = _SHORT_TEXT_BYTES * BYTES_PER_TEXT_BYTE
    _check_room(least, f"a text of {_SHORT_TEXT_BYTES} bytes")
    room = room_left()
    if room is None:
        return
    if room - remembered < least:
        log.warning(
            "what the server holds and what it may remember leave texts no memory: those of more than "
            f"{_SHORT_TEXT_BYTES} bytes are refused; raise spec.server.resources.limits.memory, or lower "
            "spec.server.cache.maxSize"
        )
    tokeniser.idle_with(max(least, room - remembered))


def _check_room(needed: int, what: str) -> None:
    room = room_left()
    if room is not None and room < needed:
        raise MemoryBudgetError(
            f"with the model loaded, {room >> 10} KiB of the memory limit are left, but {what} needs {needed >> 10} "
            "KiB; raise spec.server.resources.limits.memory"
        )


async def _test(engine: AnyEngine, tokeniser: Tokeniser, tiers: tuple[Tier, ...]) -> None:
    """The probe that a suspect engine must manage again is a full sequence of the smallest tier."""
    smallest = next(tier.max_tokens for tier in tiers if tier.usable)
    await engine.start(
        long=await _sample(tokeniser, min(_LONG_SAMPLE_TOKENS, engine.info.window)),
        short=await _sample(tokeniser, 12),
        probe=await _sample(tokeniser, min(smallest, engine.info.window)),
    )


async def _calibrate(engine: AnyEngine, tokeniser: Tokeniser, tiers: tuple[Tier, ...]) -> Calibration | None:
    """With as much as the tiers could have run at once."""
    usable = [tier for tier in tiers if tier.usable]
    longest = min(max(tier.max_tokens for tier in usable), engine.info.window)
    together = max(tier.running_limit * min(tier.max_tokens, longest) for tier in usable)
    sample = await _sample(tokeniser, min(_TRIED_SAMPLE_TOKENS, longest))
    calibration = await engine.calibrate(sample, longest, together)
    if calibration is not None:
        log.info("load line measured", extra={FIELDS: dataclasses.asdict(calibration)})
        if not calibration.line.tokens:
            log.warning(
                "what the server holds and what it may remember leave batches no memory by the plan: one text runs at "
                "a time; raise spec.server.resources.limits.memory, or lower spec.server.cache.maxSize"
            )
    return calibration


async def _sample(tokeniser: Tokeniser, length: int) -> Tokens:
    document = await tokeniser.document(_SAMPLE)
    wanted = max(1, length - document.frame.length)
    repeated = [*document.content] * (wanted // len(document.content) + 1)
    return [*document.frame.prefix, *repeated[:wanted], *document.frame.suffix]

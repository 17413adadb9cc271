"""One training, from its configuration to a model's folder; or from where it was stopped.

OUTPUT/tokenizer.json   made from the first rows, once
OUTPUT/checkpoints/     what it takes to go on
OUTPUT/steps.jsonl      what each step did
OUTPUT/tensorboard/     the same and more, to look at
OUTPUT/model/           what is served; there when all is done
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from tokenizers import Tokenizer

from plimsoll_server.train.board import Board
from plimsoll_server.train.checkpoints import Checkpoints, State, check_same_training, read_state, restore, tensors_of
from plimsoll_server.train.config import BayesianModel, TrainingConfig, read_config
from plimsoll_server.train.data import Example, Reader, Stream, open_rows, taken, text_of
from plimsoll_server.train.demo.repeatable import repeatable
from plimsoll_server.train.demo.tokenizer import train_tokenizer
from plimsoll_server.train.errors import TrainingError
from plimsoll_server.train.families import FAMILIES, build_network
from plimsoll_server.train.folder import written
from plimsoll_server.train.held_out import Examined, examine
from plimsoll_server.train.lock import exclusive
from plimsoll_server.train.loop import Loop
from plimsoll_server.train.processes import Processes, joined
from plimsoll_server.train.progress import Reporter
from plimsoll_server.train.recompute import recompute
from plimsoll_server.train.record import TrainingRecord, read_record
from plimsoll_server.train.save import save_model
from plimsoll_server.train.sharding import shard
from plimsoll_server.train.step_log import StepLog


@dataclass(frozen=True, slots=True)
class Training:
    """What every part of a training needs to know."""

    config: TrainingConfig
    folder: Path
    """Of the configuration file, where the paths of local data begin."""
    output: Path
    processes: Processes
    reporter: Reporter
    checkpoints: Checkpoints

    @property
    def model(self) -> Path:
        return self.output / "model"

    @property
    def packed(self) -> bool:
        return FAMILIES[self.config.model.family].packed


def train(config_file: Path, output: Path, reporter: Reporter) -> TrainingRecord:
    """Raises TrainingError."""
    config = read_config(config_file)
    with joined(config.precision.device) as processes, repeatable(config.seed):
        torch.set_num_threads(config.threads)
        own = reporter if processes.first else Reporter(Console(quiet=True))
        checkpoints = Checkpoints(output / "checkpoints", config.checkpoints.keep, own.say)
        training = Training(config, config_file.parent, output, processes, own, checkpoints)
        with _owned(training):
            if training.model.exists():
                own.say(f"{training.model} is there already: kept. Name another folder to train anew")
            else:
                _train(training)
            processes.meet()
            return read_record(training.model)


@contextmanager
def _owned(training: Training) -> Iterator[None]:
    """No other training writes there meanwhile."""
    with ExitStack() as stack:
        if training.processes.first:
            training.output.mkdir(parents=True, exist_ok=True)
            lock = exclusive(training.output / ".lock", deadline_seconds=1, on_wait=lambda: None)
            stack.enter_context(lock)
        training.processes.meet()
        yield


@dataclass(frozen=True, slots=True)
class Learner:
    network: Any
    loop: Loop
    stream: Stream
    held_out: Sequence[Example]


def _train(training: Training) -> None:
    config, processes = training.config, training.processes
    tokenizer = _tokenizer(training)
    reader = Reader(config.data, tokenizer, config.model.shape.max_position_embeddings)
    held_out = _held_out(training, reader)
    network = _network(training, tokenizer)
    rows = open_rows(config.data, config.data.training, training.folder)
    stream = Stream(rows, reader, config.data, seed=config.seed, rank=processes.rank, processes=processes.count)
    learner = Learner(network, Loop(network, config, processes), stream, held_out)
    _run(training, learner, _go_on(training, learner))
    processes.meet()
    if processes.first:
        best = training.checkpoints.best()
        if best is None:
            raise TrainingError(f"expected a whole checkpoint in {training.output}, found none; start again")
        save_model(training.model, best, config, tokenizer, _learnt(training, reader), held_out, processes)


def _tokenizer(training: Training) -> Tokenizer:
    """The first process makes it, unless an earlier run did."""
    file = training.output / "tokenizer.json"
    if training.processes.first and not file.exists():
        data, model = training.config.data, training.config.model
        rows = taken(iter(open_rows(data, data.training, training.folder)), model.tokenizer_rows)
        texts = [text_of(row, number, data) for number, row in enumerate(rows)]
        training.reporter.say(f"A tokenizer is made from {len(texts):,} rows")
        written(file, train_tokenizer(texts, model.vocabulary).to_str())
    training.processes.meet()
    made: Tokenizer = Tokenizer.from_file(str(file))
    return made


def _held_out(training: Training, reader: Reader) -> list[Example]:
    data = training.config.data
    rows = taken(iter(open_rows(data, data.held_out, training.folder)), data.held_out_rows)
    if not rows:
        raise TrainingError("expected at least one row in data.held_out, found none; name other files")
    return reader.examples(rows)


def _learnt(training: Training, reader: Reader) -> list[Example]:
    """For a family that ends by them."""
    data, model = training.config.data, training.config.model
    if not isinstance(model, BayesianModel):
        return []
    return reader.examples(taken(iter(open_rows(data, data.training, training.folder)), model.posterior_rows))


def _network(training: Training, tokenizer: Tokenizer) -> Any:
    config, processes = training.config, training.processes
    torch.manual_seed(config.seed)
    network = build_network(config.model, tokenizer.get_vocab_size(), config.data.labels).to(processes.device)
    recompute(network.layers, config.precision.recompute_every)
    if processes.count > 1:
        shard(network, processes)
    # From here on each process draws numbers of its own.
    torch.manual_seed(config.seed + processes.rank)
    return network


def _go_on(training: Training, learner: Learner) -> int:
    """The step after which this run begins: that of the last checkpoint, or 0."""
    last = training.checkpoints.last()
    if last is None:
        return 0
    state = read_state(last)
    check_same_training(state, training.config, training.processes, training.output)
    restore(last, learner.network, learner.loop.optimizer, training.processes)
    learner.stream.read_on(state.places[training.processes.rank])
    training.reporter.say(f"Goes on from {last}, after step {state.step:,}")
    return state.step


def _run(training: Training, learner: Learner, begun: int) -> None:
    config, processes = training.config, training.processes
    steps = config.schedule.steps
    log = StepLog(training.output / "steps.jsonl", after_step=begun) if processes.first else None
    board = Board(training.output / "tensorboard", config, processes, after_step=begun)
    with closing(board), training.reporter.work("Training", steps - begun) as advance:
        for number in range(begun + 1, steps + 1):
            batches = [learner.stream.take(config.optimiser.batch) for _ in range(config.optimiser.accumulation)]
            step = learner.loop.step(number, batches)
            if log is not None:
                log.add(number, step)
            board.step(number, step, learner.network, batches[0], packed=training.packed)
            if number % config.checkpoints.every == 0 or number == steps:
                board.examined(number, _save_checkpoint(training, learner, number), last=number == steps)
            advance(f"(loss {step.loss:.3f})")


def _save_checkpoint(training: Training, learner: Learner, number: int) -> Examined:
    """Every process has a part in it; the first one writes."""
    config, processes = training.config, training.processes
    found = examine(learner.network, learner.held_out, processes.device, packed=training.packed)
    places = tuple(processes.all_of(learner.stream.place))
    tensors = tensors_of(learner.network, learner.loop.optimizer, processes)
    if processes.first:
        state = State(step=number, held_out_loss=found.loss, places=places, config=config)
        training.checkpoints.save(state, tensors)
    return found
